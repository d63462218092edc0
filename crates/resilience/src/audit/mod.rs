//! The audit: is there a reason not to trust a result? One doubt a file, and the registry of them.
//!
//! Attacks can only lower an accuracy, so that whatever weakens an attack makes a model look robust.
//! A doubt looks for one such thing, in what the run recorded and by trying the model on a few of its
//! images ([`Subject`]), and says what it saw. Nothing here changes a result.

mod batch_dependence;
mod black_box_wins;
mod eps_without_effect;
mod few_classes;
mod few_samples;
mod label_leaking;
mod loss_still_rising;
mod lost_at_the_end;
mod noise_is_enough;
mod nondeterminism;
mod normalisation;
mod one_step_wins;
mod probabilities;
mod rounding;
mod subject;
mod trace;
mod transfer_wins;
mod unbounded;
mod zero_gradients;

use resilience_core::audit::{AuditRecord, Finding, Judgement};
use resilience_core::context::Context;
use resilience_core::dataset::Images;
use resilience_core::event::{Event, Unit};
use resilience_core::store::RunStore;
use resilience_core::summary;

pub use self::subject::Subject;
use crate::error::EngineError;
use crate::evaluate::check_cancelled;
use crate::model::Model;

/// The doubts, in the order in which they are told. One line each.
pub static DOUBTS: &[&DoubtSpec] = &[
    &label_leaking::SPEC,
    &one_step_wins::SPEC,
    &zero_gradients::SPEC,
    &black_box_wins::SPEC,
    &transfer_wins::SPEC,
    &noise_is_enough::SPEC,
    &eps_without_effect::SPEC,
    &unbounded::SPEC,
    &loss_still_rising::SPEC,
    &lost_at_the_end::SPEC,
    &nondeterminism::SPEC,
    &batch_dependence::SPEC,
    &probabilities::SPEC,
    &normalisation::SPEC,
    &few_classes::SPEC,
    &rounding::SPEC,
    &few_samples::SPEC,
];

/// What there is to know about a doubt.
#[derive(Debug)]
pub struct DoubtSpec {
    /// The name in results.
    pub id: &'static str,
    /// What is doubted, in a few words.
    pub title: &'static str,
    /// How it is looked for and from where on it is founded, for `explain`: whole sentences.
    pub about: &'static str,
    /// Why it matters. Whole sentences.
    pub why: &'static str,
    /// What to do about it.
    pub remedy: &'static str,
    check: fn(&Subject) -> Result<Answer, EngineError>,
}

/// What a check saw.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    /// Whether the doubt is founded.
    pub judgement: Judgement,
    /// What was seen, or why nothing could be; a whole sentence with the figures.
    pub what: String,
    /// The figures by name.
    pub numbers: Vec<(&'static str, f64)>,
}

impl Answer {
    /// Founded where it `is` so.
    fn doubt_if(is: bool, what: String, numbers: &[(&'static str, f64)]) -> Self {
        let judgement = if is { Judgement::Doubt } else { Judgement::Clear };
        Self { judgement, what, numbers: numbers.to_vec() }
    }

    /// It could not be looked for.
    fn unknown(why: &str) -> Self {
        Self { judgement: Judgement::Unknown, what: why.to_owned(), numbers: Vec::new() }
    }
}

impl DoubtSpec {
    /// Looks for it; where an attack that it needs does not know the norm, it could not be looked for.
    pub fn look(&self, subject: &Subject) -> Result<Finding, EngineError> {
        let answer = match (self.check)(subject) {
            Err(error @ EngineError::NormNotSupported { .. }) => {
                Answer::unknown(&format!("{error}."))
            }
            answer => answer?,
        };
        Ok(Finding {
            id: self.id.to_owned(),
            title: self.title.to_owned(),
            judgement: answer.judgement,
            what: answer.what,
            why: self.why.to_owned(),
            remedy: self.remedy.to_owned(),
            numbers: answer
                .numbers
                .into_iter()
                .map(|(name, value)| (name.to_owned(), value))
                .collect(),
        })
    }
}

/// Looks for every doubt in the result of each of the run's models, which are given in the plan's
/// order. Writes nothing.
pub fn audit(
    context: &mut Context,
    store: &RunStore,
    models: &[&Model],
    images: &Images,
) -> Result<Vec<AuditRecord>, EngineError> {
    let summary = summary::from_store(store).map_err(|error| EngineError::Input {
        what: "the run to audit",
        expected: "outcomes that can be counted".to_owned(),
        found: error.to_string(),
    })?;
    let mut records = Vec::new();
    for (place, counted) in summary.models.iter().enumerate() {
        let began = context.clock.seconds();
        let subject = Subject::new(store, models, place, images, counted)?;
        let task = format!("{}: audit", counted.name);
        context.tell(Event::Started { task, total: Some(DOUBTS.len() as u64), unit: Unit::Steps });
        let mut findings = Vec::with_capacity(DOUBTS.len());
        for (done, spec) in (1..).zip(DOUBTS) {
            check_cancelled(context)?;
            findings.push(spec.look(&subject)?);
            context.tell(Event::Advanced { done, detail: spec.title.to_owned() });
        }
        context.tell(Event::Finished);
        records.push(AuditRecord {
            images: subject.indices().len() as u64,
            threat: subject.threat().map(|threat| threat.to_string()),
            seconds: context.clock.seconds() - began,
            findings,
        });
    }
    Ok(records)
}

/// A share in words: `12.5 % (8 of 64)`.
fn of(count: usize, n: usize) -> String {
    format!("{:.1} % ({count} of {n})", 100.0 * share(count, n))
}

/// A share in [0, 1]; 0 of none.
fn share(count: usize, n: usize) -> f64 {
    count as f64 / n.max(1) as f64
}
