//! The inner part of a graph in bf16.

use tch::{Kind, Tensor};

use super::convert::is_float;
use super::translated::{Step, Translated};
use crate::error::EngineError;

impl Translated {
    /// The same network with constants and values in bf16 between the first and the last step that add up
    /// products, which stay as they are, as does what is before and behind them. None where there are no
    /// two such steps.
    pub fn half(&self) -> Result<Option<Self>, EngineError> {
        let adds_up = |step: &Step| sums(step, &self.constants);
        let first = self.steps.iter().position(adds_up);
        let last = self.steps.iter().rposition(adds_up);
        let Some((first, last)) = first.zip(last).filter(|(first, last)| first < last) else {
            return Ok(None);
        };
        let mut steps = self.steps.clone();
        let mut constants: Vec<Option<Tensor>> =
            self.constants.iter().map(|known| known.as_ref().map(Tensor::shallow_clone)).collect();
        for (at, step) in steps.iter_mut().enumerate() {
            let inner = first < at && at < last;
            step.kind = Some(if inner { Kind::BFloat16 } else { self.kind });
            if !inner {
                continue;
            }
            for place in step.inputs.iter_mut().flatten() {
                let Some(known) = self.constants[*place].as_ref() else { continue };
                if is_float(known.kind()) {
                    // Another step may take the same one in its own kind.
                    let half = known.f_to_kind(Kind::BFloat16)?;
                    *place = constants.len();
                    constants.push(Some(half));
                }
            }
        }
        Ok(Some(self.with(constants, steps)))
    }
}

/// Whether a step adds up products with constants.
fn sums(step: &Step, constants: &[Option<Tensor>]) -> bool {
    let known = step.inputs.iter().flatten().any(|&at| constants[at].is_some());
    known && step.operator.summed.is_some()
}
