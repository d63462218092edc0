//! One stage of a plan on one model: which images, in which groups, round by round.

use std::collections::BTreeMap;

use resilience_core::context::Context;
use resilience_core::event::{Event, Unit as Counted};
use resilience_core::plan::{Keep, Plan, Stage};
use resilience_core::record::{
    AttackOutcome, AttackRecord, CleanOutcome, LabelSource, Scope, Unit,
};
use resilience_core::store::RunStore;
use resilience_core::threat::Threat;
use tch::Tensor;

use super::ledger::{Ledger, Progress};
use super::pool::Pool;
use super::verdict::{Judge, last_cost};
use super::{GALLERY, Job};
use crate::attack::settings::Settings;
use crate::attack::{self, Attack, AttackSpec, Planned, Request, Rows};
use crate::batch::Batch;
use crate::error::EngineError;
use crate::loss;
use crate::model::{Oracle, Passes};
use crate::rng::Key;

/// Longest time that a group of images may be predicted to take for one round, in seconds: what a
/// run that is killed loses at most.
const LONGEST: f64 = 600.0;

/// The settings of a stage, read back from the plan.
pub fn settings(spec: &'static AttackSpec, stage: &Stage) -> Result<Settings, EngineError> {
    let given: Vec<(String, String)> = stage
        .settings
        .as_object()
        .into_iter()
        .flatten()
        .map(|(name, value)| {
            let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            (name.clone(), text)
        })
        .collect();
    Settings::resolve(spec.id, spec.settings, &given)
}

/// The attack of a stage for a model of so many classes.
pub fn planned(stage: &Stage, classes: u32) -> Result<(&'static AttackSpec, Planned), EngineError> {
    let spec = attack::find(&stage.attack)?;
    let settings = settings(spec, stage)?;
    let planned = spec.plan(&Request { threat: threat(stage)?, classes, settings: &settings })?;
    Ok((spec, planned))
}

fn threat(stage: &Stage) -> Result<Threat, EngineError> {
    stage.threat.threat().map_err(|error| EngineError::Input {
        what: "threat of the plan",
        expected: "a norm and a radius".to_owned(),
        found: error.to_string(),
    })
}

/// What there is to do in a stage.
struct Work<'a> {
    job: &'a Job<'a>,
    number: u64,
    stage: &'a Stage,
    spec: &'static AttackSpec,
    attack: &'a dyn Attack,
    threat: Threat,
    /// What every image gave when clean, in the order of the plan's shard.
    clean: &'a [CleanOutcome],
    /// What a finished round costs an image that is left.
    round_cost: Passes,
}

/// Carries out a stage, or what is left of it.
pub(super) fn run(
    context: &mut Context,
    job: &Job,
    number: usize,
    store: &mut RunStore,
) -> Result<(), EngineError> {
    let stage = &job.plan.stages[number];
    let begun = store.attacks(job.id)?.into_iter().find(|(_, r)| r.stage == number as u64);
    if begun.as_ref().is_some_and(|(_, record)| record.finished) {
        return Ok(());
    }
    let (spec, Planned { attack, notice }) = planned(stage, job.classes)?;
    if let Some(notice) = notice {
        context.tell(Event::Notice(format!("{}: {notice}", job.model.name)));
    }
    let clean = store.clean(job.id)?;
    let unbroken = unbroken(job, number, &clean, store)?;
    let rows: Vec<u64> = match stage.scope {
        Scope::All => clean.iter().map(|outcome| outcome.index).filter(|&i| i < stage.n).collect(),
        Scope::Correct => right(&clean, stage.n).into_keys().collect(),
        Scope::Survivors => unbroken.clone(),
    };
    let (id, mut record) = if let Some(begun) = begun {
        begun
    } else {
        let record = fresh_record(stage, number, rows.len() as u64)?;
        (store.begin_attack(job.id, &record)?, record)
    };
    let work = Work::new(job, number, spec, attack.as_ref(), &clean)?;
    let began = context.clock.seconds();
    work.announce(context, rows.len());
    let progress = Progress::new(attack.rounds(), attack.steps(), rows.len());
    let keep = kept(job.plan, stage);
    let evidence = unbroken.into_iter().filter(|&index| index < keep).collect();
    let gallery = if stage.curve { 0 } else { GALLERY };
    let shown = (evidence, gallery);
    let mut ledger = Ledger::open(store, id, job.images.shape(), stage.labels, shown, progress)?;
    for group in work.groups(&rows) {
        work.group(context, &group, &mut ledger)?;
    }
    context.tell(Event::Finished);
    record.attacked = ledger.found().count() as u64;
    record.forwards = ledger.found().map(|outcome| outcome.forwards).sum();
    record.backwards = ledger.found().map(|outcome| outcome.backwards).sum();
    record.seconds = context.clock.seconds() - began;
    record.finished = true;
    Ok(store.finish_attack(id, &record)?)
}

