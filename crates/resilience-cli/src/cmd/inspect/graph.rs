//! What an ONNX file is.

use std::fmt::Write as _;
use std::path::Path;

use resilience::model::Onnx;
use resilience_core::format::onnx::{self, Graph, Port};
use resilience_core::manifest::Format;
use resilience_core::report::count;

use super::blank;
use crate::error::CliError;
use crate::screen::Screen;

/// Says what the graph is, and prints a manifest of it. That it can be attacked is found by translating it.
pub fn run(path: &Path, screen: &Screen) -> Result<(), CliError> {
    let (graph, sha256) = onnx::read_checked(path, None)?;
    screen.note(&contents(path, &graph, &sha256));
    let model = Onnx::load(&graph, [0.0; 3], [1.0; 3], None)?;
    let (shape, classes) = (model.shape(), model.classes());
    screen.note(&format!(
        "it takes images of shape {shape:?} and gives logits of {classes} classes; {} numbers; every \
         attack can look at it",
        count(model.parameter_count())
    ));
    if let Some(notice) = model.notice() {
        screen.note(&format!("note: {notice}"));
    }
    screen.note(
        "its manifest to start from (on standard output), beside the file; to check:\n- mean and std do not \
         show in a graph: 0 and 1 are right where it normalises pixels itself\n- a published clean accuracy \
         tells whether all of it is right: resilience eval MANIFEST --attack none --out DIR",
    );
    let manifest = blank(path, Format::Onnx, Format::Onnx.name().to_owned(), sha256);
    screen.print(manifest.to_toml().trim_end());
    Ok(())
}

/// Its exporter, what it takes and gives, and its operators, the most frequent first.
fn contents(path: &Path, graph: &Graph, sha256: &str) -> String {
    let Graph { opset, producer, inputs, outputs, nodes, .. } = graph;
    let by = if producer.is_empty() { String::new() } else { format!(", by {producer}") };
    let mut text = format!("{}: ONNX, opset {opset}{by}\nSHA-256 {sha256}", path.display());
    for (what, ports) in [("input", inputs), ("output", outputs)] {
        for port in ports {
            let _ = write!(text, "\n{what} '{}' {}", port.name, sides(port));
        }
    }
    let mut operators: Vec<(&str, usize)> = Vec::new();
    for node in nodes {
        match operators.iter_mut().find(|(name, _)| *name == node.operator) {
            Some((_, times)) => *times += 1,
            None => operators.push((&node.operator, 1)),
        }
    }
    operators.sort_by_key(|&(_, times)| std::cmp::Reverse(times));
    let operators: Vec<_> = operators.iter().map(|(name, n)| format!("{n} {name}")).collect();
    let _ = write!(text, "\n{} nodes: {}", nodes.len(), operators.join(", "));
    text
}

/// The sides of what it takes or gives.
fn sides(port: &Port) -> String {
    let Some(shape) = &port.shape else { return "of a shape that is not stated".to_owned() };
    let sides: Vec<_> =
        shape.iter().map(|side| side.map_or("free".to_owned(), |side| side.to_string())).collect();
    format!("[{}]", sides.join(", "))
}
