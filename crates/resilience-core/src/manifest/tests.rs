//! What a manifest may and may not say.

use super::*;

const GOOD: &str = r#"
name = "ResNet-32"
file = "weights/resnet32.pt"
architecture = "resnet32"
mean = [0.485, 0.456, 0.406]
std = [0.229, 0.224, 0.225]
source = "a paper"
"#;

fn parse(text: &str) -> Result<Manifest, ManifestError> {
    Manifest::parse(Path::new("models/one.toml"), text)
}

/// Would catch a weights path that depends on where the program is started.
#[test]
fn file_is_beside_the_manifest() {
    let manifest = parse(GOOD).unwrap();
    assert_eq!(manifest.file, Path::new("models/weights/resnet32.pt"));
    let again = Manifest::parse(Path::new("x.toml"), &manifest.to_toml()).unwrap();
    assert_eq!(again, manifest);
}

/// Would catch parameters that are lost on the way to the engine or back into a file.
#[test]
fn parameters_belong_to_the_architecture() {
    let table = "source = \"a paper\"\n[parameters]\nclasses = 100\nactivation = \"silu\"";
    let manifest = parse(&GOOD.replace("source = \"a paper\"", table)).unwrap();
    assert_eq!(manifest.architecture, "resnet32:activation=silu,classes=100");
    let again = Manifest::parse(Path::new("x.toml"), &manifest.to_toml()).unwrap();
    assert_eq!(again, manifest);
    let named = GOOD.replace("\"resnet32\"", "\"resnet32:activation=silu,classes=100\"");
    assert_eq!(parse(&named).unwrap(), manifest);
    let wrong = GOOD.replace("source =", "parameters = { classes = [1] }\nsource =");
    let error = parse(&wrong).unwrap_err().to_string();
    assert!(error.contains("parameters") && error.contains("classes = [1]"), "{error}");
}

/// Would catch an address that is lost on the way into a file and back, and a name that has to be said twice.
#[test]
fn an_address_stands_for_a_name() {
    let sha256 = "AB".repeat(32);
    let published = format!("url = 'https://a.org/b/net.onnx'\nsize = 7\nsha256 = '{sha256}'");
    let unnamed = GOOD
        .replace("file = \"weights/resnet32.pt\"", &published)
        .replace("architecture = \"resnet32\"\n", "");
    let manifest = parse(&unnamed).unwrap();
    assert_eq!(manifest.file, Path::new("models/net.onnx"));
    assert_eq!(manifest.format, Format::Onnx, "the name says the format");
    assert_eq!(
        (manifest.url.as_deref(), manifest.size),
        (Some("https://a.org/b/net.onnx"), Some(7))
    );
    let again = Manifest::parse(Path::new("x.toml"), &manifest.to_toml()).unwrap();
    assert_eq!(again, manifest);
    let outside = format!("file = '../net.onnx'\n{unnamed}");
    assert!(parse(&outside).unwrap_err().to_string().contains("inside the manifest's folder"));
}

/// Would catch a grey model that cannot be described.
#[test]
fn one_number_is_for_grey_images() {
    let grey = GOOD.replace("[0.485, 0.456, 0.406]", "[0.5]");
    let three = GOOD.replace("[0.485, 0.456, 0.406]", "[0.5, 0.5, 0.5]");
    assert_eq!(parse(&grey).unwrap(), parse(&three).unwrap());
}

/// Would catch a network that is asked for an architecture, or one that is written as weights are.
#[test]
fn a_network_needs_no_architecture() {
    let network = GOOD.replace("architecture = \"resnet32\"\n", "");
    for text in [
        network.replace("resnet32.pt", "net.onnx"),
        format!("{network}format = 'onnx'\ninput_size = [224, 200]"),
    ] {
        let manifest = parse(&text).unwrap();
        assert_eq!((manifest.format, manifest.architecture.as_str()), (Format::Onnx, "onnx"));
        let again = Manifest::parse(Path::new("x.toml"), &manifest.to_toml()).unwrap();
        assert_eq!(again, manifest);
    }
}

/// Would catch a slip in a field's name being ignored.
#[test]
fn near_names_are_suggested() {
    let error = parse(&format!("{GOOD}licence = \"MIT\"")).unwrap_err().to_string();
    assert!(error.contains("did you mean 'license'?"), "{error}");
    let error = parse(&GOOD.replace("architecture", "arch")).unwrap_err().to_string();
    assert!(error.contains("unknown field 'arch'"), "{error}");
}

/// Would catch numbers that silently ruin every result.
#[test]
fn nonsense_is_refused() {
    for (from, to, expect) in [
        ("[0.229, 0.224, 0.225]", "[0.229, 0.0, 0.225]", "std"),
        ("[0.229, 0.224, 0.225]", "[0.229, nan, 0.225]", "std"),
        ("[0.229, 0.224, 0.225]", "[58.4, 57.1, 57.4]", "divide"),
        ("[0.485, 0.456, 0.406]", "[0.485, 0.456]", "three numbers"),
        ("[0.485, 0.456, 0.406]", "[124, 116, 104]", "divide"),
        ("\"a paper\"", "\" \"", "source"),
        ("\"ResNet-32\"", "32", "string"),
        ("source = \"a paper\"", "source = \"a paper\"\nsha256 = \"abc\"", "64 hex"),
        ("source = \"a paper\"", "", "missing field"),
        ("file = \"weights/resnet32.pt\"", "", "or their url"),
        ("mean", "url = \"https://a.org/x.pt\"\nmean", "sha256: expected that of the file at url"),
        ("mean", "size = -1\nmean", "size"),
        ("architecture = \"resnet32\"", "", "architecture"),
        ("mean", "format = \"tflite\"\nmean", "onnx"),
        ("mean", "format = \"onnx\"\nmean", "leave out 'architecture'"),
        ("mean", "input_size = [32, 32]\nmean", "the architecture has it"),
        ("mean", "input_levels = 1\nmean", "2 to 256"),
        ("name =", "name", "expected"),
    ] {
        let error = parse(&GOOD.replace(from, to)).unwrap_err().to_string();
        assert!(error.contains(expect), "{error}");
        assert!(error.contains("models/one.toml"), "{error}");
    }
}