/// Attacks some images again as the stage did, with the same random numbers, and writes nothing.
/// `clean` is what every image of the plan's shard gave when clean.
pub(super) fn again(
    context: &mut Context,
    job: &Job,
    number: usize,
    clean: &[CleanOutcome],
    indices: &[u64],
) -> Result<Vec<AttackOutcome>, EngineError> {
    let stage = &job.plan.stages[number];
    let (spec, Planned { attack, .. }) = planned(stage, job.classes)?;
    let work = Work::new(job, number, spec, attack.as_ref(), clean)?;
    work.announce(context, indices.len());
    let progress = Progress::new(attack.rounds(), attack.steps(), indices.len());
    let mut ledger = Ledger::unwritten(job.images.shape(), stage.labels, progress);
    for group in work.groups(indices) {
        work.group(context, &group, &mut ledger)?;
    }
    context.tell(Event::Finished);
    Ok(ledger.found().copied().collect())
}

fn fresh_record(stage: &Stage, number: usize, attacked: u64) -> Result<AttackRecord, EngineError> {
    let threat = threat(stage)?;
    Ok(AttackRecord {
        stage: number as u64,
        id: stage.attack.clone(),
        suite: stage.suite.clone(),
        norm: threat.norm(),
        eps: threat.eps().value(),
        eps_text: stage.threat.eps.clone(),
        labels: stage.labels,
        scope: stage.scope,
        settings: stage.settings.clone(),
        curve: stage.curve,
        n: stage.n,
        attacked,
        forwards: 0,
        backwards: 0,
        seconds: 0.0,
        finished: false,
    })
}

/// Examples are evidence for the robust accuracy of a threat, which is over the fewest images that
/// any of its stages covers.
fn kept(plan: &Plan, stage: &Stage) -> u64 {
    if stage.curve || plan.keep == Keep::None {
        return 0;
    }
    let same = plan.stages.iter().filter(|other| !other.curve && other.threat == stage.threat);
    same.map(|other| other.n).min().unwrap_or(0)
}

/// The share of passes in which each of the first `n` images is right, where there is any.
fn right(clean: &[CleanOutcome], n: u64) -> BTreeMap<u64, f64> {
    let first = clean.iter().filter(|outcome| outcome.index < n && outcome.right > 0.0);
    first.map(|outcome| (outcome.index, outcome.right)).collect()
}

/// The images that are right and that no earlier stage has broken within this stage's ball.
fn unbroken(
    job: &Job,
    number: usize,
    clean: &[CleanOutcome],
    store: &RunStore,
) -> Result<Vec<u64>, EngineError> {
    let stage = &job.plan.stages[number];
    let (own, mut right) = (threat(stage)?, right(clean, stage.n));
    for (id, earlier) in store.attacks(job.id)? {
        let within = earlier.norm == own.norm() && earlier.eps <= own.eps().value();
        if earlier.stage >= number as u64 || earlier.curve || !within {
            continue;
        }
        for outcome in store.outcomes(id)? {
            right.entry(outcome.index).and_modify(|share| *share = share.min(outcome.right));
        }
    }
    Ok(right.into_iter().filter(|&(_, share)| share > 0.0).map(|(index, _)| index).collect())
}

