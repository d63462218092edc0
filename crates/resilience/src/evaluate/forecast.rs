//! How long a run will take: predicted from the paces that were measured at its start, and corrected
//! as images fall and by the pace that is really seen.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use resilience_core::context::Context;
use resilience_core::event::Event;
use resilience_core::plan::{ModelPlan, Plan, Stage};
use resilience_core::record::{AttackOutcome, CleanOutcome, Goal, Scope, Unit};
use resilience_core::store::RunStore;
use resilience_core::threat::Threat;

use super::cost::{Round, is_exact};
use super::ledger::is_lost;
use super::stage::{self, CLOSEST};
use crate::error::EngineError;

/// What was measured at the start weighs as much as so many predicted seconds of the run itself.
const TRUST: f64 = 5.0;
/// The listener is told at most so often, in seconds, and where a stage begins.
const TELL: f64 = 1.0;

/// What is still to be done of a run, as far as is known. Every image counts that nothing has broken
/// yet, in every stage that is to attack it, so that what is predicted is an upper bound at the
/// measured paces. Of those that came closest one group a block is expected.
pub struct Forecast {
    /// Predicted seconds of the clean passes that are to come, by model.
    clean: Vec<f64>,
    /// All stages of the first model, then those of the next.
    stages: Vec<Ahead>,
    of_each: usize,
    running: Option<Running>,
    /// Predicted seconds of all that was computed since `began`.
    spent: f64,
    began: f64,
    told: f64,
}

/// A stage on a model.
struct Ahead {
    scope: Scope,
    threat: Threat,
    curve: bool,
    block: u64,
    rounds: u64,
    /// Steps of a round.
    steps: u64,
    /// Predicted seconds of a round for an image that it does not break.
    round_seconds: f64,
    /// The images that are attacked, as far as is known; none where it is done.
    standing: BTreeSet<u64>,
    /// Steps of images that the store had of it when this began.
    held: u64,
}

/// The stage that is being carried out, in steps of images.
struct Running {
    place: usize,
    planned: u64,
    /// Those that are done, and those that the fall of an image has saved.
    done: u64,
}

/// What is to be done of a plan beyond what the store holds; `classes` are those of each model.
pub fn forecast(plan: &Plan, classes: &[u32], store: &RunStore) -> Result<Forecast, EngineError> {
    let models: Vec<_> = plan.models.iter().zip(classes.iter().copied()).collect();
    let images = plan.shard.images(plan.dataset.n, plan.block);
    let mut forecast = Forecast::new(&plan.stages, &models, images, plan.block)?;
    for (model, (id, _)) in store.models()?.into_iter().enumerate() {
        let clean = store.clean(id)?;
        forecast.take_clean(model, &clean);
        for (attack, record) in store.attacks(id)? {
            let number = record.stage as usize;
            let outcomes = store.outcomes(attack)?;
            let ahead = &mut forecast.stages[model * plan.stages.len() + number];
            if record.finished {
                ahead.standing.clear();
            } else {
                let lost = lost(&plan.stages[number], &clean, &outcomes);
                ahead.take_units(&store.units(attack)?, &lost);
            }
            for outcome in outcomes.iter().filter(|outcome| outcome.right <= 0.0) {
                forecast.fell(model, number, outcome.index);
            }
        }
    }
    Ok(forecast)
}

/// The images that a stage has lost, each with its round.
fn lost(stage: &Stage, clean: &[CleanOutcome], outcomes: &[AttackOutcome]) -> BTreeMap<u64, u32> {
    let first = clean.first().map_or(0, |outcome| outcome.index);
    let fell = |outcome: &&AttackOutcome| {
        let clean = clean.get((outcome.index - first) as usize);
        clean.is_some_and(|clean| is_lost(stage.labels, clean, outcome))
    };
    // Nothing leaves where the nearest points are looked for.
    let outcomes = if stage.goal == Goal::Break { outcomes } else { &[] };
    outcomes.iter().filter(fell).map(|outcome| (outcome.index, outcome.round)).collect()
}

