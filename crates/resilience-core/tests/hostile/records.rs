//! Run stores out of lines of JSON, and everything that is read of one.

use std::path::Path;

use resilience_core::report::{self, Run};
use resilience_core::store::{FILE, RunStore, SCHEMA};
use resilience_core::{export, summary};
use rusqlite::Connection;
use rusqlite::types::Value as Cell;
use serde_json::Value;
use tempfile::TempDir;

use super::files;

/// A store with these rows: each line is a list of a table's name and its columns. Objects are written as
/// their JSON, lists of numbers as bytes. What is no such line, or no such row, is left out.
pub fn store(lines: &str) -> TempDir {
    let folder = files::folder(&[]);
    fill(&folder.path().join(FILE), lines).expect("an empty store can be made");
    folder
}

fn fill(path: &Path, lines: &str) -> rusqlite::Result<()> {
    let mut connection = Connection::open(path)?;
    connection.pragma_update(None, "synchronous", "OFF")?;
    // What a store holds is to be nonsense too.
    connection.pragma_update(None, "foreign_keys", false)?;
    connection.pragma_update(None, "ignore_check_constraints", true)?;
    let transaction = connection.transaction()?;
    transaction.execute_batch(include_str!("../../src/store/schema.sql"))?;
    for line in lines.lines() {
        let Ok(Value::Array(row)) = serde_json::from_str(line) else { continue };
        let [Value::String(table), cells @ ..] = &row[..] else { continue };
        if !table.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_') {
            continue;
        }
        let places = vec!["?"; cells.len()].join(", ");
        let sql = format!("INSERT OR REPLACE INTO {table} VALUES ({places})");
        let _ = transaction.execute(&sql, rusqlite::params_from_iter(cells.iter().map(cell)));
    }
    transaction.pragma_update(None, "application_id", 0x7265_7369)?;
    transaction.pragma_update(None, "user_version", SCHEMA)?;
    transaction.commit()
}

fn cell(value: &Value) -> Cell {
    match value {
        Value::Null => Cell::Null,
        Value::Bool(value) => Cell::Integer(i64::from(*value)),
        Value::Number(number) => match number.as_i64() {
            Some(whole) => Cell::Integer(whole),
            None => Cell::Real(number.as_f64().unwrap_or(f64::NAN)),
        },
        Value::String(text) => Cell::Text(text.clone()),
        Value::Array(bytes) => {
            Cell::Blob(bytes.iter().map(|byte| byte.as_u64().unwrap_or(0) as u8).collect())
        }
        Value::Object(_) => Cell::Text(value.to_string()),
    }
}

/// Reads all that there is in a run's folder, counts it and shows it in every form; whether all of it went.
pub fn read(folder: &Path) -> bool {
    let Ok(store) = RunStore::open(folder) else { return false };
    let rows = every_row(&store).is_ok();
    let shown = Run::from_store(&store).is_ok_and(|run| {
        let runs = [run];
        let shown = [report::terminal(&runs, None), report::terminal(&runs, Some(100))];
        shown.iter().all(Result::is_ok)
            && report::markdown(&runs).is_ok()
            && report::html(&runs).is_ok()
    });
    let exported = export::csv(&store, &folder.join("a.csv")).is_ok()
        && export::npz(&store, &folder.join("npz")).is_ok();
    let _ = resilience_core::store::merge(
        &[folder.to_owned()],
        &folder.join("whole"),
        &match store.provenance() {
            Ok(provenance) => provenance,
            Err(_) => return false,
        },
    );
    rows && shown && exported && summary::from_store(&store).is_ok()
}

fn every_row(store: &RunStore) -> Result<(), resilience_core::store::StoreError> {
    store.provenance()?;
    store.finished()?;
    store.pictures()?;
    for (model, _) in store.models()? {
        store.clean(model)?;
        store.audit(model)?;
        for (attack, _) in store.attacks(model)? {
            store.units(attack)?;
            store.outcomes(attack)?;
            store.examples(attack)?;
            for nearest in store.nearest(attack)? {
                store.nearest_example(attack, nearest.index)?;
            }
        }
    }
    Ok(())
}
