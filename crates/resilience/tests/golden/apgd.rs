//! APGD against its authors' implementation, iterate by iterate.

use resilience::attack::apgd::{Iterate, Run, Shrinking, Start};
use resilience::attack::{Rows, State};
use resilience::loss::Objective;
use resilience::model::Oracle;
use serde_json::Value;
use tch::{Kind, Tensor};

use super::attack_network::{Small, assert_digest, flat, images, rows, threat};
use super::{assert_close, fixture, numbers};

const TOLERANCE: f64 = 1e-9;

const LOSSES: [(&str, Objective); 3] = [
    ("ce", Objective::CrossEntropy),
    ("dlr", Objective::Dlr),
    ("dlr-targeted", Objective::DlrTargeted),
];

/// Would catch another loss, momentum, step size, checkpoint or rule of halving, a way back to
/// another point than the best, and a candidate or logits that are not the iterate's.
#[test]
fn every_iterate_is_that_of_the_authors() {
    for norm in ["linf", "l2"] {
        for (loss, objective) in LOSSES {
            assert_same(&format!("{norm}-{loss}"), objective);
        }
    }
}

/// Would catch, in L1, another share of numbers that a step changes, at the start or later, another
/// length of it, another checkpoint or rule of going back, and another way through the larger balls.
/// One run begins at a point that was found, one at a drawn one, and one at three times the radius.
#[test]
fn every_sparse_iterate_is_that_of_the_authors() {
    for ((loss, objective), begin) in LOSSES.into_iter().zip(["found", "drawn", "shrinking"]) {
        let name = format!("l1-{loss}");
        assert_eq!(fixture(&format!("apgd/{name}.json"))["begin"], begin);
        assert_same(&name, objective);
    }
}

/// Fails unless the run of a fixture goes as it says.
fn assert_same(name: &str, objective: Objective) {
    let expected = fixture(&format!("apgd/{name}.json"));
    assert!(name.ends_with(expected["loss"].as_str().unwrap()));
    let model = Small::new(8);
    let rows = rows(&model, 8, &expected, &expected["targets"]);
    assert_eq!(rows.targets.is_some(), objective == Objective::DlrTargeted);
    let run = Run {
        threat: threat(&expected),
        steps: expected["steps"].as_u64().unwrap() as u32,
        rho: expected["rho"].as_f64().unwrap(),
        objective,
        start: if expected["begin"] == "drawn" { Start::Drawn } else { Start::Found },
    };
    let best_loss = if expected["begin"] == "shrinking" {
        let noise = images(&expected["draws"], 8);
        let mut round = Shrinking::begin(run, &rows, &noise).unwrap();
        follow(name, &expected, &model, &rows, objective, &mut round);
        flat(round.best_loss())
    } else {
        let mut round = Iterate::begin(run, &rows, images(&expected["start"], 8)).unwrap();
        follow(name, &expected, &model, &rows, objective, &mut round);
        flat(round.best_loss())
    };
    assert_close(name, &best_loss, &numbers(&expected["best_loss"]), TOLERANCE);
}

/// Fails unless every step is that of the fixture.
fn follow(
    name: &str,
    expected: &Value,
    model: &Small,
    rows: &Rows,
    objective: Objective,
    round: &mut dyn State,
) {
    let oracle = Oracle::new(model, 128, 1, None);
    let mut robust = rows.labels.ones_like().to_kind(Kind::Bool);
    let mut last = Tensor::new();
    for (step, digest) in expected["iterates"].as_array().unwrap().iter().enumerate() {
        let at = format!("{name} {step}");
        let found = round.step(&oracle).unwrap();
        assert_digest(&at, &found.images, digest, TOLERANCE);
        let logits = found.logits.unwrap();
        let targets = rows.targets.as_ref().unwrap_or(&rows.labels);
        let losses = objective.values(&logits, &rows.labels, targets).unwrap();
        assert_close(&at, &flat(&losses), &numbers(&expected["losses"][step]), TOLERANCE);
        let correct = logits.argmax(1, false).eq_tensor(&rows.labels);
        assert_close(&at, &flat(&correct), &numbers(&expected["correct"][step]), 0.0);
        if round.reach() <= 1.0 {
            robust = robust.logical_and(&correct);
        }
        last = found.images;
    }
    assert_close(name, &flat(&last), &numbers(&expected["last"]), TOLERANCE);
    assert_close(name, &flat(&robust), &numbers(&expected["robust"]), 0.0);
}
