//! What several tests need.

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
    #[expect(clippy::print_stderr, reason = "a skipped test must be seen")]
    {
        eprintln!("SKIPPED: {} is not here, so that nothing was tested on it", found.display());
    }
    None
}
