//! What several tests need.

use std::io::{self, Write};
use std::path::PathBuf;

/// A path under the folder of real data that developers have beside their checkout (another place
/// by `$RESILIENCE_SHARED`), or `None`, said loudly, where there is none.
pub fn shared(path: &str) -> Option<PathBuf> {
    let folder = std::env::var_os("RESILIENCE_SHARED").map_or_else(
        || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared")),
        PathBuf::from,
    );
    let found = folder.join(path);
    if found.exists() {
        return Some(found);
    }
    // Not `eprintln`, which the test harness swallows where a test passes.
    let _ = writeln!(
        io::stderr(),
        "SKIPPED: {} is not here, so that nothing was tested on it",
        found.display()
    );
    None
}