impl<'a> Work<'a> {
    fn new(
        job: &'a Job<'a>,
        number: usize,
        spec: &'static AttackSpec,
        attack: &'a dyn Attack,
        clean: &'a [CleanOutcome],
    ) -> Result<Self, EngineError> {
        let (stage, cost) = (&job.plan.stages[number], attack.cost());
        // At its end the reference is asked once more, unless it has been asked all along.
        let asked = !attack.gives_logits() || job.model.search.is_none();
        let passes = job.model_plan.passes;
        let verdict = if asked && passes == 1 { 0 } else { last_cost(passes) };
        let forwards = cost.forwards + verdict;
        Ok(Self {
            job,
            number: number as u64,
            stage,
            spec,
            attack,
            threat: threat(stage)?,
            clean,
            round_cost: Passes { forwards, ..cost },
        })
    }

    fn announce(&self, context: &mut Context, rows: usize) {
        let labels = match self.stage.labels {
            LabelSource::True => "",
            LabelSource::Predicted => ", predicted labels",
        };
        let task = format!("{}: {}, {}{labels}", self.job.model.name, self.spec.id, self.threat);
        let steps = u64::from(self.attack.steps()) * u64::from(self.attack.rounds());
        let total = Some(rows as u64 * steps);
        context.tell(Event::Started { task, total, unit: Counted::Steps });
    }

    /// Groups of images that are attacked together: of one block, and so few that a round is not
    /// predicted to take longer than a kill may cost.
    fn groups(&self, rows: &[u64]) -> Vec<Vec<u64>> {
        let (model, block) = (self.job.model_plan, self.job.plan.block);
        let seconds = self.round_cost.forwards as f64 * model.forward_seconds
            + self.round_cost.backwards as f64 * model.backward_seconds;
        let most = (LONGEST / seconds.max(1e-12)).clamp(1.0, 1e9) as usize;
        let mut groups = Vec::new();
        for block in rows.chunk_by(|a, b| a / block == b / block) {
            let parts = block.len().div_ceil(most);
            groups.extend(block.chunks(block.len().div_ceil(parts)).map(<[u64]>::to_vec));
        }
        groups
    }

    fn clean_of(&self, index: u64) -> &CleanOutcome {
        &self.clean[(index - self.clean[0].index) as usize]
    }

    /// All rounds on one group of images.
    fn group(
        &self,
        context: &mut Context,
        group: &[u64],
        ledger: &mut Ledger,
    ) -> Result<(), EngineError> {
        let done = ledger.units()?;
        let mut aim = None;
        for round in 0..self.attack.rounds() {
            let unit = Unit { first: group[0], round };
            let live: Vec<u64> = group
                .iter()
                .copied()
                .filter(|&index| ledger.takes_part(self.clean_of(index), round))
                .collect();
            if live.is_empty() {
                break;
            }
            if done.contains(&unit) {
                ledger.skip(live.len());
            } else {
                let aim = self.aim(round, group, &mut aim)?;
                self.round(context, unit, live, aim, ledger)?;
            }
        }
        Ok(())
    }

