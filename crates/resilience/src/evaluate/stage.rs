//! One stage of a plan on one model: which images, in which groups, round by round.

use std::collections::BTreeMap;

use resilience_core::context::Context;
use resilience_core::event::{Event, Unit as Counted};
use resilience_core::plan::{Keep, ModelPlan, Plan, Stage};
use resilience_core::record::{
    AttackOutcome, AttackRecord, CleanOutcome, Goal, LabelSource, Scope, Unit,
};
use resilience_core::store::RunStore;
use resilience_core::threat::{Norm, Threat};
use tch::Tensor;

use super::cost::Round;
use super::forecast::Forecast;
use super::ledger::{Ledger, Progress, Shown};
use super::pool::{Decided, Pool};
use super::verdict::Judge;
use super::{GALLERY, Job};
use crate::attack::{self, Attack, AttackSpec, Planned, Request, Rows};
use crate::batch::Batch;
use crate::error::EngineError;
use crate::loss;
use crate::model::{Differentiable, Oracle, Passes};
use crate::rng::Key;
use crate::settings::Settings;
use crate::threads::Threads;

/// Longest time that a group of images may be predicted to take for one round, in seconds: what a
/// run that is killed loses at most.
const LONGEST: f64 = 600.0;

/// Images that are attacked together where those that came closest are.
pub const CLOSEST: usize = 16;

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
    Settings::resolve(&format!("attack {}", spec.id), spec.settings, &given)
}

/// The plan with whatever its attacks have been given to set since it was made, at its default, which
/// changes nothing: so it can be held against a plan of today.
pub fn completed(plan: &Plan) -> Result<Plan, EngineError> {
    let mut plan = plan.clone();
    for stage in &mut plan.stages {
        stage.settings = settings(attack::find(&stage.attack)?, stage)?.to_json();
    }
    Ok(plan)
}

/// The attack of a stage for a model of so many classes.
pub fn planned(stage: &Stage, classes: u32) -> Result<(&'static AttackSpec, Planned), EngineError> {
    let spec = attack::find(&stage.attack)?;
    let settings = settings(spec, stage)?;
    let planned = spec.plan(&Request { threat: threat(stage)?, classes, settings: &settings })?;
    Ok((spec, planned))
}

pub(super) fn threat(stage: &Stage) -> Result<Threat, EngineError> {
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
    /// What the attack looks at, what is planned for it, and how much of it at once.
    search: &'a dyn Differentiable,
    looked_at: &'a ModelPlan,
    chunk: u64,
    /// Whether that is the reference itself.
    exact: bool,
    /// What every image gave when clean, in the order of the plan's shard.
    clean: &'a [CleanOutcome],
    /// What a finished round costs an image that is left.
    cost: Round,
}

/// Carries out a stage, or what is left of it.
pub(super) fn run(
    context: &mut Context,
    job: &Job,
    number: usize,
    store: &mut RunStore,
    forecast: &mut Forecast,
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
        Scope::Survivors | Scope::Closest => unbroken.keys().copied().collect(),
    };
    let (id, mut record) = if let Some(begun) = begun {
        begun
    } else {
        let record = fresh_record(stage, number, rows.len() as u64)?;
        (store.begin_attack(job.id, &record)?, record)
    };
    let work = Work::new(job, number, spec, attack.as_ref(), &clean)?;
    let began = context.clock.seconds();
    forecast.begin(context, job.place, number);
    work.announce(context, rows.len());
    let progress = Progress::new(attack.rounds(), attack.steps(), rows.len()).told(forecast);
    let keep = kept(job.plan, stage);
    let shown = Shown {
        evidence: unbroken.keys().copied().filter(|&index| index < keep).collect(),
        gallery: if stage.curve { 0 } else { GALLERY },
        nearest: if job.plan.keep == Keep::None { 0 } else { stage.n },
    };
    let aim = (stage.labels, stage.goal);
    let mut ledger = Ledger::open(store, id, job.images.shape(), aim, shown, progress)?;
    if stage.scope == Scope::Closest {
        work.closest(context, &unbroken, &mut ledger)?;
    } else {
        for group in work.groups(&rows) {
            work.group(context, &group, &mut ledger)?;
        }
    }
    context.tell(Event::Finished);
    record.attacked = ledger.found().count() as u64;
    record.forwards = ledger.found().map(|outcome| outcome.forwards).sum();
    record.backwards = ledger.found().map(|outcome| outcome.backwards).sum();
    record.seconds = context.clock.seconds() - began;
    record.finished = true;
    forecast.end();
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
    let aim = (stage.labels, stage.goal);
    let mut ledger = Ledger::unwritten(job.images.shape(), aim, progress);
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
        goal: stage.goal,
        source: stage.source,
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

