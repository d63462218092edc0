//! Linear models whose nearest boundary is known: what an attack finds is compared with the truth.

use resilience::attack::{AttackSpec, Search, apgd, cw, deepfool, fab, fgsm, fmn, pgd};
use resilience::geometry;
use resilience::loss;
use resilience::model::Classifier;
use resilience::settings::Settings;
use resilience_core::threat::{Eps, Norm, Threat};
use tch::{Device, Kind, Tensor};

use super::{Case, Linear, plan};

const SHAPES: [[i64; 4]; 3] = [[1, 3, 5, 7], [3, 1, 6, 5], [8, 3, 4, 3]];

/// Attacks that leave nothing on a linear model.
const STRONG: [&AttackSpec; 6] =
    [&pgd::SPEC, &apgd::CE, &apgd::DLR, &apgd::TARGETED, &fab::SPEC, &fab::TARGETED];

/// Images and their labels, whose distances to the boundaries are `distances` or more, and exactly
/// so for one of the classes, in this norm, where the box does not matter.
fn at_distance(model: &Linear, shape: [i64; 4], norm: Norm, nearest: f64) -> (Tensor, Tensor) {
    let classes = i64::from(model.classes());
    let features = shape[1] * shape[2] * shape[3];
    let double = (Kind::Double, Device::Cpu);
    let mut images = Vec::new();
    let labels: Vec<i64> = (0..shape[0]).map(|row| row % classes).collect();
    for (row, &label) in labels.iter().enumerate() {
        let gradients = model.margins(label); // [k - 1, d]
        // The order of the other classes by distance differs from image to image.
        let order =
            (Tensor::arange(classes - 1, double) + row as f64).remainder(classes as f64 - 1.0);
        let wanted = model.falls(norm, label) * (order + 1.0) * nearest;
        let base = (Tensor::arange(features, double) * 2.3 + row as f64).sin() * 0.05 + 0.5;
        // The smallest change of `base` that brings it to these margins.
        let missing = (wanted - gradients.mv(&base)).unsqueeze(1);
        let way = Tensor::linalg_solve(&gradients.matmul(&gradients.tr()), &missing, true);
        images.push(base + gradients.tr().matmul(&way).squeeze());
    }
    let images = Tensor::stack(&images, 0).view(shape).to_kind(Kind::Float);
    let room = images.min().minimum(&(1.0 - images.max())).double_value(&[]);
    assert!(room > 1.5 * nearest, "the box is in the way: {room}");
    (images, Tensor::from_slice(&labels))
}

/// For each image the smallest distance of a misclassified candidate, in every round.
fn found(case: &Case, norm: Norm) -> Vec<f64> {
    let mut nearest = vec![f64::INFINITY; case.images.size()[0] as usize];
    for candidates in case.run_in_ball() {
        let logits = case.model.logits(&candidates).unwrap();
        let margins = Vec::<f64>::try_from(loss::margins(&logits, case.labels).unwrap()).unwrap();
        let distances = geometry::distance(norm, &candidates, case.images).unwrap();
        let distances = Vec::<f64>::try_from(distances).unwrap();
        for (nearest, (margin, distance)) in nearest.iter_mut().zip(margins.iter().zip(distances)) {
            if *margin <= 0.0 {
                *nearest = nearest.min(distance);
            }
        }
    }
    nearest
}

/// What the attack finds in so many steps, else with its defaults.
fn attacked(
    spec: &'static AttackSpec,
    model: &Linear,
    images: (&Tensor, &Tensor),
    (norm, eps): (Norm, f64),
    steps: u32,
) -> Vec<f64> {
    let threat = Threat::new(norm, Eps::new(eps).unwrap()).unwrap();
    let steps = [("steps".to_owned(), steps.to_string())];
    let settings = Settings::resolve(spec.id, spec.settings, &steps).unwrap();
    let classes = model.classes();
    let attack = plan(spec, threat, classes, &settings).unwrap().attack;
    found(&Case::new(spec, attack.as_ref(), model, images), norm)
}

/// Would catch a ball of another size, a loss whose highest point is not across the boundary, a
/// target that is left out, and an attack that gives up: with 2 % more than the distance every one
/// finds the boundary, with 2 % less none can. With few classes the losses are other ones. (In L1 with
/// 15 % more: where a point differs in two numbers APGD's steps change two, both alike, and it stays
/// with a mixture of the two largest gradients.)
#[test]
fn the_boundary_is_found_where_it_is() {
    for (norm, distance, more) in
        [(Norm::Linf, 0.02, 1.02), (Norm::L2, 0.1, 1.02), (Norm::L1, 0.1, 1.15)]
    {
        for (classes, shape) in (2..=5).zip(SHAPES.into_iter().cycle()) {
            let model = Linear::new(shape, classes);
            // As confident as models are: with small margins the cross-entropy's highest point is
            // one where several classes are near, and not across any boundary.
            let margin = model.falls(norm, 0).min().double_value(&[]) * distance;
            let model = model.scaled(6.0 / margin);
            let (x, y) = at_distance(&model, shape, norm, distance);
            for spec in STRONG {
                let at = format!("{} {norm} {shape:?}, {classes} classes", spec.id);
                let within = spec.search == Search::WithinBall;
                let steps = if within { 50 } else { 10 };
                let far = attacked(spec, &model, (&x, &y), (norm, more * distance), steps);
                let enough = more * distance + geometry::TOLERANCE;
                assert!(far.iter().all(|&found| found <= enough), "{at}: {far:?}");
                let least = 0.999 * distance;
                assert!(far.iter().all(|&found| found >= least), "{at}: {far:?}");
                if within {
                    let near = attacked(spec, &model, (&x, &y), (norm, 0.98 * distance), 10);
                    assert!(near.iter().all(|found| found.is_infinite()), "{at}: {near:?}");
                }
            }
        }
    }
}

