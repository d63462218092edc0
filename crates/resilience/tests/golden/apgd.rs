//! APGD against its authors' implementation, iterate by iterate.

use resilience::attack::State;
use resilience::attack::apgd::{Iterate, Run};
use resilience::loss::Objective;
use resilience::model::Oracle;
use tch::{Kind, Tensor};

use super::attack_network::{Small, assert_digest, flat, images, rows, threat};
use super::{assert_close, fixture, numbers};

const TOLERANCE: f64 = 1e-9;

/// Would catch another loss, momentum, step size, checkpoint or rule of halving, a way back to
/// another point than the best, and a candidate or logits that are not the iterate's.
#[test]
fn every_iterate_is_that_of_the_authors() {
    for norm in ["linf", "l2"] {
        for (loss, objective) in [
            ("ce", Objective::CrossEntropy),
            ("dlr", Objective::Dlr),
            ("dlr-targeted", Objective::DlrTargeted),
        ] {
            let name = format!("{norm}-{loss}");
            let expected = fixture(&format!("apgd/{name}.json"));
            assert_eq!(expected["loss"], *loss);
            let model = Small::new(8);
            let oracle = Oracle::new(&model, 128, 1, None);
            let rows = rows(&model, 8, &expected, &expected["targets"]);
            assert_eq!(rows.targets.is_some(), objective == Objective::DlrTargeted);
            let run = Run {
                threat: threat(&expected),
                steps: expected["steps"].as_u64().unwrap() as u32,
                rho: expected["rho"].as_f64().unwrap(),
                objective,
            };
            let mut iterate = Iterate::begin(run, &rows, images(&expected["start"], 8)).unwrap();
            let iterates = expected["iterates"].as_array().unwrap();
            assert_eq!(iterates.len(), run.steps as usize + 1);
            let mut robust = rows.labels.ones_like().to_kind(Kind::Bool);
            let mut last = Tensor::new();
            for (step, digest) in iterates.iter().enumerate() {
                let at = format!("{name} {step}");
                let found = iterate.step(&oracle).unwrap();
                assert_digest(&at, &found.images, digest, TOLERANCE);
                let logits = found.logits.unwrap();
                let targets = rows.targets.as_ref().unwrap_or(&rows.labels);
                let losses = objective.values(&logits, &rows.labels, targets).unwrap();
                let theirs = numbers(&expected["losses"][step]);
                assert_close(&at, &flat(&losses), &theirs, TOLERANCE);
                let correct = logits.argmax(1, false).eq_tensor(&rows.labels);
                assert_close(&at, &flat(&correct), &numbers(&expected["correct"][step]), 0.0);
                robust = robust.logical_and(&correct);
                last = found.images;
            }
            assert_close(&name, &flat(&last), &numbers(&expected["last"]), TOLERANCE);
            let best = numbers(&expected["best_loss"]);
            assert_close(&name, &flat(iterate.best_loss()), &best, TOLERANCE);
            assert_close(&name, &flat(&robust), &numbers(&expected["robust"]), 0.0);
        }
    }
}
