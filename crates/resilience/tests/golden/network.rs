//! A network of the zoo against PyTorch: logits and the gradient with respect to the input.

use resilience::loss;
use resilience::model::{Differentiable, Graph, Native, Normalise};
use resilience::zoo;
use resilience_core::format::array::{Array, ArrayData, StateDict};
use serde_json::Value;
use tch::Kind;

use super::{assert_close, fixture, formula, numbers};

/// Where a case's inputs come from.
pub struct Inputs {
    /// The values of the tensor with that stream, name and shape.
    pub tensor: fn(u64, &str, &[usize]) -> Vec<f64>,
    /// The stream of the first tensor.
    pub first: u64,
    /// The stream of the images; the labels' and the digest's follow.
    pub images: u64,
    /// What each channel is normalised with.
    pub mean_std: [[f64; 3]; 2],
}

/// Fails unless the architecture computes what the fixture says.
pub fn agrees(architecture: &str, path: &str, inputs: &Inputs) {
    agrees_with(architecture, &fixture(path), inputs);
}

/// The same for what stands in a fixture.
pub fn agrees_with(architecture: &str, expected: &Value, inputs: &Inputs) {
    let network = zoo::find(architecture).unwrap().build(0, Kind::Double).unwrap();
    network.load_state_dict(&state_dict(&expected["tensors"], inputs)).unwrap();
    let [mean, std] = inputs.mean_std;
    let [c, h, w] = network.architecture().input;
    let of_channels = |values: [f64; 3]| values[..c as usize].to_vec();
    let normalise = Normalise::new(&of_channels(mean), &of_channels(std), Kind::Double).unwrap();
    let model = Native::new(network, normalise);

    let images = formula::images(inputs.images, [2, c, h, w]);
    let pass = model.pass(&images).unwrap();
    let logits = Vec::<f64>::try_from(pass.logits.detach().view([-1])).unwrap();
    assert_close(&format!("{architecture}: logits"), &logits, &numbers(&expected["logits"]), 1e-9);

    let labels = formula::labels(inputs.images + 1, 2);
    let losses = loss::cross_entropies(&pass.logits, &labels).unwrap();
    let gradient = pass.gradient(&(losses / 2.0), Graph::Free).unwrap();
    let found = formula::digest(&gradient, inputs.images + 2);
    let gradient = formula::expected_digest(&expected["gradient"]);
    assert_close(&format!("{architecture}: gradient"), &found, &gradient, 1e-9);
}

/// The state dict whose names and shapes a fixture lists.
fn state_dict(tensors: &Value, inputs: &Inputs) -> StateDict {
    let entry = |(entry, stream): (&Value, u64)| {
        let name = entry["name"].as_str().unwrap();
        let shape: Vec<usize> =
            numbers(&entry["shape"]).into_iter().map(|side| side as usize).collect();
        let values = ArrayData::F64((inputs.tensor)(stream, name, &shape));
        (name.to_owned(), Array::new(shape, values).unwrap())
    };
    tensors.as_array().unwrap().iter().zip(inputs.first..).map(entry).collect()
}
