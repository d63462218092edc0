//! Weights files as they are met: real checkpoints, and files that Python wrote.

mod common;

use resilience_core::format::array::{Array, ArrayData, StateDict};
use resilience_core::format::weights::{parse_weights, read_checked, read_weights};
use resilience_core::format::{FormatError, pth, safetensors};
use std::path::Path;

fn sample() -> StateDict {
    let array = |shape: &[usize], data| Array::new(shape.to_vec(), data).unwrap();
    [
        ("conv1.weight", array(&[2, 1, 3], ArrayData::F32((0..6).map(|i| i as f32).collect()))),
        ("bn.num_batches_tracked", array(&[], ArrayData::I64(vec![-7]))),
        ("mask", array(&[3], ArrayData::Bool(vec![true, false, true]))),
        ("empty", array(&[0, 4], ArrayData::F32(vec![]))),
        ("fc.bias", array(&[2], ArrayData::F64(vec![0.1, -2.5]))),
    ]
    .into_iter()
    .map(|(name, array)| (name.to_owned(), array))
    .collect()
}

/// Would catch a file that this program writes and cannot read, or writes differently each time.
#[test]
fn round_trip_in_both_forms() {
    let (path, state) = (Path::new("x.pth"), sample());
    let bytes = pth::to_bytes(&state);
    assert_eq!(parse_weights(path, &bytes).unwrap(), state);
    assert_eq!(bytes, pth::to_bytes(&state));
    let bytes = safetensors::to_bytes(&state).unwrap();
    let read = parse_weights(path, &bytes).unwrap();
    assert_eq!(read.entries.len(), state.entries.len());
    for (name, array) in &state.entries {
        assert_eq!(read.get(name), Some(array), "{name}");
    }
    assert_eq!(bytes, safetensors::to_bytes(&state).unwrap());
}

/// Would catch storages that do not begin where PyTorch can map them.
#[test]
fn storages_are_aligned() {
    let bytes = pth::to_bytes(&sample());
    let numbers: Vec<u8> = (0..6_u8).flat_map(|i| f32::from(i).to_le_bytes()).collect();
    let at = bytes.windows(numbers.len()).position(|window| window == numbers).unwrap();
    assert_eq!(at % 64, 0);
}

/// Would catch a checksum that is read past.
#[test]
fn checksum_is_compared() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("w.pth");
    pth::write(&path, &sample()).unwrap();
    let (_, sha256) = read_checked(&path, None).unwrap();
    assert!(read_checked(&path, Some(&sha256.to_uppercase())).is_ok());
    let error = read_checked(&path, Some(&"0".repeat(64))).unwrap_err();
    assert!(matches!(error, FormatError::Checksum { .. }), "{error}");
}

/// Would catch a real checkpoint of either form that no longer reads, a wrapping that is not
/// taken off, or numbers taken from the wrong place: the sums were computed with PyTorch.
#[test]
fn real_checkpoints() {
    for (file, entries, name, shape, sum) in REAL {
        let Some(path) = common::shared(&format!("models/{file}")) else { continue };
        let state = read_weights(&path).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(state.entries.len(), *entries, "{file}");
        let array = state.get(name).unwrap_or_else(|| panic!("{file} has no {name}"));
        assert_eq!(array.shape(), *shape, "{file}");
        let found: f64 = state.entries.iter().flat_map(|(_, array)| array.to_f64()).sum();
        assert!((found - sum).abs() < 1e-6 * sum.abs().max(1.0), "{file}: {found}");
    }
}

/// File, number of entries, name and shape of one of them, sum of all numbers.
const REAL: &[(&str, usize, &str, &[usize], f64)] = &[
    ("resnet32_linf8_adversarial.pt", 188, "conv1.weight", &[16, 3, 3, 3], 435912.13761733554),
    ("resnet32_standard.pt", 157, "conv1.weight", &[16, 3, 3, 3], 721.5178900284966),
    ("resnet2b.pth", 16, "conv1.weight", &[8, 3, 3, 3], -183.02979988849262),
    ("cifar_wide_kw.pth", 8, "0.weight", &[16, 3, 4, 4], -113.23196269117128),
    ("cifar_sgd_8px.pth", 8, "0.weight", &[16, 3, 4, 4], -1090.0237181880932),
    ("cifar_madry_8px.pth", 8, "0.weight", &[16, 3, 4, 4], -1179.080466416029),
];
