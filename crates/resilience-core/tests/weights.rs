//! Weights files as they are met: real checkpoints, and files that Python wrote.

#![expect(clippy::unwrap_used, reason = "a helper that fails fails its test")]

mod common;

use resilience_core::format::array::{Array, ArrayData, StateDict};
use resilience_core::format::checkpoint::Form;
use resilience_core::format::weights::{
    parse_weights, read_checked, read_checkpoint, read_weights,
};
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

/// Would catch a kind of number, a view of a storage, a wrapping or a protocol of PyTorch's that is
/// read wrong; `golden/pth/generate.py` wrote the files.
#[test]
fn files_that_python_wrote() {
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/pth");
    let base = |indices: &[usize]| indices.iter().map(|&i| i as f64 / 8.0).collect::<Vec<_>>();
    let transposed: Vec<usize> = (0..6).flat_map(|c| (0..4).map(move |r| r * 6 + c)).collect();
    let expected: [(&str, &[usize], Vec<f64>); 15] = [
        ("transposed", &[6, 4], base(&transposed)),
        ("offset", &[2, 3], base(&[5, 6, 7, 8, 9, 10])),
        ("strided", &[2, 2], base(&[1, 4, 13, 16])),
        ("expanded", &[2, 3], base(&[3; 6])),
        ("parameter", &[2], vec![1.5, -2.5]),
        ("half", &[2], vec![0.5, -3.0]),
        ("bfloat", &[2], vec![0.25, 7.0]),
        ("double", &[2, 1], vec![0.1, 0.2]),
        ("long", &[], vec![-(2_f64.powi(40))]),
        ("int", &[2], vec![-5.0, 6.0]),
        ("short", &[1], vec![-300.0]),
        ("char", &[1], vec![-3.0]),
        ("byte", &[1], vec![200.0]),
        ("bool", &[2], vec![1.0, 0.0]),
        ("empty", &[0, 3], vec![]),
    ];
    for file in [
        "zip.pth",
        "legacy.pth",
        "zip_wrapped_protocol_4.pth",
        "legacy_wrapped_protocol_5.pth",
        "legacy_protocol_3.pth",
    ] {
        let state = read_weights(&golden.join(file)).unwrap_or_else(|error| panic!("{error}"));
        assert!(state.names().eq(expected.iter().map(|(name, _, _)| *name)), "{file}");
        for (name, shape, values) in &expected {
            let array = state.get(name).unwrap();
            assert_eq!(array.shape(), *shape, "{file} {name}");
            assert_eq!(array.to_f64(), *values, "{file} {name}");
        }
    }
}

/// Would catch a nesting, a list or a combination of prefixes that hides the state dict or its names, and a
/// half-width number that is read as another; `golden/pth/generate.py` wrote the files.
#[test]
fn wrappings_are_seen_through_and_told() {
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/pth");
    for (file, form, nest, prefix, others) in [
        ("zip.pth", Form::Zip, &[][..], "", &[][..]),
        ("legacy_protocol_3.pth", Form::Legacy, &["model_state_dict"], "", &[]),
        ("zip_wrapped_protocol_4.pth", Form::Zip, &["state_dict", "[0]"], "module.", &[]),
        ("legacy_wrapped_protocol_5.pth", Form::Legacy, &["net"], "_orig_mod.", &[]),
        (
            "nested_deep.pth",
            Form::Zip,
            &["state_dict", "model", "[0]"],
            "_orig_mod.module.model.",
            &[],
        ),
        ("model_and_ema.pth", Form::Legacy, &["model"], "module.", &["ema", "last"]),
        ("ema_alone.pth", Form::Zip, &["ema"], "model._orig_mod.", &[]),
    ] {
        let (found, sha256) = read_checkpoint(&golden.join(file)).unwrap();
        assert_eq!((found.form, &found.prefix[..]), (form, prefix), "{file}");
        assert!(found.nest == nest && found.others == others, "{file}: {found:?}");
        assert_eq!(sha256.len(), 64);
    }
    let halves = [0.5, -3.0, 65_504.0, 6e-8];
    let state = read_weights(&golden.join("nested_deep.pth")).unwrap();
    let values = state.get("conv.weight").unwrap().to_f64();
    assert!(values.iter().zip(halves).all(|(a, b)| (a - b).abs() < 1e-8), "{values:?}");
    assert_eq!(state.get("conv.weight").unwrap().data().kind().name(), "float16");
    let bfloats = state.get("conv.bias").unwrap();
    assert_eq!(bfloats.to_f64(), [0.25, -f64::from(2_f32.powi(100))]);
    assert_eq!(bfloats.data().kind().name(), "bfloat16");
}

/// Would catch a list around a state dict that hides it, and one of whose elements another may be
/// meant than the one that is taken; `golden/pth/generate.py` wrote the files.
#[test]
fn a_list_may_hold_one_state_dict_and_nothing_else() {
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/pth");
    let state = read_weights(&golden.join("list_of_one.pth")).unwrap();
    assert!(state.names().eq(["0.weight", "0.bias", "2.weight"]));
    assert_eq!(state.get("0.weight").unwrap().shape(), [2, 3, 2, 2]);
    assert_eq!(state.get("2.weight").unwrap().to_f64(), [0.5, 0.625, 0.75, 0.875]);
    for file in ["list_of_two.pth", "list_with_number.pth"] {
        let error = read_weights(&golden.join(file)).unwrap_err().to_string();
        assert!(error.contains("expected one element"), "{error}");
        assert!(error.contains("found a list of 2") && error.contains(file), "{error}");
    }
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
    ("resnet32_linf8_adversarial.pt", 188, "conv1.weight", &[16, 3, 3, 3], 435_912.137_617),
    ("resnet32_standard.pt", 157, "conv1.weight", &[16, 3, 3, 3], 721.517_890),
    ("resnet2b.pth", 16, "conv1.weight", &[8, 3, 3, 3], -183.029_800),
    ("cifar_wide_kw.pth", 8, "0.weight", &[16, 3, 4, 4], -113.231_963),
    ("cifar_sgd_8px.pth", 8, "0.weight", &[16, 3, 4, 4], -1_090.023_718),
    ("cifar_madry_8px.pth", 8, "0.weight", &[16, 3, 4, 4], -1_179.080_466),
];
