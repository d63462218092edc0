//! What must be known of a model before a plan is made: whether it answers differently each time,
//! and how long it takes.

use resilience_core::context::Clock;
use resilience_core::dataset::Images;

use crate::batch::Batch;
use crate::error::EngineError;
use crate::loss;
use crate::model::{Model, Oracle};

/// Images that a model is probed with.
const PROBED: usize = 64;

/// What was found.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Probe {
    /// Whether two passes over the same images differ in any bit, or the model says so itself.
    pub noisy: bool,
    /// Seconds that a forward pass takes for one image.
    pub forward_seconds: f64,
    /// Seconds that a backward pass takes.
    pub backward_seconds: f64,
}

/// Passes the first images through the model, twice with other seeds, and looks at the clock.
pub fn probe(clock: &dyn Clock, model: &Model, images: &Images) -> Result<Probe, EngineError> {
    let n = images.len().min(PROBED);
    let batch = Batch::from_images(images, 0..n)?;
    let mut answers = Vec::new();
    for seed in [1, 2] {
        tch::manual_seed(seed);
        answers.push(model.reference.logits(&batch.images)?);
    }
    let noisy = model.reference.declared_noisy() || answers[0] != answers[1];
    // The first passes set things up; only the next ones are timed.
    let oracle = Oracle::new(model.search(), PROBED as u64, 1, None);
    let ascend = || {
        oracle.ascent(&batch.images, &|logits, span| {
            loss::cross_entropies(logits, &span.of(&batch.labels)?)
        })
    };
    ascend()?;
    let began = clock.seconds();
    let _ = oracle.logits(&batch.images)?;
    let forward = clock.seconds();
    ascend()?;
    let end = clock.seconds();
    let rows = n as f64;
    let forward_seconds = (forward - began) / rows;
    let backward_seconds = ((end - forward) / rows - forward_seconds).max(0.0);
    Ok(Probe { noisy, forward_seconds, backward_seconds })
}
