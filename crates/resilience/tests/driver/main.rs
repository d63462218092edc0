//! The evaluation loop from a plan to the run store: what leaves, what is kept, what a result may
//! depend on, and a run that goes on after it was broken off.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails right there")]

mod audit;
mod failing;
mod forecast;
mod labels_only;
mod models;
mod noisy;
mod outcomes;
mod resumption;
mod sameness;
mod transfer;
mod voting;

use std::cell::Cell;
use std::path::Path;

use resilience::EngineError;
use resilience::evaluate;
use resilience::model::Model;
use resilience_core::context::{Clock, Context};
use resilience_core::dataset::{self, Images, Split};
use resilience_core::event::{Event, Observer, Silent};
use resilience_core::plan::{Keep, Kind, ModelPlan, Plan, Shard, Stage, ThreatPlan};
use resilience_core::record::{
    AttackOutcome, AttackRecord, CleanOutcome, Example, Goal, LabelSource, Machine, ModelRecord,
    Nearest, Provenance, Scope, Tool,
};
use resilience_core::store::RunStore;
use resilience_core::threat::Norm;
use resilience_core::view::View;
use serde_json::json;

/// An attack on the first `n` images.
fn stage(
    attack: &str,
    settings: serde_json::Value,
    (norm, eps): (Norm, &str),
    scope: Scope,
    n: u64,
) -> Stage {
    Stage {
        attack: attack.to_owned(),
        settings,
        threat: ThreatPlan { norm, eps: eps.to_owned() },
        labels: LabelSource::True,
        scope,
        goal: Goal::Break,
        source: None,
        n,
        curve: false,
        suite: None,
    }
}

/// Every kind of attack, most of them on what the ones before have left; the balls grow, so that
/// each of them finds some.
fn stages(n: u64, eps: f64) -> Vec<Stage> {
    let stage = |attack: &str, settings, times: f64, scope, n| {
        stage(attack, settings, (Norm::Linf, &(eps * times).to_string()), scope, n)
    };
    let few = json!({"steps": 4, "targets": 2, "restarts": 2});
    let predicted = stage("fgsm", json!({}), 0.5, Scope::All, n);
    let predicted = Stage { labels: LabelSource::Predicted, ..predicted };
    let curve = Stage { curve: true, ..stage("fgsm", json!({}), 1.0, Scope::Correct, n / 2) };
    let l2 = Stage {
        threat: ThreatPlan { norm: Norm::L2, eps: (eps * 30.0).to_string() },
        ..stage("apgd-ce", json!({"steps": 4}), 1.0, Scope::Survivors, n)
    };
    vec![
        predicted,
        curve,
        stage("pgd", json!({"steps": 2, "restarts": 2}), 1.0, Scope::Survivors, n - 3),
        stage("apgd-t", few.clone(), 1.0, Scope::Survivors, n),
        stage("fab-t", few, 1.5, Scope::Survivors, n),
        stage("noise-uniform", json!({"restarts": 3}), 4.0, Scope::Survivors, n),
        stage("square", json!({"queries": 10}), 4.0, Scope::Survivors, n),
        stage("apgd-ce", json!({"steps": 6}), 4.5, Scope::Closest, n),
        Stage {
            goal: Goal::Nearest,
            ..stage(
                "fab-t",
                json!({"steps": 5, "targets": 2, "restarts": 2}),
                0.4,
                Scope::Correct,
                n,
            )
        },
        l2,
    ]
}

fn plan(images: &Images, stages: Vec<Stage>, passes: u32) -> Plan {
    Plan {
        kind: Kind::Eval,
        seed: 3,
        dataset: images.record(),
        models: vec![ModelPlan {
            name: "model".to_owned(),
            request: "model".to_owned(),
            architecture: "linear".to_owned(),
            weights_sha256: "ab".repeat(32),
            mean: [0.0; 3],
            std: [1.0; 3],
            input_noise: 0.0,
            input_levels: None,
            passes,
            view: View::Folded,
            chunk: 16,
            forward_seconds: 0.0,
            backward_seconds: 0.0,
            reference_forward_seconds: 0.0,
            reference_backward_seconds: 0.0,
        }],
        headline: Some(stages[0].threat.clone()),
        stages,
        keep: Keep::Broken,
        block: 16,
        chunk: 16,
        threads: 1,
        shard: Shard::WHOLE,
    }
}

