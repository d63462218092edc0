//! ONNX: a network as a graph of operations, read without executing anything.
//!
//! A file is a protocol buffer. It becomes a [`Graph`] whose names all lead somewhere, whose nodes stand in
//! the order in which they can be computed, and whose tensors hold what they say. What the operations mean
//! is not known here: the engine translates them.

mod error;
mod external;
mod graph;
mod limit;
mod order;
mod proto;
mod tensor;

use std::collections::HashSet;
use std::fmt::Write as _;
use std::path::Path;

use prost::Message as _;
use prost::bytes::Bytes;

pub use error::OnnxError;
pub use graph::{Attribute, Graph, Node, Port};

use self::external::Beside;
use super::weights::{check_sha256, sha256, sha256_file};
use super::{FormatError, regular};

/// The oldest version of the operators that is read.
pub const OLDEST_OPSET: i64 = 7;
/// The newest.
pub const NEWEST_OPSET: i64 = 28;

/// Whether a file of this name is taken for an ONNX file.
#[must_use]
pub fn is_named_so(path: &Path) -> bool {
    path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("onnx"))
}

/// Reads the graph in a file with its SHA-256, which must be `expected` where that is given; it is compared
/// before anything is parsed. Where tensors lie in files beside the model it is the SHA-256 of lines as
/// `sha256sum` writes them, the model's first, then those of these files in the order of their names; it is
/// known, and compared, when they are.
pub fn read_checked(path: &Path, expected: Option<&str>) -> Result<(Graph, String), FormatError> {
    let refused = |source| FormatError::Read { path: path.to_owned(), source };
    let found = path.metadata().map_err(refused)?.len();
    if found > limit::FILE {
        let what = "bytes of the file (larger weights lie in files beside it)".to_owned();
        let source = OnnxError::TooLarge { what, allowed: limit::FILE, found };
        return Err(FormatError::Onnx { path: path.to_owned(), source: Box::new(source) });
    }
    let bytes = regular::read(path, limit::FILE).map_err(refused)?;
    let alone = sha256(&bytes);
    let check = |found: &str| check_sha256(path, expected, found);
    let graph = parse(path, bytes);
    let files = match &graph {
        Ok((_, files)) => files.as_slice(),
        Err(_) => &[],
    };
    if files.is_empty() {
        // A file that is not the described one is that first of all, whatever is wrong inside.
        check(&alone)?;
        return Ok((graph?.0, alone));
    }
    let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy();
    let mut lines = format!("{alone}  {name}\n");
    for (file, at) in files {
        // Writing into a String cannot fail.
        let _ = writeln!(lines, "{}  {file}", sha256_file(at)?);
    }
    let all = sha256(lines.as_bytes());
    check(&all)?;
    Ok((graph?.0, all))
}

/// A file beside the model: its name there, and where it is.
type File = (String, std::path::PathBuf);

/// Reads the graph out of a file's content; `path` is for messages, and for the folder where other files
/// of it lie.
pub fn parse_onnx(path: &Path, bytes: Vec<u8>) -> Result<Graph, FormatError> {
    parse(path, bytes).map(|(graph, _)| graph)
}

fn parse(path: &Path, bytes: Vec<u8>) -> Result<(Graph, Vec<File>), FormatError> {
    if bytes.is_empty() {
        return Err(FormatError::Empty { path: path.to_owned() });
    }
    let mut beside = Beside::new(path);
    let graph = model(bytes, &mut beside)
        .map_err(|source| FormatError::Onnx { path: path.to_owned(), source: Box::new(source) })?;
    let files = beside.files().map(|(name, path)| (name.to_owned(), path.to_owned()));
    Ok((graph, files.collect()))
}

