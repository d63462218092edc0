//! The only evaluation loop, and the only place that decides what an attack achieved.

use resilience_core::context::Context;
use resilience_core::dataset::Images;
use resilience_core::event::{Event, Unit};
use resilience_core::record::{AttackOutcome, AttackRecord, CleanOutcome, Example, LabelSource};
use resilience_core::threat::Threat;
use tch::{Kind, Tensor};

use crate::attack::{AttackSpec, Rows};
use crate::batch::Batch;
use crate::error::EngineError;
use crate::geometry;
use crate::model::{Differentiable, Passes};

/// Images computed at once, where nothing else is asked for.
pub const CHUNK: usize = 250;

/// A model to be evaluated.
pub struct Model {
    /// What it is called in messages.
    pub name: String,
    /// Gives every verdict and every gradient, in f32 as the weights are.
    pub reference: Box<dyn Differentiable>,
}

/// An attack to be run.
#[derive(Clone, Copy, Debug)]
pub struct Setup {
    /// Which attack.
    pub attack: &'static AttackSpec,
    /// What it may do.
    pub threat: Threat,
    /// Whose labels it pushes away from.
    pub labels: LabelSource,
    /// Whether it is a point of a curve.
    pub curve: bool,
}

/// What an attack gave.
#[derive(Debug)]
pub struct Outcome {
    /// What was done, and what it cost.
    pub record: AttackRecord,
    /// One entry an image, in order.
    pub outcomes: Vec<AttackOutcome>,
    /// The adversarial images of the rows that were asked for.
    pub examples: Vec<Example>,
}

/// Predictions for all images, without an attack.
pub fn clean(
    context: &mut Context,
    model: &Model,
    images: &Images,
) -> Result<Vec<CleanOutcome>, EngineError> {
    let mut outcomes = Vec::with_capacity(images.len());
    started(context, format!("{}: clean", model.name), images);
    for rows in chunks(images.len()) {
        check_cancelled(context)?;
        let batch = Batch::from_images(images, rows.clone())?;
        let answers = answers(model, &batch.images, rows.start)?;
        for (index, (predicted, confidence)) in rows.clone().zip(answers) {
            let label = u32::from(images.labels()[index]);
            outcomes.push(CleanOutcome { index: index as u64, label, predicted, confidence });
        }
        advanced(context, rows.end);
    }
    context.tell(Event::Finished);
    Ok(outcomes)
}

/// Runs an attack on all images, checks every candidate and predicts it with the reference.
/// `clean` holds the predictions for the same images; the adversarial images of the indices in
/// `keep` are returned to be shown.
pub fn attack(
    context: &mut Context,
    model: &Model,
    images: &Images,
    clean: &[CleanOutcome],
    setup: Setup,
    keep: &[u64],
) -> Result<Outcome, EngineError> {
    let attack = setup.attack.plan(setup.threat)?;
    let n = images.len();
    let began = context.clock.seconds();
    let before = model.reference.passes();
    let mut outcomes = Vec::with_capacity(n);
    let mut examples = Vec::new();
    started(context, task(model, setup), images);
    for rows in chunks(n) {
        check_cancelled(context)?;
        let batch = Batch::from_images(images, rows.clone())?;
        let labels = match setup.labels {
            LabelSource::True => batch.labels,
            LabelSource::Predicted => {
                let predicted: Vec<i64> = clean[rows.clone()]
                    .iter()
                    .map(|outcome| i64::from(outcome.predicted))
                    .collect();
                Tensor::f_from_slice(&predicted)?
            }
        };
        let start = Rows { images: batch.images.shallow_clone(), labels };
        let mut state = attack.start(start)?;
        // The last candidate is the attack's answer, as in the libraries that it agrees with.
        let mut adversarial = batch.images.shallow_clone();
        for _ in 0..attack.steps() {
            adversarial = attack.step(&mut state, model.reference.as_ref())?.f_detach()?;
        }
        let distances = check(setup, &batch.images, &adversarial, rows.start)?;
        let answers = answers(model, &adversarial, rows.start)?;
        for ((index, (predicted, confidence)), distance) in rows.clone().zip(answers).zip(distances)
        {
            outcomes.push(AttackOutcome { index: index as u64, predicted, confidence, distance });
        }
        for &index in keep.iter().filter(|&&index| rows.contains(&(index as usize))) {
            let row = index as i64 - rows.start as i64;
            examples.push(Example {
                index,
                shape: images.shape(),
                clean: pixels(&batch.images, row)?,
                adversarial: pixels(&adversarial, row)?,
            });
        }
        advanced(context, rows.end);
    }
    context.tell(Event::Finished);
    let cost: Passes = model.reference.passes() - before;
    let record = AttackRecord {
        id: setup.attack.id.to_owned(),
        norm: setup.threat.norm(),
        eps: setup.threat.eps().value(),
        eps_text: setup.threat.eps().to_string(),
        labels: setup.labels,
        settings: serde_json::json!({}),
        curve: setup.curve,
        n: n as u64,
        forwards: cost.forwards,
        backwards: cost.backwards,
        seconds: context.clock.seconds() - began,
    };
    Ok(Outcome { record, outcomes, examples })
}

