//! Reading a run store; whatever is not as it was written is an error.

use rusqlite::{Params, Row};

use super::{AttackId, ModelId, RunStore, StoreError};
use crate::record::{AttackOutcome, AttackRecord, CleanOutcome, Example, ModelRecord, Provenance};

impl RunStore {
    /// The invocation that made the run.
    pub fn provenance(&self) -> Result<Provenance, StoreError> {
        self.parse_json("the provenance", &self.run_column("provenance")?)
    }

    /// The resolved plan of the run, as it was given.
    pub fn plan(&self) -> Result<serde_json::Value, StoreError> {
        self.parse_json("the plan", &self.run_column("plan")?)
    }

    /// Whether everything that was planned is in the file ([`RunStore::finish`]).
    pub fn finished(&self) -> Result<bool, StoreError> {
        let rows = self.rows("SELECT finished FROM run", [], |row| row.get(0))?;
        rows.last().copied().ok_or_else(|| self.damaged("the table 'run' is empty"))
    }

    /// The models, in the order in which they were added.
    pub fn models(&self) -> Result<Vec<(ModelId, ModelRecord)>, StoreError> {
        let sql = "SELECT id, record FROM model ORDER BY id";
        self.rows(sql, [], |row| Ok((row.get(0)?, row.get::<_, String>(1)?)))?
            .into_iter()
            .map(|(id, json)| Ok((ModelId(id), self.parse_json(&format!("model {id}"), &json)?)))
            .collect()
    }

    /// What every image of a model's data gave without an attack, in file order.
    pub fn clean(&self, model: ModelId) -> Result<Vec<CleanOutcome>, StoreError> {
        let sql = "SELECT \"index\", label, predicted, confidence FROM clean WHERE model = ?1 \
                   ORDER BY \"index\"";
        self.rows(sql, [model.0], |row| {
            Ok(CleanOutcome {
                index: row.get::<_, i64>(0)? as u64,
                label: row.get(1)?,
                predicted: row.get(2)?,
                confidence: row.get(3)?,
            })
        })
    }

    /// The attacks on a model, in the order in which they were added.
    pub fn attacks(&self, model: ModelId) -> Result<Vec<(AttackId, AttackRecord)>, StoreError> {
        let sql = "SELECT id, record FROM attack WHERE model = ?1 ORDER BY id";
        self.rows(sql, [model.0], |row| Ok((row.get(0)?, row.get::<_, String>(1)?)))?
            .into_iter()
            .map(|(id, json)| Ok((AttackId(id), self.parse_json(&format!("attack {id}"), &json)?)))
            .collect()
    }

    /// What every attacked image gave, in file order.
    pub fn outcomes(&self, attack: AttackId) -> Result<Vec<AttackOutcome>, StoreError> {
        let sql = "SELECT \"index\", predicted, confidence, distance FROM outcome \
                   WHERE attack = ?1 ORDER BY \"index\"";
        self.rows(sql, [attack.0], |row| {
            Ok(AttackOutcome {
                index: row.get::<_, i64>(0)? as u64,
                predicted: row.get(1)?,
                confidence: row.get(2)?,
                distance: row.get(3)?,
            })
        })
    }

    /// The examples of an attack that were kept to be shown, in file order.
    pub fn examples(&self, attack: AttackId) -> Result<Vec<Example>, StoreError> {
        let sql = "SELECT \"index\", channels, height, width, clean, adversarial FROM example \
                   WHERE attack = ?1 ORDER BY \"index\"";
        let rows = self.rows(sql, [attack.0], |row| {
            let shape: [i64; 3] = [row.get(1)?, row.get(2)?, row.get(3)?];
            Ok((row.get::<_, i64>(0)?, shape, row.get(4)?, row.get(5)?))
        })?;
        rows.into_iter()
            .map(|(index, shape, clean, adversarial): (_, _, Vec<u8>, Vec<u8>)| {
                let shape = shape.map(|side| side as usize);
                Ok(Example {
                    index: index as u64,
                    shape,
                    clean: self.pixels(index, shape, &clean)?,
                    adversarial: self.pixels(index, shape, &adversarial)?,
                })
            })
            .collect()
    }

    fn pixels(&self, index: i64, shape: [usize; 3], bytes: &[u8]) -> Result<Vec<f32>, StoreError> {
        let (quads, rest) = bytes.as_chunks::<4>();
        let expected = shape.iter().try_fold(1_usize, |size, &side| size.checked_mul(side));
        if expected != Some(quads.len()) || !rest.is_empty() {
            let got = bytes.len();
            return Err(self.damaged(format!(
                "example {index}: {got} bytes of pixels do not fill the shape {shape:?}"
            )));
        }
        Ok(quads.iter().map(|quad| f32::from_le_bytes(*quad)).collect())
    }

    fn run_column(&self, column: &str) -> Result<String, StoreError> {
        let mut rows = self.rows(&format!("SELECT {column} FROM run"), [], |row| row.get(0))?;
        rows.pop().ok_or_else(|| self.damaged("the table 'run' is empty"))
    }

    fn rows<T>(
        &self,
        sql: &str,
        params: impl Params,
        read: impl FnMut(&Row<'_>) -> rusqlite::Result<T>,
    ) -> Result<Vec<T>, StoreError> {
        let mut statement = self.connection.prepare(sql).map_err(|error| self.sqlite(error))?;
        let rows = statement.query_map(params, read).map_err(|error| self.sqlite(error))?;
        rows.collect::<rusqlite::Result<_>>().map_err(|error| self.sqlite(error))
    }
}
