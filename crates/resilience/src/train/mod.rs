//! The only training loop.
//!
//! Everything random in it is keyed by (seed, epoch, image), so that a run that was killed goes on
//! from its last checkpoint and ends with the same weights, bit for bit.

mod average;
mod batch;
mod best;
mod checkpoint;
mod means;
mod mixing;
mod perturbation;
mod plan;
mod validation;

use std::path::Path;

use resilience_core::context::Context;
use resilience_core::dataset::Images;
use resilience_core::event::{Event, Unit};
use resilience_core::format::array::StateDict;
use resilience_core::method::Inner;
use resilience_core::overfitting::{self, Kind};
use resilience_core::record::EpochRecord;

pub use mixing::{Box as CutBox, Mixed, mixed_targets};
pub use perturbation::gradients as perturbed;
pub use plan::{Checkpoint, Other, Plan, check};

use self::average::Average;
pub use self::average::kept;
use self::batch::Prepared;
use self::best::Best;
use self::means::Means;
use crate::error::EngineError;
use crate::evaluate::check_cancelled;
use crate::model::{Learner, Native};
use crate::optim::Optimiser;
use crate::recipe::{Keyed, Losses, Recipe};
use crate::rng::{self, Purpose};

/// What a training run has led to.
#[derive(Debug)]
pub struct Trained {
    /// One record an epoch.
    pub epochs: Vec<EpochRecord>,
    /// The epoch whose weights were chosen, from 1.
    pub chosen: u32,
    /// These weights.
    pub weights: StateDict,
    /// Those of the last epoch; the chosen ones, where that was the last.
    pub last: StateDict,
}

/// Everything that changes from epoch to epoch.
struct State<'a> {
    model: &'a Native,
    learner: Learner<'a>,
    optimiser: Optimiser,
    average: Option<Average>,
    best: Option<Best>,
    epochs: Vec<EpochRecord>,
}

/// Writes down the epochs that are done: called as training begins or goes on, and after each epoch.
pub type Diary<'a> = dyn FnMut(&[EpochRecord]) -> Result<(), EngineError> + 'a;

/// Trains `model` on `images`. The model keeps the weights of the last step.
pub fn train(
    context: &mut Context,
    model: &Native,
    images: &Images,
    plan: &Plan,
    diary: &mut Diary,
) -> Result<Trained, EngineError> {
    let recipe = plan.recipe()?;
    check_inner(model, plan)?;
    let learner = Learner::new(model)?;
    let identity = checkpoint::identity(model, images, plan, learner.computes_in());
    let mut state = State {
        model,
        learner,
        optimiser: Optimiser::new(model.network().trainable(), plan.method.optimiser)?,
        average: plan.method.ema.map(|ema| Average::new(model, ema)).transpose()?,
        best: None,
        epochs: Vec::new(),
    };
    if let Some(Checkpoint { path, resume: true }) = &plan.checkpoint {
        resume(context, path, &identity, &mut state)?;
    }
    diary(&state.epochs)?;
    while !over(context, plan, &state) {
        let epoch = state.epochs.len() as u32 + 1;
        let mut record = run_epoch(context, &mut state, images, plan, recipe.as_ref(), epoch)?;
        // The last step of an epoch has no loss after it that would tell.
        if let Some(name) = model.network().not_finite()? {
            return Err(EngineError::WeightNotFinite { name: name.to_owned() });
        }
        let candidate = state.average.as_ref().map_or(model, Average::model);
        if plan.held_out(images.len()) > 0 {
            record.validation = Some(validation::figures(context, candidate, images, plan)?);
        }
        let before = overfitting::find(&state.epochs);
        context.tell(Event::Epoch(record.clone()));
        state.epochs.push(record);
        for finding in overfitting::find(&state.epochs) {
            if before.iter().all(|known| known.kind != finding.kind) {
                context.tell(Event::Notice(finding.sentence));
            }
        }
        best::keep(&mut state.best, &state.epochs, plan, candidate)?;
        if let Some(checkpoint) = &plan.checkpoint {
            checkpoint::save(&checkpoint.path, &identity, &state)?;
        }
        diary(&state.epochs)?;
    }
    let last = state.average.as_ref().map_or(model, Average::model).network().state_dict()?;
    let (chosen, weights) = match state.best {
        Some(best) => (best.epoch, best.weights),
        None => (state.epochs.len() as u32, last.clone()),
    };
    Ok(Trained { epochs: state.epochs, chosen, weights, last })
}

