//! A model on disk, described so that nobody edits Rust to evaluate it.
//!
//! ```toml
//! name = "ResNet-32, adversarially trained"
//! file = "resnet32.pt"              # beside this manifest
//! sha256 = "…"                      # optional; refused if the file is another
//! architecture = "resnet32"
//! parameters = { classes = 100 }    # optional; what the architecture leaves open
//! mean = [0.485, 0.456, 0.406]      # of pixels in [0, 1], by channel
//! std = [0.229, 0.224, 0.225]       # one number each for grey images
//! source = "who trained it, and where it comes from"
//! license = "MIT"                   # optional
//! dataset = "cifar10"               # optional; the data whose classes it knows
//! input_noise = 0.1                 # optional; Gaussian noise that the model adds to its pixels
//! input_levels = 8                  # optional; values that the model rounds its pixels to
//! format = "torchscript"            # optional; a file that is a whole network, and no architecture then
//! input_size = [32, 32]             # optional; height and width, where such a file leaves them open
//! notes = "what else to know"       # optional
//! ```
//!
//! Formats are `weights`, `onnx` and `torchscript`; a file whose name ends in `.onnx` is of that format
//! without being said so.
//!
//! An ensemble of models has a manifest too, which lists theirs ([`Ensemble`]).

pub mod architecture;
mod described;
mod ensemble;
mod error;
mod format;

use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

pub use self::described::Described;
use self::described::Form;
pub use self::ensemble::Ensemble;
pub use self::error::ManifestError;
pub use self::format::Format;
use crate::format::array::StateDict;
use crate::format::{FormatError, atomic, weights};

/// A checked manifest.
#[derive(Clone, Debug, PartialEq)]
pub struct Manifest {
    /// What the model is called in tables.
    pub name: String,
    /// The weights file, with the manifest's folder in front.
    pub file: PathBuf,
    /// SHA-256 that the weights file must have, lower-case hexadecimal.
    pub sha256: Option<String>,
    /// What the file is.
    pub format: Format,
    /// Registry id of its architecture, with its parameters as [`architecture::join`] writes them; whether
    /// there is such a one, the engine checks. Of a file that is a whole network, the name of its format.
    pub architecture: String,
    /// Height and width of its images, where the file leaves them open.
    pub input_size: Option<[u32; 2]>,
    /// Subtracted from each channel of pixels in [0, 1]; for grey images three times the same.
    pub mean: [f64; 3],
    /// Divides each channel after that; above 0.
    pub std: [f64; 3],
    /// Where the weights come from, for a person.
    pub source: String,
    /// Under which terms.
    pub license: Option<String>,
    /// Id of the data set whose classes it knows; it is refused on any other.
    pub dataset: Option<String>,
    /// Standard deviation of the Gaussian noise that the model adds to its pixels, anew in each
    /// pass; 0 for none. Such a model answers differently each time.
    pub input_noise: f64,
    /// Values, evenly from 0 to 1, that the model rounds its pixels to, 2 to 256; none where it does not.
    /// Rounding has no gradient: attacks see it as if pixels stayed as they are.
    pub input_levels: Option<u32>,
    /// What else to know.
    pub notes: Option<String>,
}

/// The file's form, before it is checked.
#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    name: String,
    file: PathBuf,
    #[serde(skip_serializing_if = "Option::is_none")]
    sha256: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    format: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    architecture: Option<String>,
    #[serde(default, skip_serializing_if = "toml::Table::is_empty")]
    parameters: toml::Table,
    #[serde(skip_serializing_if = "Option::is_none")]
    input_size: Option<[u32; 2]>,
    mean: Vec<f64>,
    std: Vec<f64>,
    source: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    license: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    dataset: Option<String>,
    #[serde(default, skip_serializing_if = "is_zero")]
    input_noise: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    input_levels: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    notes: Option<String>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it with a reference")]
fn is_zero(value: &f64) -> bool {
    *value <= 0.0
}

