//! Reading a run store; whatever is not as it was written is an error that names the record.

use std::collections::BTreeSet;

use rusqlite::types::ValueRef;
use rusqlite::{Params, Row};

use super::{AttackId, ModelId, RunStore, StoreError, check};
use crate::audit::AuditRecord;
use crate::plan::Plan;
use crate::record::{
    AttackOutcome, AttackRecord, CleanOutcome, Example, Goal, ModelRecord, Nearest, Picture,
    Provenance, Unit,
};

impl RunStore {
    /// The invocation that made the run.
    pub fn provenance(&self) -> Result<Provenance, StoreError> {
        let rows = self.rows("the run", "SELECT provenance FROM run", [], |row| row.get(0))?;
        let json: &String = rows.last().ok_or_else(|| self.empty())?;
        self.parse_json("the provenance", json)
    }

    /// What the run is to do.
    #[must_use]
    pub const fn plan(&self) -> &Plan {
        &self.plan
    }

    /// Whether everything that was planned is in the file ([`RunStore::finish`]).
    pub fn finished(&self) -> Result<bool, StoreError> {
        let rows = self.rows("the run", "SELECT finished FROM run", [], |row| row.get(0))?;
        rows.last().copied().ok_or_else(|| self.empty())
    }

    /// The models that are there, in the order of the plan.
    pub fn models(&self) -> Result<Vec<(ModelId, ModelRecord)>, StoreError> {
        let sql = "SELECT id, record FROM model ORDER BY id";
        let rows = self.rows("models", sql, [], |row| Ok((row.get(0)?, row.get(1)?)))?;
        let parse = |(place, (id, json)): (usize, (i64, String))| {
            let record = self.parse_json(&format!("model {id}"), &json)?;
            check::model(&self.plan, place, &record).map_err(|flaw| self.flawed(flaw))?;
            Ok((ModelId(id), record))
        };
        rows.into_iter().enumerate().map(parse).collect()
    }

    /// What every image of the plan's shard gave without an attack, in file order.
    pub fn clean(&self, model: ModelId) -> Result<Vec<CleanOutcome>, StoreError> {
        self.ensure_model(model)?;
        let what = format!("clean outcomes of model {}", model.0);
        let sql = "SELECT \"index\", label, predicted, confidence, right FROM clean \
                   WHERE model = ?1 ORDER BY \"index\"";
        let clean = self.rows(&what, sql, [model.0], |row| {
            Ok(CleanOutcome {
                index: unsigned(row, 0)?,
                label: row.get(1)?,
                predicted: row.get(2)?,
                confidence: row.get(3)?,
                right: row.get(4)?,
            })
        })?;
        self.place(&what).clean(&clean).map_err(|flaw| self.flawed(flaw))?;
        Ok(clean)
    }

    /// The clean images that were kept to be shown, in file order.
    pub fn pictures(&self) -> Result<Vec<Picture>, StoreError> {
        let sql = "SELECT \"index\", channels, height, width, pixels FROM picture \
                   ORDER BY \"index\"";
        let pictures = self.rows("pictures", sql, [], |row| {
            Ok(Picture { index: unsigned(row, 0)?, shape: shape(row)?, pixels: row.get(4)? })
        })?;
        let place = self.place("pictures");
        for picture in &pictures {
            place.picture(picture).map_err(|flaw| self.flawed(flaw))?;
        }
        Ok(pictures)
    }

    /// The attacks on a model that were begun, in the order of the plan's stages.
    pub fn attacks(&self, model: ModelId) -> Result<Vec<(AttackId, AttackRecord)>, StoreError> {
        let what = format!("attacks on model {}", model.0);
        let sql = "SELECT id, stage, record FROM attack WHERE model = ?1 ORDER BY stage";
        self.rows(&what, sql, [model.0], |row| Ok((row.get(0)?, (unsigned(row, 1)?, row.get(2)?))))?
            .into_iter()
            .map(|(id, row)| Ok((AttackId(id), self.checked_attack(id, row)?)))
            .collect()
    }

    /// What was looked for in the result of a model; none where it was not audited.
    pub fn audit(&self, model: ModelId) -> Result<Option<AuditRecord>, StoreError> {
        self.ensure_model(model)?;
        // Stores of before have no such table.
        let there = "SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name = 'audit'";
        if self.count(there, [])? == 0 {
            return Ok(None);
        }
        let what = format!("the audit of model {}", model.0);
        let sql = "SELECT record FROM audit WHERE model = ?1";
        let rows = self.rows(&what, sql, [model.0], |row| row.get::<_, String>(0))?;
        rows.first().map(|json| self.parse_json(&what, json)).transpose()
    }

