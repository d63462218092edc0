//! From what a user calls a model to a network with its weights.

use std::path::{Path, PathBuf};

use resilience::model::{Model, Native};
use resilience::zoo;
use resilience_core::dataset::Images;
use resilience_core::format::array::StateDict;
use resilience_core::manifest::Manifest;
use resilience_core::record::{LayerRecord, ModelRecord, TrainingRecord};
use resilience_core::suggest::did_you_mean;

use crate::args::Normalisation;
use crate::environment::Environment;
use crate::error::CliError;

/// Models by others that the program knows by name, each a manifest.
const KNOWN: [(&str, &str); 6] = [
    ("resnet32-linf8-adversarial", include_str!("../../../models/resnet32-linf8-adversarial.toml")),
    ("resnet32-standard", include_str!("../../../models/resnet32-standard.toml")),
    ("resnet2b", include_str!("../../../models/resnet2b.toml")),
    ("cifar-wide-kw", include_str!("../../../models/cifar-wide-kw.toml")),
    ("cifar-wide-sgd", include_str!("../../../models/cifar-wide-sgd.toml")),
    ("cifar-wide-madry", include_str!("../../../models/cifar-wide-madry.toml")),
];

/// Those of them that `reproduce` compares with unasked, where it finds their weights.
pub const BASELINES: [&str; 2] = ["resnet32-linf8-adversarial", "resnet32-standard"];

/// A model ready to be evaluated, and what is recorded of it.
pub struct Loaded {
    /// What the command line called it, or could call it.
    pub request: String,
    /// The model.
    pub model: Model,
    /// Everything but the data it is evaluated on.
    pub describe: Description,
}

/// What is known of a model before it meets data.
#[derive(Clone, Debug)]
pub struct Description {
    /// The checked manifest; its file is where the weights were found.
    pub manifest: Manifest,
    weights_sha256: String,
    training: Option<TrainingRecord>,
    parameters: u64,
    layers: Vec<LayerRecord>,
}

impl Description {
    /// SHA-256 of the weights file.
    pub fn weights_sha256(&self) -> &str {
        &self.weights_sha256
    }

    /// The record of this model on these images, with verdicts of so many passes.
    pub fn on(&self, images: &Images, passes: u32) -> ModelRecord {
        let Self { manifest, weights_sha256, training, parameters, layers } = self.clone();
        ModelRecord {
            name: manifest.name,
            architecture: manifest.architecture,
            weights_sha256,
            source: manifest.source,
            mean: manifest.mean.to_vec(),
            std: manifest.std.to_vec(),
            parameters,
            layers,
            training,
            passes,
            dataset: images.record(),
        }
    }
}

/// The names of the known models.
pub fn known() -> impl Iterator<Item = &'static str> {
    KNOWN.iter().map(|(name, _)| *name)
}

/// The manifest of a known model.
pub fn manifest(name: &str) -> Option<Result<Manifest, CliError>> {
    let (name, text) = KNOWN.iter().find(|(known, _)| *known == name)?;
    Some(Manifest::parse(Path::new(&format!("{name}.toml")), text).map_err(CliError::from))
}

/// Whether what a user calls a model says its architecture and normalisation itself: a known name
/// or a manifest, not a weights file.
pub fn says_itself(model: &str) -> bool {
    let toml = Path::new(model).extension().is_some_and(|e| e.eq_ignore_ascii_case("toml"));
    toml || known().any(|name| name == model)
}

/// The manifest that a user means: a TOML file, a weights file with options, or a known name.
pub fn resolve(
    model: &str,
    arch: Option<&str>,
    normalisation: &Normalisation,
) -> Result<Manifest, CliError> {
    let path = Path::new(model);
    let refuse_options = || {
        if arch.is_none() && normalisation.mean.is_none() {
            return Ok(());
        }
        Err(CliError::Usage(format!(
            "{model} has a manifest, which says its architecture, mean and std itself; leave out \
             --arch, --mean and --std"
        )))
    };
    if let Some(manifest) = manifest(model) {
        refuse_options()?;
        return manifest;
    }
    if !path.exists() || path.is_dir() {
        return Err(CliError::Usage(format!(
            "'{model}' is no model: expected a manifest (.toml), a weights file, or one of {}{}",
            known().collect::<Vec<_>>().join(", "),
            did_you_mean(model, known())
        )));
    }
    if says_itself(model) {
        refuse_options()?;
        return Ok(Manifest::read(path)?);
    }
    let Some(arch) = arch else {
        return Err(CliError::Usage(format!(
            "{model} is a weights file: say its architecture with --arch (and its normalisation \
             with --mean and --std), or give a manifest"
        )));
    };
    let (mean, std) = normalisation.values()?;
    Ok(Manifest {
        name: path.file_stem().unwrap_or(path.as_os_str()).to_string_lossy().into_owned(),
        file: path.to_owned(),
        sha256: None,
        architecture: zoo::find(arch)?.id.to_owned(),
        mean,
        std,
        source: "weights file given on the command line".to_owned(),
        license: None,
        dataset: None,
        input_noise: 0.0,
        notes: None,
    })
}