impl Manifest {
    /// Reads and checks the manifest of one model; the weights file is not touched yet.
    pub fn read(path: &Path) -> Result<Self, ManifestError> {
        Self::parse(path, &read(path)?)
    }

    /// Checks the text of such a manifest, which stands at `path`.
    pub fn parse(path: &Path, text: &str) -> Result<Self, ManifestError> {
        match described::form(path, text)? {
            Form::Model => check(path, toml(path, text)?),
            Form::Ensemble => Err(ManifestError::NotOne { path: path.to_owned() }),
        }
    }

    /// The manifest as TOML, with `file` as it is.
    #[must_use]
    pub fn to_toml(&self) -> String {
        let (architecture, parameters) = architecture::split(&self.architecture);
        let value = |text: String| {
            text.parse::<i64>().map_or(toml::Value::String(text), toml::Value::Integer)
        };
        let raw = Raw {
            name: self.name.clone(),
            file: self.file.clone(),
            sha256: self.sha256.clone(),
            format: self.format.stated(&self.file).map(str::to_owned),
            architecture: (!self.format.is_network()).then(|| architecture.to_owned()),
            parameters: parameters.into_iter().map(|(name, text)| (name, value(text))).collect(),
            input_size: self.input_size,
            mean: self.mean.to_vec(),
            std: self.std.to_vec(),
            source: self.source.clone(),
            license: self.license.clone(),
            dataset: self.dataset.clone(),
            input_noise: self.input_noise,
            input_levels: self.input_levels,
            notes: self.notes.clone(),
        };
        toml::to_string(&raw).expect("texts and numbers can be written as TOML")
    }

    /// Writes the manifest, atomically. `file` must be relative to the folder of `path`.
    pub fn write(&self, path: &Path) -> Result<(), FormatError> {
        Ok(atomic::write(path, self.to_toml().as_bytes())?)
    }

    /// Reads the weights, compares their checksum, and gives it along.
    pub fn load(&self) -> Result<(StateDict, String), FormatError> {
        weights::read_checked(&self.file, self.sha256.as_deref())
    }
}

fn read(path: &Path) -> Result<String, ManifestError> {
    let refused = |source| ManifestError::Read { path: path.to_owned(), source };
    std::fs::read_to_string(path).map_err(refused)
}

/// The fields of a manifest's text; an error shows the line.
fn toml<T: DeserializeOwned>(path: &Path, text: &str) -> Result<T, ManifestError> {
    let broken = |error| ManifestError::Toml { path: path.to_owned(), source: Box::new(error) };
    toml::from_str(text).map_err(broken)
}

