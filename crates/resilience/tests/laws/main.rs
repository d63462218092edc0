//! What every attack must do, whatever it is: loops over the registry, on models whose answer is
//! known in closed form.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails right there")]

mod linear;

use linear::Linear;
use resilience::attack::{ATTACKS, AttackSpec, Rows};
use resilience::geometry;
use resilience::loss;
use resilience::model::{Classifier, Differentiable};
use resilience_core::threat::{Norm, Threat};
use tch::{Device, Kind, Tensor};

const CPU: (Kind, Device) = (Kind::Float, Device::Cpu);

/// Images that are not the same in any two places, some of them at the border of the box.
fn images(shape: [i64; 4]) -> Tensor {
    let n = shape.iter().product::<i64>();
    (Tensor::arange(n, CPU) * 0.739).sin().view(shape).clamp(-0.45, 0.45) + 0.5
}

fn labels(n: i64) -> Tensor {
    Tensor::arange(n, (Kind::Int64, Device::Cpu)).remainder(3)
}

/// Runs an attack to its end.
fn run(
    spec: &'static AttackSpec,
    threat: Threat,
    model: &dyn Differentiable,
    images: &Tensor,
    labels: &Tensor,
) -> Tensor {
    let attack = spec.plan(threat).unwrap();
    let rows = Rows { images: images.shallow_clone(), labels: labels.shallow_clone() };
    let mut state = attack.start(rows).unwrap();
    let mut candidates = images.shallow_clone();
    for _ in 0..attack.steps() {
        candidates = attack.step(&mut state, model).unwrap();
    }
    candidates.detach()
}

/// Every attack with every norm that it knows.
fn cases() -> impl Iterator<Item = (&'static AttackSpec, Norm)> {
    ATTACKS.iter().flat_map(|spec| spec.norms.iter().map(move |&norm| (*spec, norm)))
}

fn threat(norm: Norm, eps: &str) -> Threat {
    Threat::new(norm, eps.parse().unwrap()).unwrap()
}

/// Would catch a step that leaves the ball or the box, for odd shapes and a single image too.
#[test]
fn candidates_stay_in_the_ball_and_the_box() {
    for (spec, norm) in cases() {
        for shape in [[1, 3, 5, 7], [3, 1, 4, 4], [8, 3, 3, 2]] {
            let (model, x) = (Linear::new(shape, 3), images(shape));
            for eps in ["1/255", "0.1", "0.9"] {
                let threat = threat(norm, eps);
                let found = run(spec, threat, &model, &x, &labels(shape[0]));
                assert_eq!(found.size(), shape);
                let farthest = geometry::distance(norm, &found, &x).unwrap().max();
                let limit = threat.eps().value() + geometry::TOLERANCE;
                assert!(farthest.double_value(&[]) <= limit, "{} {norm} {eps}", spec.id);
                let inside = geometry::in_box(&found).unwrap().all();
                assert_eq!(inside.int64_value(&[]), 1, "{} {norm} {eps}", spec.id);
            }
        }
    }
}

/// Would catch a radius of nearly nothing that changes an image, or moves it at all where it is 0.
#[test]
fn a_vanishing_eps_is_the_identity() {
    for (spec, norm) in cases() {
        let shape = [3, 3, 4, 4];
        let (model, x) = (Linear::new(shape, 3), images(shape));
        let found = run(spec, threat(norm, "1e-12"), &model, &x, &labels(3));
        assert!((found - x).abs().max().double_value(&[]) <= 1e-7, "{} {norm}", spec.id);
    }
}

/// Would catch a result that depends on which images share a batch.
#[test]
fn a_batch_is_attacked_as_its_images_alone() {
    for (spec, norm) in cases() {
        let shape = [5, 3, 4, 4];
        let (model, x, y) = (Linear::new(shape, 3), images(shape), labels(5));
        let threat = threat(norm, "0.1");
        let together = run(spec, threat, &model, &x, &y);
        for row in 0..5 {
            let alone = run(spec, threat, &model, &x.narrow(0, row, 1), &y.narrow(0, row, 1));
            let apart = (together.narrow(0, row, 1) - alone).abs().max().double_value(&[]);
            assert!(apart < 1e-6, "{} {norm} row {row}: {apart}", spec.id);
        }
    }
}

