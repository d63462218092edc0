//! The CIFAR ResNet against PyTorch: logits and the gradient with respect to the input.

use resilience::loss;
use resilience::model::{Differentiable, Native, Normalise};
use resilience::zoo;
use resilience_core::format::array::{Array, ArrayData, StateDict};
use tch::Kind;

use super::{assert_close, fixture, formula, numbers};

fn tensor(p: u64, name: &str, shape: &[usize]) -> Vec<f64> {
    let (stream, n) = (5000 + p, shape.iter().product());
    match name {
        "linear.weight" => formula::signed(stream, n).iter().map(|value| value / 64.0).collect(),
        "linear.bias" => formula::signed(stream, n).iter().map(|value| value / 8.0).collect(),
        _ if shape.len() == 4 => {
            let scale = (6.0 / (shape[1] as f64 * 9.0)).sqrt();
            formula::signed(stream, n).iter().map(|value| value * scale).collect()
        }
        _ if name.ends_with(".weight") || name.ends_with(".running_var") => {
            formula::unit(stream, n).iter().map(|value| 0.5 + value).collect()
        }
        _ => formula::unit(stream, n).iter().map(|value| 0.4 * value - 0.2).collect(),
    }
}

/// Would catch a shortcut, stride, normalisation or batch-norm constant other than the published
/// architecture's, and a state dict with other names.
#[test]
fn resnet20_agrees_with_pytorch() {
    let expected = fixture("resnet-cifar/resnet20.json");
    let state: StateDict = expected["tensors"]
        .as_array()
        .unwrap()
        .iter()
        .zip(0..)
        .map(|(entry, p)| {
            let name = entry["name"].as_str().unwrap();
            let shape: Vec<usize> =
                numbers(&entry["shape"]).into_iter().map(|side| side as usize).collect();
            let values = ArrayData::F64(tensor(p, name, &shape));
            (name.to_owned(), Array::new(shape, values).unwrap())
        })
        .collect();
    let network = zoo::find("resnet20").unwrap().build(0, Kind::Double).unwrap();
    network.load_state_dict(&state).unwrap();
    let (mean, std) = ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]);
    let model = Native::new(network, Normalise::new(&mean, &std, Kind::Double).unwrap());

    let images = formula::images(6000, [2, 3, 32, 32]);
    let pass = model.pass(&images).unwrap();
    let logits = Vec::<f64>::try_from(pass.logits.detach().view([-1])).unwrap();
    assert_close("logits", &logits, &numbers(&expected["logits"]), 1e-9);

    let losses = loss::cross_entropies(&pass.logits, &formula::labels(6001, 2)).unwrap();
    let gradient = pass.gradient(&(losses / 2.0)).unwrap();
    let found = formula::digest(&gradient, 6002);
    assert_close("gradient", &found, &formula::expected_digest(&expected["gradient"]), 1e-9);
}
