//! What a stage has found so far, and its way into the run store.

use std::collections::{BTreeMap, BTreeSet};

use resilience_core::context::Context;
use resilience_core::event::Event;
use resilience_core::record::{
    AttackOutcome, CleanOutcome, Example, Goal, LabelSource, Nearest, Unit,
};
use resilience_core::store::{AttackId, RunStore};
use tch::{Kind, Tensor};

use super::forecast::Forecast;
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
    goal: Goal,
    shown: Shown,
    found: BTreeMap<u64, AttackOutcome>,
    broken: usize,
    nearest: BTreeMap<u64, f64>,
    outcomes: Vec<AttackOutcome>,
    examples: Vec<Example>,
    flushed: f64,
    progress: Progress<'a>,
}

/// Which images are kept as their attack leaves them.
#[derive(Default)]
pub(super) struct Shown {
    /// Images whose examples are evidence, if they are broken.
    pub evidence: BTreeSet<u64>,
    /// Images below this index are shown.
    pub gallery: u64,
    /// Nearest points of images below this index are evidence.
    pub nearest: u64,
}

/// How far a stage is, in steps of images.
pub(super) struct Progress<'a> {
    done: u64,
    steps: u64,
    rounds: u64,
    rows: usize,
    /// Foresees the run that the stage is a part of, if it is part of one.
    forecast: Option<&'a mut Forecast>,
}

impl<'a> Progress<'a> {
    /// Nothing is done of so many rounds of so many steps on so many images.
    pub fn new(rounds: u32, steps: u32, rows: usize) -> Self {
        Self { done: 0, steps: steps.into(), rounds: rounds.into(), rows, forecast: None }
    }

    /// The same, of which the forecast of the whole run is told.
    pub fn told(self, forecast: &'a mut Forecast) -> Self {
        Self { forecast: Some(forecast), ..self }
    }

    fn add(&mut self, done: u64) {
        self.done += done;
        if let Some(forecast) = &mut self.forecast {
            forecast.is_at(self.done);
        }
    }

    /// Steps that the rounds after this one would have been of.
    fn after(&self, round: u32) -> u64 {
        (self.rounds - 1 - u64::from(round)) * self.steps
    }
}

/// Whether an outcome means that the class which an attack pushes away from is lost.
pub(super) fn is_lost(labels: LabelSource, clean: &CleanOutcome, outcome: &AttackOutcome) -> bool {
    match labels {
        LabelSource::True => outcome.right <= 0.0,
        LabelSource::Predicted => outcome.predicted != clean.predicted,
    }
}

impl<'a> Ledger<'a> {
    /// Goes on from what the store holds of the attack.
    pub fn open(
        store: &'a mut RunStore,
        attack: AttackId,
        shape: [usize; 3],
        (labels, goal): (LabelSource, Goal),
        shown: Shown,
        progress: Progress<'a>,
    ) -> Result<Self, EngineError> {
        let found: BTreeMap<u64, AttackOutcome> =
            store.outcomes(attack)?.into_iter().map(|o| (o.index, o)).collect();
        let broken = found.values().filter(|outcome| outcome.right <= 0.0).count();
        let nearest = store.nearest(attack)?.into_iter().map(|n| (n.index, n.distance)).collect();
        let blank = Self::unwritten(shape, (labels, goal), progress);
        Ok(Self { store: Some((store, attack)), shown, found, broken, nearest, ..blank })
    }

