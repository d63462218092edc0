//! What a doubt may look at: the result as counted, the first images of the run, and the model.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::rc::Rc;

use resilience_core::dataset::Images;
use resilience_core::plan::{ModelPlan, Plan, Stage, ThreatPlan};
use resilience_core::record::{AttackRecord, CleanOutcome};
use resilience_core::store::{AttackId, ModelId, RunStore};
use resilience_core::summary::ModelSummary;
use resilience_core::threat::{Eps, Threat};
use tch::Tensor;

use super::trace::{Drill, Trace, trace};
use crate::attack::{self, Attack, AttackSpec, Planned, Request, Rows};
use crate::batch::Batch;
use crate::error::EngineError;
use crate::evaluate::{planned, settings};
use crate::geometry;
use crate::model::{Differentiable, Model, Oracle};
use crate::rng::Key;
use crate::rows::select;
use crate::settings::Settings;

/// Images that the model is tried on: enough to see what is grossly wrong, at a small part of a run's
/// price.
const IMAGES: usize = 100;

/// One model of a run and its result.
pub struct Subject<'a> {
    store: &'a RunStore,
    models: &'a [&'a Model],
    place: usize,
    id: ModelId,
    summary: &'a ModelSummary,
    images: &'a Images,
    batch: Batch,
    indices: Vec<u64>,
    right: Vec<bool>,
    threat: Option<Threat>,
    seen: RefCell<Vec<(Drill, Rc<Trace>)>>,
}

