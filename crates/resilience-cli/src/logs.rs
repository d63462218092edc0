//! The logs that a training run leaves beside its weights.

use std::path::{Path, PathBuf};

use resilience::EngineError;
use resilience::train::Plan;
use resilience_core::record::EpochRecord;
use resilience_core::training_log::{Header, Scalars, TrainingLog};

use crate::environment::Environment;

/// A file of JSON lines, and a folder for TensorBoard.
pub struct Logs<'a> {
    name: String,
    settings: Vec<(String, String)>,
    jsonl: PathBuf,
    tensorboard: PathBuf,
    environment: &'a Environment,
    log: Option<TrainingLog>,
}

impl<'a> Logs<'a> {
    /// Those beside the weights `out` of a model of that name.
    pub fn new(name: &str, plan: &Plan, out: &Path, environment: &'a Environment) -> Self {
        Self {
            name: name.to_owned(),
            settings: plan.settings(),
            jsonl: out.with_extension("log.jsonl"),
            tensorboard: out.with_extension("tensorboard"),
            environment,
            log: None,
        }
    }

    /// Writes the epochs that are done: all of them the first time, then the last one.
    pub fn write(&mut self, epochs: &[EpochRecord]) -> Result<(), EngineError> {
        let wall_time = self.environment.wall_time();
        if let (Some(log), Some(last)) = (&mut self.log, epochs.last()) {
            return Ok(log.append(last, &Scalars::of_epoch(last, wall_time))?);
        }
        let header = Header {
            name: &self.name,
            version: env!("CARGO_PKG_VERSION"),
            wall_time,
            settings: &self.settings,
        };
        // When they ended is not known any more; how long each took is.
        let mut ended = wall_time - epochs.iter().map(|epoch| epoch.seconds).sum::<f64>();
        let past = epochs.iter().map(|epoch| {
            ended += epoch.seconds;
            (epoch, Scalars::of_epoch(epoch, ended))
        });
        self.log = Some(TrainingLog::begin(&self.jsonl, &self.tensorboard, &header, past)?);
        Ok(())
    }
}