    /// Nothing is known yet, and nothing will be written.
    pub fn unwritten(
        shape: [usize; 3],
        (labels, goal): (LabelSource, Goal),
        progress: Progress<'a>,
    ) -> Self {
        Self {
            store: None,
            shape,
            labels,
            goal,
            shown: Shown::default(),
            found: BTreeMap::new(),
            broken: 0,
            nearest: BTreeMap::new(),
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

    /// Forward passes that an image has cost in finished rounds beyond so many.
    pub fn beyond(&self, index: u64, planned: u64) -> u64 {
        self.found.get(&index).map_or(0, |outcome| outcome.forwards.saturating_sub(planned))
    }

    /// The units that are done.
    pub fn units(&self) -> Result<BTreeSet<Unit>, EngineError> {
        match &self.store {
            Some((store, attack)) => Ok(store.units(*attack)?),
            None => Ok(BTreeSet::new()),
        }
    }

    /// Whether an image takes part in a round: it was not lost in an earlier one, or nearer points are
    /// looked for. What was lost in this very round, before the run was broken off, takes part again, so
    /// that the others are computed in the same company as before.
    pub fn takes_part(&self, clean: &CleanOutcome, round: u32) -> bool {
        if self.goal == Goal::Nearest {
            return true;
        }
        let Some(outcome) = self.found.get(&clean.index) else { return true };
        !is_lost(self.labels, clean, outcome) || outcome.round >= round
    }

    /// A round had been done before on these images.
    pub fn skip<'b>(&mut self, images: impl Iterator<Item = &'b CleanOutcome>, round: u32) {
        let mut done = 0;
        for clean in images {
            let goes_on = self.takes_part(clean, round + 1);
            done += self.progress.steps + if goes_on { 0 } else { self.progress.after(round) };
        }
        self.progress.add(done);
    }

    /// So many more images than were expected are attacked.
    pub fn expect(&mut self, images: usize) {
        if let Some(forecast) = &mut self.progress.forecast {
            forecast.expect(images);
        }
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
            let saved = progress.steps - u64::from(step) + progress.after(decided.outcome.round);
            progress.add(1 + saved);
            self.note(decided)?;
        }
        self.progress.add(live as u64);
        let detail = format!("{} of {} broken", self.broken, self.progress.rows);
        context.tell(Event::Advanced { done: self.progress.done, detail });
        if let Some(forecast) = &mut self.progress.forecast {
            forecast.stepped(context, fallen.len() + live);
        }
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
            if decided.broken && self.goal == Goal::Break {
                self.progress.add(self.progress.after(unit.round));
            }
            self.note(decided)?;
        }
        self.note_nearest(left)?;
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
            Some(old) if old.round < new.round && !self.is_better(decided, old) => {
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
        if let Some(forecast) = self.progress.forecast.as_mut().filter(|_| outcome.right <= 0.0) {
            forecast.fallen(outcome.index);
        }
        self.outcomes.push(outcome);
        Ok(())
    }

    /// Whether a decision says more than that of an earlier round: of points that break the image the
    /// nearer one, of others that of the smaller margin.
    fn is_better(&self, decided: &Decided, old: &AttackOutcome) -> bool {
        let new = &decided.outcome;
        match (self.goal, decided.broken, old.right <= 0.0) {
            (Goal::Nearest, true, true) => new.distance < old.distance,
            (Goal::Nearest, false, true) => false,
            (_, broken, _) => broken || new.margin < old.margin,
        }
    }

    fn keep_example(&mut self, decided: &Decided) -> Result<(), EngineError> {
        let index = decided.outcome.index;
        let evidence = decided.broken && self.shown.evidence.contains(&index);
        if evidence || index < self.shown.gallery {
            self.examples.push(self.example(index, &decided.image)?);
        }
        Ok(())
    }

    /// Writes the points that are nearer than those of earlier rounds.
    fn note_nearest(&mut self, left: &[Decided]) -> Result<(), EngineError> {
        let mut found: Vec<Nearest> = Vec::new();
        let mut examples = Vec::new();
        for near in left.iter().filter_map(|decided| decided.nearest.as_ref()) {
            let Nearest { index, distance, .. } = near.found;
            if self.nearest.get(&index).is_some_and(|before| *before <= distance) {
                continue;
            }
            self.nearest.insert(index, distance);
            found.push(near.found);
            if index < self.shown.nearest {
                examples.push(self.example(index, &near.image)?);
            }
        }
        match &mut self.store {
            Some((store, attack)) if !found.is_empty() => {
                Ok(store.record_nearest(*attack, &found, &examples)?)
            }
            _ => Ok(()),
        }
    }

    fn example(&self, index: u64, image: &Tensor) -> Result<Example, EngineError> {
        let pixels = image.f_to_kind(Kind::Float)?.f_contiguous()?.f_view([-1])?;
        Ok(Example { index, shape: self.shape, pixels: Vec::try_from(pixels)? })
    }
}
