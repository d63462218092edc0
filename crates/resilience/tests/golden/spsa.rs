//! SPSA against torchattacks, iterate by iterate.

use resilience::attack::spsa::{Iterate, Run};
use resilience::model::Oracle;
use serde_json::Value;
use tch::{Kind, Tensor};

use super::attack_network::{Small, assert_digest, flat, rows, threat};
use super::{assert_close, fixture, formula, numbers};

const TOLERANCE: f64 = 1e-9;

/// The directions of a step, which the reference gives to all of so many images: `[samples n,3,8,8]`.
fn directions(step: usize, samples: usize, n: i64) -> Tensor {
    let numbers = formula::signed(8500 + step as u64, samples * 192);
    let signs = Tensor::from_slice(&numbers).ge(0.0).to_kind(Kind::Double) * 2.0 - 1.0;
    signs.view([samples as i64, 1, 192]).repeat([1, n, 1]).view([-1, 3, 8, 8])
}

/// Would catch another loss, quotient of differences, mean, constant of Adam, rate, projection or order of
/// projection and clipping, directions in another order, and logits of another point.
#[test]
fn every_iterate_is_that_of_the_reference() {
    for name in ["linf", "l2"] {
        let expected = fixture(&format!("spsa/{name}.json"));
        let model = Small::new(8);
        let oracle = Oracle::new(&model, 10, 1, None);
        let rows = rows(&model, 8, &expected, &Value::Null);
        let threat = threat(&expected);
        let real = |key: &str| expected[key].as_f64().unwrap();
        let run = Run {
            threat,
            steps: real("steps") as u32,
            samples: real("samples") as u32,
            delta: real("delta"),
            step_size: real("step_size") / if name == "linf" { threat.eps().value() } else { 1.0 },
            sparsity: 0.0,
        };
        let n = rows.labels.size()[0];
        let mut iterate = Iterate::begin(run, &rows).unwrap();
        let iterates = expected["iterates"].as_array().unwrap();
        assert_eq!(iterates.len(), run.steps as usize);
        let mut last = None;
        for (step, digest) in iterates.iter().enumerate() {
            let all = directions(step, run.samples as usize, n);
            let mut given = 0;
            let mut draw = |count: u32| {
                let part = all.narrow(0, given, i64::from(count) * n);
                given += i64::from(count) * n;
                Ok(part)
            };
            let found = iterate.step(&oracle, &mut draw).unwrap();
            assert_eq!(given, all.size()[0], "directions that were asked for");
            assert_digest(&format!("{name} {step}"), &found.images, digest, TOLERANCE);
            last = Some(found);
        }
        let last = last.unwrap();
        assert_close(name, &flat(&last.images), &numbers(&expected["last"]), TOLERANCE);
        let after = last.logits.unwrap().argmax(1, false);
        assert_close(name, &flat(&after), &numbers(&expected["after"]), 0.0);
    }
}
