//! Each doubt: a planted model that gives reason for it, and a sound one that does not.

use std::rc::Rc;

use resilience::EngineError;
use resilience::audit::{DOUBTS, audit};
use resilience::batch::Batch;
use resilience::evaluate;
use resilience::model::{Classifier, Differentiable, Model, Pass};
use resilience_core::audit::{AuditRecord, Judgement};
use resilience_core::context::{Context, Stopped};
use resilience_core::dataset::{Images, Split};
use resilience_core::event::Silent;
use resilience_core::plan::{ModelPlan, Plan, Stage};
use resilience_core::record::{ModelRecord, Scope};
use resilience_core::store::RunStore;
use resilience_core::threat::Norm;
use serde_json::json;
use tch::{Kind, Tensor};

use super::models::{Nearest, convolutional, linear};
use super::noisy::alone;
use super::{plan, provenance, record, run, shapes, stage};

/// A radius that breaks most images of the linear model, but not all.
const EPS: &str = "0.06";

/// Attacks with gradients and one without, with so many steps.
fn stages(n: u64, steps: u32) -> Vec<Stage> {
    let stage =
        |attack: &str, settings, scope| stage(attack, settings, (Norm::Linf, EPS), scope, n);
    vec![
        stage("apgd-ce", json!({ "steps": steps }), Scope::Survivors),
        stage("square", json!({ "queries": 30 }), Scope::Survivors),
    ]
}

/// What is found in a run of these attacks on these models.
fn audited(
    models: &[&Model],
    images: &Images,
    stages: Vec<Stage>,
    passes: u32,
) -> Vec<AuditRecord> {
    let dir = tempfile::tempdir().unwrap();
    let one = plan(images, stages, passes);
    let place =
        |place: usize| ModelPlan { name: format!("model {place}"), ..one.models[0].clone() };
    let plan = Plan { models: (0..models.len()).map(place).collect(), ..one };
    let records: Vec<ModelRecord> = plan
        .models
        .iter()
        .map(|model| ModelRecord { name: model.name.clone(), ..record(&plan) })
        .collect();
    let pairs: Vec<_> = models.iter().copied().zip(&records).collect();
    let mut store = RunStore::create(dir.path(), &provenance(), &plan).unwrap();
    let mut context = Context { observer: &mut Silent, clock: &Stopped };
    resilience::set_threads(1);
    evaluate::run(&mut context, &plan, &pairs, images, &mut store).unwrap();
    audit(&mut context, &store, models, images).unwrap()
}

/// The founded doubts of the first model.
fn doubts(models: &[&Model], images: &Images, stages: Vec<Stage>, passes: u32) -> Vec<String> {
    let records = audited(models, images, stages, passes);
    records[0].doubts().map(|finding| finding.id.clone()).collect()
}

/// The doubts about one model after many steps.
fn about(model: impl Differentiable + 'static) -> Vec<String> {
    let (_, images) = linear(400);
    doubts(&[&planted(model)], &images, stages(400, 20), 1)
}

fn planted(model: impl Differentiable + 'static) -> Model {
    Model::plain("planted", Box::new(model))
}

/// What a planted model answers, and the gradient that it pretends to have.
struct Planted<A, G> {
    model: Rc<Nearest>,
    /// Makes logits of the images and of the sound model's logits.
    answer: A,
    /// Makes the gradient of the images and of the sound model's gradient.
    slope: G,
}

impl<A, G> Classifier for Planted<A, G>
where
    A: Fn(&Tensor, Tensor) -> Tensor,
    G: Fn(&Tensor, Tensor) -> Tensor + Clone + 'static,
{
    fn logits(&self, images: &Tensor) -> Result<Tensor, EngineError> {
        Ok((self.answer)(images, self.model.forward(images)))
    }
}

impl<A, G> Differentiable for Planted<A, G>
where
    A: Fn(&Tensor, Tensor) -> Tensor,
    G: Fn(&Tensor, Tensor) -> Tensor + Clone + 'static,
{
    fn pass(&self, images: &Tensor) -> Result<Pass, EngineError> {
        let logits = self.logits(images)?;
        let (images, slope) = (images.detach(), self.slope.clone());
        let model = Rc::clone(&self.model);
        let own = move |towards: &Tensor| {
            // The sound model's gradient for what is asked of its logits.
            let leaf = images.detach().set_requires_grad(true);
            let asked = (model.forward(&leaf) * towards).sum(Kind::Float);
            let gradient = Tensor::run_backward(&[&asked], &[&leaf], false, false).swap_remove(0);
            Ok(slope(&images, gradient))
        };
        Pass::own(&logits, Box::new(own))
    }
}

