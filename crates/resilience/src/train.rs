//! The only training loop.
//!
//! Everything random in it is keyed by (seed, epoch, image), so that a run that was killed goes on
//! from its last checkpoint and ends with the same weights, bit for bit.

mod checkpoint;

use std::path::{Path, PathBuf};

use rayon::prelude::{
    IndexedParallelIterator, IntoParallelRefIterator, ParallelIterator, ParallelSliceMut,
};
use resilience_core::context::Context;
use resilience_core::dataset::Images;
use resilience_core::event::{Event, Unit};
use resilience_core::record::EpochRecord;
use resilience_core::threat::Threat;

use crate::augment::{self, Augmentation};
use crate::batch::Batch;
use crate::error::EngineError;
use crate::evaluate::check_cancelled;
use crate::model::{Learner, Native};
use crate::optim::Adam;
use crate::recipe::{Losses, Recipe, RecipeSpec};
use crate::rng::{self, Purpose};
use crate::threads::shared;

/// How to train.
#[derive(Clone, Debug)]
pub struct Plan {
    /// What to minimise.
    pub recipe: &'static RecipeSpec,
    /// What the recipe's attack may do.
    pub threat: Threat,
    /// Passes over the data.
    pub epochs: u32,
    /// Images a step; the last step of an epoch takes what is left.
    pub batch: usize,
    /// Adam's learning rate.
    pub learning_rate: f64,
    /// Seed of the order and the augmentation.
    pub seed: u64,
    /// What is done to the images.
    pub augmentation: Augmentation,
    /// Precision of the values inside the network; weights, losses and Adam's state are f32.
    pub inner: Inner,
    /// Where the state is kept after each epoch, and whether to go on from what lies there.
    pub checkpoint: Option<Checkpoint>,
}

/// Precision of the values between a network's first and its last layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Inner {
    /// As everything else.
    F32,
    /// bf16.
    Bf16,
}

/// Where a training run keeps its state.
#[derive(Clone, Debug)]
pub struct Checkpoint {
    /// The file, written after every epoch.
    pub path: PathBuf,
    /// Whether to go on from it, if it is there.
    pub resume: bool,
}

impl Plan {
    /// What the plan fixes, in words: stored with the weights and compared on resume.
    #[must_use]
    pub fn settings(&self) -> Vec<(String, String)> {
        let Augmentation { flip, rotation, interpolation } = self.augmentation;
        let mut settings = vec![("recipe", self.recipe.id.to_owned())];
        if self.recipe.adversarial {
            settings.push(("threat", self.threat.to_string()));
        }
        settings.extend([
            ("optimiser", "adam".to_owned()),
            ("learning rate", self.learning_rate.to_string()),
            ("batch", self.batch.to_string()),
            ("epochs", self.epochs.to_string()),
            ("seed", self.seed.to_string()),
            ("horizontal flip", if flip { "random" } else { "none" }.to_owned()),
            ("rotation", format!("within {rotation} degrees, {interpolation:?}").to_lowercase()),
        ]);
        if self.inner == Inner::Bf16 {
            settings.push(("inner values", "bf16".to_owned()));
        }
        settings.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
    }
}

/// Trains `model` on `images` and returns one record an epoch. The model keeps the last weights.
pub fn train(
    context: &mut Context,
    model: &Native,
    images: &Images,
    plan: &Plan,
) -> Result<Vec<EpochRecord>, EngineError> {
    let recipe = plan.recipe.plan(plan.threat);
    let mut learner = Learner::new(model)?;
    let mut optimiser = Adam::new(model.network().trainable(), plan.learning_rate)?;
    let identity = checkpoint::identity(model, images, plan, learner.computes_in());
    let mut epochs = match &plan.checkpoint {
        Some(checkpoint) if checkpoint.resume => {
            resume(context, &checkpoint.path, &identity, model, &mut optimiser)?
        }
        _ => Vec::new(),
    };
    for epoch in epochs.len() as u32 + 1..=plan.epochs {
        let record =
            run_epoch(context, &mut learner, images, plan, recipe.as_ref(), &mut optimiser, epoch)?;
        // The last step of an epoch has no loss after it that would tell.
        if let Some(name) = model.network().not_finite()? {
            return Err(EngineError::WeightNotFinite { name: name.to_owned() });
        }
        context.tell(Event::Epoch(record.clone()));
        epochs.push(record);
        if let Some(checkpoint) = &plan.checkpoint {
            checkpoint::save(&checkpoint.path, &identity, model, &optimiser, &epochs)?;
        }
    }
    Ok(epochs)
}

