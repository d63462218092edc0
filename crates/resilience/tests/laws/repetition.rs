//! What a result may depend on: the seed and the image, and nothing else.

use resilience::attack::fab;
use resilience::geometry;
use resilience::loss;
use resilience::model::{Classifier, Oracle};
use resilience::rows::select;
use resilience_core::threat::{Norm, Threat};
use tch::{Kind, Tensor};

use super::{Case, Linear, apart, cases, cheap, images, labels, plan, planned, rounding, threat};

const SHAPES: [[i64; 4]; 3] = [[5, 3, 5, 7], [3, 1, 6, 5], [9, 2, 9, 5]];

/// Would catch randomness that is not keyed, and a seed that is not used.
#[test]
fn the_seed_decides() {
    let shape = [3, 3, 5, 5];
    let (model, x) = (Linear::new(shape, 3), images(shape));
    let y = labels(&model, &x);
    for (spec, norm) in cases() {
        let attack = planned(spec, threat(norm, "0.1"));
        let case = Case::new(spec, attack.as_ref(), &model, (&x, &y));
        let (first, again) = (case.run(), case.run());
        assert!(first == again, "{} {norm}", spec.id);
        let other = apart(&first, &Case { seed: 1, ..case }.run());
        // Restarts would be the same without draws.
        let draws = spec.settings.iter().any(|setting| setting.name == "restarts");
        assert_eq!(other > 1e-3, draws, "{} {norm}: {other}", spec.id);
    }
}

/// Would catch a restart that repeats the one before.
#[test]
fn every_restart_draws_anew() {
    let shape = [3, 3, 5, 5];
    let (model, x) = (Linear::new(shape, 3), images(shape));
    let y = labels(&model, &x);
    let restarts = |spec: &resilience::attack::AttackSpec| {
        spec.settings.iter().any(|setting| setting.name == "restarts")
    };
    for (spec, norm) in cases().filter(|(spec, _)| restarts(spec)) {
        let attack = planned(spec, threat(norm, "0.1"));
        let case = Case::new(spec, attack.as_ref(), &model, (&x, &y));
        let rounds = attack.rounds();
        let first = case.round(0).unwrap();
        let second = case.round(rounds / 2).unwrap();
        assert_eq!(attack.target_rank(0), attack.target_rank(rounds / 2), "{}", spec.id);
        assert!(apart(&first, &second) > 1e-3, "{} {norm}", spec.id);
    }
}

/// Would catch a result that depends on which images share a batch.
#[test]
fn a_batch_is_attacked_as_its_images_alone() {
    for (spec, norm) in cases() {
        for shape in SHAPES {
            let (model, x) = (Linear::new(shape, 3), images(shape));
            let y = labels(&model, &x);
            let attack = planned(spec, threat(norm, "0.1"));
            let together = Case::new(spec, attack.as_ref(), &model, (&x, &y)).run();
            for row in [0, 2, shape[0] - 1] {
                let (x, y) = (x.narrow(0, row, 1), y.narrow(0, row, 1));
                let case = Case::new(spec, attack.as_ref(), &model, (&x, &y));
                let alone = Case { first: row as u64, ..case }.run();
                let together: Vec<_> = together.iter().map(|all| all.narrow(0, row, 1)).collect();
                let apart = apart(&together, &alone);
                assert!(apart < rounding(spec), "{} {norm} {shape:?} row {row}: {apart}", spec.id);
            }
        }
    }
}

