//! ONNX graphs against ONNX's own reference, onnxruntime, and PyTorch.

use std::path::{Path, PathBuf};

use resilience::loss;
use resilience::model::{Classifier, Differentiable, Graph as Keep, Normalise, Onnx, Rows};
use resilience::onnx::{OPERATORS, Translated};
use resilience_core::format::array::{Array, ArrayData, Kind as Element};
use resilience_core::format::onnx::{Attribute, Graph, Node, Port, parse_onnx};
use resilience_core::view::View;
use tch::{Kind, Tensor};

use super::{apart, fixture, formula, numbers};

const FAMILIES: [&str; 11] = [
    "activation",
    "arithmetic",
    "conv",
    "join",
    "linear",
    "norm",
    "pad",
    "pool",
    "reduce",
    "resize",
    "shape",
];

/// The bytes of a case's file.
fn bytes(case: &serde_json::Value) -> Vec<u8> {
    let text = case["model"].as_str().unwrap().as_bytes();
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
    text.chunks(2).map(byte).collect()
}

fn sides(value: &serde_json::Value) -> Vec<i64> {
    numbers(value).into_iter().map(|side| side as i64).collect()
}

/// Would catch an operator, attribute or default that means something else than the specification says, in
/// any of its versions, and an operator that nobody has compared with anything.
#[test]
fn operators_agree_with_the_reference() {
    let (mut seen, mut wrong) = (Vec::new(), Vec::<String>::new());
    for family in FAMILIES {
        for case in fixture(&format!("onnx/{family}.json")).as_array().unwrap() {
            let name = format!("{family}, {}", case["name"]);
            let graph = parse_onnx(Path::new(&name), bytes(case)).unwrap();
            seen.extend(graph.nodes.iter().map(|node| node.operator.clone()));
            let shape = sides(&case["shape"]);
            let count = shape.iter().product::<i64>() as usize;
            let x = formula::signed(case["stream"].as_u64().unwrap(), count);
            let x = Tensor::from_slice(&x).view(&shape[..]) * case["scale"].as_f64().unwrap();
            let found = Translated::new(&graph, Kind::Double, false)
                .and_then(|translated| translated.forward(&x, 1));
            let found = match found {
                Ok(found) => found,
                Err(error) => {
                    wrong.push(format!("{name}: {error}"));
                    continue;
                }
            };
            let (size, found_numbers) = (found.size(), flat(&found));
            let expected = numbers(&case["output"]);
            let far =
                found_numbers.iter().zip(&expected).map(|(a, b)| (a - b).abs() / b.abs().max(1.0));
            let far = far.fold(0.0, f64::max);
            let tolerance = case["tolerance"].as_f64().unwrap();
            if size != sides(&case["size"]) || far > tolerance || far.is_nan() {
                wrong.push(format!("{name}: {size:?}, {far:.1e} away"));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    // These have no gradient: what becomes of them is tested below, or only constants go through them.
    let without =
        ["ArgMax", "ArgMin", "Ceil", "DynamicQuantizeLinear", "QuantizeLinear", "Round", "Sign"];
    let missing: Vec<&str> = OPERATORS
        .iter()
        .map(|operator| operator.name)
        .filter(|name| !seen.iter().any(|seen| seen == name) && !without.contains(name))
        .collect();
    assert_eq!(missing, [""; 0]);
}

fn file(name: &str) -> Graph {
    let path =
        PathBuf::from(format!("{}/tests/golden/onnx/{name}.onnx", env!("CARGO_MANIFEST_DIR")));
    parse_onnx(&path, std::fs::read(&path).unwrap()).unwrap()
}

fn load(name: &str, kind: Kind) -> Onnx {
    let normalise = Normalise::new(&[0.0; 3], &[1.0; 3], kind).unwrap();
    Onnx::load_in(kind, &file(name), normalise, None).unwrap_or_else(|e| panic!("{name}: {e}"))
}

fn images(kind: Kind) -> Tensor {
    Tensor::from_slice(&formula::unit(9900, 3 * 3 * 16 * 16)).view([3, 3, 16, 16]).to_kind(kind)
}

fn flat(tensor: &Tensor) -> Vec<f64> {
    Vec::try_from(tensor.to_kind(Kind::Double).contiguous().view([-1])).unwrap()
}

fn cases() -> Vec<serde_json::Value> {
    fixture("onnx/models.json").as_array().unwrap().clone()
}

/// Would catch a graph of a common exporter that is translated into another network: logits are those of
/// onnxruntime, in any form that attacks may look at.
#[test]
fn exported_networks_agree_with_onnxruntime() {
    for case in cases() {
        let name = case["name"].as_str().unwrap();
        let model = load(name, Kind::Float);
        assert_eq!((model.shape(), model.classes()), ([3, 16, 16], 7), "{name}");
        let expected = numbers(&case["logits"]);
        let found = flat(&model.logits(&images(Kind::Float)).unwrap());
        assert!(apart(&found, &expected) < 1e-4, "{name}: {found:?}");
        for view in [View::Folded, View::Compiled] {
            let Some(form) = model.form(view).unwrap() else { continue };
            let found = flat(&form.logits(&images(Kind::Float)).unwrap());
            assert!(apart(&found, &expected) < 1e-4, "{name}, {}: {found:?}", view.name());
        }
        if let Some(half) = model.form(View::Bf16).unwrap() {
            let found = flat(&half.logits(&images(Kind::Float)).unwrap());
            assert!(apart(&found, &expected) < 0.1, "{name}, bf16: {found:?} {expected:?}");
        }
    }
}

/// Would catch a gradient that is lost or wrong on its way through an operation: it is that of the same
/// network in PyTorch, up to the rounding of constants that exporters fold.
#[test]
fn gradients_agree_with_pytorch() {
    for case in cases() {
        let name = case["name"].as_str().unwrap();
        let model = load(name, Kind::Double);
        let pass = model.pass(&images(Kind::Double)).unwrap();
        let losses =
            loss::cross_entropies(&pass.logits, &Tensor::from_slice(&[1_i64, 4, 6])).unwrap();
        let gradient = flat(&pass.gradient(&losses, Keep::Free).unwrap());
        let signs = formula::signed(9901, gradient.len());
        // PyTorch's was of the mean of three losses.
        let gradient: Vec<f64> = gradient.iter().map(|number| number / 3.0).collect();
        let digest = &case["float64"]["gradient"];
        let norm = gradient.iter().map(|number| number * number).sum::<f64>().sqrt();
        let expected = digest["norm"].as_f64().unwrap();
        let product: f64 = gradient.iter().zip(&signs).map(|(a, b)| a * b).sum();
        let projection = digest["projection"].as_f64().unwrap();
        assert!((norm - expected).abs() < 1e-5 * expected, "{name}: {norm} {expected}");
        assert!((product - projection).abs() < 1e-5 * expected, "{name}: {product} {projection}");
        for (found, first) in gradient.iter().zip(numbers(&digest["first"])) {
            assert!((found - first).abs() < 1e-5 * expected, "{name}: {found} {first}");
        }
        let logits = numbers(&case["float64"]["logits"]);
        assert!(apart(&flat(&pass.logits), &logits) < 1e-5, "{name}");
    }
}

/// Would catch a graph for one image that is shown three at a time although it mixes them up, and one that
/// is needlessly slow: all but PyTorch's own attention, which puts the images second, take them together.
#[test]
fn graphs_for_one_image_take_many() {
    for case in cases() {
        let name = case["name"].as_str().unwrap();
        let model = load(name, Kind::Float);
        let expected = name != "vit-torch-one";
        assert_eq!(*model.rows() == Rows::Together, expected, "{name}: {:?}", model.notice());
    }
}

/// Would catch folding that does nothing, or own kernels that are not used where there are some.
#[test]
fn forms_are_there_where_they_can_be() {
    let has = |name, view: View| load(name, Kind::Float).form(view).unwrap().is_some();
    assert!(has("resnet-unfolded", View::Folded));
    // Its convolutions are seen by others than a batch norm.
    assert!(!has("preact", View::Folded) && !has("vit", View::Folded));
    assert!(!has("vit", View::Compiled));
}

/// Would catch a panic, or endless work, on a graph that is damaged anywhere and can still be read.
#[test]
fn damaged_graphs_end_in_an_error_or_a_result() {
    for family in FAMILIES {
        for (number, case) in
            fixture(&format!("onnx/{family}.json")).as_array().unwrap().iter().enumerate()
        {
            let whole = bytes(case);
            let shape = sides(&case["shape"]);
            for (try_, draw) in formula::bytes(9950 + number as u64, 24).into_iter().enumerate() {
                let mut damaged = whole.clone();
                let at = (usize::from(draw) + 256 * try_) * 31 % damaged.len();
                damaged[at] = draw ^ 0x55;
                let Ok(graph) = parse_onnx(Path::new("damaged.onnx"), damaged) else { continue };
                let Ok(translated) = Translated::new(&graph, Kind::Double, try_ % 2 == 0) else {
                    continue;
                };
                let _ = translated
                    .forward(&Tensor::zeros(&shape[..], (Kind::Double, tch::Device::Cpu)), 1);
            }
        }
    }
}

/// A graph of these nodes (operator, inputs, outputs) from `x` to `y`.
fn small(nodes: &[(&str, &[&str], &[&str])]) -> Graph {
    let texts = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
    let port = |name: &str, sides: &[Option<u64>]| Port {
        name: name.to_owned(),
        kind: None,
        shape: Some(sides.to_vec()),
    };
    let node = |&(operator, inputs, outputs): &(&str, &[&str], &[&str])| Node {
        name: format!("the {operator}"),
        operator: operator.to_owned(),
        domain: String::new(),
        inputs: texts(inputs),
        outputs: texts(outputs),
        attributes: Vec::new(),
    };
    let scale = Array::new(vec![], ArrayData::F32(vec![0.5])).unwrap();
    Graph {
        opset: 13,
        producer: String::new(),
        inputs: vec![port("x", &[None, Some(3), Some(2), Some(2)])],
        outputs: vec![port("y", &[None, None])],
        nodes: nodes.iter().map(node).collect(),
        initialisers: vec![("s".to_owned(), scale)],
    }
}

fn refused(nodes: &[(&str, &[&str], &[&str])]) -> String {
    let model = Onnx::load(&small(nodes), [0.0; 3], [1.0; 3], None);
    model.map_or_else(|error| error.to_string(), |_| "it was taken".to_owned())
}

/// Would catch a network whose gradient is silently zero being attacked as if it were robust, and an error
/// that leaves a user alone.
#[test]
fn what_has_no_gradient_is_refused_by_name() {
    let flat: (&str, &[&str], &[&str]) = ("Flatten", &["r"], &["y"]);
    for operator in ["Round", "Floor", "Ceil", "Sign", "ArgMax", "ArgMin"] {
        let error = refused(&[(operator, &["x"], &["r"]), flat]);
        for part in [operator, "opset 13", "no gradient", "the "] {
            assert!(error.contains(part), "{error}");
        }
    }
    let quantised = [
        ("QuantizeLinear", &["x", "s"][..], &["q"][..]),
        ("DequantizeLinear", &["q", "s"], &["r"]),
        flat,
    ];
    assert!(refused(&quantised).contains("QuantizeLinear (opset 13) has no gradient"));
    // A floor in disguise.
    let floor = [("Mod", &["x", "s"][..], &["q"][..]), ("Sub", &["x", "q"], &["r"]), flat];
    assert!(refused(&floor).contains("Mod (opset 13) has no gradient"));
    // Beside a value that has a gradient too.
    let beside = [("Round", &["x"][..], &["q"][..]), ("Add", &["q", "x"], &["r"]), flat];
    assert!(refused(&beside).contains("Round"));
    // What only chooses between values with a gradient is as ReLU is.
    let choice =
        [("Greater", &["x", "s"][..], &["m"][..]), ("Where", &["m", "x", "s"], &["r"]), flat];
    assert_eq!(refused(&choice), "it was taken");
}

/// Would catch an operator that is skipped, an attribute that is left out, or a graph that is no classifier.
#[test]
fn what_is_not_known_is_refused_by_name() {
    let error = refused(&[("NonZero", &["x"], &["r"]), ("Flatten", &["r"], &["y"])]);
    for part in ["the NonZero", "NonZero (opset 13)", "Conv", "one file in"] {
        assert!(error.contains(part), "{error}");
    }
    let mut graph = small(&[("Flatten", &["x"], &["y"])]);
    graph.nodes[0].attributes.push(("axes".to_owned(), Attribute::Int(2)));
    let error = |graph: &Graph| match Onnx::load(graph, [0.0; 3], [1.0; 3], None) {
        Ok(_) => "it was taken".to_owned(),
        Err(error) => error.to_string(),
    };
    assert!(error(&graph).contains("attribute 'axes'"), "{}", error(&graph));
    // Pixels are no whole numbers.
    let mut graph = small(&[("Flatten", &["x"], &["y"])]);
    graph.inputs[0].kind = Some(Element::U8);
    assert!(error(&graph).contains("floating-point") && error(&graph).contains("uint8"));
    let mut graph = small(&[("Flatten", &["x"], &["y"])]);
    for (sides, expect) in [
        (vec![Some(8), Some(3), Some(2), Some(2)], "a batch that is 1 or free"),
        (vec![None, Some(3), Some(1 << 40), Some(2)], "at most"),
        (vec![None, Some(3), None, Some(2)], "input_size"),
        (vec![None, Some(4), Some(4), Some(4)], "1 or 3 channels"),
        (vec![None, Some(12)], "images of shape"),
    ] {
        graph.inputs[0].shape = Some(sides);
        assert!(error(&graph).contains(expect), "{}", error(&graph));
    }
    let constant = [("Shape", &["x"][..], &["r"][..]), ("Flatten", &["r"], &["y"])];
    assert!(refused(&constant).contains("does not depend on the pixels"));
}