/// Goes on from a checkpoint, and says so; where there is none, says that too.
fn resume(
    context: &mut Context,
    path: &Path,
    identity: &[(String, String)],
    model: &Native,
    optimiser: &mut Adam,
) -> Result<Vec<EpochRecord>, EngineError> {
    if !path.exists() {
        let path = path.display();
        context.tell(Event::Notice(format!("there is no {path} to resume: beginning anew")));
        return Ok(Vec::new());
    }
    let epochs = checkpoint::load(path, identity, model, optimiser)?;
    let (done, path) = (epochs.len(), path.display());
    context.tell(Event::Notice(format!("resuming after epoch {done} of {path}")));
    Ok(epochs)
}

fn run_epoch(
    context: &mut Context,
    learner: &mut Learner,
    images: &Images,
    plan: &Plan,
    recipe: &dyn Recipe,
    optimiser: &mut Adam,
    epoch: u32,
) -> Result<EpochRecord, EngineError> {
    let n = images.len();
    let began = context.clock.seconds();
    let task = format!("{}: epoch {epoch}/{}", plan.recipe.id, plan.epochs);
    context.tell(Event::Started { task, total: Some(n as u64), unit: Unit::Images });
    let order =
        rng::permutation(&mut rng::stream(plan.seed, Purpose::Order, u64::from(epoch), 0), n);
    let mut means = Means::default();
    for (step, rows) in order.chunks(plan.batch).enumerate() {
        check_cancelled(context)?;
        let batch = augmented(images, rows, plan, epoch)?;
        let losses = learner.learn(|lesson| recipe.gradients(lesson, &batch))?;
        if !losses.total.is_finite() {
            let (step, loss) = (step as u64 + 1, losses.total);
            return Err(EngineError::LossNotFinite { epoch, step, loss });
        }
        optimiser.step()?;
        means.add(&losses, rows.len());
        let detail = format!("loss {:.4}", means.loss());
        context.tell(Event::Advanced { done: means.images as u64, detail });
    }
    context.tell(Event::Finished);
    let seconds = context.clock.seconds() - began;
    Ok(EpochRecord {
        epoch,
        of: plan.epochs,
        loss: means.loss(),
        scalars: means.scalars(),
        learning_rate: plan.learning_rate,
        validation: None,
        seconds,
        // A clock that stands still gives no rate, and JSON knows no infinity.
        images_per_second: if seconds > 0.0 { n as f64 / seconds } else { 0.0 },
    })
}

/// The images numbered `rows`, each transformed as its own stream of random numbers says.
fn augmented(
    images: &Images,
    rows: &[usize],
    plan: &Plan,
    epoch: u32,
) -> Result<Batch, EngineError> {
    let size: usize = images.shape().iter().product();
    let mut pixels = vec![0.0; rows.len() * size];
    shared(|| {
        rows.par_iter().zip(pixels.par_chunks_exact_mut(size)).for_each(|(&row, out)| {
            let mut rng =
                rng::stream(plan.seed, Purpose::Augmentation, u64::from(epoch), row as u64);
            let drawn = plan.augmentation.draw(&mut rng);
            augment::transform(images, row, drawn, plan.augmentation.interpolation, out);
        });
    });
    let labels: Vec<i64> = rows.iter().map(|&row| i64::from(images.labels()[row])).collect();
    Batch::from_pixels(&pixels, &labels, images.shape())
}

/// Means over an epoch, weighted by the size of each batch.
#[derive(Default)]
struct Means {
    images: usize,
    loss: f64,
    scalars: Vec<(&'static str, f64)>,
}

impl Means {
    fn add(&mut self, losses: &Losses, n: usize) {
        if self.scalars.is_empty() {
            self.scalars = losses.scalars.iter().map(|&(name, _)| (name, 0.0)).collect();
        }
        self.images += n;
        self.loss += losses.total * n as f64;
        for ((_, sum), (_, value)) in self.scalars.iter_mut().zip(&losses.scalars) {
            *sum += value * n as f64;
        }
    }

    fn loss(&self) -> f64 {
        self.loss / self.images.max(1) as f64
    }

    fn scalars(&self) -> Vec<(String, f64)> {
        let n = self.images.max(1) as f64;
        self.scalars.iter().map(|&(name, sum)| (name.to_owned(), sum / n)).collect()
    }
}
