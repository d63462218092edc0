//! What people write, and what is kept as text: TOML, JSON, lists.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::memory::peak_of;
use super::parsers::{self, Parser};

/// Every parser of TOML.
const TOML: [(&str, Parser); 7] = [
    ("data manifest", parsers::data_manifest),
    ("manifest", parsers::manifest),
    ("ensemble", parsers::ensemble),
    ("method", parsers::method),
    ("suite", parsers::suite),
    ("comparison", parsers::comparison),
    ("claim", parsers::claim),
];

/// Of JSON, and of lines of it.
const JSON: [(&str, Parser); 3] = [
    ("class index", parsers::class_index),
    ("summary", parsers::summary),
    ("records", parsers::records),
];

/// Would catch recursion over what a text nests, which ends the program with the thread's stack, and a text
/// that takes far more memory than it has bytes.
#[test]
fn nonsense_is_refused() {
    const DEEP: usize = 100_000;
    let toml = [
        ("lists", format!("a = {}", "[".repeat(DEEP))),
        ("closed lists", format!("a = {}{}", "[".repeat(DEEP), "]".repeat(DEEP))),
        ("tables", format!("a = {}", "{a=".repeat(DEEP))),
        ("a dotted key", format!("{}a = 1", "a.".repeat(DEEP))),
        ("a dotted table", format!("[{}a]", "a.".repeat(DEEP))),
        ("a dotted list", format!("[[{}a]]", "a.".repeat(DEEP))),
        ("many tables", (0..20_000).map(|n| format!("[a{n}]")).collect::<Vec<_>>().join("\n")),
        ("a long key", format!("{} = 1", "k".repeat(1 << 20))),
        ("a long text", format!("name = '{}'", "k".repeat(1 << 20))),
        ("a large number", format!("version = {}", "9".repeat(10_000))),
        ("a small number", format!("eps = 1e-{}", "9".repeat(1000))),
        ("a key twice", "name = 'a'\nname = 'b'".to_owned()),
        ("a date", "name = 2026-99-99T99:99:99Z".to_owned()),
        ("no numbers", "mean = [nan, inf, -inf]\nversion = nan".to_owned()),
        ("a surrogate", "name = \"\\ud800\"".to_owned()),
        ("zeros", "\0".repeat(100)),
        ("a mark and nothing", "\u{feff}".to_owned()),
        ("an open text", "name = '''".to_owned()),
        ("JSON", r#"{"name": "a"}"#.to_owned()),
        ("nothing", String::new()),
    ];
    let json = [
        ("lists", "[".repeat(DEEP)),
        ("closed lists", format!("{}{}", "[".repeat(DEEP), "]".repeat(DEEP))),
        ("objects", r#"{"a":"#.repeat(DEEP)),
        ("a long text", format!("\"{}\"", "k".repeat(1 << 20))),
        ("a large number", format!("{{\"schema\": {}}}", "9".repeat(10_000))),
        ("no number", r#"{"schema": NaN}"#.to_owned()),
        ("a surrogate", r#"{"0": ["\ud800", "a"]}"#.to_owned()),
        ("zeros", "\0".repeat(100)),
        ("half of it", r#"{"schema": 2, "tool": {"#.to_owned()),
        ("a label too large", r#"{"18446744073709551616": ["a", "b"]}"#.to_owned()),
        ("a row of no table", r#"["sqlite_master", 1]"#.to_owned()),
    ];
    let all =
        TOML.iter().map(|parser| (parser, &toml[..])).chain(JSON.iter().map(|p| (p, &json[..])));
    for ((name, parse), texts) in all {
        for (what, text) in texts {
            let (taken, peak) = peak_of(|| parse(text.as_bytes()));
            // Of a class index a line is a class, whatever stands in it.
            assert!(!taken || *name == "class index", "{name} took {what}");
            let most = (16 << 20) + 64 * text.len();
            assert!(peak < most, "{name}, {what}: {peak} bytes of {} in it", text.len());
        }
    }
}

/// Would catch a panic on damage anywhere in a text, and on a piece of it that is there twice.
#[test]
fn damaged_anywhere() {
    let mut rng = ChaCha8Rng::seed_from_u64(0);
    for (name, parse) in parsers::PARSERS {
        let is_text =
            TOML.iter().chain(&JSON).any(|(_, other)| std::ptr::fn_addr_eq(*other, *parse));
        if !is_text {
            continue;
        }
        for (path, bytes) in super::seeds::seeds(name) {
            for _ in 0..30 {
                let mut damaged = bytes.clone();
                let place = |rng: &mut ChaCha8Rng| rng.next_u32() as usize % bytes.len();
                let (at, from, to) = (place(&mut rng), place(&mut rng), place(&mut rng));
                match rng.next_u32() % 3 {
                    0 => damaged[at] = rng.next_u32() as u8,
                    1 => drop(damaged.drain(from.min(to)..from.max(to))),
                    _ => drop(damaged.splice(at..at, bytes[from.min(to)..from.max(to)].to_vec())),
                }
                let (_, peak) = peak_of(|| parse(&damaged));
                assert!(peak < 64 << 20, "{}: {peak}", path.display());
            }
        }
    }
}
