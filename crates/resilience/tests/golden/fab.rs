//! FAB and its projections against their authors' implementation.

use resilience::attack::State;
use resilience::attack::fab::{Iterate, Run};
use resilience::geometry::{self, Approach};
use resilience::model::Oracle;
use resilience_core::threat::{Eps, Norm, Threat};
use tch::{Device, Kind, Tensor};

use super::attack_network::{Small, assert_digest, flat, images, norm, rows};
use super::{assert_close, fixture, numbers};

const TOLERANCE: f64 = 1e-9;
const DOUBLE: (Kind, Device) = (Kind::Double, Device::Cpu);

/// Would catch another class, hyperplane, weight of the clean image, overshoot or way back, a
/// targeted run that is untargeted, and candidates that are not the points before the way back.
#[test]
fn every_iterate_is_that_of_the_authors() {
    for name in ["linf", "l2", "l1"] {
        let expected = fixture(&format!("fab/{name}.json"));
        let model = Small::new(8);
        let oracle = Oracle::new(&model, 128, 1, None);
        let real = |key: &str| expected[key].as_f64().unwrap();
        for (number, recorded) in expected["runs"].as_array().unwrap().iter().enumerate() {
            let rows = rows(&model, 8, &expected, &recorded["targets"]);
            let run = Run {
                threat: Threat::new(norm(&expected), Eps::new(0.1).unwrap()).unwrap(),
                steps: recorded["steps"].as_u64().unwrap() as u32,
                alpha_max: real("alpha_max"),
                eta: real("eta"),
                beta: real("beta"),
                classes: 10,
            };
            let start = match &recorded["start"] {
                values if values.is_array() => images(values, 8),
                _ => rows.images.shallow_clone(),
            };
            let mut iterate = Iterate::begin(run, &rows, start);
            let mut nearest = rows.images.shallow_clone();
            let mut distance = Tensor::full([rows.labels.size()[0]], f64::INFINITY, DOUBLE);
            for step in 0..run.steps as usize {
                let at = format!("{name}, run {number}, step {step}");
                assert_digest(&at, iterate.current(), &recorded["iterates"][step], TOLERANCE);
                let found = iterate.step(&oracle).unwrap();
                let digest = &recorded["candidates"][step];
                assert_digest(&at, &found.images, digest, TOLERANCE);
                let predicted = found.logits.unwrap().argmax(1, false);
                let theirs = numbers(&recorded["predictions"][step]);
                assert_close(&at, &flat(&predicted), &theirs, 0.0);
                let away =
                    geometry::distance(run.threat.norm(), &found.images, &rows.images).unwrap();
                let nearer = away.lt_tensor(&distance);
                let nearer = nearer.logical_and(&predicted.not_equal_tensor(&rows.labels));
                distance = away.where_self(&nearer, &distance);
                nearest = found.images.where_self(&nearer.view([-1, 1, 1, 1]), &nearest);
            }
            let at = format!("{name}, run {number}");
            assert_close(&at, &flat(&nearest), &numbers(&recorded["adversarial"]), TOLERANCE);
            assert_close(&at, &flat(&distance), &numbers(&recorded["distances"]), TOLERANCE);
        }
    }
}

/// Would catch a branch of the projection that is wrong: free, clipped by the box, out of reach, on
/// the plane already, with weights that are zero or tiny.
#[test]
fn projections_are_those_of_the_authors() {
    let expected = fixture("fab/projections.json");
    let matrix = |key: &str| Tensor::from_slice(&numbers(&expected[key])).view([13, 1, 1, 16]);
    let (points, normals) = (matrix("points"), matrix("normals"));
    let offsets = Tensor::from_slice(&numbers(&expected["offsets"]));
    let at = (&normals * &points).sum_dim_intlist([1, 2, 3].as_slice(), false, Kind::Double);
    let excess = at - offsets;
    for norm in Norm::ALL {
        // A step as far as the plane, which the origin has no part in.
        let (origins, current) = (&points, &points);
        let from = Approach { norm, origins, current, alpha_max: 0.0, eta: 1.0 };
        let found = geometry::approach(&from, &normals, &excess).unwrap() - &points;
        let theirs = &expected[norm.name()];
        for (row, branch) in theirs["branches"].as_array().unwrap().iter().enumerate() {
            let at = format!("{norm}, case {row}, {branch}");
            let steps = numbers(&theirs["steps"][row]);
            assert_close(&at, &flat(&found.get(row as i64)), &steps, TOLERANCE);
        }
    }
}
