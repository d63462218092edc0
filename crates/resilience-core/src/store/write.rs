//! Adding to a run store; every function is one transaction.

use rusqlite::{Transaction, TransactionBehavior, params};

use super::{AttackId, ModelId, RunStore, StoreError, to_json};
use crate::record::{AttackOutcome, AttackRecord, CleanOutcome, Example, ModelRecord};

impl RunStore {
    /// Records a model with the outcome of every clean image, in one transaction: all of it is in
    /// the file when this returns, and none of it if it fails.
    ///
    /// `clean` has one entry for each of the `record.dataset.n` images, with indices 0, 1, 2, …
    pub fn add_model(
        &mut self,
        record: &ModelRecord,
        clean: &[CleanOutcome],
    ) -> Result<ModelId, StoreError> {
        check_indices("clean outcomes", record.dataset.n, clean.iter().map(|c| c.index))?;
        check_finite("clean confidence", clean.iter().map(|c| (c.index, c.confidence)))?;
        let json = to_json("a model", record)?;
        self.in_transaction(|transaction| {
            transaction.execute("INSERT INTO model (record) VALUES (?1)", [json])?;
            let id = transaction.last_insert_rowid();
            let mut insert =
                transaction.prepare("INSERT INTO clean VALUES (?1, ?2, ?3, ?4, ?5)")?;
            for c in clean {
                insert.execute(params![id, c.index as i64, c.label, c.predicted, c.confidence])?;
            }
            Ok(ModelId(id))
        })
    }

    /// Records an attack with the outcome of every image and the examples to show, in one
    /// transaction: all of it is in the file when this returns, and none of it if it fails.
    ///
    /// `outcomes` has one entry for each of the `record.n` images, with indices 0, 1, 2, …;
    /// `examples` may be empty, and are of images that were attacked.
    pub fn add_attack(
        &mut self,
        model: ModelId,
        record: &AttackRecord,
        outcomes: &[AttackOutcome],
        examples: &[Example],
    ) -> Result<AttackId, StoreError> {
        check_indices("attack outcomes", record.n, outcomes.iter().map(|o| o.index))?;
        check_finite("attacked confidence", outcomes.iter().map(|o| (o.index, o.confidence)))?;
        check_finite("distance", outcomes.iter().map(|o| (o.index, o.distance)))?;
        examples.iter().try_for_each(|example| check_example(example, record.n))?;
        let clean = self.clean(model)?.len() as u64;
        if record.n > clean {
            return Err(refused(
                "an attack",
                format!("at most {clean} images, as many as have a clean outcome"),
                record.n.to_string(),
            ));
        }
        let json = to_json("an attack", record)?;
        self.in_transaction(|transaction| {
            let insert = "INSERT INTO attack (model, record) VALUES (?1, ?2)";
            transaction.execute(insert, params![model.0, json])?;
            let id = transaction.last_insert_rowid();
            let mut insert =
                transaction.prepare("INSERT INTO outcome VALUES (?1, ?2, ?3, ?4, ?5)")?;
            for o in outcomes {
                insert.execute(params![
                    id,
                    o.index as i64,
                    o.predicted,
                    o.confidence,
                    o.distance
                ])?;
            }
            let mut insert =
                transaction.prepare("INSERT INTO example VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)")?;
            for e in examples {
                let [channels, height, width] = e.shape.map(|side| side as i64);
                let (clean, adversarial) = (blob(&e.clean), blob(&e.adversarial));
                let index = e.index as i64;
                insert.execute(params![id, index, channels, height, width, clean, adversarial])?;
            }
            Ok(AttackId(id))
        })
    }

    /// Marks the run as complete: everything that was planned is in the file. A run without this
    /// mark was broken off, or is still under way.
    pub fn finish(&mut self) -> Result<(), StoreError> {
        self.in_transaction(|transaction| {
            transaction.execute("UPDATE run SET finished = 1", []).map(|_| ())
        })
    }

    fn in_transaction<T>(
        &mut self,
        work: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<T>,
    ) -> Result<T, StoreError> {
        let connection = &mut self.connection;
        let result = connection.transaction_with_behavior(TransactionBehavior::Immediate).and_then(
            |transaction| {
                let value = work(&transaction)?;
                transaction.commit()?;
                Ok(value)
            },
        );
        result.map_err(|error| StoreError::sqlite(&self.path, error))
    }
}

fn blob(pixels: &[f32]) -> Vec<u8> {
    pixels.iter().flat_map(|pixel| pixel.to_le_bytes()).collect()
}

fn refused(what: &str, expected: impl Into<String>, got: impl Into<String>) -> StoreError {
    StoreError::Refused { what: what.to_owned(), expected: expected.into(), got: got.into() }
}

/// Rates are over the first n images in file order, so the indices are 0, 1, … n - 1.
fn check_indices(
    what: &str,
    n: u64,
    indices: impl ExactSizeIterator<Item = u64>,
) -> Result<(), StoreError> {
    if indices.len() as u64 != n {
        return Err(refused(what, format!("{n} of them"), indices.len().to_string()));
    }
    for (expected, got) in (0..).zip(indices) {
        if expected != got {
            return Err(refused(what, format!("index {expected}"), format!("index {got}")));
        }
    }
    Ok(())
}

fn check_finite(what: &str, values: impl Iterator<Item = (u64, f64)>) -> Result<(), StoreError> {
    for (index, value) in values {
        if !value.is_finite() {
            return Err(refused(what, "a finite number", format!("{value} for image {index}")));
        }
    }
    Ok(())
}

fn check_example(example: &Example, n: u64) -> Result<(), StoreError> {
    let pixels: usize = example.shape.iter().product();
    for length in [example.clean.len(), example.adversarial.len()] {
        if length != pixels {
            let expected = format!("{pixels} pixels for shape {:?}", example.shape);
            return Err(refused("an example", expected, length.to_string()));
        }
    }
    if example.index >= n {
        return Err(refused(
            "an example",
            format!("an index below {n}"),
            example.index.to_string(),
        ));
    }
    Ok(())
}
