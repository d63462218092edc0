//! Lists the published claims in `leaderboard/`, so that they are built into the program: a user has
//! no repository, and a new file there needs no line in Rust.

use std::fmt::Write as _;
use std::fs;
use std::io::{Error, Result};
use std::path::Path;

/// From this package, where cargo runs a build script.
const BOARD: &str = "../../leaderboard";

fn main() -> Result<()> {
    println!("cargo::rerun-if-changed=build.rs");
    // A folder stands for everything in it.
    println!("cargo::rerun-if-changed={BOARD}");
    let mut list = String::from("[\n");
    for dataset in names(Path::new(BOARD))? {
        for threat in names(&Path::new(BOARD).join(&dataset))? {
            for file in names(&Path::new(BOARD).join(&dataset).join(&threat))? {
                let path = format!("{dataset}/{threat}/{file}");
                let _ = writeln!(
                    list,
                    "(\"{path}\", include_str!(concat!(env!(\"CARGO_MANIFEST_DIR\"), \
                     \"/{BOARD}/{path}\"))),"
                );
            }
        }
    }
    list += "]\n";
    let out = std::env::var_os("OUT_DIR").ok_or_else(|| Error::other("cargo sets OUT_DIR"))?;
    fs::write(Path::new(&out).join("leaderboard.rs"), list)
}

/// The folders and claims in a folder, in order; nothing of a file that is no claim.
fn names(folder: &Path) -> Result<Vec<String>> {
    let mut names = Vec::new();
    if !folder.is_dir() {
        return Ok(names);
    }
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name().into_string().map_err(|name| {
            Error::other(format!("leaderboard: a file's name is no text: {}", name.display()))
        })?;
        let path = entry.path();
        if path.is_dir() || path.extension().is_some_and(|extension| extension == "toml") {
            names.push(name);
        }
    }
    names.sort();
    Ok(names)
}
