//! The fast minimum-norm attack against foolbox, iterate by iterate.

use resilience::attack::State;
use resilience::attack::fmn::{Iterate, Run};
use resilience::geometry;
use resilience::model::Oracle;
use resilience_core::threat::{Eps, Threat};
use serde_json::Value;
use tch::{Device, Kind, Tensor};

use super::attack_network::{Small, assert_digest, flat, norm, rows};
use super::{assert_close, fixture, numbers};

const TOLERANCE: f64 = 1e-9;

/// Would catch another gradient, step, radius, schedule or projection, a radius that is not the image's own,
/// a candidate that is not the point where the gradient is taken, and logits of another point.
#[test]
fn every_iterate_is_that_of_foolbox() {
    for name in ["linf", "l2", "l1"] {
        let expected = fixture(&format!("fmn/{name}.json"));
        let model = Small::new(8);
        let oracle = Oracle::new(&model, 128, 1, None);
        let rows = rows(&model, 8, &expected, &Value::Null);
        let real = |key: &str| expected[key].as_f64().unwrap();
        let run = Run {
            threat: Threat::new(norm(&expected), Eps::new(0.1).unwrap()).unwrap(),
            steps: expected["steps"].as_u64().unwrap() as u32,
            step_size: real("step_size"),
            gamma: real("gamma"),
        };
        let mut iterate = Iterate::begin(run, &rows).unwrap();
        let mut nearest = rows.images.shallow_clone();
        let n = rows.labels.size()[0];
        let mut least = Tensor::full([n], f64::INFINITY, (Kind::Double, Device::Cpu));
        for step in 0..run.steps as usize {
            let at = format!("{name}, step {step}");
            let found = iterate.step(&oracle).unwrap();
            assert_digest(&at, &found.images, &expected["iterates"][step], TOLERANCE);
            let predicted = found.logits.unwrap().argmax(1, false);
            let theirs = numbers(&expected["predictions"][step]);
            assert_close(&at, &flat(&predicted), &theirs, 0.0);
            let away = geometry::distance(run.threat.norm(), &found.images, &rows.images).unwrap();
            let wrong = predicted.not_equal_tensor(&rows.labels);
            let nearer = away.lt_tensor(&least).logical_and(&wrong);
            least = away.where_self(&nearer, &least);
            nearest = found.images.where_self(&nearer.view([-1, 1, 1, 1]), &nearest);
        }
        assert_close(name, &flat(&nearest), &numbers(&expected["nearest"]), TOLERANCE);
        assert_close(name, &flat(&least), &numbers(&expected["distances"]), TOLERANCE);
    }
}
