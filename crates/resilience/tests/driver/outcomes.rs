//! What is recorded of every image, and which images take part.

use std::collections::BTreeSet;

use resilience::EngineError;
use resilience::batch::Batch;
use resilience::evaluate::{self, CLOSEST, GALLERY};
use resilience::geometry;
use resilience::loss;
use resilience::model::{Classifier, Differentiable, Model, Pass};
use resilience_core::dataset::{Images, Split, shapes10};
use resilience_core::event::Event;
use resilience_core::plan::{Plan, Stage};
use resilience_core::record::{AttackOutcome, Goal, LabelSource, Scope};
use resilience_core::threat::Norm;
use serde_json::json;
use tch::{Device, Kind, Tensor};

use super::models::{convolutional, disguised, linear};
use super::{Attacked, Found, Interrupt, go_on, plan, read, run, stage, stages};

const CPU: (Kind, Device) = (Kind::Float, Device::Cpu);

/// The images that a stage of the plan has to attack, by the outcomes before it.
fn expected(plan: &Plan, found: &Found, number: usize) -> Vec<u64> {
    let stage = &plan.stages[number];
    let eps = |stage: &Stage| stage.threat.threat().unwrap().eps().value();
    let mut broken = BTreeSet::new();
    for (earlier, attacked) in plan.stages[..number].iter().zip(&found.attacks) {
        if earlier.threat.norm == stage.threat.norm && eps(earlier) <= eps(stage) && !earlier.curve
        {
            broken.extend(attacked.outcomes.iter().filter(|o| o.right <= 0.0).map(|o| o.index));
        }
    }
    if stage.scope == Scope::Closest {
        let earlier = plan.stages[..number].iter().zip(&found.attacks);
        let within = earlier.filter(|(earlier, _)| {
            earlier.threat.norm == stage.threat.norm && eps(earlier) <= eps(stage) && !earlier.curve
        });
        let outcomes: Vec<&AttackOutcome> =
            within.flat_map(|(_, attacked)| &attacked.outcomes).collect();
        return closest(plan, stage, &broken, &outcomes, found, &found.attacks[number]);
    }
    let first = found.clean.iter().filter(|clean| clean.index < stage.n);
    first
        .filter(|clean| match stage.scope {
            Scope::All => true,
            Scope::Correct => clean.right > 0.0,
            _ => clean.right > 0.0 && !broken.contains(&clean.index),
        })
        .map(|clean| clean.index)
        .collect()
}

/// The survivors that came closest: of each block groups of sixteen, the smallest margins first, as
/// far as the first group in which nothing fell.
fn closest(
    plan: &Plan,
    stage: &Stage,
    broken: &BTreeSet<u64>,
    earlier: &[&AttackOutcome],
    found: &Found,
    attacked: &Attacked,
) -> Vec<u64> {
    let margin = |index: u64| {
        let own = earlier.iter().filter(|outcome| outcome.index == index);
        own.map(|outcome| outcome.margin).fold(f64::INFINITY, f64::min)
    };
    let fell = |index: &u64| {
        attacked.outcomes.iter().any(|outcome| outcome.index == *index && outcome.right <= 0.0)
    };
    let mut expected = Vec::new();
    for block in found.clean.chunks(plan.block as usize) {
        let mut left: Vec<u64> = block
            .iter()
            .filter(|c| c.index < stage.n && c.right > 0.0 && !broken.contains(&c.index))
            .map(|clean| clean.index)
            .collect();
        left.sort_by(|a, b| margin(*a).total_cmp(&margin(*b)));
        for group in left.chunks(CLOSEST) {
            expected.extend(group);
            if !group.iter().any(fell) {
                break;
            }
        }
    }
    expected.sort_unstable();
    expected
}