    /// What the model says to the clean images of a group, asked once where a round has a target:
    /// of the whole group and with random numbers of its own, so that a run which goes on aims as
    /// it did before.
    fn aim<'b>(
        &self,
        round: u32,
        group: &[u64],
        known: &'b mut Option<Aim>,
    ) -> Result<Option<&'b Aim>, EngineError> {
        if known.is_none() && self.attack.target_rank(round).is_some() {
            let (job, plan) = (self.job, self.job.plan);
            let name = format!("targets {}", self.number);
            let key =
                (job.model_plan.passes > 1).then(|| (Key::new(plan.seed, &name, 0), group[0]));
            let oracle = Oracle::new(job.model.search(), plan.chunk, 1, key);
            let logits = oracle.logits(&self.batch(group)?.images)?;
            *known = Some(Aim { indices: group.to_vec(), logits });
        }
        Ok(known.as_ref())
    }

    fn batch(&self, indices: &[u64]) -> Result<Batch, EngineError> {
        let places: Vec<usize> = indices.iter().map(|&index| index as usize).collect();
        Batch::from_rows(self.job.images, &places)
    }

    /// One round on the images of a group that are left.
    fn round(
        &self,
        context: &mut Context,
        unit: Unit,
        indices: Vec<u64>,
        aim: Option<&Aim>,
        ledger: &mut Ledger,
    ) -> Result<(), EngineError> {
        let (job, plan) = (self.job, self.job.plan);
        let noisy = |name: &str, of: u64| {
            (job.model_plan.passes > 1).then(|| (Key::new(plan.seed, name, unit.round), of))
        };
        let noise = noisy(self.spec.id, unit.first);
        let oracle = Oracle::new(job.model.search(), plan.chunk, self.attack.eot(), noise);
        let noise = noisy(&format!("verdict {}", self.number), unit.first);
        let judge = Judge::new(job.model, plan.chunk, job.model_plan.passes, noise);
        let truth = indices.iter().map(|&index| self.clean_of(index).label).collect();
        let rows = self.rows(unit.round, indices, aim)?;
        let pool = Pool {
            id: self.spec.id,
            search: self.spec.search,
            attack: self.attack,
            threat: self.threat,
            model: job.model,
            oracle: &oracle,
            judge: &judge,
        };
        let round = u64::from(unit.round);
        let spent = Passes {
            forwards: u64::from(rows.targets.is_some()) + round * self.round_cost.forwards,
            backwards: round * self.round_cost.backwards,
        };
        let mut live = rows.indices.len();
        let left = pool.round(context, &rows, truth, spent, &mut |context, fallen, step| {
            live -= fallen.len();
            ledger.fallen(context, &fallen, step, live)
        })?;
        ledger.finish(context, unit, &left)
    }

    /// The images with the classes to push away from, and towards.
    fn rows(&self, round: u32, indices: Vec<u64>, aim: Option<&Aim>) -> Result<Rows, EngineError> {
        let Batch { images, labels } = self.batch(&indices)?;
        let labels = match self.stage.labels {
            LabelSource::True => labels,
            LabelSource::Predicted => {
                let predicted = |&index| i64::from(self.clean_of(index).predicted);
                Tensor::f_from_slice(&indices.iter().map(predicted).collect::<Vec<_>>())?
            }
        };
        let targets = match (self.attack.target_rank(round), aim) {
            (Some(rank), Some(aim)) => Some(aim.targets(&indices, &labels, rank)?),
            _ => None,
        };
        let key = Key::new(self.job.plan.seed, self.spec.id, round);
        Ok(Rows { images, labels, targets, indices, key, round })
    }
}

/// The clean logits of a group, which say in what order its targets come.
struct Aim {
    indices: Vec<u64>,
    logits: Tensor, // [n,k]
}

impl Aim {
    /// The class of that rank for each of the images, which are among the group's.
    fn targets(&self, indices: &[u64], labels: &Tensor, rank: u32) -> Result<Tensor, EngineError> {
        let places: Vec<i64> = indices
            .iter()
            .filter_map(|index| self.indices.binary_search(index).ok())
            .map(|place| place as i64)
            .collect();
        let logits = self.logits.f_index_select(0, &Tensor::f_from_slice(&places)?)?;
        loss::ranked_class(&logits, labels, rank.into())
    }
}
