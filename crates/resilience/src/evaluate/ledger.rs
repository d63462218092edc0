//! What a stage has found so far, and its way into the run store.

use std::collections::{BTreeMap, BTreeSet};

use resilience_core::context::Context;
use resilience_core::event::Event;
use resilience_core::record::{AttackOutcome, CleanOutcome, Example, LabelSource, Unit};
use resilience_core::store::{AttackId, RunStore};
use tch::Kind;

use super::pool::Decided;
use crate::error::EngineError;

/// Decisions are written at least so often, in seconds.
const FLUSH: f64 = 1.0;

/// Outcomes by image, those that wait to be written, and how far the stage is.
pub(super) struct Ledger<'a> {
    /// None where an attack is only tried again and nothing is written.
    store: Option<(&'a mut RunStore, AttackId)>,
    shape: [usize; 3],
    labels: LabelSource,
    /// Images whose examples are evidence, if they are broken.
    evidence: BTreeSet<u64>,
    /// Images below this index are shown.
    gallery: u64,
    found: BTreeMap<u64, AttackOutcome>,
    broken: usize,
    outcomes: Vec<AttackOutcome>,
    examples: Vec<Example>,
    flushed: f64,
    progress: Progress,
}

/// How far a stage is, in steps of images.
pub(super) struct Progress {
    done: u64,
    steps: u64,
    rounds: u64,
    rows: usize,
}

impl Progress {
    /// Nothing is done of so many rounds of so many steps on so many images.
    pub fn new(rounds: u32, steps: u32, rows: usize) -> Self {
        Self { done: 0, steps: steps.into(), rounds: rounds.into(), rows }
    }
}

impl<'a> Ledger<'a> {
    /// Goes on from what the store holds of the attack.
    pub fn open(
        store: &'a mut RunStore,
        attack: AttackId,
        shape: [usize; 3],
        labels: LabelSource,
        (evidence, gallery): (BTreeSet<u64>, u64),
        progress: Progress,
    ) -> Result<Self, EngineError> {
        let found: BTreeMap<u64, AttackOutcome> =
            store.outcomes(attack)?.into_iter().map(|o| (o.index, o)).collect();
        let broken = found.values().filter(|outcome| outcome.right <= 0.0).count();
        let blank = Self::unwritten(shape, labels, progress);
        Ok(Self { store: Some((store, attack)), evidence, gallery, found, broken, ..blank })
    }

    /// Nothing is known yet, and nothing will be written.
    pub fn unwritten(shape: [usize; 3], labels: LabelSource, progress: Progress) -> Self {
        Self {
            store: None,
            shape,
            labels,
            evidence: BTreeSet::new(),
            gallery: 0,
            found: BTreeMap::new(),
            broken: 0,
            outcomes: Vec::new(),
            examples: Vec::new(),
            flushed: 0.0,
            progress,
        }
    }

    /// The outcomes so far.
    pub fn found(&self) -> impl Iterator<Item = &AttackOutcome> {
        self.found.values()
    }

    /// The units that are done.
    pub fn units(&self) -> Result<BTreeSet<Unit>, EngineError> {
        match &self.store {
            Some((store, attack)) => Ok(store.units(*attack)?),
            None => Ok(BTreeSet::new()),
        }
    }

    /// Whether an image takes part in a round: it was not lost in an earlier one. What was lost in
    /// this very round, before the run was broken off, takes part again, so that the others are
    /// computed in the same company as before.
    pub fn takes_part(&self, clean: &CleanOutcome, round: u32) -> bool {
        let Some(outcome) = self.found.get(&clean.index) else { return true };
        let lost = match self.labels {
            LabelSource::True => outcome.right <= 0.0,
            LabelSource::Predicted => outcome.predicted != clean.predicted,
        };
        !lost || outcome.round >= round
    }

    /// A round of so many images had been done before.
    pub fn skip(&mut self, images: usize) {
        self.progress.done += images as u64 * self.progress.steps;
    }

    /// Takes what fell in a step, and writes it before long.
    pub fn fallen(
        &mut self,
        context: &mut Context,
        fallen: &[Decided],
        step: u32,
        live: usize,
    ) -> Result<(), EngineError> {
        for decided in fallen {
            let progress = &mut self.progress;
            let rounds = progress.rounds - 1 - u64::from(decided.outcome.round);
            progress.done += 1 + progress.steps - u64::from(step) + rounds * progress.steps;
            self.note(decided)?;
        }
        self.progress.done += live as u64;
        let detail = format!("{} of {} broken", self.broken, self.progress.rows);
        context.tell(Event::Advanced { done: self.progress.done, detail });
        let now = context.clock.seconds();
        if now - self.flushed >= FLUSH && !self.outcomes.is_empty() {
            if let Some((store, attack)) = &mut self.store {
                store.record(*attack, &self.outcomes, &self.examples)?;
            }
            self.written(now);
        }
        Ok(())
    }

    /// Takes what is left at the end of a round, and writes all of it with the unit.
    pub fn finish(
        &mut self,
        context: &Context,
        unit: Unit,
        left: &[Decided],
    ) -> Result<(), EngineError> {
        for decided in left {
            self.note(decided)?;
        }
        if let Some((store, attack)) = &mut self.store {
            store.finish_unit(*attack, unit, &self.outcomes, &self.examples)?;
        }
        self.written(context.clock.seconds());
        Ok(())
    }

    fn written(&mut self, now: f64) {
        self.outcomes.clear();
        self.examples.clear();
        self.flushed = now;
    }

    /// Keeps a decision where it is better than what earlier rounds found.
    fn note(&mut self, decided: &Decided) -> Result<(), EngineError> {
        let new = decided.outcome;
        let outcome = match self.found.get(&new.index) {
            Some(old) if !decided.broken && old.round < new.round && old.margin <= new.margin => {
                // What it cost goes up all the same.
                AttackOutcome { forwards: new.forwards, backwards: new.backwards, ..*old }
            }
            _ => {
                self.keep_example(decided)?;
                new
            }
        };
        let before = self.found.insert(new.index, outcome);
        self.broken += usize::from(outcome.right <= 0.0);
        self.broken -= usize::from(before.is_some_and(|before| before.right <= 0.0));
        self.outcomes.push(outcome);
        Ok(())
    }

    fn keep_example(&mut self, decided: &Decided) -> Result<(), EngineError> {
        let index = decided.outcome.index;
        let evidence = decided.broken && self.evidence.contains(&index);
        if evidence || index < self.gallery {
            let pixels = decided.image.f_to_kind(Kind::Float)?.f_contiguous()?.f_view([-1])?;
            let pixels = Vec::try_from(pixels)?;
            self.examples.push(Example { index, shape: self.shape, pixels });
        }
        Ok(())
    }
}