/// Fails unless what a stage recorded makes sense by itself and to the reference.
fn check(
    (model, images): (&Model, &Images),
    (stage, kept): (&Stage, u64),
    found: &Found,
    attacked: &Attacked,
) {
    let (spec, planned) = evaluate::planned(stage, 10).unwrap();
    let threat = stage.threat.threat().unwrap();
    let at = format!("{} {threat}", spec.id);
    assert!(attacked.record.finished);
    assert_eq!(attacked.record.attacked, attacked.outcomes.len() as u64, "{at}");
    let spent: u64 = attacked.outcomes.iter().map(|outcome| outcome.forwards).sum();
    assert_eq!(attacked.record.forwards, spent, "{at}");
    for outcome in &attacked.outcomes {
        let clean = &found.clean[outcome.index as usize];
        let pushed = match stage.labels {
            LabelSource::True => clean.label,
            LabelSource::Predicted => clean.predicted,
        };
        assert_eq!(outcome.right > 0.0, outcome.predicted == clean.label, "{at}: {outcome:?}");
        assert_eq!(outcome.margin > 0.0, outcome.predicted == pushed, "{at}: {outcome:?}");
        assert!(outcome.distance <= threat.eps().value() + 1e-6, "{at}: {outcome:?}");
        assert!(outcome.round < planned.attack.rounds(), "{at}: {outcome:?}");
        assert!((1..=planned.attack.steps()).contains(&outcome.step), "{at}: {outcome:?}");
        let most = planned.attack.cost();
        let rounds = u64::from(planned.attack.rounds());
        // The reference is asked about what another view of it takes for broken.
        let looks = if stage.goal == Goal::Nearest { rounds } else { 1 };
        let claims = u64::from(model.search.is_some()) * looks * u64::from(planned.attack.steps());
        let forwards = rounds * (most.forwards + 1) + 1 + claims;
        assert!(outcome.forwards <= forwards, "{at}: {outcome:?}");
        assert!(outcome.backwards <= rounds * most.backwards, "{at}: {outcome:?}");
        let shown = attacked.examples.iter().find(|example| example.index == outcome.index);
        let evidence = outcome.right <= 0.0 && clean.right > 0.0 && outcome.index < kept;
        assert!(shown.is_some() || !evidence, "{at}: {outcome:?}");
        let Some(example) = shown else { continue };
        assert!(evidence || outcome.index < GALLERY, "{at}: {outcome:?}");
        let pixels = Tensor::from_slice(&example.pixels).view([1, 3, 32, 32]);
        let batch = Batch::from_rows(images, &[outcome.index as usize]).unwrap();
        assert_eq!(geometry::in_box(&pixels).unwrap().int64_value(&[0]), 1, "{at}");
        let distance = geometry::distance(threat.norm(), &pixels, &batch.images).unwrap();
        let distance = distance.double_value(&[0]);
        assert!((distance - outcome.distance).abs() < 1e-9, "{at}: {distance}, {outcome:?}");
        let logits = model.reference.logits(&pixels).unwrap();
        let predicted = logits.argmax(1, false).int64_value(&[0]);
        assert_eq!(predicted, i64::from(outcome.predicted), "{at}: {outcome:?}");
        let label = Tensor::from_slice(&[i64::from(pushed)]);
        let margin = loss::margins(&logits, &label).unwrap().to_kind(Kind::Double);
        assert!((margin.double_value(&[0]) - outcome.margin).abs() < 1e-4, "{at}: {outcome:?}");
    }
}

/// Fails unless the nearest points are where and what they are said to be, and those within the radius
/// are the ones that broke their images.
fn check_nearest((model, images): (&Model, &Images), stage: &Stage, attacked: &Attacked) {
    let threat = stage.threat.threat().unwrap();
    let limit = threat.eps().value() + geometry::TOLERANCE;
    let nearest = |index: u64| attacked.nearest.iter().find(|(near, _)| near.index == index);
    for outcome in &attacked.outcomes {
        let near = nearest(outcome.index).map(|(near, _)| near);
        let within = near.is_some_and(|near| near.distance <= limit);
        assert_eq!(within, outcome.right <= 0.0, "{outcome:?} {near:?}");
        if let Some(near) = near.filter(|_| within) {
            assert_eq!(near.distance.to_bits(), outcome.distance.to_bits());
        }
    }
    for (near, example) in &attacked.nearest {
        let batch = Batch::from_rows(images, &[near.index as usize]).unwrap();
        let pixels = &example.as_ref().unwrap().pixels;
        let pixels = Tensor::from_slice(pixels).view([1, 3, 32, 32]);
        assert_eq!(geometry::in_box(&pixels).unwrap().int64_value(&[0]), 1, "{near:?}");
        let distance = geometry::distance(threat.norm(), &pixels, &batch.images).unwrap();
        assert!((distance.double_value(&[0]) - near.distance).abs() < 1e-9, "{near:?}");
        let logits = model.reference.logits(&pixels).unwrap();
        let predicted = logits.argmax(1, false).int64_value(&[0]);
        assert_eq!(predicted, i64::from(near.predicted), "{near:?}");
        assert_ne!(predicted, batch.labels.int64_value(&[0]), "{near:?}");
        let margin = loss::margins(&logits, &batch.labels).unwrap().to_kind(Kind::Double);
        assert!((margin.double_value(&[0]) - near.margin).abs() < 1e-4, "{near:?}");
    }
}

/// Would catch an image that is attacked though it is lost, or left out though it is not; an
/// outcome that contradicts itself or the reference; a broken image without its example.
#[test]
fn what_is_recorded_is_so() {
    let models = [(0.01, linear(90)), (0.01, disguised(90)), (0.005, convolutional(90, 0.0))];
    for (eps, (model, images)) in models {
        let plan = plan(&images, stages(90, eps), 1);
        let found = run(&plan, &model, &images);
        assert!(found.finished);
        let mut broke = Vec::new();
        for (number, (stage, attacked)) in plan.stages.iter().zip(&found.attacks).enumerate() {
            let indices: Vec<u64> = attacked.outcomes.iter().map(|o| o.index).collect();
            assert_eq!(indices, expected(&plan, &found, number), "{} at {number}", stage.attack);
            let same = plan.stages.iter().filter(|s| !s.curve && s.threat == stage.threat);
            let least = same.map(|stage| stage.n).min().unwrap();
            let kept = if stage.curve { 0 } else { least };
            check((&model, &images), (stage, kept), &found, attacked);
            assert_eq!(attacked.nearest.is_empty(), stage.goal == Goal::Break);
            if stage.goal == Goal::Nearest {
                check_nearest((&model, &images), stage, attacked);
            }
            broke
                .push((indices.len(), attacked.outcomes.iter().filter(|o| o.right <= 0.0).count()));
        }
        let some = broke.iter().skip(2).filter(|(all, broken)| (1..*all).contains(broken)).count();
        assert!(some >= 3, "the stages have little to do: {broke:?}");
    }
}