fn record(plan: &Plan) -> ModelRecord {
    let model = &plan.models[0];
    ModelRecord {
        name: model.name.clone(),
        architecture: model.architecture.clone(),
        weights_sha256: model.weights_sha256.clone(),
        source: "a test".to_owned(),
        mean: model.mean.to_vec(),
        std: model.std.to_vec(),
        input_levels: None,
        parameters: 0,
        layers: Vec::new(),
        training: None,
        ensemble: None,
        passes: model.passes,
        dataset: plan.dataset.clone(),
    }
}

fn provenance() -> Provenance {
    Provenance {
        tool: Tool {
            name: "resilience".to_owned(),
            version: "0".to_owned(),
            libtorch: resilience::LIBTORCH_VERSION.to_owned(),
        },
        command: "a test".to_owned(),
        started: "2026-01-02T03:04:05Z".to_owned(),
        seed: 3,
        machine: Machine {
            cpu: "any".to_owned(),
            threads: 1,
            os: "any".to_owned(),
            device: "cpu".to_owned(),
        },
        notices: Vec::new(),
    }
}

/// A clock that goes on by some time whenever somebody looks, so that decisions are written now
/// and then.
struct Ticking(Cell<f64>);

impl Clock for Ticking {
    fn seconds(&self) -> f64 {
        self.0.set(self.0.get() + 0.6);
        self.0.get()
    }
}

/// Begins or goes on with the run in a folder.
fn go_on(
    dir: &Path,
    plan: &Plan,
    model: &Model,
    images: &Images,
    observer: &mut dyn Observer,
) -> Result<(), EngineError> {
    // The same sum in another order is another sum: results are compared for one thread.
    resilience::set_threads(1);
    let mut store = match RunStore::open(dir) {
        Ok(store) => store,
        Err(_) => RunStore::create(dir, &provenance(), plan).unwrap(),
    };
    let clock = Ticking(Cell::new(0.0));
    let mut context = Context { observer, clock: &clock };
    evaluate::run(&mut context, plan, &[(model, &record(plan))], images, &mut store)
}

/// What a stage has in the store.
#[derive(Debug, PartialEq)]
struct Attacked {
    record: AttackRecord,
    outcomes: Vec<AttackOutcome>,
    examples: Vec<Example>,
    nearest: Vec<(Nearest, Option<Example>)>,
}

/// All that a run has in the store, but for the time that it took.
#[derive(Debug, PartialEq)]
struct Found {
    clean: Vec<CleanOutcome>,
    attacks: Vec<Attacked>,
    finished: bool,
}

fn read(dir: &Path) -> Found {
    let store = RunStore::open(dir).unwrap();
    let models = store.models().unwrap();
    assert_eq!(models.len(), 1);
    let id = models[0].0;
    let attacked = |(attack, record)| {
        let example = |near: Nearest| (near, store.nearest_example(attack, near.index).unwrap());
        Attacked {
            record: AttackRecord { seconds: 0.0, ..record },
            outcomes: store.outcomes(attack).unwrap(),
            examples: store.examples(attack).unwrap(),
            nearest: store.nearest(attack).unwrap().into_iter().map(example).collect(),
        }
    };
    Found {
        clean: store.clean(id).unwrap(),
        attacks: store.attacks(id).unwrap().into_iter().map(attacked).collect(),
        finished: store.finished().unwrap(),
    }
}

/// A whole run.
fn run(plan: &Plan, model: &Model, images: &Images) -> Found {
    let dir = tempfile::tempdir().unwrap();
    go_on(dir.path(), plan, model, images, &mut Silent).unwrap();
    read(dir.path())
}

/// Counts how often it is asked whether to stop, and says so from some time on.
#[derive(Default)]
struct Interrupt {
    asked: Cell<u64>,
    after: Option<u64>,
    events: Vec<Event>,
}

impl Observer for Interrupt {
    fn event(&mut self, event: Event) {
        self.events.push(event);
    }

    fn cancelled(&self) -> bool {
        self.asked.set(self.asked.get() + 1);
        self.after.is_some_and(|after| self.asked.get() > after)
    }
}

/// Images of shapes10.
fn shapes(split: Split, n: usize) -> Images {
    let dataset::Origin::Generated(load) = dataset::shapes10::SPEC.origin else {
        panic!("shapes10 is drawn")
    };
    load(split, Some(n), &mut Silent).unwrap()
}
