//! What a training run tells, epoch by epoch and while it goes on: lines of JSON for programs, and
//! event files for TensorBoard.

mod error;
mod event;
mod folder;
mod grown;
mod line;
mod scalars;
mod tfrecord;

use std::path::Path;

use serde::Serialize;

pub use self::error::TrainingLogError;
use self::grown::Grown;
pub use self::line::{Header, SCHEMA};
pub use self::scalars::Scalars;
use crate::format::atomic;

/// The two files of a training run, open at their ends.
///
/// The file of JSON lines begins with the run's [`Header`]; every further line is an epoch's record.
/// JSON knows neither NaN nor infinity: such a number is `null` there, whereas TensorBoard gets it as
/// it is, in f32 as all its scalars are.
///
/// Nothing is held back in memory, so that `tail -f` and a running TensorBoard see an epoch as soon
/// as it is appended. Between two calls both files are whole, whatever becomes of the process.
#[derive(Debug)]
pub struct TrainingLog {
    lines: Grown,
    events: Grown,
}

impl TrainingLog {
    /// Writes both files anew with the epochs that a resumed run has behind it (none for a new one).
    ///
    /// The folder for TensorBoard is made if need be, and belongs to one run: event files that this
    /// program wrote there earlier are removed, those of other programs stay. A TensorBoard that runs
    /// meanwhile goes on with the new file; one without its data server (`--load_fast=false`, and
    /// on Windows) stays with what it has read until it is started again.
    ///
    /// # Errors
    /// Where a file or the folder cannot be written, an older event file cannot be removed, or a
    /// record has no form in JSON.
    pub fn begin<R: Serialize>(
        jsonl: &Path,
        tensorboard: &Path,
        header: &Header,
        past: impl IntoIterator<Item = (R, Scalars)>,
    ) -> Result<Self, TrainingLogError> {
        let mut lines = line::to_bytes(jsonl, header)?;
        let mut events = event::beginning(header.wall_time);
        for (record, scalars) in past {
            lines.extend(line::to_bytes(jsonl, &record)?);
            events.extend(event::of_scalars(&scalars));
        }
        // The older files go once the new one is whole, so that no curve is ever lost.
        let older = folder::prepare(tensorboard)?;
        let events_path = folder::free_name(tensorboard, header.wall_time);
        atomic::write(&events_path, &events)?;
        folder::remove(&older)?;
        atomic::write(jsonl, &lines)?;
        Ok(Self { lines: Grown::open(jsonl)?, events: Grown::open(&events_path)? })
    }

    /// Appends an epoch: its record as a line, its scalars as events.
    ///
    /// # Errors
    /// Where a file cannot be written to, or the record has no form in JSON; what was there before
    /// stays valid.
    pub fn append(
        &mut self,
        record: &impl Serialize,
        scalars: &Scalars,
    ) -> Result<(), TrainingLogError> {
        let line = line::to_bytes(self.lines.path(), record)?;
        self.lines.append(&line)?;
        self.events.append(&event::of_scalars(scalars))
    }
}