/// Where a manifest's weights lie: beside it, else in one of the folders for models, among them the
/// one beside `data`. Elsewhere than beside it they are taken only where the manifest has their
/// checksum: a file of the same name may be another.
pub fn locate(manifest: &Manifest, data: Option<&str>) -> Result<PathBuf, CliError> {
    if manifest.file.is_file() {
        return Ok(manifest.file.clone());
    }
    let name = manifest.file.file_name().unwrap_or(manifest.file.as_os_str());
    let known = manifest.sha256.is_some();
    let folders = if known { Environment::model_folders(data) } else { Vec::new() };
    folders.iter().map(|folder| folder.join(name)).find(|file| file.is_file()).ok_or_else(|| {
        let mut searched = vec![manifest.file.parent().unwrap_or(Path::new(".")).to_owned()];
        searched.extend(folders.iter().cloned());
        CliError::WeightsMissing {
            model: manifest.name.clone(),
            file: name.to_string_lossy().into_owned(),
            searched: searched
                .iter()
                .map(|folder| {
                    let here = folder.as_os_str().is_empty();
                    if here {
                        "the current folder".to_owned()
                    } else {
                        folder.display().to_string()
                    }
                })
                .collect::<Vec<_>>()
                .join(", "),
        }
    })
}

/// Reads the weights and puts the model together; `request` is what the command line called it.
pub fn load(request: &str, mut manifest: Manifest, data: Option<&str>) -> Result<Loaded, CliError> {
    manifest.file = locate(&manifest, data)?;
    let (state, sha256) = manifest.load()?;
    let training = crate::cmd::train::training_beside(&manifest.file, &sha256)?;
    assemble(request, manifest, &state, sha256, training)
}

/// Puts a model together from weights that are in memory.
pub fn assemble(
    request: &str,
    manifest: Manifest,
    state: &StateDict,
    weights_sha256: String,
    training: Option<TrainingRecord>,
) -> Result<Loaded, CliError> {
    let native = Native::load(&manifest.architecture, state, manifest.mean, manifest.std)?;
    let (parameters, layers) = (native.network().parameter_count(), native.network().describe()?);
    let native = native.with_input_noise(manifest.input_noise);
    let model = Model::plain(&manifest.name, Box::new(native));
    let describe = Description { manifest, weights_sha256, training, parameters, layers };
    Ok(Loaded { request: request.to_owned(), model, describe })
}

/// Whether a model can answer for these images: their shape, their classes, and the data set where
/// the manifest names one.
pub fn check_fit(
    architecture: &str,
    dataset: Option<&str>,
    images: &Images,
) -> Result<(), CliError> {
    let spec = zoo::find(architecture)?;
    let (classes, shape) = (images.classes().len(), images.shape());
    let fits = shape.map(|side| side as i64) == spec.input && classes as i64 == spec.classes;
    if fits && dataset.is_none_or(|name| name == images.name()) {
        return Ok(());
    }
    let of = dataset.map(|name| format!(" of {name}")).unwrap_or_default();
    Err(CliError::Mismatch {
        model: spec.title.to_owned(),
        expected: format!("images{of} of shape {:?} and {} classes", spec.input, spec.classes),
        dataset: images.name().to_owned(),
        found: format!("images of shape {shape:?} and {classes} classes"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Would catch a manifest that ships and cannot be used, and a baseline that is none of them.
    #[test]
    fn known_models_have_good_manifests() {
        for name in known().chain(BASELINES) {
            let manifest = resolve(name, None, &Normalisation { mean: None, std: None }).unwrap();
            assert!(zoo::find(&manifest.architecture).is_ok(), "{name}");
            assert!(manifest.sha256.is_some() && manifest.license.is_some(), "{name}");
            assert_eq!(manifest.dataset.as_deref(), Some("cifar10"), "{name}");
        }
    }
}
