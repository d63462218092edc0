//! Twenty float64 training steps of each recipe against PyTorch.

use resilience::batch::Batch;
use resilience::model::{Learner, Native, Normalise};
use resilience::optim::Adam;
use resilience::{recipe, zoo};
use resilience_core::format::array::{Array, ArrayData, StateDict};
use resilience_core::threat::{Norm, Threat};
use tch::Kind;

use super::{assert_close, fixture, formula, numbers};

/// Initial weights by formula, in the order of the state dict.
fn initial() -> StateDict {
    [
        ("conv1.weight", vec![32, 3, 3, 3], 27.0_f64),
        ("conv1.bias", vec![32], 27.0),
        ("conv2.weight", vec![64, 32, 3, 3], 288.0),
        ("conv2.bias", vec![64], 288.0),
        ("fc1.weight", vec![128, 4096], 4096.0),
        ("fc1.bias", vec![128], 4096.0),
        ("fc2.weight", vec![10, 128], 128.0),
        ("fc2.bias", vec![10], 128.0),
    ]
    .into_iter()
    .zip(0..)
    .map(|((name, shape, fan_in), p)| {
        let n = shape.iter().product();
        let bound = 1.0 / fan_in.sqrt();
        let values = formula::signed(p, n).into_iter().map(|value| value * bound).collect();
        (name.to_owned(), Array::new(shape, ArrayData::F64(values)).unwrap())
    })
    .collect()
}

/// Would catch another initial scale, loss, optimiser constant, order of attack and update, weight
/// gradient that is counted twice or not at all, or pass that serves the wrong purpose.
#[test]
fn twenty_steps_agree_with_pytorch() {
    for id in ["standard", "fgsm-joint"] {
        let expected = fixture(&format!("recipe/{id}.json"));
        let network = zoo::find("resilience-cnn").unwrap().build(0, Kind::Double).unwrap();
        network.load_state_dict(&initial()).unwrap();
        let normalise = Normalise::new(&[0.0; 3], &[1.0; 3], Kind::Double).unwrap();
        let model = Native::new(network, normalise);
        let mut learner = Learner::new(&model).unwrap();
        let mut adam = Adam::new(model.network().trainable(), 1e-3).unwrap();
        let threat = Threat::new(Norm::Linf, "0.1".parse().unwrap()).unwrap();
        let recipe = recipe::find(id).unwrap().plan(threat);
        for (step, losses) in expected["steps"].as_array().unwrap().iter().enumerate() {
            let batch = Batch {
                images: formula::images(1000 + step as u64, [16, 3, 32, 32]),
                labels: formula::labels(2000 + step as u64, 16),
            };
            let found = learner.learn(|lesson| recipe.gradients(lesson, &batch)).unwrap();
            adam.step().unwrap();
            for (name, scalar) in [("clean", "clean_loss"), ("adversarial", "adversarial_loss")] {
                if losses[name].is_null() {
                    continue;
                }
                let (_, value) = found.scalars.iter().find(|(key, _)| *key == scalar).unwrap();
                assert_close(
                    &format!("{id} {name} {step}"),
                    &[*value],
                    &numbers(&losses[name]),
                    1e-8,
                );
            }
        }
        for (p, parameter) in model.network().trainable().enumerate() {
            let found = formula::digest(&parameter.tensor, 3000 + p as u64);
            let expected = formula::expected_digest(&expected["parameters"][&parameter.name]);
            assert_close(&format!("{id} {}", parameter.name), &found, &expected, 1e-8);
        }
    }
}