/// The precision that the plan records must be the model's.
fn check_inner(model: &Native, plan: &Plan) -> Result<(), EngineError> {
    let half = model.network().is_inner_bf16();
    if half == (plan.method.inner == Inner::Bf16) {
        return Ok(());
    }
    let name = |half: bool| if half { "bf16" } else { "f32" };
    Err(EngineError::Input {
        what: "inner values of the network",
        expected: format!("{}, as the plan says", name(!half)),
        found: name(half).to_owned(),
    })
}

/// Whether there is nothing left to do; where that is early, it says why.
fn over(context: &mut Context, plan: &Plan, state: &State) -> bool {
    if state.epochs.len() as u32 >= plan.method.epochs {
        return true;
    }
    let why = early(plan, &state.epochs, state.best.as_ref().map(|best| best.epoch));
    let Some(why) = why else { return false };
    context.tell(Event::Notice(why));
    true
}

/// Why a training ends before its time, if it does; `best` is the best epoch so far.
fn early(plan: &Plan, epochs: &[EpochRecord], best: Option<u32>) -> Option<String> {
    let (done, best) = (epochs.len() as u32, best?);
    let collapsed =
        overfitting::find(epochs).iter().any(|finding| finding.kind == Kind::Catastrophic);
    if collapsed && plan.guarded() {
        return Some(format!(
            "stopped after epoch {done}: the guard found catastrophic overfitting; the weights of \
             epoch {best} are kept"
        ));
    }
    let patience = plan.method.patience?;
    (done - best >= patience).then(|| {
        format!("stopped after epoch {done}: none was better on held-out images than epoch {best}")
    })
}

/// Goes on from a checkpoint, and says so; where there is none, says that too.
fn resume(
    context: &mut Context,
    path: &Path,
    identity: &[(String, String)],
    state: &mut State,
) -> Result<(), EngineError> {
    if !path.exists() {
        let path = path.display();
        context.tell(Event::Notice(format!("there is no {path} to resume: beginning anew")));
        return Ok(());
    }
    checkpoint::load(path, identity, state)?;
    let (done, path) = (state.epochs.len(), path.display());
    context.tell(Event::Notice(format!("resuming after epoch {done} of {path}")));
    Ok(())
}

fn run_epoch(
    context: &mut Context,
    state: &mut State,
    images: &Images,
    plan: &Plan,
    recipe: &dyn Recipe,
    epoch: u32,
) -> Result<EpochRecord, EngineError> {
    let n = images.len() - plan.held_out(images.len());
    let (method, began) = (&plan.method, context.clock.seconds());
    let task = format!("{}: epoch {epoch}/{}", method.recipe, method.epochs);
    context.tell(Event::Started { task, total: Some(n as u64), unit: Unit::Images });
    let order =
        rng::permutation(&mut rng::stream(plan.seed, Purpose::Order, u64::from(epoch), 0), n);
    let steps = n.div_ceil(method.batch as usize) as u64;
    let mut means = Means::default();
    let mut factor = 1.0;
    for (step, rows) in (0..).zip(order.chunks(method.batch as usize)) {
        check_cancelled(context)?;
        let number = u64::from(epoch - 1) * steps + step;
        let batch = Prepared::new(images, rows, plan, (epoch, step))?;
        let losses = take_gradients(state, recipe, &batch, plan, (epoch, number))?;
        if !losses.total.is_finite() {
            let (step, loss) = (step + 1, losses.total);
            return Err(EngineError::LossNotFinite { epoch, step, loss });
        }
        factor = method.schedule.factor(number, steps, method.epochs);
        state.optimiser.step(factor)?;
        if let Some(average) = &mut state.average {
            average.follow(state.model, epoch)?;
        }
        means.add(&losses, rows.len());
        let detail = format!("loss {:.4}", means.loss());
        context.tell(Event::Advanced { done: means.images as u64, detail });
    }
    context.tell(Event::Finished);
    let seconds = context.clock.seconds() - began;
    Ok(EpochRecord {
        epoch,
        of: method.epochs,
        loss: means.loss(),
        scalars: means.scalars(),
        passes: state.learner.take_passes() as f64 / n as f64,
        seconds,
        // A clock that stands still gives no rate, and JSON knows no infinity.
        images_per_second: if seconds > 0.0 { n as f64 / seconds } else { 0.0 },
        learning_rate: method.optimiser.learning_rate() * factor,
        validation: None,
    })
}

