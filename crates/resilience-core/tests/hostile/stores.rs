//! Run stores: SQLite files.

use std::path::Path;

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use resilience_core::store::{FILE, RunStore};
use rusqlite::Connection;

use super::files::folder;
use super::memory::peak_of;
use super::{records, seeds};

fn honest() -> Vec<u8> {
    seeds::seeds("store").remove(0).1
}

/// The honest store after these statements.
fn changed(sql: &str) -> tempfile::TempDir {
    let place = folder(&[(FILE, &honest())]);
    let connection = Connection::open(place.path().join(FILE)).unwrap();
    connection.execute_batch(sql).unwrap_or_else(|error| panic!("{sql}: {error}"));
    place
}

fn refused(folder: &Path) -> String {
    RunStore::open(folder).unwrap_err().to_string()
}

/// Would catch a panic, a hang or much memory on damage anywhere in a store.
#[test]
fn damaged_anywhere() {
    let mut rng = ChaCha8Rng::seed_from_u64(0);
    let bytes = honest();
    for at in (0..bytes.len()).step_by(61) {
        let mut damaged = bytes.clone();
        damaged[at] = rng.next_u32() as u8;
        let other = rng.next_u32() as usize % bytes.len();
        damaged[other] = rng.next_u32() as u8;
        let place = folder(&[(FILE, &damaged)]);
        let (_, peak) = peak_of(|| records::read(place.path()));
        assert!(peak < 64 << 20, "{at}, {other}: {peak}");
    }
}

/// Would catch a file that brings a program: a view without an end in the place of a table, a trigger, a
/// column that is computed.
#[test]
fn programs_are_refused() {
    let endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n)";
    for (what, sql) in [
        (
            "view run",
            format!(
                "ALTER TABLE run RENAME TO hidden; \
                 CREATE VIEW run AS {endless} SELECT max(i) AS plan FROM n"
            ),
        ),
        (
            "trigger",
            "CREATE TRIGGER t AFTER INSERT ON unit BEGIN DELETE FROM outcome; END".to_owned(),
        ),
        (
            "computed column",
            "ALTER TABLE model ADD COLUMN big TEXT AS (hex(zeroblob(100000000)))".to_owned(),
        ),
    ] {
        let place = changed(&sql);
        let (error, peak) = peak_of(|| refused(place.path()));
        assert!(error.contains(what) && error.contains("no run store"), "{error}");
        assert!(error.contains(FILE) && peak < 1 << 20, "{error}, {peak}");
    }
}

/// Would catch rows that share their pages being held each for itself: here thousands of rows are all of the
/// largest one's text, which a small file claims and cannot hold.
#[test]
fn rows_are_no_more_than_the_file() {
    // As many bytes as the store has, so that reading two of them is too much.
    let length = honest().len();
    let place = changed(&format!(
        "DELETE FROM picture; INSERT INTO picture VALUES (0, 1, 1, {length}, zeroblob({length}))"
    ));
    let store = RunStore::open(place.path()).unwrap();
    assert_eq!(store.pictures().unwrap()[0].pixels.len(), length);
    drop(store);
    let path = place.path().join(FILE);
    let mut bytes = std::fs::read(&path).unwrap();
    // The one row becomes three that have their pages in common: cells of the same bytes.
    let page = share_cells(&mut bytes, length as u64);
    std::fs::write(&path, &bytes).unwrap();
    let store = RunStore::open(place.path()).unwrap();
    let (result, peak) = peak_of(|| store.pictures());
    let error = result.unwrap_err().to_string();
    assert!(error.contains("longer than the file"), "page {page}: {error}");
    assert!(peak < 4 * bytes.len(), "{peak}");
}

/// Makes of the one cell of a table's page three that lead to the same bytes, and says which page it was.
fn share_cells(bytes: &mut [u8], payload: u64) -> usize {
    const PAGE: usize = 512;
    let pages = bytes.len() / PAGE;
    for page in 1..pages {
        let start = page * PAGE;
        let head = &bytes[start..start + PAGE];
        // A leaf of a table with one cell.
        if head[0] != 0x0d || u16::from_be_bytes([head[3], head[4]]) != 1 {
            continue;
        }
        let cell = usize::from(u16::from_be_bytes([head[8], head[9]]));
        let (length, _) = varint(&head[cell..]);
        if length < payload {
            continue;
        }
        bytes[start + 4] = 3;
        for place in [10, 12] {
            bytes.copy_within(start + 8..start + 10, start + place);
        }
        return page;
    }
    panic!("no page holds the row");
}

/// SQLite's number of up to nine bytes, the highest first, and how many it has.
fn varint(bytes: &[u8]) -> (u64, usize) {
    let mut value = 0;
    for (place, &byte) in bytes.iter().take(8).enumerate() {
        value = value << 7 | u64::from(byte & 0x7f);
        if byte < 0x80 {
            return (value, place + 1);
        }
    }
    (value << 8 | u64::from(bytes[8]), 9)
}

/// Would catch another program's file being taken for a run, or changed.
#[test]
fn other_files_are_left_as_they_are() {
    let empty = [&b"SQLite format 3\0"[..], &[0; 496]].concat();
    for bytes in [&b""[..], b"not a database", &empty, &honest()[..512], &[0xff; 4096]] {
        let place = folder(&[(FILE, bytes)]);
        let error = refused(place.path());
        assert!(error.contains(FILE), "{error}");
        assert_eq!(std::fs::read(place.path().join(FILE)).unwrap(), bytes);
    }
    let place = changed("PRAGMA user_version = 99");
    assert!(refused(place.path()).contains("schema 99"));
    let place = changed("DROP TABLE outcome");
    assert!(!records::read(place.path()));
}

/// Would catch numbers of a record that are added up, or sides of a table that are multiplied, without being
/// held against anything.
#[test]
fn records_that_lie_are_refused() {
    let honest = String::from_utf8(seeds::seeds("records").remove(0).1).unwrap();
    let folder = records::store(&honest);
    assert!(records::read(folder.path()));
    let huge = u64::MAX.to_string();
    let names = format!("[{}\"a\"]", "\"\",".repeat(100_000));
    for (from, to) in [
        ("\"forwards\": 4", format!("\"forwards\": {huge}")),
        ("\"backwards\": 2", format!("\"backwards\": {huge}")),
        ("\"eps\": 0.1", "\"eps\": -0.1".to_owned()),
        ("0, 1, 2, 1]", format!("0, 1, {0}, {0}]", i64::MAX)),
        ("\"n\": 2", format!("\"n\": {huge}")),
        ("\"block\": 256", "\"block\": 0".to_owned()),
        ("\"index\": 1, \"of\": 1", format!("\"index\": {huge}, \"of\": {huge}")),
        ("[\"a\", \"b\", \"c\"]", names),
    ] {
        let lines = honest.replace(from, &to);
        let folder = records::store(&lines);
        let (read, peak) = peak_of(|| records::read(folder.path()));
        assert!(peak < 256 << 20, "{from} -> {} bytes: {peak}", to.len());
        assert!(!read || to.len() > 1000 || lines == honest, "{from} -> {to} was read");
    }
}
