//! Where candidates may be.

use resilience::EngineError;
use resilience::attack::{Search, square};
use resilience::geometry;
use resilience::settings::Range;
use resilience_core::threat::{Norm, Threat};
use tch::Tensor;

use super::{Case, Linear, cases, cheap, images, labels, plan, planned, threat};

const SHAPES: [[i64; 4]; 4] = [[1, 3, 5, 7], [3, 1, 4, 4], [8, 3, 3, 2], [2, 2, 7, 5]];

/// The grid that Square begins with in L2 and L1 needs five pixels a side.
fn too_small(id: &str, norm: Norm, shape: [i64; 4]) -> bool {
    id == square::SPEC.id && norm != Norm::Linf && shape[2].min(shape[3]) < 5
}

/// Fails unless the candidates are where the attack may propose some.
fn assert_allowed(
    search: Search,
    threat: Threat,
    candidates: &[(Tensor, f64)],
    x: &Tensor,
    at: &str,
) {
    let last = candidates.last().unwrap().1;
    assert!((last - 1.0).abs() < 1e-12, "{at}: a round ends {last} times as far");
    for (step, (found, reach)) in candidates.iter().enumerate() {
        assert_eq!(found.size(), x.size(), "{at}");
        let inside = geometry::in_box(found).unwrap().all().int64_value(&[]);
        assert_eq!(inside, 1, "{at}, candidate {step}");
        let farthest = geometry::distance(threat.norm(), found, x).unwrap().max();
        let (farthest, eps) = (farthest.double_value(&[]), threat.eps().value());
        let within = search == Search::MinimumNorm || farthest <= reach * eps + geometry::TOLERANCE;
        assert!(within, "{at}, candidate {step}: {farthest}");
    }
}

/// Would catch a start or step that leaves the ball or the box, for odd shapes and a single image
/// too, and small images that make an attack panic.
#[test]
fn candidates_stay_in_the_ball_and_the_box() {
    for (spec, norm) in cases() {
        for shape in SHAPES {
            let (model, x) = (Linear::new(shape, 3), images(shape));
            let y = labels(&model, &x);
            for eps in ["1/255", "0.1", "0.9"] {
                let threat = threat(norm, eps);
                let attack = planned(spec, threat);
                let case = Case::new(spec, attack.as_ref(), &model, (&x, &y));
                let at = format!("{} {threat} {shape:?}", spec.id);
                if too_small(spec.id, norm, shape) {
                    let refused = case.round(0).unwrap_err();
                    assert!(matches!(refused, EngineError::Input { .. }), "{at}: {refused}");
                    continue;
                }
                assert_allowed(spec.search, threat, &case.run_reaching(), &x, &at);
            }
        }
    }
}

/// Would catch arithmetic in f32 that carries a candidate farther out of a large ball than is
/// tolerated.
#[test]
fn large_balls_of_many_pixels_are_kept_too() {
    for (spec, norm) in cases() {
        let shape = [2, 3, 64, 64];
        let (model, x) = (Linear::new(shape, 3), images(shape));
        let y = labels(&model, &x);
        let threat = threat(norm, if norm == Norm::Linf { "1" } else { "20" });
        let attack = planned(spec, threat);
        let case = Case::new(spec, attack.as_ref(), &model, (&x, &y));
        assert_allowed(
            spec.search,
            threat,
            &case.run_reaching(),
            &x,
            &format!("{} {threat}", spec.id),
        );
    }
}

/// Would catch a setting at the edge of its range that is a division by zero or leaves the ball.
#[test]
fn settings_at_their_edges_keep_the_ball() {
    let shape = [2, 3, 6, 5];
    let (model, x) = (Linear::new(shape, 3), images(shape));
    let y = labels(&model, &x);
    for (spec, norm) in cases() {
        for setting in spec.settings {
            let edges = match setting.value {
                Range::Count(_, low, _) => vec![low.to_string()],
                Range::Real(_, low, high) => vec![low.to_string(), high.to_string()],
                Range::Choice(words) => words.iter().map(|&word| word.to_owned()).collect(),
            };
            for edge in edges {
                let threat = threat(norm, "0.1");
                let settings = cheap(spec, &[(setting.name, &edge)]);
                let attack = plan(spec, threat, 3, &settings).unwrap().attack;
                let case = Case::new(spec, attack.as_ref(), &model, (&x, &y));
                let at = format!("{} {threat}, {} {edge}", spec.id, setting.name);
                assert_allowed(spec.search, threat, &case.run_reaching(), &x, &at);
            }
        }
    }
}

/// Would catch a radius of nearly nothing that changes an image.
#[test]
fn a_vanishing_eps_is_the_identity() {
    let shape = [3, 3, 5, 6];
    let (model, x) = (Linear::new(shape, 3), images(shape));
    let y = labels(&model, &x);
    for (spec, norm) in cases().filter(|(spec, _)| spec.search == Search::WithinBall) {
        let attack = planned(spec, threat(norm, "1e-12"));
        let case = Case::new(spec, attack.as_ref(), &model, (&x, &y));
        for found in case.run() {
            let moved = (found - &x).abs().max().double_value(&[]);
            assert!(moved <= 1e-7, "{} {norm}: {moved}", spec.id);
        }
    }
}

/// Would catch NaN or an error where the gradient is zero, whether all logits are the same or the
/// label's is far above the others.
#[test]
fn a_zero_gradient_gives_finite_images() {
    let shape = [2, 3, 5, 5];
    let (x, y) = (images(shape), Tensor::from_slice(&[0_i64, 0]));
    for logits in [[0.0; 4], [100.0, 0.0, 0.0, 0.0], [1.0, 0.0, 0.5, -3.0]] {
        let model = Linear::constant(shape, &logits);
        for (spec, norm) in cases() {
            let threat = threat(norm, "0.1");
            let attack = plan(spec, threat, 4, &cheap(spec, &[])).unwrap().attack;
            let case = Case::new(spec, attack.as_ref(), &model, (&x, &y));
            let at = format!("{} {norm} {logits:?}", spec.id);
            assert_allowed(spec.search, threat, &case.run_reaching(), &x, &at);
        }
    }
}
