//! Adding to a run store; every function is one transaction: all of it is in the file when it
//! returns, and none of it if it fails.

use rusqlite::{Transaction, TransactionBehavior, params};

use super::check::{self, Flaw};
use super::{AttackId, ModelId, RunStore, StoreError, to_json};
use crate::audit::AuditRecord;
use crate::record::{
    AttackOutcome, AttackRecord, CleanOutcome, Example, Goal, ModelRecord, Nearest, Picture, Unit,
};

/// The table of audits, which stores of before lack.
const AUDIT_TABLE: &str = "CREATE TABLE IF NOT EXISTS audit (model INTEGER PRIMARY KEY REFERENCES \
                           model (id), record TEXT NOT NULL) STRICT";

impl RunStore {
    /// Records the next model of the plan with the outcome of every clean image.
    ///
    /// `clean` has one entry for each image of the plan's shard, in order.
    pub fn add_model(
        &mut self,
        record: &ModelRecord,
        clean: &[CleanOutcome],
    ) -> Result<ModelId, StoreError> {
        check::model(&self.plan, self.models()?.len(), record)?;
        self.place(&format!("clean outcomes of model '{}'", record.name)).clean(clean)?;
        let json = to_json("a model", record)?;
        self.in_transaction(|transaction| {
            transaction.execute("INSERT INTO model (record) VALUES (?1)", [json])?;
            let id = transaction.last_insert_rowid();
            let mut insert =
                transaction.prepare("INSERT INTO clean VALUES (?1, ?2, ?3, ?4, ?5, ?6)")?;
            for c in clean {
                let index = c.index as i64;
                insert.execute(params![id, index, c.label, c.predicted, c.confidence, c.right])?;
            }
            Ok(ModelId(id))
        })
    }

    /// Keeps clean images to be shown; one that is there already stays as it is.
    pub fn add_pictures(&mut self, pictures: &[Picture]) -> Result<(), StoreError> {
        let place = self.place("pictures");
        pictures.iter().try_for_each(|picture| place.picture(picture))?;
        self.in_transaction(|transaction| {
            let mut insert =
                transaction.prepare("INSERT OR IGNORE INTO picture VALUES (?1, ?2, ?3, ?4, ?5)")?;
            for p in pictures {
                let [channels, height, width] = p.shape.map(|side| side as i64);
                insert.execute(params![p.index as i64, channels, height, width, p.pixels])?;
            }
            Ok(())
        })
    }

    /// Records that an attack of the plan is under way on a model. The record is not finished;
    /// its totals count nothing yet.
    pub fn begin_attack(
        &mut self,
        model: ModelId,
        record: &AttackRecord,
    ) -> Result<AttackId, StoreError> {
        check::attack(&self.plan, record)?;
        let what = format!("the attack at stage {}", record.stage);
        if record.finished {
            return Err(refused(what, "an attack that is not finished yet", "a finished one"));
        }
        self.ensure_model(model)?;
        let begun = "SELECT count(*) FROM attack WHERE model = ?1 AND stage = ?2";
        if self.count(begun, params![model.0, record.stage as i64])? > 0 {
            return Err(refused(
                what,
                "a stage that was not begun on this model",
                "it a second time",
            ));
        }
        let json = to_json("an attack", record)?;
        self.in_transaction(|transaction| {
            let insert = "INSERT INTO attack (model, stage, record) VALUES (?1, ?2, ?3)";
            transaction.execute(insert, params![model.0, record.stage as i64, json])?;
            Ok(AttackId(transaction.last_insert_rowid()))
        })
    }

    /// Records images of an attack that are decided, with the examples to keep. What was recorded
    /// of the same images before is replaced.
    pub fn record(
        &mut self,
        attack: AttackId,
        outcomes: &[AttackOutcome],
        examples: &[Example],
    ) -> Result<(), StoreError> {
        self.write_rows(attack, &[], outcomes, examples)
    }

    /// Records the nearest misclassified points of an attack that is run for them, with the images to
    /// keep. What was recorded of the same images before is replaced.
    pub fn record_nearest(
        &mut self,
        attack: AttackId,
        found: &[Nearest],
        examples: &[Example],
    ) -> Result<(), StoreError> {
        let AttackRecord { stage, goal, .. } = self.open_attack(attack)?;
        let what = format!("a nearest point of the attack at stage {stage}");
        if goal != Goal::Nearest {
            return Err(refused(what, "an attack that is run for them", "another"));
        }
        let place = self.place_of_stage(&what, stage);
        found.iter().try_for_each(|nearest| place.nearest(nearest))?;
        examples.iter().try_for_each(|example| place.example(example))?;
        self.in_transaction(|transaction| {
            insert_nearest(transaction, attack.0, found)?;
            insert_examples(transaction, "nearest_example", attack.0, examples)
        })
    }

    /// Marks a unit of an attack as carried through, together with what it found last, as
    /// [`RunStore::record`] would record it.
    pub fn finish_unit(
        &mut self,
        attack: AttackId,
        unit: Unit,
        outcomes: &[AttackOutcome],
        examples: &[Example],
    ) -> Result<(), StoreError> {
        self.write_rows(attack, &[unit], outcomes, examples)
    }