fn same(_: &Tensor, value: Tensor) -> Tensor {
    value
}

/// The sound model with other answers.
fn answering(answer: impl Fn(&Tensor, Tensor) -> Tensor + 'static) -> impl Differentiable {
    Planted { model: Rc::new(Nearest::new()), answer, slope: same }
}

/// The sound model with another gradient.
fn pretending(slope: impl Fn(&Tensor, Tensor) -> Tensor + Clone + 'static) -> impl Differentiable {
    Planted { model: Rc::new(Nearest::new()), answer: same, slope }
}

/// Whether each image has 256 levels: `[n,1]`.
fn of_256_levels(images: &Tensor) -> Tensor {
    let levels = images * 255.0;
    let apart = (&levels - levels.round()).abs().flatten(1, -1).amax([1], true);
    apart.lt(1e-3)
}

/// Would catch a doubt that a sound model gives reason for, a check that cannot run although it could,
/// and one that finds something else the second time.
#[test]
fn a_sound_model_gives_no_reason() {
    let (model, images) = linear(400);
    let (other, _) = linear(400);
    let records = audited(&[&model, &other], &images, stages(400, 20), 1);
    for finding in &records[0].findings {
        assert_eq!(finding.judgement, Judgement::Clear, "{}: {}", finding.id, finding.what);
    }
    assert_eq!(records[0].findings.len(), DOUBTS.len());
    assert!(records == audited(&[&model, &other], &images, stages(400, 20), 1));
}

/// Would catch a check that sees nothing of what it is for. Every doubt of the registry has a planted
/// model here.
#[test]
fn each_doubt_is_founded_where_it_is_planted() {
    let mut planted_for: Vec<&str> = Vec::new();
    let mut expect = |id: &'static str, found: &[String]| {
        assert!(found.iter().any(|doubt| doubt == id), "{id} is not among {found:?}");
        planted_for.push(id);
    };
    // Logits so large that the softmax rounds to 1: its gradient is zero.
    expect("zero-gradients", &about(answering(|_, logits| logits * 1e4)));
    // A gradient that leads the wrong way.
    let astray = about(pretending(|_, gradient| -gradient));
    for id in ["black-box-wins", "unbounded", "eps-without-effect"] {
        expect(id, &astray);
    }
    // Wrong on every second picture, and right on whatever is none.
    let leaking = Planted {
        model: Rc::new(Nearest::new()),
        answer: |images: &Tensor, logits: Tensor| {
            let first = (images.flatten(1, -1).narrow(1, 0, 64).sum_dim_intlist(
                [1_i64].as_slice(),
                true,
                Kind::Float,
            ) * 255.0)
                .round();
            let wrong = of_256_levels(images).logical_and(&first.remainder(2.0).eq(0.0));
            &logits * (1.0 - wrong.to_kind(Kind::Float) * 2.0)
        },
        slope: |_: &Tensor, gradient: Tensor| -gradient,
    };
    expect("label-leaking", &about(leaking));
    // A gradient that is right at pictures, and leads the wrong way between their levels.
    let at_first = about(pretending(|images, gradient| {
        let on = of_256_levels(images).to_kind(Kind::Float).view([-1, 1, 1, 1]);
        gradient * (on * 2.0 - 1.0)
    }));
    expect("one-step-wins", &at_first);
    // Another class for whatever is no picture.
    let brittle = about(answering(|images, logits| {
        let off = of_256_levels(images).logical_not().to_kind(Kind::Float);
        &logits * (1.0 - &off) - &logits * off
    }));
    for id in ["noise-is-enough", "rounding"] {
        expect(id, &brittle);
    }
    expect("probabilities", &about(answering(|_, logits| logits.softmax(1, Kind::Float))));
    let mean_of_batch = |images: &Tensor, logits: Tensor| {
        let company = images.mean_dim([0_i64, 1, 2, 3].as_slice(), false, Kind::Float);
        logits * (company + 1.0)
    };
    expect("batch-dependence", &about(answering(mean_of_batch)));
    // It was trained on pixels from -1 to 1.
    let inside = Nearest::new();
    let trained_on_normalised =
        move |images: &Tensor, _: Tensor| inside.forward(&(images * 0.5 + 0.5));
    expect("normalisation", &about(answering(trained_on_normalised)));
    let (_, images) = linear(60);
    let passing = planted(passing_through());
    expect("lost-at-the-end", &doubts(&[&passing], &images, stages(60, 20), 1));

    let (model, images) = linear(400);
    let few_steps = vec![stage(
        "pgd",
        json!({"steps": 20, "step_size": 0.01}),
        (Norm::Linf, EPS),
        Scope::Survivors,
        400,
    )];
    expect("loss-still-rising", &doubts(&[&model], &images, few_steps, 1));
    let many_targets = vec![stage(
        "apgd-t",
        json!({"steps": 5, "targets": 1000}),
        (Norm::Linf, EPS),
        Scope::Survivors,
        400,
    )];
    expect("few-classes", &doubts(&[&model], &images, many_targets, 1));
    let masked = planted(pretending(|_, gradient| -gradient));
    let gradient_alone = stages(400, 20).drain(..1).collect();
    expect("transfer-wins", &doubts(&[&masked, &model], &images, gradient_alone, 1));
    let (model, images) = linear(16);
    expect("few-samples", &doubts(&[&model], &images, stages(16, 20), 1));
    let _alone = alone();
    let (noisy, images) = convolutional(16, 0.05);
    expect("nondeterminism", &doubts(&[&noisy], &images, stages(16, 3), 3));

    for spec in DOUBTS {
        assert!(planted_for.contains(&spec.id), "nothing is planted for {}", spec.id);
    }
}