impl Forecast {
    /// Stages on models, each with its number of classes, of which nothing is done yet.
    pub fn new(
        stages: &[Stage],
        models: &[(&ModelPlan, u32)],
        images: Range<u64>,
        block: u64,
    ) -> Result<Self, EngineError> {
        let n = images.end.saturating_sub(images.start) as f64;
        let clean =
            |model: &ModelPlan| n * f64::from(model.passes) * model.reference_forward_seconds;
        let mut all = Vec::with_capacity(stages.len() * models.len());
        for &(model, classes) in models {
            for stage in stages {
                let attack = stage::planned(stage, classes)?.1.attack;
                let round = match stage.source.and_then(|place| models.get(place as usize)) {
                    Some(&(source, _)) => Round::of(attack.as_ref(), false, source),
                    None => Round::of(attack.as_ref(), is_exact(stage, model), model),
                };
                all.push(Ahead {
                    scope: stage.scope,
                    threat: stage::threat(stage)?,
                    curve: stage.curve,
                    block,
                    rounds: attack.rounds().into(),
                    steps: attack.steps().into(),
                    round_seconds: round.seconds,
                    standing: (images.start..images.end.min(stage.n)).collect(),
                    held: 0,
                });
            }
        }
        Ok(Self {
            clean: models.iter().map(|(model, _)| clean(model)).collect(),
            stages: all,
            of_each: stages.len(),
            running: None,
            spent: 0.0,
            began: 0.0,
            told: f64::NEG_INFINITY,
        })
    }

    /// Seconds that are predicted for what is left, at the measured paces.
    #[must_use]
    pub fn seconds(&self) -> f64 {
        let stages = self.stages.iter().enumerate().map(|(place, ahead)| match &self.running {
            Some(running) if running.place == place => {
                let done = running.done.max(ahead.held);
                running.planned.saturating_sub(done) as f64 * ahead.step_seconds()
            }
            _ => ahead.planned().saturating_sub(ahead.held) as f64 * ahead.step_seconds(),
        });
        self.clean.iter().sum::<f64>() + stages.sum::<f64>()
    }

    /// The same at the pace that was seen since the run began or went on; at first there is none,
    /// and what was measured counts alone.
    fn corrected(&self, now: f64) -> f64 {
        let seen = (now - self.began).max(0.0) + TRUST;
        self.seconds() * seen / (self.spent + TRUST)
    }

    /// The run begins, or goes on.
    pub(super) fn set_out(&mut self, context: &mut Context) {
        self.began = context.clock.seconds();
        self.say(context);
    }

    /// The clean images of a model were passed through it.
    pub(super) fn cleaned(&mut self, model: usize, clean: &[CleanOutcome]) {
        self.spent += self.clean[model];
        self.take_clean(model, clean);
    }

    fn take_clean(&mut self, model: usize, clean: &[CleanOutcome]) {
        self.clean[model] = 0.0;
        let wrong =
            clean.iter().filter(|outcome| outcome.right <= 0.0).map(|outcome| outcome.index);
        let wrong: BTreeSet<u64> = wrong.collect();
        let own = &mut self.stages[model * self.of_each..][..self.of_each];
        for ahead in own.iter_mut().filter(|ahead| ahead.scope != Scope::All) {
            ahead.standing.retain(|index| !wrong.contains(index));
        }
    }

    /// A stage begins on a model, or goes on.
    pub(super) fn begin(&mut self, context: &mut Context, model: usize, stage: usize) {
        let place = model * self.of_each + stage;
        let planned = self.stages[place].planned();
        self.running = Some(Running { place, planned, done: 0 });
        self.say(context);
    }

    /// The running stage attacks so many more images than were expected.
    pub(super) fn expect(&mut self, images: usize) {
        if let Some(running) = &mut self.running {
            let ahead = &self.stages[running.place];
            running.planned += images as u64 * ahead.rounds * ahead.steps;
        }
    }