/// Would catch a stage that leaves out what another threat's attack broke, or takes what its own
/// had lost already: a larger ball contains a smaller one, and no other.
#[test]
fn only_what_lies_within_the_ball_counts_as_lost() {
    let (model, images) = linear(60);
    let scopes = [
        ("0.02", Norm::Linf, Scope::Survivors),
        ("0.005", Norm::Linf, Scope::Survivors),
        ("0.03", Norm::Linf, Scope::Survivors),
        ("0.3", Norm::L2, Scope::Survivors),
        ("0.02", Norm::Linf, Scope::Correct),
    ];
    let stages = scopes.map(|(eps, norm, scope)| stage("fgsm", json!({}), (norm, eps), scope, 60));
    let plan = plan(&images, stages.to_vec(), 1);
    let found = run(&plan, &model, &images);
    let counts: Vec<usize> = found.attacks.iter().map(|attacked| attacked.outcomes.len()).collect();
    for (number, attacked) in found.attacks.iter().enumerate() {
        let indices: Vec<u64> = attacked.outcomes.iter().map(|outcome| outcome.index).collect();
        assert_eq!(indices, expected(&plan, &found, number), "{number}: {counts:?}");
    }
    assert_eq!(counts[0], counts[1], "a smaller ball is another question");
    assert_eq!(counts[0], counts[4], "attacks one by one begin with all that is right");
    assert!(counts[2] < counts[0] && counts[2] > 0, "{counts:?}");
    assert_eq!(counts[0], counts[3], "another norm is another question");
}

/// Would catch a bar that runs backwards, past its end or never arrives.
#[test]
fn progress_arrives_at_its_total() {
    let (model, images) = linear(40);
    let plan = plan(&images, stages(40, 0.01), 1);
    let dir = tempfile::tempdir().unwrap();
    let mut heard = Interrupt::default();
    go_on(dir.path(), &plan, &model, &images, &mut heard).unwrap();
    assert!(read(dir.path()).finished);
    let (mut expected, mut reached, mut pieces) = (None, 0, 0);
    for event in heard.events {
        match event {
            Event::Started { total, task, .. } => {
                (expected, reached) = (total.map(|t| (t, task)), 0);
            }
            Event::Advanced { done, .. } => {
                assert!(done >= reached, "{expected:?}: {done} after {reached}");
                reached = done;
            }
            Event::Finished => {
                let (total, task) = expected.take().unwrap();
                assert_eq!(reached, total, "{task}");
                pieces += 1;
            }
            _ => {}
        }
    }
    assert_eq!(pieces, 1 + plan.stages.len());
}

/// Weighs how bright an image is; at a middle grey its first two classes are equal.
struct Scales;

impl Scales {
    fn weigh(images: &Tensor) -> Tensor {
        let bright = (images - 128.0 / 255.0).flatten(1, -1);
        let second = bright.mean_dim([1_i64].as_slice(), true, Kind::Float);
        Tensor::cat(&[&second * 0.0, second, Tensor::full([images.size()[0], 8], -9.0, CPU)], 1)
    }
}

impl Classifier for Scales {
    fn logits(&self, images: &Tensor) -> Result<Tensor, EngineError> {
        Ok(Self::weigh(images))
    }
}

impl Differentiable for Scales {
    fn pass(&self, images: &Tensor) -> Result<Pass, EngineError> {
        let images = images.detach().set_requires_grad(true);
        let logits = Self::weigh(&images);
        Ok(Pass::new(images, logits))
    }
}

/// Would catch a tie that is taken for a broken image though the model still says its class: the
/// attack would leave it there, and count it as robust.
#[test]
fn a_tie_is_no_loss() {
    let images = Images::new(&shapes10::SPEC, Split::Test, vec![128; 5 * 3072], vec![0; 5]);
    let model = Model::plain("model", Box::new(Scales));
    let settings = json!({"start": "clean", "steps": 2});
    let stage = stage("pgd", settings, (Norm::Linf, "0.01"), Scope::Correct, 5);
    let found = run(&plan(&images, vec![stage], 1), &model, &images);
    assert!(found.clean.iter().all(|clean| clean.right > 0.0), "{:?}", found.clean);
    for outcome in &found.attacks[0].outcomes {
        assert!(outcome.right <= 0.0 && outcome.predicted == 1 && outcome.step > 1, "{outcome:?}");
    }
}