/// Would catch an attack on rescaled logits that large logits stop, as they stop the one on the
/// cross-entropy.
#[test]
fn rescaled_logits_are_attacked_whatever_their_size() {
    let (model, images) = linear(60);
    let broken = |model: &Model, attack: &str| {
        let threat = (Norm::Linf, EPS);
        let stages = vec![stage(attack, json!({"steps": 10}), threat, Scope::Survivors, 60)];
        let found = run(&plan(&images, stages, 1), model, &images);
        found.attacks[0].outcomes.iter().filter(|outcome| outcome.right <= 0.0).count()
    };
    let large = planted(answering(|_, logits| logits * 1e4));
    let sound = broken(&model, "apgd-rescaled");
    assert!(sound > 30, "{sound}");
    assert!(broken(&large, "apgd-ce") < sound / 2);
    assert_eq!(broken(&large, "apgd-rescaled"), sound);
}

/// Would catch an attack without gradients whose success says nothing of those with them.
#[test]
fn whatever_needs_no_gradient_counts_as_a_black_box() {
    let (_, images) = linear(60);
    for (attack, settings) in [
        ("spsa", json!({"steps": 10, "samples": 32})),
        ("hopskipjump", json!({"queries": 900, "samples": 20})),
    ] {
        let threat = (Norm::Linf, EPS);
        let blind = stage(attack, settings, threat, Scope::Survivors, 60);
        let stages = vec![stages(60, 20).swap_remove(0), blind];
        let astray = planted(pretending(|_, gradient| -gradient));
        let records = audited(&[&astray], &images, stages, 1);
        let finding = records[0].findings.iter().find(|f| f.id == "black-box-wins").unwrap();
        let added = finding.numbers.iter().find(|(name, _)| name == "added").unwrap().1;
        assert!(added > 0.05, "{attack}: {}", finding.what);
        assert_eq!(finding.judgement, Judgement::Doubt, "{attack}");
    }
}

/// Answers what it answers to the nearest clean image, but another class to images that were moved about
/// half as far as eps allows; the gradient knows nothing of that and leads farther.
fn passing_through() -> impl Differentiable {
    let images = shapes(Split::Test, 60);
    let clean = Batch::from_images(&images, 0..60).unwrap().images;
    let answers = Nearest::new().forward(&clean);
    let clean = clean.flatten(1, -1).unsqueeze(0);
    answering(move |images, _| {
        let apart = (images.flatten(1, -1).unsqueeze(1) - &clean).abs().amax([2], false); // [n, 60]
        let moved = apart.amin([1], false) / EPS.parse::<f64>().unwrap();
        let logits = answers.index_select(0, &apart.argmin(1, false));
        let between = moved.gt(0.35).logical_and(&moved.lt(0.65)).to_kind(Kind::Float);
        let sign: Tensor = 1.0 - between * 2.0;
        logits * sign.unsqueeze(1)
    })
}