    /// The units of an attack that were carried through.
    pub fn units(&self, attack: AttackId) -> Result<BTreeSet<Unit>, StoreError> {
        let stage = self.attack_record(attack)?.stage;
        let what = format!("units of attack {}", attack.0);
        let sql = "SELECT first, round FROM unit WHERE attack = ?1";
        let units = self.rows(&what, sql, [attack.0], |row| {
            Ok(Unit { first: unsigned(row, 0)?, round: row.get(1)? })
        })?;
        let place = self.place_of_stage(&what, stage);
        for unit in &units {
            place.index(unit.first).map_err(|flaw| self.flawed(flaw))?;
        }
        Ok(units.into_iter().collect())
    }

    /// What every image that is decided gave under an attack, in file order.
    pub fn outcomes(&self, attack: AttackId) -> Result<Vec<AttackOutcome>, StoreError> {
        let stage = self.attack_record(attack)?.stage;
        let what = format!("outcomes of attack {}", attack.0);
        let sql = "SELECT \"index\", predicted, confidence, distance, margin, right, round, step, \
                   forwards, backwards FROM outcome WHERE attack = ?1 ORDER BY \"index\"";
        let outcomes = self.rows(&what, sql, [attack.0], |row| {
            Ok(AttackOutcome {
                index: unsigned(row, 0)?,
                predicted: row.get(1)?,
                confidence: row.get(2)?,
                distance: row.get(3)?,
                margin: row.get(4)?,
                right: row.get(5)?,
                round: row.get(6)?,
                step: row.get(7)?,
                forwards: unsigned(row, 8)?,
                backwards: unsigned(row, 9)?,
            })
        })?;
        let place = self.place_of_stage(&what, stage);
        for outcome in &outcomes {
            place.outcome(outcome).map_err(|flaw| self.flawed(flaw))?;
        }
        Ok(outcomes)
    }

    /// The nearest misclassified points that an attack has found, in file order; none where it was not
    /// run for them.
    pub fn nearest(&self, attack: AttackId) -> Result<Vec<Nearest>, StoreError> {
        let AttackRecord { stage, goal, .. } = self.attack_record(attack)?;
        if goal != Goal::Nearest {
            return Ok(Vec::new());
        }
        let what = format!("nearest points of attack {}", attack.0);
        let sql = "SELECT \"index\", distance, predicted, margin, round, step FROM nearest \
                   WHERE attack = ?1 ORDER BY \"index\"";
        let found = self.rows(&what, sql, [attack.0], |row| {
            Ok(Nearest {
                index: unsigned(row, 0)?,
                distance: row.get(1)?,
                predicted: row.get(2)?,
                margin: row.get(3)?,
                round: row.get(4)?,
                step: row.get(5)?,
            })
        })?;
        let place = self.place_of_stage(&what, stage);
        for nearest in &found {
            place.nearest(nearest).map_err(|flaw| self.flawed(flaw))?;
        }
        Ok(found)
    }

    /// The image of a nearest point, if it was kept.
    pub fn nearest_example(
        &self,
        attack: AttackId,
        index: u64,
    ) -> Result<Option<Example>, StoreError> {
        if self.attack_record(attack)?.goal != Goal::Nearest {
            return Ok(None);
        }
        let sql = "SELECT \"index\", channels, height, width, pixels FROM nearest_example \
                   WHERE attack = ?1 AND \"index\" = ?2";
        Ok(self.read_examples(attack, sql, [attack.0, index as i64])?.pop())
    }

    /// The examples of an attack that were kept, in file order. They may be many: see
    /// [`RunStore::example_indices`] for one at a time.
    pub fn examples(&self, attack: AttackId) -> Result<Vec<Example>, StoreError> {
        let sql = "SELECT \"index\", channels, height, width, pixels FROM example \
                   WHERE attack = ?1 ORDER BY \"index\"";
        self.read_examples(attack, sql, [attack.0])
    }

    /// The images of which an attack's examples were kept, in order.
    pub fn example_indices(&self, attack: AttackId) -> Result<Vec<u64>, StoreError> {
        let what = format!("examples of attack {}", attack.0);
        let sql = "SELECT \"index\" FROM example WHERE attack = ?1 ORDER BY \"index\"";
        self.rows(&what, sql, [attack.0], |row| unsigned(row, 0))
    }

    /// The example of an image, if it was kept.
    pub fn example(&self, attack: AttackId, index: u64) -> Result<Option<Example>, StoreError> {
        let sql = "SELECT \"index\", channels, height, width, pixels FROM example \
                   WHERE attack = ?1 AND \"index\" = ?2";
        Ok(self.read_examples(attack, sql, [attack.0, index as i64])?.pop())
    }

