//! What the reference says to images.

use tch::{Kind, Tensor};

use crate::error::EngineError;
use crate::loss;
use crate::model::{Model, Oracle};
use crate::rng::Key;
use crate::threads::Threads;

/// So many images are computed on all threads. (It makes no difference to the result.)
const WORTH_WAKING: i64 = 16;

/// Asks the reference, as often as the plan says where it is noisy.
pub struct Judge<'a> {
    name: &'a str,
    oracle: Oracle<'a>,
    passes: u32,
}

/// What the reference says to one image.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Verdict {
    /// The class that it gives, in most passes.
    pub predicted: u32,
    /// Softmax probability of that class in the first pass that gave it.
    pub confidence: f64,
    /// Mean margin of the class pushed away from.
    pub margin: f64,
    /// Share of the passes that gave the class pushed away from.
    pub held: f64,
    /// Share of the passes that gave the true class.
    pub right: f64,
}

impl<'a> Judge<'a> {
    /// Asks `passes` times, in chunks; `noise` keys the randomness of a noisy model.
    #[must_use]
    pub fn new(model: &'a Model, chunk: u64, passes: u32, noise: Option<(Key, u64)>) -> Self {
        let oracle = Oracle::new(model.reference.as_ref(), chunk, 1, noise);
        Self { name: &model.name, oracle, passes: passes.max(1) }
    }

    /// Forward passes that a verdict costs an image.
    #[must_use]
    pub fn cost(&self) -> u64 {
        self.passes.into()
    }

    /// Forward passes that the last verdict of a round costs ([`Judge::judge_apart`]).
    #[must_use]
    pub fn last_cost(&self) -> u64 {
        last_cost(self.passes)
    }

    /// One pass of the reference: `[n,k]`.
    pub fn logits(&self, images: &Tensor) -> Result<Tensor, EngineError> {
        // For a few images the others are not worth waking.
        let _all = (images.size()[0] >= WORTH_WAKING).then(Threads::all);
        self.oracle.logits(images)
    }

    /// The verdict on each image `[n,c,h,w]`. `labels` `[n]` are pushed away from, `truth` are the
    /// true classes, and `indices` name the images in errors.
    pub fn judge(
        &self,
        images: &Tensor,
        labels: &Tensor,
        truth: &[u32],
        indices: &[u64],
    ) -> Result<Vec<Verdict>, EngineError> {
        let passes = (0..self.passes)
            .map(|_| self.read(&self.logits(images)?, labels, indices))
            .collect::<Result<Vec<_>, _>>()?;
        Ok(truth.iter().enumerate().map(|(row, &truth)| summed(&passes, row, truth)).collect())
    }

    /// The verdict on candidates that are about to be compared by their margins, as
    /// [`Judge::judge`] gives it. Where the reference is noisy, the smallest of many margins is a
    /// lucky one, and so would be the shares of the same passes: they are of other passes, which
    /// nothing was chosen by.
    pub fn judge_apart(
        &self,
        images: &Tensor,
        labels: &Tensor,
        truth: &[u32],
        indices: &[u64],
    ) -> Result<Vec<Verdict>, EngineError> {
        let first = self.judge(images, labels, truth, indices)?;
        if self.passes == 1 {
            return Ok(first);
        }
        let second = self.judge(images, labels, truth, indices)?;
        let apart = |(first, second): (Verdict, Verdict)| Verdict {
            margin: first.margin,
            held: first.held.max(second.held),
            ..second
        };
        Ok(first.into_iter().zip(second).map(apart).collect())
    }

    /// The verdict that logits `[n,k]` of a deterministic reference amount to.
    pub fn from_logits(
        &self,
        logits: &Tensor,
        labels: &Tensor,
        truth: &[u32],
        indices: &[u64],
    ) -> Result<Vec<Verdict>, EngineError> {
        let pass = [self.read(logits, labels, indices)?];
        Ok(truth.iter().enumerate().map(|(row, &truth)| summed(&pass, row, truth)).collect())
    }

    fn read(
        &self,
        logits: &Tensor,
        labels: &Tensor,
        indices: &[u64],
    ) -> Result<Reading, EngineError> {
        check_finite(self.name, logits, indices)?;
        let predicted = logits.f_argmax(1, false)?;
        let confidences = loss::logit_of(&logits.f_softmax(1, Kind::Double)?, &predicted)?;
        // At a tie the class may have been kept, with a margin of 0.
        let held = predicted.f_eq_tensor(labels)?;
        let margins = loss::margins(logits, labels)?.f_to_kind(Kind::Double)?;
        Ok(Reading {
            predicted: Vec::try_from(predicted)?,
            confidences: Vec::try_from(confidences)?,
            margins: Vec::try_from(margins)?,
            held: Vec::try_from(held)?,
        })
    }
}

/// Forward passes that the last verdict of a round costs an image where a verdict is the mean of so
/// many.
pub(super) fn last_cost(passes: u32) -> u64 {
    let verdicts = if passes > 1 { 2 } else { 1 };
    verdicts * u64::from(passes)
}

/// No accuracy can be stated of logits that are no numbers.
pub(super) fn check_finite(
    model: &str,
    logits: &Tensor,
    indices: &[u64],
) -> Result<(), EngineError> {
    let finite = logits.f_isfinite()?.f_all_dim(1, false)?;
    let finite = Vec::<bool>::try_from(finite)?;
    match finite.iter().position(|finite| !finite) {
        Some(row) => {
            Err(EngineError::LogitsNotFinite { model: model.to_owned(), index: indices[row] })
        }
        None => Ok(()),
    }
}

/// One pass over all rows.
struct Reading {
    predicted: Vec<i64>,
    confidences: Vec<f64>,
    margins: Vec<f64>,
    held: Vec<bool>,
}

fn summed(passes: &[Reading], row: usize, truth: u32) -> Verdict {
    let n = passes.len() as f64;
    let count = |class: i64| passes.iter().filter(|pass| pass.predicted[row] == class).count();
    // The first of the most frequent ones.
    let first = passes
        .iter()
        .enumerate()
        .max_by_key(|(place, pass)| (count(pass.predicted[row]), usize::MAX - place))
        .map_or(0, |(place, _)| place);
    let predicted = passes[first].predicted[row];
    Verdict {
        predicted: predicted as u32,
        confidence: passes[first].confidences[row],
        margin: passes.iter().map(|pass| pass.margins[row]).sum::<f64>() / n,
        held: passes.iter().filter(|pass| pass.held[row]).count() as f64 / n,
        right: count(truth.into()) as f64 / n,
    }
}
