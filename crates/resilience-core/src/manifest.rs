//! A model on disk, described so that nobody edits Rust to evaluate it.
//!
//! ```toml
//! name = "ResNet-32, adversarially trained"
//! file = "resnet32.pt"              # beside this manifest; by default the last part of the url
//! url = "https://…"                 # optional; where `resilience pull` fetches the file
//! size = 1899091                    # optional; bytes of the file; with a url it must be there, and
//! sha256 = "…"                      # optional; so must this; refused if the file is another
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
mod published;

use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

pub use self::described::Described;
use self::described::Form;
pub use self::ensemble::Ensemble;
pub use self::error::ManifestError;
pub use self::format::Format;
use self::published::Stated;
use crate::format::array::StateDict;
use crate::format::{FormatError, atomic, regular, weights};

/// A checked manifest.
#[derive(Clone, Debug, PartialEq)]
pub struct Manifest {
    /// What the model is called in tables.
    pub name: String,
    /// The weights file, with the manifest's folder in front.
    pub file: PathBuf,
    /// Where the weights file can be fetched; size and SHA-256 are then known, and `file` leads nowhere but
    /// into the manifest's folder.
    pub url: Option<String>,
    /// Bytes of the weights file, above 0; its SHA-256 is then known.
    pub size: Option<u64>,
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
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<PathBuf>,
    #[serde(skip_serializing_if = "Option::is_none")]
    url: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    size: Option<u64>,
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
            file: Some(self.file.clone()),
            url: self.url.clone(),
            size: self.size,
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
    regular::read_text(path, regular::TEXT).map_err(refused)
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
    let stated = Stated {
        file: raw.file.as_deref(),
        url: raw.url.as_deref(),
        sha256: raw.sha256.as_deref(),
        size: raw.size,
    };
    let file = published::file(&stated)
        .map_err(|(field, expected, found)| wrong(field, expected, found))?;
    let format = Format::find(raw.format.as_deref(), &file)
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
        file: folder.join(file),
        url: raw.url,
        size: raw.size,
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
mod tests;