/// The images that are right and that no earlier stage has broken within this stage's ball, each with
/// the smallest margin that was found there.
fn unbroken(
    job: &Job,
    number: usize,
    clean: &[CleanOutcome],
    store: &RunStore,
) -> Result<BTreeMap<u64, f64>, EngineError> {
    let stage = &job.plan.stages[number];
    let own = threat(stage)?;
    let mut left: BTreeMap<u64, f64> =
        right(clean, stage.n).into_keys().map(|index| (index, f64::INFINITY)).collect();
    for (id, earlier) in store.attacks(job.id)? {
        let within = holds(own, earlier.norm, earlier.eps);
        if earlier.stage >= number as u64 || earlier.curve || !within {
            continue;
        }
        for outcome in store.outcomes(id)? {
            if outcome.right <= 0.0 {
                left.remove(&outcome.index);
            } else if let Some(margin) = left.get_mut(&outcome.index) {
                *margin = margin.min(outcome.margin);
            }
        }
    }
    Ok(left)
}

/// Whether a threat's ball holds all that an attack of this norm and radius can find.
pub(super) fn holds(own: Threat, norm: Norm, eps: f64) -> bool {
    norm == own.norm() && eps <= own.eps().value()
}

/// Groups of images that are attacked together: of one block, and so few that a round, of so many
/// seconds an image, is not predicted to take longer than a kill may cost.
pub(super) fn groups(rows: &[u64], block: u64, seconds: f64) -> Vec<Vec<u64>> {
    let most = (LONGEST / seconds.max(1e-12)).clamp(1.0, 1e9) as usize;
    let mut groups = Vec::new();
    for block in rows.chunk_by(|a, b| a / block == b / block) {
        let parts = block.len().div_ceil(most);
        groups.extend(block.chunks(block.len().div_ceil(parts)).map(<[u64]>::to_vec));
    }
    groups
}

impl<'a> Work<'a> {
    fn new(
        job: &'a Job<'a>,
        number: usize,
        spec: &'static AttackSpec,
        attack: &'a dyn Attack,
        clean: &'a [CleanOutcome],
    ) -> Result<Self, EngineError> {
        let stage = &job.plan.stages[number];
        let (model, looked_at) = match stage.source {
            Some(place) => (job.models[place as usize], &job.plan.models[place as usize]),
            None => (job.model, job.model_plan),
        };
        let itself = stage.source.is_none();
        let exact = itself && (stage.scope == Scope::Closest || model.search.is_none());
        Ok(Self {
            job,
            number: number as u64,
            stage,
            spec,
            attack,
            threat: threat(stage)?,
            search: if exact { model.reference.as_ref() } else { model.search() },
            looked_at,
            chunk: if exact { job.plan.chunk } else { looked_at.chunk },
            exact,
            clean,
            cost: Round::of(attack, exact, looked_at),
        })
    }

    fn announce(&self, context: &mut Context, rows: usize) {
        let labels = match self.stage.labels {
            LabelSource::True => "",
            LabelSource::Predicted => ", predicted labels",
        };
        let on = match self.stage.source {
            Some(place) => format!(" made on {}", self.job.models[place as usize].name),
            None => String::new(),
        };
        let task =
            format!("{}: {}{on}, {}{labels}", self.job.model.name, self.spec.id, self.threat);
        let steps = u64::from(self.attack.steps()) * u64::from(self.attack.rounds());
        let total = Some(rows as u64 * steps);
        context.tell(Event::Started { task, total, unit: Counted::Steps });
    }

