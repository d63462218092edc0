//! Golden cases: what independent implementations compute, within the tolerance that README.md
//! beside this file states. Each case has its generator beside its fixture.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails right there")]

mod apgd;
mod attack_network;
mod augment;
mod cw;
mod deepfool;
mod fab;
mod fgsm;
mod fmn;
mod formula;
mod hopskipjump;
mod method;
mod network;
mod onnx;
mod optimiser;
mod pgd;
mod plain;
mod preactresnet18;
mod recipe;
mod resnet18;
mod resnet_cifar;
mod script;
mod spsa;
mod square;
mod zoo;

/// The fixture of a case.
fn fixture(name: &str) -> serde_json::Value {
    let path = format!("{}/tests/golden/{name}", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The numbers of a list in a fixture, nested lists in row-major order.
fn numbers(value: &serde_json::Value) -> Vec<f64> {
    match value {
        serde_json::Value::Array(values) => values.iter().flat_map(numbers).collect(),
        other => vec![other.as_f64().unwrap_or_else(|| panic!("not a number: {other}"))],
    }
}

/// Fails unless the numbers agree within `tolerance`, absolute or relative to the expected one.
fn assert_close(what: &str, found: &[f64], expected: &[f64], tolerance: f64) {
    assert_eq!(found.len(), expected.len(), "{what}: count");
    for (index, (a, b)) in found.iter().zip(expected).enumerate() {
        let apart = (a - b).abs();
        assert!(apart <= tolerance * b.abs().max(1.0), "{what}[{index}]: {a} is not {b}");
    }
}

/// The largest difference as a part of the largest number.
fn apart(found: &[f64], expected: &[f64]) -> f64 {
    assert_eq!(found.len(), expected.len());
    let largest = expected.iter().fold(0.0_f64, |largest, number| largest.max(number.abs()));
    let pairs = found.iter().zip(expected);
    pairs.fold(0.0_f64, |most, (a, b)| most.max((a - b).abs())) / largest
}
