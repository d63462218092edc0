//! ONNX files that are honest; `hostile/networks.rs` has such that lie.

use std::path::{Path, PathBuf};

use resilience_core::format::FormatError;
use resilience_core::format::onnx::read_checked;

/// A small network as `torch.onnx.export` wrote it; its generator is the engine's golden case `onnx/models.py`.
fn honest() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/onnx/preact.onnx")
}

/// Would catch a part of a graph that is lost or mixed up.
#[test]
fn an_exported_network_is_read() {
    let (graph, sha256) = read_checked(&honest(), None).unwrap();
    assert_eq!((graph.opset, graph.inputs.len(), graph.outputs.len()), (7, 1, 1));
    let operators: Vec<_> = graph.nodes.iter().map(|node| node.operator.as_str()).collect();
    assert_eq!(operators.iter().filter(|&&operator| operator == "Conv").count(), 2);
    assert_eq!(*operators.last().unwrap(), "Gemm");
    assert_eq!(graph.inputs[0].shape.as_deref(), Some(&[Some(1), Some(3), Some(16), Some(16)][..]));
    let weight =
        graph.initialisers.iter().find(|(_, array)| array.shape() == [8, 3, 3, 3]).unwrap();
    assert!(weight.1.to_f64().iter().all(|number| number.abs() < 1.0));
    assert!(matches!(read_checked(&honest(), Some(&sha256)), Ok((again, _)) if again == graph));
    let other = read_checked(&honest(), Some(&"0".repeat(64))).unwrap_err();
    assert!(matches!(other, FormatError::Checksum { .. }), "{other}");
}
