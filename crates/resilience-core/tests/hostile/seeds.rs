//! The seeds of the fuzz targets, each whole and cut short.

use std::fs;
use std::path::{Path, PathBuf};

use super::memory::peak_of;
use super::parsers::PARSERS;

/// Beginnings of each seed that are tried; of a longer one every second, third and so on, and all of its
/// first and last bytes.
const BEGINNINGS: usize = 100;
/// What a file of a few kilobytes may take: mostly the 30 MB of a data set's test split.
const MEMORY: usize = 64 << 20;

fn fuzz() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz")
}

pub fn seeds(name: &str) -> Vec<(PathBuf, Vec<u8>)> {
    let folder = fuzz().join("seeds").join(name);
    let entries = fs::read_dir(&folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display()));
    let mut paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths.into_iter().map(|path| (path.clone(), fs::read(path).unwrap())).collect()
}

/// Would catch a parser that is not fuzzed, or has nothing to begin with.
#[test]
fn every_parser_has_its_target() {
    let manifest = fs::read_to_string(fuzz().join("Cargo.toml")).unwrap();
    for (name, _) in PARSERS {
        assert!(manifest.contains(&format!("name = \"{name}\"")), "fuzz/Cargo.toml lacks {name}");
        let target = fs::read_to_string(fuzz().join(format!("fuzz_targets/{name}.rs"))).unwrap();
        assert!(target.contains(&format!("target!(\"{name}\")")), "{target}");
        assert!(!seeds(name).is_empty(), "{name} has no seed");
    }
    assert_eq!(manifest.matches("[[bin]]").count(), PARSERS.len());
    assert_eq!(fs::read_dir(fuzz().join("fuzz_targets")).unwrap().count(), PARSERS.len());
}

/// Would catch seeds that are left behind by their form, so that fuzzing begins with nonsense.
#[test]
fn seeds_are_taken() {
    let mut refused = Vec::new();
    for (name, parse) in PARSERS {
        for (path, bytes) in seeds(name) {
            let (taken, peak) = peak_of(|| parse(&bytes));
            assert!(peak < MEMORY, "{} took {peak} bytes", path.display());
            if !taken {
                refused.push(path);
            }
        }
    }
    assert!(refused.is_empty(), "not taken: {refused:?}; see fuzz/seeds/generate.py");
}

/// Would catch a length that is trusted at the end of any kind of file.
#[test]
fn seeds_cut_short_are_no_harm() {
    for (name, parse) in PARSERS {
        for (path, bytes) in seeds(name) {
            let step = bytes.len().div_ceil(BEGINNINGS).max(1);
            let ends = |at: &usize| at.is_multiple_of(step) || *at < 32 || at + 32 > bytes.len();
            for length in (0..bytes.len()).filter(ends) {
                let (_, peak) = peak_of(|| parse(&bytes[..length]));
                assert!(peak < MEMORY, "{} cut to {length}: {peak} bytes", path.display());
            }
        }
    }
}

/// Counts the records' seed and writes what comes of it as the summary's.
#[test]
#[ignore = "writes into fuzz/seeds, where the form of a summary has changed"]
fn write_summary() {
    let lines = String::from_utf8(seeds("records").remove(0).1).unwrap();
    let folder = super::records::store(&lines);
    let store = resilience_core::store::RunStore::open(folder.path()).unwrap();
    let summary = resilience_core::summary::from_store(&store).unwrap();
    let path = fuzz().join("seeds/summary/run.json");
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    summary.without_places().write(&path).unwrap();
}