    /// So many steps of images are done of the running stage, those that were saved included.
    pub(super) fn is_at(&mut self, done: u64) {
        if let Some(running) = &mut self.running {
            running.done = done;
        }
    }

    /// A step of the running stage was computed on so many images.
    pub(super) fn stepped(&mut self, context: &mut Context, images: usize) {
        if let Some(running) = &self.running {
            self.spent += images as f64 * self.stages[running.place].step_seconds();
        }
        if context.clock.seconds() - self.told >= TELL {
            self.say(context);
        }
    }

    /// The running stage has broken an image.
    pub(super) fn fallen(&mut self, index: u64) {
        if let Some(running) = &self.running {
            let (model, stage) = (running.place / self.of_each, running.place % self.of_each);
            self.fell(model, stage, index);
        }
    }

    /// The running stage is done.
    pub(super) fn end(&mut self) {
        if let Some(running) = self.running.take() {
            self.stages[running.place].standing.clear();
            self.stages[running.place].held = 0;
        }
    }

    /// An image fell in a stage: the later ones on what is left within a ball as large do not attack
    /// it.
    fn fell(&mut self, model: usize, stage: usize, index: u64) {
        let own = &mut self.stages[model * self.of_each..][..self.of_each];
        let (threat, curve) = (own[stage].threat, own[stage].curve);
        for later in own.iter_mut().skip(stage + 1) {
            let of_what_is_left = matches!(later.scope, Scope::Survivors | Scope::Closest);
            if of_what_is_left
                && !curve
                && stage::holds(later.threat, threat.norm(), threat.eps().value())
            {
                later.standing.remove(&index);
            }
        }
    }

    fn say(&mut self, context: &mut Context) {
        self.told = context.clock.seconds();
        context.tell(Event::Left { seconds: self.corrected(self.told) });
    }
}

impl Ahead {
    /// Steps of images, done ones included.
    fn planned(&self) -> u64 {
        let images = match self.scope {
            Scope::Closest => self.blocks().map(|(_, images)| images.min(CLOSEST as u64)).sum(),
            _ => self.standing.len() as u64,
        };
        images * self.rounds * self.steps
    }

    /// Predicted seconds of a step for one image.
    fn step_seconds(&self) -> f64 {
        self.round_seconds / self.steps.max(1) as f64
    }

    /// Numbers of the blocks, and how many images stand in each.
    fn blocks(&self) -> impl Iterator<Item = (u64, u64)> {
        let mut blocks = BTreeMap::new();
        for index in &self.standing {
            *blocks.entry(index / self.block).or_insert(0) += 1;
        }
        blocks.into_iter()
    }

    /// Takes what was carried through before the stage was broken off: units, and the images that
    /// were lost, each with its round.
    fn take_units(&mut self, units: &BTreeSet<Unit>, lost: &BTreeMap<u64, u32>) {
        if self.scope == Scope::Closest {
            // Which images a further group would be of takes margins: a block that was begun is
            // taken for done, as long as it is not gone on with.
            let begun: BTreeSet<u64> = units.iter().map(|unit| unit.first / self.block).collect();
            let blocks = self.blocks().filter(|(block, _)| begun.contains(block));
            let images: u64 = blocks.map(|(_, images)| images.min(CLOSEST as u64)).sum();
            self.held = images * self.rounds * self.steps;
            return;
        }
        let rows: Vec<u64> = self.standing.iter().copied().collect();
        for group in stage::groups(&rows, self.block, self.round_seconds) {
            let is_done =
                |&round: &u64| units.contains(&Unit { first: group[0], round: round as u32 });
            let done = (0..self.rounds).take_while(is_done).count() as u64;
            let fell = |index: &&u64| lost.get(index).is_some_and(|&round| u64::from(round) < done);
            let fallen = group.iter().filter(fell).count() as u64;
            let rounds = fallen * self.rounds + (group.len() as u64 - fallen) * done;
            self.held += rounds * self.steps;
        }
    }
}

#[cfg(test)]
mod tests;