    /// Marks an attack as carried through: `record` takes the place of the one that it was begun
    /// with, and counts as many attacked images as have an outcome.
    pub fn finish_attack(
        &mut self,
        attack: AttackId,
        record: &AttackRecord,
    ) -> Result<(), StoreError> {
        check::attack(&self.plan, record)?;
        let begun = self.open_attack(attack)?;
        let what = format!("the end of the attack at stage {}", begun.stage);
        let identity = |r: &AttackRecord| format!("{} at stage {}, eps {}", r.id, r.stage, r.eps);
        if identity(&begun) != identity(record) {
            return Err(refused(what, identity(&begun), identity(record)));
        }
        if !record.finished {
            return Err(refused(what, "a record that is finished", "one that is not"));
        }
        let outcomes = self.count("SELECT count(*) FROM outcome WHERE attack = ?1", [attack.0])?;
        if outcomes != record.attacked {
            let expected = format!("{outcomes} attacked images, as many as have an outcome");
            return Err(refused(what, expected, record.attacked.to_string()));
        }
        let json = to_json("an attack", record)?;
        self.in_transaction(|transaction| {
            let update = "UPDATE attack SET record = ?2 WHERE id = ?1";
            transaction.execute(update, params![attack.0, json]).map(|_| ())
        })
    }

    /// Marks the run as complete: every stage of the plan was begun on every model. A run without
    /// this mark was broken off, or is still under way.
    pub fn finish(&mut self) -> Result<(), StoreError> {
        for (there, planned, what) in [
            (self.count("SELECT count(*) FROM model", [])?, self.plan.models.len(), "models"),
            (
                self.count("SELECT count(*) FROM attack", [])?,
                self.plan.models.len() * self.plan.stages.len(),
                "attacks",
            ),
        ] {
            if there != planned as u64 {
                let expected = format!("the {planned} {what} of the plan");
                return Err(refused("the end of the run", expected, there.to_string()));
            }
        }
        self.in_transaction(|transaction| {
            transaction.execute("UPDATE run SET finished = 1", []).map(|_| ())
        })
    }

    /// Records what was looked for in the result of a model; what was recorded before is replaced.
    pub fn add_audit(&mut self, model: ModelId, record: &AuditRecord) -> Result<(), StoreError> {
        self.ensure_model(model)?;
        if !self.finished()? {
            return Err(refused("an audit", "a run that is finished", "one that is under way"));
        }
        let json = to_json("an audit", record)?;
        self.in_transaction(|transaction| {
            transaction.execute_batch(AUDIT_TABLE)?;
            let insert = "INSERT OR REPLACE INTO audit VALUES (?1, ?2)";
            transaction.execute(insert, params![model.0, json]).map(|_| ())
        })
    }

    pub(super) fn write_rows(
        &mut self,
        attack: AttackId,
        units: &[Unit],
        outcomes: &[AttackOutcome],
        examples: &[Example],
    ) -> Result<(), StoreError> {
        let stage = self.open_attack(attack)?.stage;
        let what = format!("an outcome of the attack at stage {stage}");
        let place = self.place_of_stage(&what, stage);
        outcomes.iter().try_for_each(|outcome| place.outcome(outcome))?;
        examples.iter().try_for_each(|example| place.example(example))?;
        units.iter().try_for_each(|unit| place.index(unit.first))?;
        self.in_transaction(|transaction| {
            insert_outcomes(transaction, attack.0, outcomes)?;
            insert_examples(transaction, "example", attack.0, examples)?;
            let mut insert =
                transaction.prepare_cached("INSERT OR IGNORE INTO unit VALUES (?1, ?2, ?3)")?;
            for unit in units {
                insert.execute(params![attack.0, unit.first as i64, unit.round])?;
            }
            Ok(())
        })
    }

    /// The record of an attack to which something may still be added.
    fn open_attack(&self, attack: AttackId) -> Result<AttackRecord, StoreError> {
        let record = self.attack_record(attack)?;
        if record.finished {
            let what = format!("more of the attack at stage {}", record.stage);
            return Err(refused(what, "an attack that is under way", "a finished one"));
        }
        Ok(record)
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

fn insert_outcomes(
    transaction: &Transaction<'_>,
    attack: i64,
    outcomes: &[AttackOutcome],
) -> rusqlite::Result<()> {
    let mut insert = transaction.prepare_cached(
        "INSERT OR REPLACE INTO outcome VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
    )?;
    for o in outcomes {
        insert.execute(params![
            attack,
            o.index as i64,
            o.predicted,
            o.confidence,
            o.distance,
            o.margin,
            o.right,
            o.round,
            o.step,
            o.forwards as i64,
            o.backwards as i64,
        ])?;
    }
    Ok(())
}

fn insert_nearest(
    transaction: &Transaction<'_>,
    attack: i64,
    found: &[Nearest],
) -> rusqlite::Result<()> {
    let mut insert = transaction
        .prepare_cached("INSERT OR REPLACE INTO nearest VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)")?;
    for n in found {
        let index = n.index as i64;
        let row = params![attack, index, n.distance, n.predicted, n.margin, n.round, n.step];
        insert.execute(row)?;
    }
    Ok(())
}

fn insert_examples(
    transaction: &Transaction<'_>,
    table: &'static str,
    attack: i64,
    examples: &[Example],
) -> rusqlite::Result<()> {
    let mut insert = transaction.prepare_cached(&format!(
        "INSERT OR REPLACE INTO {table} VALUES (?1, ?2, ?3, ?4, ?5, ?6)"
    ))?;
    for e in examples {
        let [channels, height, width] = e.shape.map(|side| side as i64);
        let pixels: Vec<u8> = e.pixels.iter().flat_map(|pixel| pixel.to_le_bytes()).collect();
        insert.execute(params![attack, e.index as i64, channels, height, width, pixels])?;
    }
    Ok(())
}

fn refused(
    what: impl Into<String>,
    expected: impl Into<String>,
    got: impl Into<String>,
) -> StoreError {
    Flaw { what: what.into(), expected: expected.into(), got: got.into() }.into()
}
