//! ONNX graphs.

use std::fs;
use std::path::{Path, PathBuf};

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use resilience_core::format::FormatError;
use resilience_core::format::onnx::{Graph, parse_onnx, read_checked};

use super::memory::peak_of;

const NAME: &str = "hostile.onnx";

fn read(bytes: &[u8]) -> Result<Graph, FormatError> {
    let result = parse_onnx(Path::new(NAME), bytes.to_vec());
    if let Err(error) = &result {
        assert!(error.to_string().contains(NAME), "{error}");
    }
    result
}

/// A small network as `torch.onnx.export` wrote it; its generator is the engine's golden case `onnx/models.py`.
fn honest() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/onnx/preact.onnx")
}

/// Would catch a length that is trusted at the end of a file.
#[test]
fn cut_short_at_every_length() {
    let bytes = fs::read(honest()).unwrap();
    let whole = read(&bytes).unwrap();
    for length in 0..bytes.len() {
        // What stands behind the graph and the opset may be cut off.
        if let Ok(graph) = read(&bytes[..length]) {
            assert_eq!(graph, whole, "cut to {length} bytes");
        }
    }
}

/// Would catch a panic, or an endless loop, on damage anywhere.
#[test]
fn damaged_anywhere() {
    let mut rng = ChaCha8Rng::seed_from_u64(0);
    let bytes = fs::read(honest()).unwrap();
    for at in 0..bytes.len() {
        let mut damaged = bytes.clone();
        damaged[at] = rng.next_u32() as u8;
        let _ = read(&damaged);
        let other = rng.next_u32() as usize % bytes.len();
        damaged[other] = rng.next_u32() as u8;
        let _ = read(&damaged);
    }
}

/// A field of a protocol buffer that holds bytes.
fn bytes(number: u8, content: &[u8]) -> Vec<u8> {
    assert!(number < 16);
    let mut field = vec![number << 3 | 2];
    prost::encode_length_delimiter(content.len(), &mut field).unwrap();
    field.extend(content);
    field
}

/// One that holds a whole number.
fn number(number: u8, value: u64) -> Vec<u8> {
    let mut field = vec![number << 3];
    // A length is written as any number is.
    prost::encode_length_delimiter(value as usize, &mut field).unwrap();
    field
}

fn node(inputs: &[&str], output: &str) -> Vec<u8> {
    let inputs = inputs.iter().flat_map(|name| bytes(1, name.as_bytes()));
    let named = [bytes(2, output.as_bytes()), bytes(3, b"n"), bytes(4, b"Relu")].concat();
    bytes(1, &inputs.chain(named).collect::<Vec<_>>())
}

/// A model of this opset with a graph of these fields, from `x` to `y`.
fn model(fields: &[u8], opset: u64) -> Vec<u8> {
    let ends = [bytes(11, &bytes(1, b"x")), bytes(12, &bytes(1, b"y"))].concat();
    let graph = [fields, &ends].concat();
    [number(1, 8), bytes(7, &graph), bytes(8, &number(2, opset))].concat()
}

/// Would catch a graph that nothing can compute, or one of which a part is left out silently.
#[test]
fn graphs_that_lead_nowhere_are_refused() {
    read(&model(&node(&["x"], "y"), 13)).unwrap();
    let tensor = |sides: &[u64], raw: &[u8]| {
        let sides: Vec<u8> = sides.iter().flat_map(|&side| number(1, side)).collect();
        bytes(5, &[sides, number(2, 1), bytes(8, b"w"), bytes(9, raw)].concat())
    };
    let with = |tensor: Vec<u8>| [node(&["x", "w"], "y"), tensor].concat();
    read(&model(&with(tensor(&[2], &[0; 8])), 13)).unwrap();
    for (fields, opset, expect) in [
        (node(&["x"], "y"), 6, "expected 7 to"),
        (node(&["x"], "y"), 99, "opset_version"),
        (node(&["z"], "y"), 13, "takes 'z'"),
        (node(&["x"], "z"), 13, "output 'y'"),
        (node(&["y"], "y"), 13, "loop"),
        ([node(&["a"], "y"), node(&["b"], "a"), node(&["a"], "b")].concat(), 13, "loop"),
        ([node(&["x"], "y"), node(&["x"], "y")].concat(), 13, "given twice"),
        (with(bytes(15, &[])), 13, "sparse"),
        (with(tensor(&[3], &[0; 8])), 13, "expected 12"),
        (with(tensor(&[1 << 40, 1 << 40], &[0; 8])), 13, "shape"),
        (with(tensor(&[1 << 50], &[0; 8])), 13, "bytes"),
        (with([tensor(&[2], &[0; 8]), tensor(&[2], &[0; 8])].concat()), 13, "given twice"),
        ([0x0a, 0].repeat(1_100_000), 13, "messages"),
    ] {
        let error = read(&model(&fields, opset)).unwrap_err().to_string();
        assert!(error.contains(expect), "{expect}: {error}");
    }
}