fn model(bytes: Vec<u8>, beside: &mut Beside) -> Result<Graph, OnnxError> {
    limit::check(&bytes)?;
    // The content of tensors is not copied while decoding: it is a part of these bytes.
    let model = proto::Model::decode(Bytes::from(bytes))?;
    let Some(graph) = model.graph else {
        let remedy = "the file is cut short or no ONNX model; fetch or export it again";
        return Err(OnnxError::Missing { what: "the graph", remedy });
    };
    let opset = opset(&model.opsets)?;
    if !graph.sparse_initialisers.is_empty() {
        return Err(OnnxError::Unsupported {
            place: "the graph".to_owned(),
            what: "sparse tensors",
            remedy: "export the model with dense weights",
        });
    }
    let named = |tensor: &proto::Tensor| Ok((tensor.name.clone(), tensor::read(tensor, beside)?));
    let initialisers =
        graph.initialisers.iter().map(named).collect::<Result<Vec<_>, OnnxError>>()?;
    let nodes = graph.nodes.into_iter().map(|raw| node(raw, beside));
    let nodes = nodes.collect::<Result<Vec<_>, OnnxError>>()?;
    // Before IR version 4 initialisers stood among the inputs too.
    let initial: HashSet<&str> = initialisers.iter().map(|(name, _)| name.as_str()).collect();
    let is_given = |port: &&proto::ValueInfo| !initial.contains(port.name.as_str());
    let inputs: Vec<Port> = graph.inputs.iter().filter(is_given).map(port).collect();
    let outputs: Vec<Port> = graph.outputs.iter().map(port).collect();
    if outputs.is_empty() {
        let remedy = "a classifier gives logits; export the model again";
        return Err(OnnxError::Missing { what: "an output", remedy });
    }
    let given =
        inputs.iter().map(|port| &port.name).chain(initialisers.iter().map(|(name, _)| name));
    let wanted: Vec<&str> = outputs.iter().map(|port| port.name.as_str()).collect();
    let mut nodes = order::ordered(nodes, given.map(String::as_str), &wanted)?;
    forget_unused(&mut nodes, &wanted);
    let producer = format!("{} {}", model.producer_name, model.producer_version).trim().to_owned();
    Ok(Graph { opset, producer, inputs, outputs, nodes, initialisers })
}

/// Takes the names off outputs that nothing reads, such as the mask of a Dropout: nobody has to compute them.
fn forget_unused(nodes: &mut [Node], wanted: &[&str]) {
    let read: HashSet<String> = nodes
        .iter()
        .flat_map(|node| node.inputs.iter().cloned())
        .chain(wanted.iter().map(|&name| name.to_owned()))
        .collect();
    for output in nodes.iter_mut().flat_map(|node| node.outputs.iter_mut().skip(1)) {
        if !read.contains(output) {
            output.clear();
        }
    }
}

/// The version of ONNX's own operators.
fn opset(opsets: &[proto::Opset]) -> Result<i64, OnnxError> {
    let own = |opset: &&proto::Opset| matches!(opset.domain.as_str(), "" | "ai.onnx");
    let Some(found) = opsets.iter().find(own).map(|opset| opset.version) else {
        let remedy =
            "the file does not say which operators it means; it is cut short, or export it again";
        return Err(OnnxError::Missing { what: "the opset", remedy });
    };
    if (OLDEST_OPSET..=NEWEST_OPSET).contains(&found) {
        return Ok(found);
    }
    Err(OnnxError::Opset { oldest: OLDEST_OPSET, newest: NEWEST_OPSET, found })
}

fn port(info: &proto::ValueInfo) -> Port {
    let tensor = info.kind.as_ref().and_then(|kind| kind.tensor.as_ref());
    let side = |side: &proto::Side| side.length.and_then(|length| u64::try_from(length).ok());
    Port {
        name: info.name.clone(),
        kind: tensor.and_then(|tensor| tensor::kind(tensor.element)),
        shape: tensor
            .and_then(|tensor| tensor.shape.as_ref())
            .map(|shape| shape.sides.iter().map(side).collect()),
    }
}

fn node(raw: proto::Node, beside: &mut Beside) -> Result<Node, OnnxError> {
    let mut node = Node {
        name: raw.name,
        operator: raw.operator,
        domain: if raw.domain == "ai.onnx" { String::new() } else { raw.domain },
        inputs: raw.inputs,
        outputs: raw.outputs,
        attributes: Vec::with_capacity(raw.attributes.len()),
    };
    for attribute in raw.attributes {
        let name = attribute.name.clone();
        let value = value(attribute, beside)?;
        node.attributes.push((name, value));
    }
    Ok(node)
}

/// An attribute by the kind that it says it is.
fn value(raw: proto::Attribute, beside: &mut Beside) -> Result<Attribute, OnnxError> {
    let text = |bytes: &Bytes| String::from_utf8_lossy(bytes).into_owned();
    Ok(match raw.kind {
        1 => Attribute::Float(raw.float),
        2 => Attribute::Int(raw.int),
        3 => Attribute::Text(text(&raw.text)),
        4 => match &raw.tensor {
            Some(tensor) => Attribute::Tensor(tensor::read(tensor, beside)?),
            None => Attribute::Other("a tensor without content"),
        },
        5 => Attribute::Other("a graph"),
        6 => Attribute::Floats(raw.floats),
        7 => Attribute::Ints(raw.ints),
        8 => Attribute::Texts(raw.texts.iter().map(text).collect()),
        _ => Attribute::Other("of a kind that is not read"),
    })
}