/// What a person must be able to read.
fn check_texts(path: &Path, texts: &[(&'static str, &str)]) -> Result<(), ManifestError> {
    match texts.iter().find(|(_, text)| text.trim().is_empty()) {
        Some(&(field, text)) => Err(ManifestError::Value {
            path: path.to_owned(),
            field,
            expected: "a text that is not empty".to_owned(),
            found: format!("'{text}'"),
        }),
        None => Ok(()),
    }
}

/// What the numbers of a normalisation must be.
#[derive(Clone, Copy, Debug)]
pub struct Channels {
    /// In words, for an error.
    pub expected: &'static str,
    fits: fn(f64) -> bool,
}

/// A mean.
pub const MEAN: Channels = Channels {
    expected: "three numbers in [0, 1], one a channel, or one for grey images (pixels lie in [0, 1]; divide \
               means of 8-bit pixels by 255)",
    fits: |value| (0.0..=1.0).contains(&value),
};

/// A standard deviation.
pub const STD: Channels = Channels {
    expected: "three numbers above 0 and at most 1, one a channel, or one for grey images (pixels lie in \
               [0, 1]; divide those of 8-bit pixels by 255)",
    fits: |value| value > 0.0 && value <= 1.0,
};

/// The three numbers, if they are what they must be; a single one stands for all channels.
#[must_use]
pub fn channels(values: &[f64], rule: Channels) -> Option<[f64; 3]> {
    let three = match values {
        [grey] => Ok([*grey; 3]),
        values => <[f64; 3]>::try_from(values),
    };
    three.ok().filter(|values| values.iter().all(|&value| (rule.fits)(value)))
}

/// The architecture's name with those parameters too, or one that no architecture can have.
fn named(architecture: &str, parameters: &toml::Table) -> Result<String, String> {
    let (id, mut all) = architecture::split(architecture);
    for (name, value) in parameters {
        let text = match value {
            toml::Value::Integer(number) => number.to_string(),
            toml::Value::Float(number) => number.to_string(),
            toml::Value::String(text) if !text.contains([',', '=']) => text.clone(),
            other => return Err(format!("{name} = {other}")),
        };
        all.push((name.clone(), text));
    }
    Ok(architecture::join(id, &all))
}

fn check(path: &Path, raw: Raw) -> Result<Manifest, ManifestError> {
    let wrong = |field: &'static str, expected: &'static str, found: String| ManifestError::Value {
        path: path.to_owned(),
        field,
        expected: expected.to_owned(),
        found,
    };
    check_texts(path, &[("name", &raw.name), ("source", &raw.source)])?;
    if raw.file.as_os_str().is_empty() {
        return Err(wrong("file", "the path of the weights", "''".to_owned()));
    }
    let format = Format::find(raw.format.as_deref(), &raw.file)
        .ok_or_else(|| wrong("format", Format::EXPECTED, format!("{:?}", raw.format)))?;
    let architecture = format.architecture(raw.architecture, path)?;
    if let Some(size) = raw.input_size.filter(|_| !format.is_network()) {
        let expected =
            "none, because the architecture has it (parameters = { size = … }); leave it out";
        return Err(wrong("input_size", expected, format!("{size:?}")));
    }
    if let Some(size) = raw.input_size.filter(|size| size.contains(&0)) {
        return Err(wrong("input_size", "height and width, above 0", format!("{size:?}")));
    }
    let hexadecimal =
        |text: &String| text.len() == 64 && text.chars().all(|c| c.is_ascii_hexdigit());
    if let Some(sha256) = raw.sha256.as_ref().filter(|text| !hexadecimal(text)) {
        return Err(wrong("sha256", "64 hexadecimal digits", format!("'{sha256}'")));
    }
    let mean = channels(&raw.mean, MEAN)
        .ok_or_else(|| wrong("mean", MEAN.expected, format!("{:?}", raw.mean)))?;
    let std = channels(&raw.std, STD)
        .ok_or_else(|| wrong("std", STD.expected, format!("{:?}", raw.std)))?;
    if !(0.0..=1.0).contains(&raw.input_noise) {
        let expected = "a standard deviation from 0 to 1 (pixels lie in [0, 1])";
        return Err(wrong("input_noise", expected, raw.input_noise.to_string()));
    }
    if let Some(levels) = raw.input_levels.filter(|levels| !(2..=256).contains(levels)) {
        let expected = "a whole number from 2 to 256: values that each pixel is rounded to";
        return Err(wrong("input_levels", expected, levels.to_string()));
    }
    if format.is_network() && !raw.parameters.is_empty() {
        let expected = "none, because the file is a whole network; leave out 'parameters'";
        return Err(wrong("parameters", expected, raw.parameters.to_string()));
    }
    let architecture = named(&architecture, &raw.parameters)
        .map_err(|found| wrong("parameters", "whole numbers, numbers and words", found))?;
    let folder = path.parent().unwrap_or_else(|| Path::new(""));
    Ok(Manifest {
        name: raw.name,
        file: folder.join(raw.file),
        sha256: raw.sha256.map(|text| text.to_ascii_lowercase()),
        format,
        architecture,
        input_size: raw.input_size,
        mean,
        std,
        source: raw.source,
        license: raw.license,
        dataset: raw.dataset,
        input_noise: raw.input_noise,
        input_levels: raw.input_levels,
        notes: raw.notes,
    })
}

#[cfg(test)]
mod tests {
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
}