/// Would catch a way to another boundary than the nearest, and another length of it: where the network is
/// linear one step is enough, and goes 2 % beyond what it adds to the distance.
#[test]
fn deepfool_steps_beyond_the_nearest_boundary() {
    for (norm, distance) in [(Norm::Linf, 0.02), (Norm::L2, 0.1)] {
        for (classes, shape) in (2..=5).zip(SHAPES.into_iter().cycle()) {
            let model = Linear::new(shape, classes);
            let (x, y) = at_distance(&model, shape, norm, distance);
            let found = attacked(&deepfool::SPEC, &model, (&x, &y), (norm, distance), 1);
            let expected = 1.02 * (distance + 1e-4);
            for found in found {
                assert!((found - expected).abs() < 1e-5, "{norm} {shape:?}: {found}");
            }
        }
    }
}

/// Would catch a radius that does not come down to the boundary, or a point beyond it that is not
/// misclassified.
#[test]
fn fmn_comes_down_to_the_nearest_boundary() {
    for (norm, distance) in [(Norm::Linf, 0.02), (Norm::L2, 0.1), (Norm::L1, 0.1)] {
        for (classes, shape) in (2..=5).zip(SHAPES.into_iter().cycle()) {
            let model = Linear::new(shape, classes);
            let (x, y) = at_distance(&model, shape, norm, distance);
            for found in attacked(&fmn::SPEC, &model, (&x, &y), (norm, distance), 300) {
                let range = 0.999 * distance..=1.02 * distance;
                assert!(range.contains(&found), "{norm} {shape:?}, {classes} classes: {found}");
            }
        }
    }
}

/// Would catch a search that takes a clean image which the model calls misclassified (a noisy pass, a close
/// call) for a find at no distance, and never leaves it.
#[test]
fn a_clean_image_is_no_find() {
    let model = Linear::new(SHAPES[1], 3);
    for (spec, norm) in
        [(&fmn::SPEC, Norm::Linf), (&fmn::SPEC, Norm::L1), (&deepfool::SPEC, Norm::L2)]
    {
        let (x, y) = at_distance(&model, SHAPES[1], norm, 0.02);
        let other = (y + 1).remainder(3);
        let found = attacked(spec, &model, (&x, &other), (norm, 0.1), 5);
        assert!(found.iter().all(|&distance| distance == 0.0), "they begin misclassified");
        let settings = Settings::resolve(spec.id, spec.settings, &[]).unwrap();
        let threat = Threat::new(norm, Eps::new(0.1).unwrap()).unwrap();
        let attack = plan(spec, threat, 3, &settings).unwrap().attack;
        let last = Case::new(spec, attack.as_ref(), &model, (&x, &other)).round(0).unwrap();
        let moved = geometry::distance(norm, last.last().unwrap(), &x).unwrap();
        assert!(moved.min().double_value(&[]) > 0.0, "{} {norm}: {moved}", spec.id);
    }
}

/// Would catch a search for the weight of the margin that does not close in on the boundary, on models
/// whose constants are far from the first that is tried: it is found within 2 %.
#[test]
fn constants_are_found_that_lead_to_the_boundary() {
    let distance = 0.1;
    for ((classes, shape), margin) in (2..).zip(SHAPES).zip([6.0, 0.01, 0.3]) {
        let model = Linear::new(shape, classes);
        let own = model.falls(Norm::L2, 0).min().double_value(&[]) * distance;
        let model = model.scaled(margin / own);
        let (x, y) = at_distance(&model, shape, Norm::L2, distance);
        let found = attacked(&cw::SPEC, &model, (&x, &y), (Norm::L2, distance), 100);
        let at = format!("{shape:?}, {classes} classes, margin {margin}: {found:?}");
        assert!(found.iter().all(|&found| found <= 1.02 * distance), "{at}");
        assert!(found.iter().all(|&found| found >= 0.999 * distance), "{at}");
    }
}

