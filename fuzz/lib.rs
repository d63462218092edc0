//! What the fuzz targets share: the table of parsers, which is that of the tests of hostile files.

#[path = "../crates/resilience-core/tests/hostile/files.rs"]
mod files;
#[path = "../crates/resilience-core/tests/hostile/parsers.rs"]
mod parsers;
#[path = "../crates/resilience-core/tests/hostile/records.rs"]
mod records;

use std::sync::OnceLock;

/// The parser of that name.
///
/// # Panics
/// If there is none: a target has another name than its line in the table.
pub fn parser(name: &str) -> parsers::Parser {
    let known = parsers::PARSERS.iter().find(|(known, _)| *known == name);
    known
        .map(|(_, parser)| *parser)
        .unwrap_or_else(|| panic!("{name} is not in the table of parsers"))
}

/// Hands bytes to the parser of that name, which is looked up once.
pub fn run(found: &OnceLock<parsers::Parser>, name: &str, bytes: &[u8]) {
    found.get_or_init(|| parser(name))(bytes);
}

/// A fuzz target for the parser of that name.
#[macro_export]
macro_rules! target {
    ($name:literal) => {
        libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
            static PARSER: std::sync::OnceLock<fn(&[u8]) -> bool> = std::sync::OnceLock::new();
            $crate::run(&PARSER, $name, bytes);
        });
    };
}