/// Would catch a file outside of the model's folder being read, one inside of it not being found, and a
/// checksum that leaves it out.
#[test]
fn weights_beside_the_model_are_read_and_no_others() {
    let all = tempfile::tempdir().unwrap();
    let folder = all.path().join("model");
    fs::create_dir(&folder).unwrap();
    fs::write(all.path().join("secret"), [7; 8]).unwrap();
    let path = folder.join("net.onnx");
    let write = |location: &str, length: &str| {
        let entry = |key: &str, value: &str| {
            bytes(13, &[bytes(1, key.as_bytes()), bytes(2, value.as_bytes())].concat())
        };
        let head = [number(1, 2), number(2, 1), bytes(8, b"w"), number(14, 1)].concat();
        let tensor = [head, entry("location", location), entry("length", length)].concat();
        fs::write(&path, model(&[node(&["x", "w"], "y"), bytes(5, &tensor)].concat(), 13)).unwrap();
        read_checked(&path, None)
    };
    fs::write(folder.join("w.bin"), [0, 0, 128, 63, 0, 0, 0, 64]).unwrap();
    let (graph, sha256) = write("w.bin", "8").unwrap();
    assert_eq!(graph.initialisers[0].1.to_f64(), [1.0, 2.0]);
    fs::write(folder.join("w.bin"), [0, 0, 128, 63, 0, 0, 128, 63]).unwrap();
    let (_, other) = write("w.bin", "8").unwrap();
    assert_ne!(other, sha256);
    let error = read_checked(&path, Some(&sha256)).unwrap_err();
    assert!(matches!(error, FormatError::Checksum { .. }), "{error}");
    for (location, length, expect) in [
        ("../secret", "8", "not in the model's folder"),
        (all.path().join("secret").to_str().unwrap(), "8", "not in the model's folder"),
        ("none.bin", "8", "cannot be read"),
        ("w.bin", "9", "expected 8, found 9"),
    ] {
        let error = write(location, length).unwrap_err().to_string();
        assert!(error.contains("net.onnx") && error.contains(expect), "{error}");
    }
}

/// Would catch names that are each compared with all others: a file of some megabytes would take hours.
#[test]
fn many_inputs_and_initialisers_are_read() {
    const MANY: usize = 200_000;
    let mut fields = node(&["x"], "y");
    for place in 0..MANY {
        let name = format!("i{place}");
        fields.extend(bytes(11, &bytes(1, name.as_bytes())));
        let tensor =
            [number(2, 2), bytes(8, format!("w{place}").as_bytes()), bytes(9, &[1])].concat();
        fields.extend(bytes(5, &tensor));
    }
    let (graph, peak) = peak_of(|| read(&model(&fields, 13)).unwrap());
    assert_eq!((graph.inputs.len(), graph.initialisers.len()), (MANY + 1, MANY));
    assert!(peak < 512 << 20, "{peak}");
}

/// Would catch memory being taken for what a tensor only claims.
#[test]
fn claims_cost_nothing() {
    let sides: Vec<u8> = [1 << 20, 1 << 12].iter().flat_map(|&side| number(1, side)).collect();
    let tensor = bytes(5, &[sides, number(2, 1), bytes(8, b"w"), bytes(9, &[0; 8])].concat());
    let (result, peak) = peak_of(|| read(&model(&[node(&["x", "w"], "y"), tensor].concat(), 13)));
    assert!(result.is_err() && peak < 1 << 20, "{peak}");
}