impl<'a> Subject<'a> {
    /// The model at that place of the run, whose counted result is `summary`.
    pub fn new(
        store: &'a RunStore,
        models: &'a [&'a Model],
        place: usize,
        images: &'a Images,
        summary: &'a ModelSummary,
    ) -> Result<Self, EngineError> {
        let plan = store.plan();
        let (id, _) = store.models()?[place];
        let clean = store.clean(id)?;
        let first: Vec<&CleanOutcome> = clean.iter().take(IMAGES).collect();
        let rows: Vec<usize> = first.iter().map(|outcome| outcome.index as usize).collect();
        let threat = plan.headline.as_ref().map(ThreatPlan::threat).transpose();
        let threat = threat.map_err(|error| EngineError::Input {
            what: "threat of the plan",
            expected: "a norm and a radius".to_owned(),
            found: error.to_string(),
        })?;
        Ok(Self {
            store,
            models,
            place,
            id,
            summary,
            images,
            batch: Batch::from_rows(images, &rows)?,
            indices: first.iter().map(|outcome| outcome.index).collect(),
            right: first.iter().map(|outcome| outcome.right > 0.0).collect(),
            threat,
            seen: RefCell::default(),
        })
    }

    /// The run.
    pub const fn store(&self) -> &RunStore {
        self.store
    }

    /// What it was to do.
    pub const fn plan(&self) -> &Plan {
        self.store.plan()
    }

    /// What it was to do with this model.
    pub fn model_plan(&self) -> &ModelPlan {
        &self.plan().models[self.place]
    }

    /// The counted result.
    pub const fn summary(&self) -> &ModelSummary {
        self.summary
    }

    /// All images of the run.
    pub const fn images(&self) -> &Images {
        self.images
    }

    /// The model's place in the run.
    pub const fn place(&self) -> usize {
        self.place
    }

    /// The reference.
    pub fn reference(&self) -> &dyn Differentiable {
        self.models[self.place].reference.as_ref()
    }

    /// The first images of the run, which the model is tried on.
    pub const fn batch(&self) -> &Batch {
        &self.batch
    }

    /// Their places in the split.
    pub fn indices(&self) -> &[u64] {
        &self.indices
    }

    /// Whether each of them is right when clean.
    pub fn right(&self) -> &[bool] {
        &self.right
    }

    /// How many are.
    pub fn count_right(&self) -> usize {
        self.right.iter().filter(|&&right| right).count()
    }

    /// The radius that the headline is about.
    pub const fn threat(&self) -> Option<Threat> {
        self.threat
    }

    /// Where the plan's models stand that are not this one.
    pub fn others(&self) -> impl Iterator<Item = (&str, usize)> {
        let names = self.plan().models.iter().map(|model| model.name.as_str());
        names.zip(0..self.models.len()).filter(|&(_, place)| place != self.place)
    }

    /// The stages at the headline's threat that were carried through, with their attacks; those whose
    /// examples were made on other models, which say nothing of this one's gradients, are left out.
    pub fn stages(&self) -> Result<Vec<Done<'_>>, EngineError> {
        let mut stages = self.all_stages()?;
        stages.retain(|done| done.stage.source.is_none());
        Ok(stages)
    }

    fn all_stages(&self) -> Result<Vec<Done<'_>>, EngineError> {
        let Some(threat) = &self.plan().headline else { return Ok(Vec::new()) };
        let mut done = Vec::new();
        for (id, record) in self.store.attacks(self.id)? {
            let stage = &self.plan().stages[record.stage as usize];
            if stage.threat == *threat && !stage.curve && record.finished {
                let (spec, Planned { attack, .. }) = planned(stage, self.classes())?;
                done.push(Done { id, record, stage, spec, attack });
            }
        }
        Ok(done)
    }

    /// The images of the whole run that anything broke at the headline's threat.
    pub fn broken(&self) -> Result<BTreeSet<u64>, EngineError> {
        let mut broken = BTreeSet::new();
        for done in self.all_stages()? {
            let fell = self.store.outcomes(done.id)?.into_iter().filter(|o| o.right <= 0.0);
            broken.extend(fell.map(|outcome| outcome.index));
        }
        Ok(broken)
    }

    /// The rows of the batch that are right when clean and that nothing of the run broke.
    pub fn survivors(&self) -> Result<Vec<usize>, EngineError> {
        let broken = self.broken()?;
        let rows = 0..self.indices.len();
        Ok(rows.filter(|&row| self.right[row] && !broken.contains(&self.indices[row])).collect())
    }

    /// All rows of the batch.
    pub fn rows(&self) -> Vec<usize> {
        (0..self.indices.len()).collect()
    }

    /// What attacks saw of this model.
    pub fn oracle(&self, eot: u32) -> Oracle<'_> {
        self.oracle_of(self.place, eot)
    }

    fn oracle_of(&self, place: usize, eot: u32) -> Oracle<'_> {
        let plan = &self.plan().models[place];
        let noise = (plan.passes > 1).then(|| (Key::new(self.plan().seed, "audit", 0), 0));
        Oracle::new(self.models[place].search(), plan.chunk, eot, noise)
    }

    /// What an attack does to all images of the batch. It is tried once for all doubts.
    pub fn seen(&self, threat: Threat, drill: &Drill) -> Result<Rc<Trace>, EngineError> {
        let known = self.seen.borrow().iter().find(|(known, _)| known == drill).cloned();
        if let Some((_, trace)) = known {
            return Ok(trace);
        }
        let trace = Rc::new(self.watched(threat, drill, &self.rows(), self.place)?);
        self.seen.borrow_mut().push((drill.clone(), Rc::clone(&trace)));
        Ok(trace)
    }

    /// What an attack on the model at `place` does to some rows of the batch.
    pub fn watched(
        &self,
        threat: Threat,
        drill: &Drill,
        rows: &[usize],
        place: usize,
    ) -> Result<Trace, EngineError> {
        let spec = attack::find(drill.attack)?;
        let numbers = self.batch.images.size()[1..].iter().product::<i64>();
        let eps = match drill.times_eps {
            Some(times) => threat.eps().value() * times,
            None => geometry::reaches_all(threat.norm(), numbers),
        };
        let eps = eps.min(geometry::reaches_all(threat.norm(), numbers));
        let threat = Eps::new(eps).and_then(|eps| Threat::new(threat.norm(), eps));
        let threat = threat.map_err(|error| EngineError::Input {
            what: "radius of the audit",
            expected: "a radius that is possible".to_owned(),
            found: error.to_string(),
        })?;
        let settings =
            Settings::resolve(&format!("attack {}", spec.id), spec.settings, &drill.settings)?;
        let request = Request { threat, classes: self.classes(), settings: &settings };
        let eot = spec.plan(&request)?.attack.eot();
        trace(&self.oracle_of(place, eot), spec, &request, &mut self.start(rows)?, self.plan().seed)
    }

    /// What a stage of the plan does to some rows of the batch.
    pub fn repeated(&self, stage: &Stage, rows: &[usize]) -> Result<Trace, EngineError> {
        let (spec, Planned { attack, .. }) = planned(stage, self.classes())?;
        let settings = settings(spec, stage)?;
        let Some(threat) = self.threat else {
            return Err(EngineError::Input {
                what: "threat of the plan",
                expected: "a norm and a radius".to_owned(),
                found: "none".to_owned(),
            });
        };
        let request = Request { threat, classes: self.classes(), settings: &settings };
        let oracle = self.oracle(attack.eot());
        trace(&oracle, spec, &request, &mut self.start(rows)?, self.plan().seed)
    }

    /// Logits `[n,k]` of the reference for images that stand in the rows' place.
    pub fn logits(&self, images: &Tensor) -> Result<Tensor, EngineError> {
        let plan = self.model_plan();
        let noise = (plan.passes > 1).then(|| (Key::new(self.plan().seed, "audit said", 0), 0));
        Oracle::new(self.reference(), self.plan().chunk, 1, noise).logits(images)
    }

    /// Those rows of the batch's labels.
    pub fn labels(&self, rows: &[usize]) -> Result<Tensor, EngineError> {
        select(&self.batch.labels, &numbers(rows)?)
    }

    fn start(&self, rows: &[usize]) -> Result<Rows, EngineError> {
        Ok(Rows {
            images: select(&self.batch.images, &numbers(rows)?)?,
            labels: self.labels(rows)?,
            targets: None,
            indices: rows.iter().map(|&row| self.indices[row]).collect(),
            key: Key::new(self.plan().seed, "audit", 0),
            round: 0,
        })
    }

    fn classes(&self) -> u32 {
        self.summary.dataset.classes.len() as u32
    }
}

/// A stage that was carried through.
pub struct Done<'a> {
    /// Its attack in the store.
    pub id: AttackId,
    /// What was recorded of it.
    pub record: AttackRecord,
    /// What it was to do.
    pub stage: &'a Stage,
    /// The attack in the registry.
    pub spec: &'static AttackSpec,
    /// The attack as planned.
    pub attack: Box<dyn Attack>,
}

impl Done<'_> {
    /// Whether it follows gradients.
    pub fn takes_gradients(&self) -> bool {
        self.attack.cost().backwards > 0
    }
}

fn numbers(rows: &[usize]) -> Result<Tensor, EngineError> {
    Ok(Tensor::f_from_slice(&rows.iter().map(|&row| row as i64).collect::<Vec<_>>())?)
}