/// Leaves the gradient of a batch's loss in the parameters: at the weights, or at perturbed ones.
fn take_gradients(
    state: &mut State,
    recipe: &dyn Recipe,
    batch: &Prepared,
    plan: &Plan,
    (epoch, number): (u32, u64),
) -> Result<Losses, EngineError> {
    let draws = Keyed::new(plan.seed, epoch, batch.rows.clone());
    match plan.method.awp.filter(|awp| epoch > awp.warmup) {
        None => state.learner.learn(|lesson| recipe.gradients(&batch.step(lesson, &draws, number))),
        Some(awp) => perturbation::gradients(
            &mut state.learner,
            state.model,
            awp.gamma,
            |lesson| recipe.attacked(&batch.step(lesson, &draws, number)),
            |lesson, attacked| recipe.learn(&batch.step(lesson, &draws, number), attacked),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use resilience_core::method::Method;
    use resilience_core::record::ValidationRecord;

    fn plan(keys: &str) -> Plan {
        let method = Method::from_table("a test", &toml::from_str(keys).unwrap()).unwrap();
        Plan::new(method, 0, Vec::new()).unwrap()
    }

    fn epochs(figures: &[[f64; 3]]) -> Vec<EpochRecord> {
        let record = |(epoch, &[clean, fgsm, pgd]): (u32, &[f64; 3])| EpochRecord {
            epoch,
            of: 30,
            loss: 1.0,
            scalars: Vec::new(),
            learning_rate: 0.1,
            validation: Some(ValidationRecord { n: 1000, clean, fgsm, pgd }),
            passes: 2.0,
            seconds: 1.0,
            images_per_second: 1.0,
        };
        (1..).zip(figures).map(record).collect()
    }

    /// Would catch a guard that sleeps where a network collapses or wakes where it does not, one that
    /// cannot be switched off, and a patience that counts from another epoch.
    #[test]
    fn a_training_ends_early_where_it_should() {
        let healthy = epochs(&[[0.4, 0.25, 0.22], [0.5, 0.33, 0.3], [0.52, 0.32, 0.29]]);
        let collapsed = epochs(&[[0.4, 0.25, 0.22], [0.5, 0.33, 0.3], [0.6, 0.7, 0.01]]);
        let [guarded, free, patient] = [
            "recipe = 'fast-at'\nepochs = 30",
            "recipe = 'fast-at'\nepochs = 30\nguard = false",
            "recipe = 'pgd-at'\nepochs = 30\npatience = 2",
        ]
        .map(plan);
        let words = early(&guarded, &collapsed, Some(2)).unwrap();
        assert!(words.contains("after epoch 3") && words.contains("epoch 2 are kept"), "{words}");
        assert_eq!(early(&guarded, &healthy, Some(2)), None);
        assert_eq!(early(&free, &collapsed, Some(2)), None);
        assert_eq!(early(&patient, &healthy, Some(2)), None);
        let words = early(&patient, &healthy, Some(1)).unwrap();
        assert!(words.contains("after epoch 3") && words.contains("than epoch 1"), "{words}");
    }
}