/// Would catch state that does not lose its rows, or loses others, when images leave in the middle
/// of a round.
#[test]
fn images_that_leave_do_not_disturb_the_others() {
    let shape = [6, 3, 5, 6];
    let (model, x) = (Linear::new(shape, 3), images(shape));
    let y = labels(&model, &x);
    for (spec, norm) in cases() {
        let attack = planned(spec, threat(norm, "0.1"));
        let case = Case::new(spec, attack.as_ref(), &model, (&x, &y));
        for round in 0..attack.rounds() {
            let whole = case.round(round).unwrap();
            let oracle = Oracle::new(&model, 4, 1, None);
            let mut state = attack.start(&case.rows(round)).unwrap();
            // Rows leave before these steps, by place among those that are left.
            let leaving: [(usize, &[usize]); 3] = [(1, &[1, 4]), (3, &[0]), (6, &[1, 2])];
            let mut left: Vec<i64> = (0..shape[0]).collect();
            for (step, whole) in whole.iter().enumerate() {
                if let Some((_, gone)) = leaving.iter().find(|(at, _)| *at == step) {
                    let kept: Vec<usize> =
                        (0..left.len()).filter(|place| !gone.contains(place)).collect();
                    let places: Vec<i64> = kept.iter().map(|&place| place as i64).collect();
                    let places = Tensor::from_slice(&places);
                    for tensor in state.tensors() {
                        *tensor = select(tensor, &places).unwrap();
                    }
                    state.keep(&kept);
                    left = kept.iter().map(|&place| left[place]).collect();
                }
                let found = state.step(&oracle).unwrap().images;
                let expected = whole.index_select(0, &Tensor::from_slice(&left));
                let apart = apart(&[found], &[expected]);
                assert!(
                    apart < rounding(spec),
                    "{} {norm} round {round} step {step}: {apart}",
                    spec.id
                );
            }
        }
    }
}

/// Which images have a misclassified candidate in the ball.
fn broken(case: &Case, threat: Threat) -> Vec<bool> {
    let mut broken = case.labels.zeros_like().to_kind(Kind::Bool);
    for found in case.run() {
        let margins = loss::margins(&case.model.logits(&found).unwrap(), case.labels).unwrap();
        let distance = geometry::distance(threat.norm(), &found, case.images).unwrap();
        let near = distance.le(threat.eps().value() + geometry::TOLERANCE);
        broken = broken.logical_or(&margins.le(0.0).logical_and(&near));
    }
    Vec::try_from(broken).unwrap()
}

/// Would catch restarts that take the place of earlier ones instead of adding to them.
#[test]
fn more_restarts_never_hurt() {
    let shape = [24, 3, 5, 5];
    let (model, x) = (Linear::new(shape, 3), images(shape));
    let y = labels(&model, &x);
    let mut gained = 0;
    for (spec, norm) in cases() {
        let threat = threat(norm, if norm == Norm::Linf { "0.1" } else { "0.5" });
        let with = |restarts: &str| {
            let settings = cheap(spec, &[("restarts", restarts), ("steps", "2")]);
            let attack = plan(spec, threat, 3, &settings).unwrap().attack;
            broken(&Case::new(spec, attack.as_ref(), &model, (&x, &y)), threat)
        };
        let (one, three) = (with("1"), with("3"));
        let lost = one.iter().zip(&three).any(|(one, three)| *one && !three);
        assert!(!lost, "{} {norm}: {one:?} {three:?}", spec.id);
        gained += one.iter().zip(&three).filter(|(one, three)| one != three).count();
    }
    assert!(gained > 0, "no restart found anything");
}

/// Would catch a minimum-norm attack whose first round is not from the clean image.
#[test]
fn the_first_rounds_of_fab_begin_at_the_clean_image() {
    let shape = [3, 3, 5, 5];
    let (model, x) = (Linear::new(shape, 3), images(shape));
    let y = labels(&model, &x);
    for (spec, norm) in cases() {
        let first = match spec.id {
            id if id == fab::SPEC.id => 1,
            id if id == fab::TARGETED.id => 2,
            _ => continue,
        };
        let attack = planned(spec, threat(norm, "0.1"));
        let case = Case::new(spec, attack.as_ref(), &model, (&x, &y));
        let other = Case { seed: 1, ..Case::new(spec, attack.as_ref(), &model, (&x, &y)) };
        for round in 0..attack.rounds() {
            let apart = apart(&case.round(round).unwrap(), &other.round(round).unwrap());
            assert_eq!(apart > 1e-3, round >= first, "{} {norm} {round}", spec.id);
        }
    }
}
