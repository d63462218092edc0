//! PGD against torchattacks, in L1 against foolbox's steps, iterate by iterate.

use resilience::attack::State;
use resilience::attack::pgd::{Iterate, Run};
use resilience::loss::Objective;
use resilience::model::Oracle;
use serde_json::Value;

use super::attack_network::{Small, assert_digest, flat, images, rows, threat};
use super::{assert_close, fixture, numbers};

/// Would catch another gradient, momentum, direction, length of step, projection or order of projection and
/// clipping, a candidate that is not the next iterate, and logits of another point.
#[test]
fn every_iterate_is_that_of_the_references() {
    // The library adds 1e-10 to the length of an L2 gradient.
    for (name, tolerance) in [("linf", 1e-12), ("momentum", 1e-12), ("l2", 1e-9), ("l1", 1e-9)] {
        let expected = fixture(&format!("pgd/{name}.json"));
        let model = Small::new(8);
        let oracle = Oracle::new(&model, 128, 1, None);
        let rows = rows(&model, 8, &expected, &Value::Null);
        let threat = threat(&expected);
        let steps = expected["steps"].as_u64().unwrap() as u32;
        let run = Run {
            threat,
            step_size: expected["step_size"].as_f64().unwrap() / threat.eps().value(),
            decay: expected["decay"].as_f64().unwrap_or(0.0),
            steps,
            objective: Objective::CrossEntropy,
            sparsity: expected["sparsity"].as_f64().unwrap_or(0.0),
        };
        let mut iterate = Iterate::begin(run, &rows, images(&expected["start"], 8)).unwrap();
        let iterates = expected["iterates"].as_array().unwrap();
        assert_eq!(iterates.len(), steps as usize + 1);
        let mut last = None;
        for (step, digest) in iterates.iter().enumerate() {
            let found = iterate.step(&oracle).unwrap();
            assert_digest(&format!("{name} {step}"), &found.images, digest, tolerance);
            last = Some(found);
        }
        let last = last.unwrap();
        assert_close(name, &flat(&last.images), &numbers(&expected["last"]), tolerance);
        let after = last.logits.unwrap().argmax(1, false);
        assert_close(name, &flat(&after), &numbers(&expected["after"]), 0.0);
    }
}