/// The smallest step that lowers `margin` to 0 inside the box: its length in `norm`. By bisection, in
/// L1 number by number in the order of their weights.
fn distance_in_box(norm: Norm, x: &[f64], gradient: &[f64], margin: f64) -> f64 {
    if norm == Norm::L1 {
        let mut order: Vec<(f64, f64)> = gradient
            .iter()
            .zip(x)
            .map(|(w, x)| (w.abs(), if *w > 0.0 { *x } else { 1.0 - x }))
            .collect();
        order.sort_by(|a, b| b.0.total_cmp(&a.0));
        let mut missing = margin;
        return order.into_iter().fold(0.0, |length, (weight, room)| {
            let way = room.min(missing / weight);
            missing -= way * weight;
            length + way
        });
    }
    let step = |length: f64| -> Vec<f64> {
        let way = |(x, w): (&f64, &f64)| {
            let free = if norm == Norm::Linf { w.signum() } else { *w } * -length;
            (x + free).clamp(0.0, 1.0) - x
        };
        x.iter().zip(gradient).map(way).collect()
    };
    let fall = |step: &[f64]| -step.iter().zip(gradient).map(|(d, w)| d * w).sum::<f64>();
    let (mut low, mut high) = (0.0, 100.0);
    for _ in 0..200 {
        let middle = f64::midpoint(low, high);
        if fall(&step(middle)) < margin { low = middle } else { high = middle }
    }
    let step = step(high);
    match norm {
        Norm::Linf => step.iter().fold(0.0, |most, d| d.abs().max(most)),
        _ => step.iter().map(|d| d * d).sum::<f64>().sqrt(),
    }
}

/// Would catch a way to the hyperplane that ignores the box, or is not the shortest inside of it:
/// images with many pixels at their border, where the boundary is farther than without the box.
#[test]
fn the_boundary_is_found_inside_the_box() {
    for (norm, eps) in [(Norm::Linf, 0.1), (Norm::L2, 0.5), (Norm::L1, 2.0)] {
        for shape in SHAPES {
            let model = Linear::new(shape, 2);
            let x = super::images(shape) * 1.3 - 0.15;
            let x = x.clamp(0.0, 1.0);
            let y = super::labels(&model, &x);
            let logits = model.logits(&x).unwrap();
            let margins = Vec::<f64>::try_from(loss::margins(&logits, &y).unwrap()).unwrap();
            let mut longer = 0;
            let truth: Vec<f64> = (0..shape[0])
                .map(|row| {
                    let label = y.int64_value(&[row]);
                    let gradient = Vec::try_from(model.margins(label).get(0)).unwrap();
                    let pixels = x.get(row).contiguous().view([-1]).to_kind(Kind::Double);
                    let pixels = Vec::<f64>::try_from(pixels).unwrap();
                    let margin = margins[row as usize];
                    let distance = distance_in_box(norm, &pixels, &gradient, margin);
                    let free = margin / model.falls(norm, label).double_value(&[0]);
                    longer += i32::from(distance > 1.005 * free);
                    distance
                })
                .collect();
            assert!(longer > 0, "the box is not in the way: {truth:?}");
            for spec in [&fab::SPEC, &fab::TARGETED] {
                let found = attacked(spec, &model, (&x, &y), (norm, eps), 20);
                for (found, truth) in found.iter().zip(&truth) {
                    let at = format!("{} {norm} {shape:?}", spec.id);
                    assert!(*found <= 1.01 * truth + 1e-6, "{at}: {found}, not {truth}");
                    assert!(*found >= 0.999 * truth, "{at}: {found}, not {truth}");
                }
            }
        }
    }
}

/// Would catch an attack that changes the loss less than the best step on a linear model does: the
/// margin between two classes falls by eps times the dual norm of its gradient. (In L2 the steps of
/// PGD turn towards the best point, and are not quite there after forty; in L1 APGD stays with a mixture
/// of the two largest gradients.)
#[test]
fn two_linear_classes_are_attacked_as_well_as_can_be() {
    let shape = [3, 3, 5, 5];
    // In the middle of the box, so that the ball lies inside of it.
    let x = Tensor::full(shape, 0.5, super::CPU);
    let model = Linear::new(shape, 2);
    let y = super::labels(&model, &x);
    let margin = |x: &Tensor| loss::margins(&model.logits(x).unwrap(), &y).unwrap();
    for spec in [&fgsm::SPEC, &pgd::SPEC, &apgd::CE, &apgd::DLR, &apgd::TARGETED] {
        for &norm in spec.norms {
            let threat = Threat::new(norm, "0.1".parse().unwrap()).unwrap();
            let settings = Settings::resolve(spec.id, spec.settings, &[]).unwrap();
            let attack = plan(spec, threat, 2, &settings).unwrap().attack;
            let candidates = Case::new(spec, attack.as_ref(), &model, (&x, &y)).run_in_ball();
            let lowest = candidates.iter().map(&margin).reduce(|a, b| a.minimum(&b)).unwrap();
            let falls = Vec::<f64>::try_from(margin(&x) - lowest).unwrap();
            for (row, fall) in falls.into_iter().enumerate() {
                let label = y.int64_value(&[row as i64]);
                let best = 0.1 * model.falls(norm, label).double_value(&[0]);
                let off = if norm == Norm::L1 { 0.03 } else { 2e-3 };
                assert!((fall - best).abs() < off * best, "{} {norm}: {fall} of {best}", spec.id);
            }
        }
    }
}