    fn read_examples(
        &self,
        attack: AttackId,
        sql: &str,
        params: impl Params,
    ) -> Result<Vec<Example>, StoreError> {
        let stage = self.attack_record(attack)?.stage;
        let what = format!("examples of attack {}", attack.0);
        let place = self.place_of_stage(&what, stage);
        let rows = self.rows(&what, sql, params, |row| {
            let index = unsigned(row, 0)?;
            let bytes = row.get_ref(4)?.as_blob()?;
            let (quads, rest) = bytes.as_chunks::<4>();
            let pixels = quads.iter().map(|quad| f32::from_le_bytes(*quad)).collect();
            Ok((Example { index, shape: shape(row)?, pixels }, rest.len()))
        })?;
        rows.into_iter()
            .map(|(example, rest)| {
                if rest > 0 {
                    let index = example.index;
                    return Err(self.damaged(format!(
                        "{what}, image {index}: {rest} bytes are left over after its pixels"
                    )));
                }
                place.example(&example).map_err(|flaw| self.flawed(flaw))?;
                Ok(example)
            })
            .collect()
    }

    pub(super) fn attack_record(&self, attack: AttackId) -> Result<AttackRecord, StoreError> {
        let id = attack.0;
        let sql = "SELECT id, stage, record FROM attack WHERE id = ?1";
        let mut rows =
            self.rows("an attack", sql, [id], |row| Ok((unsigned(row, 1)?, row.get(2)?)))?;
        let row = rows.pop().ok_or_else(|| missing("attack", id))?;
        self.checked_attack(id, row)
    }

    fn checked_attack(
        &self,
        id: i64,
        (stage, json): (u64, String),
    ) -> Result<AttackRecord, StoreError> {
        let record: AttackRecord = self.parse_json(&format!("attack {id}"), &json)?;
        if record.stage != stage {
            let says = record.stage;
            return Err(self.damaged(format!(
                "attack {id}: stage {stage} in the table, {says} in \
                                             its record"
            )));
        }
        check::attack(&self.plan, &record).map_err(|flaw| self.flawed(flaw))?;
        Ok(record)
    }

    pub(super) fn ensure_model(&self, model: ModelId) -> Result<(), StoreError> {
        match self.count("SELECT count(*) FROM model WHERE id = ?1", [model.0])? {
            0 => Err(missing("model", model.0)),
            _ => Ok(()),
        }
    }

    pub(super) fn count(&self, sql: &str, params: impl Params) -> Result<u64, StoreError> {
        Ok(self.rows("a count", sql, params, |row| unsigned(row, 0))?.first().copied().unwrap_or(0))
    }

    /// All rows of a query; the first column names a row that cannot be read.
    pub(super) fn rows<T>(
        &self,
        what: &str,
        sql: &str,
        params: impl Params,
        mut read: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Vec<T>, StoreError> {
        let sqlite = |error| self.sqlite(error);
        let mut statement = self.connection.prepare_cached(sql).map_err(sqlite)?;
        let columns = statement.column_count();
        let mut rows = statement.query(params).map_err(sqlite)?;
        let mut all = Vec::new();
        let mut left = self.size()?;
        while let Some(row) = rows.next().map_err(sqlite)? {
            // Damaged rows may share their pages, so that a small file holds a great many large ones.
            left = left.checked_sub(length(row, columns)).ok_or_else(|| {
                self.damaged(format!("{what}: together they are longer than the file"))
            })?;
            all.push(read(row).map_err(|error| match self.sqlite(error) {
                StoreError::Damaged { what: why, .. } => {
                    self.damaged(format!("{what}{}: {why}", place(row)))
                }
                other => other,
            })?);
        }
        Ok(all)
    }

    /// Bytes of the file.
    fn size(&self) -> Result<u64, StoreError> {
        let pragma = |name: &str| {
            let value = self.connection.pragma_query_value(None, name, |row| unsigned(row, 0));
            value.map_err(|error| self.sqlite(error))
        };
        Ok(pragma("page_count")?.saturating_mul(pragma("page_size")?))
    }

    fn empty(&self) -> StoreError {
        self.damaged("the table 'run' is empty")
    }
}

/// Bytes of the texts and blobs in a row.
fn length(row: &Row<'_>, columns: usize) -> u64 {
    let of = |column| match row.get_ref(column) {
        Ok(ValueRef::Text(bytes) | ValueRef::Blob(bytes)) => bytes.len() as u64,
        _ => 0,
    };
    (0..columns).map(of).sum()
}

fn missing(what: &str, id: i64) -> StoreError {
    StoreError::Refused {
        what: format!("{what} {id}"),
        expected: format!("a {what} of this run"),
        got: "one that is not in it".to_owned(),
    }
}

fn place(row: &Row<'_>) -> String {
    match row.get_ref(0) {
        Ok(ValueRef::Integer(id)) => format!(", row {id}"),
        _ => String::new(),
    }
}

fn unsigned(row: &Row<'_>, column: usize) -> rusqlite::Result<u64> {
    let value: i64 = row.get(column)?;
    u64::try_from(value).map_err(|_| rusqlite::Error::IntegralValueOutOfRange(column, value))
}

/// Channels, height and width, which stand in the columns after the index.
fn shape(row: &Row<'_>) -> rusqlite::Result<[usize; 3]> {
    Ok([unsigned(row, 1)? as usize, unsigned(row, 2)? as usize, unsigned(row, 3)? as usize])
}