fn task(model: &Model, setup: Setup) -> String {
    let (id, threat, labels) = (setup.attack.id, setup.threat, setup.labels.name());
    format!("{}: {id}, {threat}, {labels} labels", model.name)
}

/// Predicted class and its probability for each image; `first` is the index of the first one.
fn answers(model: &Model, images: &Tensor, first: usize) -> Result<Vec<(u32, f64)>, EngineError> {
    let logits = model.reference.logits(images)?; // [n, k]
    let finite = logits.f_isfinite()?.f_all_dim(1, false)?;
    if let Some(row) = Vec::<bool>::try_from(finite)?.iter().position(|finite| !finite) {
        let index = (first + row) as u64;
        return Err(EngineError::LogitsNotFinite { model: model.name.clone(), index });
    }
    let (confidences, predicted) = logits.f_softmax(1, Kind::Double)?.f_max_dim(1, false)?;
    let predicted = Vec::<i64>::try_from(predicted)?;
    let confidences = Vec::<f64>::try_from(confidences)?;
    Ok(predicted.into_iter().map(|class| class as u32).zip(confidences).collect())
}

/// The distance of each candidate, which must lie in the box and in the ball: a candidate outside
/// is a bug of the attack and is never repaired.
fn check(
    setup: Setup,
    clean: &Tensor,
    adversarial: &Tensor,
    first: usize,
) -> Result<Vec<f64>, EngineError> {
    let threat = setup.threat;
    let distances = Vec::<f64>::try_from(geometry::distance(threat.norm(), adversarial, clean)?)?;
    let inside = Vec::<bool>::try_from(geometry::in_box(adversarial)?)?;
    for (row, (&distance, inside)) in distances.iter().zip(inside).enumerate() {
        // Written so that a distance of NaN is refused as well.
        let reachable = distance <= threat.eps().value() + geometry::TOLERANCE;
        if !(inside && reachable) {
            let (attack, index) = (setup.attack.id, (first + row) as u64);
            return Err(EngineError::OutsideThreat { attack, index, distance, threat });
        }
    }
    Ok(distances)
}

/// The pixels of one image, channel by channel.
fn pixels(images: &Tensor, row: i64) -> Result<Vec<f32>, EngineError> {
    Ok(Vec::try_from(images.f_get(row)?.f_contiguous()?.f_view([-1])?)?)
}

fn chunks(n: usize) -> impl Iterator<Item = std::ops::Range<usize>> {
    (0..n).step_by(CHUNK).map(move |start| start..n.min(start + CHUNK))
}

fn started(context: &mut Context, task: String, images: &Images) {
    let total = Some(images.len() as u64);
    context.tell(Event::Started { task, total, unit: Unit::Images });
}

fn advanced(context: &mut Context, done: usize) {
    context.tell(Event::Advanced { done: done as u64, detail: String::new() });
}

pub(crate) fn check_cancelled(context: &Context) -> Result<(), EngineError> {
    if context.observer.cancelled() { Err(EngineError::Cancelled) } else { Ok(()) }
}
