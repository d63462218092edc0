//! `DeepFool` against foolbox, iterate by iterate.

use resilience::attack::State;
use resilience::attack::deepfool::{Iterate, Run};
use resilience::model::Oracle;
use resilience_core::threat::{Eps, Threat};
use serde_json::Value;

use super::attack_network::{Small, assert_digest, flat, norm, rows};
use super::{assert_close, fixture, numbers};

/// The library adds 1e-8 to the lengths that it divides by, and we to one of them only.
const TOLERANCE: f64 = 1e-8;

/// Would catch another class, distance, direction, overshoot or sum of the ways, a misclassified image that
/// moves on, and a candidate that is not the point where the gradients are taken.
#[test]
fn every_iterate_is_that_of_foolbox() {
    for name in ["linf", "l2"] {
        let expected = fixture(&format!("deepfool/{name}.json"));
        let model = Small::new(8);
        let oracle = Oracle::new(&model, 128, 1, None);
        let rows = rows(&model, 8, &expected, &Value::Null);
        for (number, recorded) in expected["runs"].as_array().unwrap().iter().enumerate() {
            let run = Run {
                threat: Threat::new(norm(&expected), Eps::new(0.1).unwrap()).unwrap(),
                steps: recorded["steps"].as_u64().unwrap() as u32,
                others: recorded["candidates"].as_u64().unwrap() as u32 - 1,
                overshoot: recorded["overshoot"].as_f64().unwrap(),
            };
            let mut iterate = Iterate::begin(run, &rows).unwrap();
            let iterates = recorded["iterates"].as_array().unwrap();
            assert_eq!(iterates.len(), run.steps as usize + 1);
            let mut last = None;
            for (step, digest) in iterates.iter().enumerate() {
                let found = iterate.step(&oracle).unwrap();
                let at = format!("{name}, run {number}, step {step}");
                assert_digest(&at, &found.images, digest, TOLERANCE);
                last = Some(found);
            }
            let last = last.unwrap();
            assert_close(name, &flat(&last.images), &numbers(&recorded["last"]), TOLERANCE);
            let after = last.logits.unwrap().argmax(1, false);
            assert_close(name, &flat(&after), &numbers(&recorded["after"]), 0.0);
        }
    }
}