/// Would catch unseeded randomness.
#[test]
fn the_same_call_gives_the_same_result() {
    for (spec, norm) in cases() {
        let shape = [3, 3, 4, 4];
        let (model, x, y) = (Linear::new(shape, 3), images(shape), labels(3));
        let (a, b) = (
            run(spec, threat(norm, "0.1"), &model, &x, &y),
            run(spec, threat(norm, "0.1"), &model, &x, &y),
        );
        assert_eq!(a, b, "{} {norm}", spec.id);
    }
}

/// Would catch NaN where the gradient is zero.
#[test]
fn a_zero_gradient_gives_finite_images() {
    for (spec, norm) in cases() {
        let shape = [2, 3, 4, 4];
        let (model, x) = (Linear::constant(shape, 3), images(shape));
        let found = run(spec, threat(norm, "0.1"), &model, &x, &labels(2));
        assert_eq!(found.isfinite().all().int64_value(&[]), 1, "{} {norm}", spec.id);
    }
}

/// Would catch an attack that changes the loss less than the best step on a linear model does, as
/// far as the box lets it: the margin to the other class falls by eps times the dual norm.
#[test]
fn two_linear_classes_are_attacked_as_well_as_can_be() {
    for (spec, norm) in cases() {
        let shape = [3, 3, 4, 4];
        // In the middle of the box, so that the ball lies inside of it.
        let x = Tensor::full(shape, 0.5, CPU);
        let model = Linear::new(shape, 2);
        let y = Tensor::zeros([3], (Kind::Int64, Device::Cpu));
        let threat = threat(norm, "0.1");
        let margin = |x: &Tensor| {
            let logits = model.logits(x).unwrap();
            logits.select(1, 0) - logits.select(1, 1)
        };
        let found = run(spec, threat, &model, &x, &y);
        let fall =
            Vec::<f64>::try_from((margin(&x) - margin(&found)).to_kind(Kind::Double)).unwrap();
        let best = threat.eps().value() * model.dual_norm(norm);
        for fall in fall {
            assert!((fall - best).abs() < 1e-4 * best, "{} {norm}: {fall} of {best}", spec.id);
        }
        let loss = |x: &Tensor| loss::cross_entropies(&model.logits(x).unwrap(), &y).unwrap();
        assert!((loss(&found) - loss(&x)).min().double_value(&[]) > 0.0);
    }
}

/// Would catch passes that are not counted, or counted twice: what an attack costs is stated.
#[test]
fn every_pass_is_counted_in_images() {
    let shape = [5, 3, 4, 4];
    let model = Linear::new(shape, 3);
    let _ = run(
        resilience::attack::find("fgsm").unwrap(),
        threat(Norm::Linf, "0.1"),
        &model,
        &images(shape),
        &labels(5),
    );
    assert_eq!((model.passes().forwards, model.passes().backwards), (5, 5));
}

/// Would catch a norm that an attack claims or denies wrongly: planning refuses the others.
#[test]
fn a_norm_that_an_attack_lacks_is_refused() {
    for spec in ATTACKS {
        for norm in Norm::ALL {
            assert_eq!(spec.plan(threat(norm, "0.1")).is_ok(), spec.norms.contains(&norm));
        }
    }
}

/// Would catch an entry that `list` and `explain` cannot show, or an id used twice.
#[test]
fn the_registries_are_complete() {
    let mut ids: Vec<&str> = ATTACKS.iter().map(|spec| spec.id).collect();
    ids.extend(resilience::recipe::RECIPES.iter().map(|spec| spec.id));
    ids.extend(resilience::zoo::ARCHITECTURES.iter().map(|spec| spec.id));
    let texts = ATTACKS
        .iter()
        .flat_map(|spec| [spec.title, spec.source, spec.about])
        .chain(resilience::recipe::RECIPES.iter().flat_map(|s| [s.title, s.source, s.about]))
        .chain(resilience::zoo::ARCHITECTURES.iter().flat_map(|s| [s.title, s.source, s.about]));
    assert!(texts.into_iter().all(|text| text.len() > 3));
    for (index, id) in ids.iter().enumerate() {
        assert!(!ids[..index].contains(id), "{id} twice");
        assert!(id.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-'));
    }
}
