//! A batch of training images: augmented, mixed, with what the loss is to pull them towards.

use rayon::prelude::{
    IndexedParallelIterator, IntoParallelRefIterator, ParallelIterator, ParallelSliceMut,
};
use resilience_core::dataset::Images;
use tch::Tensor;

use super::{Plan, mixing};
use crate::augment;
use crate::batch::Batch;
use crate::error::EngineError;
use crate::model::Lesson;
use crate::recipe::{Draws, Step};
use crate::rng::{self, Purpose};
use crate::threads::shared;

/// What a training step works on.
pub(super) struct Prepared {
    /// `[n,c,h,w]` in [0, 1].
    pub images: Tensor,
    /// `[n]`, i64; of a mixed image the class of its larger part.
    pub labels: Tensor,
    /// `[n]` classes, i64, or `[n,k]` shares of the classes.
    pub targets: Tensor,
    /// Places of the images in their split.
    pub rows: Vec<u64>,
}

impl Prepared {
    /// The images numbered `rows`, each transformed as its own stream of random numbers says, then
    /// mixed as the step's does.
    pub fn new(
        images: &Images,
        rows: &[usize],
        plan: &Plan,
        (epoch, step): (u32, u64),
    ) -> Result<Self, EngineError> {
        let batch = augmented(images, rows, plan, epoch)?;
        let rows = rows.iter().map(|&row| row as u64).collect();
        let method = &plan.method;
        let classes = images.classes().len() as i64;
        let Some(mixing) = method.mixing else {
            let targets = mixing::targets(&batch.labels, None, classes, method.label_smoothing)?;
            return Ok(Self { images: batch.images, labels: batch.labels, targets, rows });
        };
        let mut rng = rng::stream(plan.seed, Purpose::Mixing, u64::from(epoch), step);
        let mixed = mixing::Mixed::draw(mixing, &mut rng, &batch.images)?;
        let others = mixed.others(&batch.labels)?;
        let targets = mixing::targets(
            &batch.labels,
            Some((&others, mixed.share)),
            classes,
            method.label_smoothing,
        )?;
        let labels = if mixed.share < 0.5 { others } else { batch.labels };
        Ok(Self { images: mixed.images(&batch.images)?, labels, targets, rows })
    }

    /// The batch as a recipe sees it, in the training's step of that number.
    pub fn step<'a>(
        &'a self,
        lesson: &'a Lesson<'a>,
        draws: &'a dyn Draws,
        number: u64,
    ) -> Step<'a> {
        let Self { images, labels, targets, .. } = self;
        Step { lesson, images, labels, targets, draws, number }
    }
}

fn augmented(
    images: &Images,
    rows: &[usize],
    plan: &Plan,
    epoch: u32,
) -> Result<Batch, EngineError> {
    let size: usize = images.shape().iter().product();
    let mut pixels = vec![0.0; rows.len() * size];
    let (augmentation, seed) = (plan.method.augmentation, plan.seed);
    shared(|| {
        rows.par_iter().zip(pixels.par_chunks_exact_mut(size)).try_for_each(|(&row, out)| {
            let mut rng = rng::stream(seed, Purpose::Augmentation, u64::from(epoch), row as u64);
            let drawn = augment::draw(augmentation, &mut rng);
            augment::transform(images, row, drawn, augmentation.interpolation, out)
        })
    })?;
    let labels: Vec<i64> = rows.iter().map(|&row| i64::from(images.labels()[row])).collect();
    Batch::from_pixels(&pixels, &labels, images.shape())
}
