//! Examples made on one model and shown to another.

use std::cell::Cell;

use resilience::EngineError;
use resilience::evaluate::{self, GALLERY};
use resilience::model::Model;
use resilience_core::context::Context;
use resilience_core::dataset::Images;
use resilience_core::event::Observer;
use resilience_core::plan::{ModelPlan, Plan, Stage};
use resilience_core::record::{Example, ModelRecord, Scope};
use resilience_core::store::RunStore;
use resilience_core::threat::Norm;
use serde_json::json;
use tch::Tensor;

use super::models::disguised;
use super::{Interrupt, Ticking, plan, provenance, record, stage};

/// PGD on each of two models, shown to both.
fn both(images: &Images) -> Plan {
    let on = |source| Stage {
        source: Some(source),
        ..stage(
            "pgd",
            json!({"steps": 4}),
            (Norm::Linf, "0.05"),
            Scope::Correct,
            images.len() as u64,
        )
    };
    let mut plan = plan(images, vec![on(0), on(1)], 1);
    let name = |name: &str| ModelPlan { name: name.to_owned(), ..plan.models[0].clone() };
    plan.models = vec![name("a"), name("b")];
    plan
}

fn go_on(
    store: &mut RunStore,
    plan: &Plan,
    models: [&Model; 2],
    images: &Images,
    observer: &mut dyn Observer,
) -> Result<(), EngineError> {
    resilience::set_threads(1);
    let records: Vec<ModelRecord> = (plan.models.iter())
        .map(|model| ModelRecord { name: model.name.clone(), ..record(plan) })
        .collect();
    let models: Vec<_> = models.into_iter().zip(&records).collect();
    let mut context = Context { observer, clock: &Ticking(Cell::new(0.0)) };
    evaluate::run(&mut context, plan, &models, images, store)
}

/// Would catch examples that are not the source's own, that depend on whom they are shown to, or leave out
/// images of which the source has been fooled early; verdicts of another model than the one they are shown
/// to; and a run that goes on otherwise than it began.
#[test]
fn examples_of_one_model_are_shown_to_the_other() {
    let (mut a, images) = disguised(40);
    // What attacks see of the first is the second: another model, and nearly the same.
    let b = Model::plain("b", a.search.take().unwrap());
    let plan = both(&images);
    let dir = tempfile::tempdir().unwrap();
    let mut store = RunStore::create(dir.path(), &provenance(), &plan).unwrap();
    let mut stops = Interrupt { after: Some(9), ..Interrupt::default() };
    let stopped = go_on(&mut store, &plan, [&a, &b], &images, &mut stops).unwrap_err();
    assert!(matches!(stopped, EngineError::Cancelled), "{stopped}");
    go_on(&mut store, &plan, [&a, &b], &images, &mut Interrupt::default()).unwrap();

    let mut shown: Vec<Vec<Vec<Example>>> = Vec::new();
    for ((id, _), model) in store.models().unwrap().into_iter().zip([&a, &b]) {
        let mut of_model = Vec::new();
        for (source, (attack, attacked)) in (0..).zip(store.attacks(id).unwrap()) {
            assert_eq!(attacked.source, Some(source));
            let outcomes = store.outcomes(attack).unwrap();
            let broken = outcomes.iter().filter(|outcome| outcome.right <= 0.0).count();
            assert!((1..outcomes.len()).contains(&broken), "{broken} of {}", outcomes.len());
            let examples = store.examples(attack).unwrap();
            for example in &examples {
                let outcome = outcomes.iter().find(|o| o.index == example.index).unwrap();
                let pixels = Tensor::from_slice(&example.pixels).view([1, 3, 32, 32]);
                let logits = model.reference.logits(&pixels).unwrap();
                let predicted = logits.argmax(1, false).int64_value(&[0]);
                assert_eq!(predicted, i64::from(outcome.predicted), "{outcome:?}");
            }
            of_model.push(examples);
        }
        shown.push(of_model);
    }
    for (one, other) in shown[0].iter().zip(&shown[1]) {
        let of = |all: &[Example], index| all.iter().find(|e| e.index == index).cloned();
        let shared = (0..GALLERY).filter_map(|index| of(one, index).zip(of(other, index)));
        let shared: Vec<(Example, Example)> = shared.collect();
        assert!(shared.len() > 3, "{}", shared.len());
        assert!(shared.iter().all(|(x, y)| x == y), "they depend on whom they are shown to");
    }
    let again = tempfile::tempdir().unwrap();
    let mut whole = RunStore::create(again.path(), &provenance(), &plan).unwrap();
    go_on(&mut whole, &plan, [&a, &b], &images, &mut Interrupt::default()).unwrap();
    for ((one, _), (other, _)) in store.models().unwrap().into_iter().zip(whole.models().unwrap()) {
        let attacks = store.attacks(one).unwrap().into_iter().zip(whole.attacks(other).unwrap());
        for ((one, _), (other, _)) in attacks {
            assert_eq!(store.outcomes(one).unwrap(), whole.outcomes(other).unwrap());
            assert_eq!(store.examples(one).unwrap(), whole.examples(other).unwrap());
        }
    }
}
