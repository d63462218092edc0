//! Optimisers, learning rates and weight averages against PyTorch, in float64.

use resilience::layer::Parameter;
use resilience::optim::Optimiser;
use resilience::train::kept;
use resilience_core::method::{Optimiser as Rule, Schedule};
use tch::{Kind, Tensor};

use super::{assert_close, fixture, formula, numbers};

/// A name, a rule, and the factor of its learning rate at each step.
type Case = (&'static str, Rule, fn(u64) -> f64);

const SHAPES: [&[i64]; 3] = [&[5, 3, 2, 2], &[7], &[4, 6]];

fn tensor(stream: u64, shape: &[i64]) -> Tensor {
    let n = shape.iter().product::<i64>() as usize;
    Tensor::from_slice(&formula::signed(stream, n)).view(shape)
}

/// Would catch another momentum, decay, bias correction or order of the parts of a step.
#[test]
fn every_step_agrees_with_pytorch() {
    let expected = fixture("optimiser/optimiser.json");
    let sgd = |momentum, nesterov, weight_decay| Rule::Sgd {
        learning_rate: 0.1,
        momentum,
        nesterov,
        weight_decay,
    };
    let adam = |weight_decay| Rule::Adam { learning_rate: 1e-3, weight_decay };
    let constant = |_: u64| 1.0;
    let falling = |step: u64| 1.0 / (step + 1) as f64;
    let cases: [Case; 7] = [
        ("sgd", sgd(0.0, false, 0.0), constant),
        ("sgd-momentum", sgd(0.9, false, 0.0), constant),
        ("sgd-nesterov-decay", sgd(0.9, true, 5e-4), constant),
        ("sgd-momentum-rates", sgd(0.9, false, 0.0), falling),
        ("adam", adam(0.0), constant),
        ("adam-decay", adam(5e-4), constant),
        ("adamw", Rule::Adamw { learning_rate: 1e-3, weight_decay: 0.01 }, constant),
    ];
    for (name, rule, factor) in cases {
        let parameters: Vec<Parameter> = (0..)
            .zip(SHAPES)
            .map(|(p, shape)| Parameter {
                name: format!("p{p}"),
                tensor: tensor(p, shape).set_requires_grad(true),
                trainable: true,
                needed: true,
            })
            .collect();
        let mut optimiser = Optimiser::new(parameters.iter(), rule).unwrap();
        for (s, step) in (0..).zip(expected[name]["steps"].as_array().unwrap()) {
            for (p, parameter) in (0..).zip(&parameters) {
                let gradient = tensor(100 * (s + 1) + p, SHAPES[p as usize]);
                (&parameter.tensor * gradient).sum(Kind::Double).backward();
            }
            optimiser.step(factor(s)).unwrap();
            for (p, parameter) in (0..).zip(&parameters) {
                let found = formula::digest(&parameter.tensor, 3000 + p);
                let expected = formula::expected_digest(&step["digests"][p as usize]);
                assert_close(&format!("{name}, step {s}, {p}"), &found, &expected, 1e-12);
            }
        }
    }
}

/// Would catch a corner that lies a step off, or another curve between corners.
#[test]
fn every_learning_rate_agrees_with_pytorch() {
    let expected = fixture("optimiser/schedule.json");
    for (name, schedule) in [
        ("constant", Schedule::Constant {}),
        ("piecewise", Schedule::Piecewise { epochs: vec![5, 8], factor: 0.1 }),
        ("cosine", Schedule::Cosine {}),
        ("cyclic", Schedule::Cyclic { peak: 0.5 }),
        ("one-cycle-0.025", Schedule::OneCycle { peak: 0.025 }),
        ("one-cycle-0.3", Schedule::OneCycle { peak: 0.3 }),
    ] {
        let found: Vec<f64> = (0..70).map(|step| 0.2 * schedule.factor(step, 7, 10)).collect();
        assert_close(name, &found, &numbers(&expected[name]), 1e-14);
    }
}

/// Would catch another share that is kept, or one that is counted from another step.
#[test]
fn averages_agree_with_the_reference() {
    let expected = fixture("optimiser/ema.json");
    let after = numbers(&expected["after"]);
    let weights = |step: u64| -> Vec<f64> {
        let of = |(p, shape): (u64, &[i64])| {
            formula::signed(900 + 3 * step + p, shape.iter().product::<i64>() as usize)
        };
        (0..).zip(SHAPES).flat_map(of).collect()
    };
    for variant in ["immediate", "warm-up-5", "tau-0.6"] {
        let case = &expected[variant];
        let (tau, warm_up) = (case["tau"].as_f64().unwrap(), case["warm_up"].as_u64().unwrap());
        let mut average = weights(0);
        let mut seen = 0;
        for step in 1..=30 {
            let keep = if step <= warm_up { 0.0 } else { kept(tau, step - warm_up - 1) };
            for (average, weight) in average.iter_mut().zip(weights(step)) {
                *average = keep * *average + (1.0 - keep) * weight;
            }
            if after.contains(&(step as f64)) {
                let what = format!("{variant}, step {step}");
                assert_close(&what, &average, &numbers(&case["values"][seen]), 1e-13);
                seen += 1;
            }
        }
        assert_eq!(seen, after.len());
    }
}
