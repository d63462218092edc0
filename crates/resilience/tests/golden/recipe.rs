//! Twenty float64 training steps of each recipe against PyTorch.

use resilience::batch::Batch;
use resilience::model::{Learner, Native, Normalise};
use resilience::optim::Optimiser;
use resilience::recipe::{self, Ingredients, Keyed, Step};
use resilience::zoo;
use resilience_core::format::array::{Array, ArrayData, StateDict};
use resilience_core::method;
use resilience_core::threat::{Norm, Threat};
use tch::Kind;

use super::{assert_close, fixture, formula, numbers};

/// Initial weights by formula, in the order of the state dict.
pub fn initial() -> StateDict {
    weights(0)
}

/// The same from the streams that begin with this one.
pub fn weights(first: u64) -> StateDict {
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
    .zip(first..)
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
        let rule = method::Optimiser::Adam { learning_rate: 1e-3, weight_decay: 0.0 };
        let mut adam = Optimiser::new(model.network().trainable(), rule).unwrap();
        let threat = Threat::new(Norm::Linf, "0.1".parse().unwrap()).unwrap();
        let spec = recipe::find(id).unwrap();
        let settings = &spec.resolve(&[]).unwrap();
        let recipe = spec.plan(Ingredients { threat, settings, others: Vec::new() }).unwrap();
        for (step, losses) in expected["steps"].as_array().unwrap().iter().enumerate() {
            let batch = Batch {
                images: formula::images(1000 + step as u64, [16, 3, 32, 32]),
                labels: formula::labels(2000 + step as u64, 16),
            };
            let draws = Keyed::new(0, 1, (0..16).collect());
            let take = |lesson: &resilience::model::Lesson| {
                let Batch { images, labels } = &batch;
                recipe.gradients(&Step {
                    lesson,
                    images,
                    labels,
                    targets: labels,
                    draws: &draws,
                    number: step as u64,
                })
            };
            let found = learner.learn(take).unwrap();
            adam.step(1.0).unwrap();
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