    fn groups(&self, rows: &[u64]) -> Vec<Vec<u64>> {
        groups(rows, self.job.plan.block, self.cost.seconds)
    }

    /// Attacks the images with the smallest margins, group by group, as long as some fall; in each
    /// block by itself, so that shards find what the whole run finds.
    fn closest(
        &self,
        context: &mut Context,
        margins: &BTreeMap<u64, f64>,
        ledger: &mut Ledger,
    ) -> Result<(), EngineError> {
        let block = self.job.plan.block;
        let mut rows: Vec<(u64, f64)> = margins.iter().map(|(&i, &margin)| (i, margin)).collect();
        rows.sort_by(|a, b| (a.0 / block).cmp(&(b.0 / block)).then(a.1.total_cmp(&b.1)));
        for block in rows.chunk_by(|a, b| a.0 / block == b.0 / block) {
            for (place, group) in block.chunks(CLOSEST).enumerate() {
                if place > 0 {
                    ledger.expect(group.len());
                }
                let mut group: Vec<u64> = group.iter().map(|&(index, _)| index).collect();
                group.sort_unstable();
                self.group(context, &group, ledger)?;
                if !ledger.found().any(|o| o.right <= 0.0 && group.contains(&o.index)) {
                    break;
                }
            }
        }
        Ok(())
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
                ledger.skip(live.iter().map(|&index| self.clean_of(index)), round);
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
            let plan = self.job.plan;
            let name = format!("targets {}", self.number);
            let key =
                (self.looked_at.passes > 1).then(|| (Key::new(plan.seed, &name, 0), group[0]));
            let oracle = Oracle::new(self.search, self.chunk, 1, key);
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
        let noisy = |model: &ModelPlan, name: &str| {
            (model.passes > 1).then(|| (Key::new(plan.seed, name, unit.round), unit.first))
        };
        let _quiet = self.search.computes_by_itself().then(Threads::one);
        let noise = noisy(self.looked_at, self.spec.id);
        let oracle = Oracle::new(self.search, self.chunk, self.attack.eot(), noise);
        let noise = noisy(job.model_plan, &format!("verdict {}", self.number));
        let judge = Judge::new(job.model, plan.chunk, job.model_plan.passes, noise);
        let truth: Vec<u32> = indices.iter().map(|&index| self.clean_of(index).label).collect();
        let rows = self.rows(unit.round, indices, aim)?;
        let pool = Pool {
            id: self.spec.id,
            search: self.spec.search,
            goal: self.stage.goal,
            attack: self.attack,
            threat: self.threat,
            model: &job.model.name,
            exact: self.exact,
            oracle: &oracle,
            judge: &judge,
        };
        let round = u64::from(unit.round);
        let spent = Passes {
            forwards: u64::from(rows.targets.is_some()) + round * self.cost.passes.forwards,
            backwards: round * self.cost.passes.backwards,
        };
        let mut live = rows.indices.len();
        let mut hear = |context: &mut Context, fallen: Vec<Decided>, step| {
            live -= fallen.len();
            ledger.fallen(context, &fallen, step, live)
        };
        let mut left = if self.stage.source.is_none() {
            pool.round(context, &rows, truth, spent, &mut hear)?
        } else {
            let source = &self.looked_at.name;
            pool.round_elsewhere(context, source, (&rows, &truth), spent, &mut hear)?
        };
        if self.stage.goal == Goal::Nearest {
            // Nothing leaves, so that every nearer point of the rounds before has cost a look more.
            for decided in &mut left {
                let index = decided.outcome.index;
                decided.outcome.forwards += ledger.beyond(index, spent.forwards);
            }
        }
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
