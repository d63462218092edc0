//! Losses: logits `[n,k]` x labels `[n]` -> `[n]`, or their mean.

use tch::{Kind, Reduction, Tensor};

use crate::error::EngineError;

/// Mean cross-entropy over the batch, a scalar.
pub fn cross_entropy(logits: &Tensor, labels: &Tensor) -> Result<Tensor, EngineError> {
    Ok(logits.f_cross_entropy_loss::<Tensor>(labels, None, Reduction::Mean, -100, 0.0)?)
}

/// Cross-entropy of each sample: `[n,k]` x `[n]` -> `[n]`.
pub fn cross_entropies(logits: &Tensor, labels: &Tensor) -> Result<Tensor, EngineError> {
    Ok(logits.f_cross_entropy_loss::<Tensor>(labels, None, Reduction::None, -100, 0.0)?)
}

/// How many samples have their label's logit on top.
pub fn correct(logits: &Tensor, labels: &Tensor) -> Result<u64, EngineError> {
    let hits = logits.f_argmax(1, false)?.f_eq_tensor(labels)?.f_sum(Kind::Int64)?;
    Ok(hits.f_int64_value(&[])? as u64)
}
