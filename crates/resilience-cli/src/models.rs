//! From what a user calls a model to a network, or an ensemble of some, with its weights.

mod loaded;
mod takes;

use std::path::{Path, PathBuf};

use resilience::zoo;
use resilience_core::dataset::{self, DatasetSpec, Images};
use resilience_core::manifest::{Described, Format, Manifest};
use resilience_core::suggest::did_you_mean;

pub use self::loaded::{Loaded, assemble, load};
pub use self::takes::Takes;

use crate::args::Normalisation;
use crate::environment::{Environment, quoted};
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

/// The names of the known models.
pub fn known() -> impl Iterator<Item = &'static str> {
    KNOWN.iter().map(|(name, _)| *name)
}

/// The manifest of a known model.
pub fn manifest(name: &str) -> Option<Result<Manifest, CliError>> {
    let (name, text) = KNOWN.iter().find(|(known, _)| *known == name)?;
    Some(Manifest::parse(Path::new(&format!("{name}.toml")), text).map_err(CliError::from))
}

/// The known model whose weights have this SHA-256.
pub fn known_weights(sha256: &str) -> Option<(&'static str, Manifest)> {
    known().find_map(|name| {
        let manifest = manifest(name)?.ok()?;
        (manifest.sha256.as_deref() == Some(sha256)).then_some((name, manifest))
    })
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
) -> Result<Described, CliError> {
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
        return manifest.map(Described::Model);
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
        let described = Described::read(path)?;
        check_alike(&described)?;
        return Ok(described);
    }
    let format = Format::of_content(path);
    let architecture = match (format, arch) {
        // It says its architecture itself; --arch is for the weights files beside it.
        (Format::Onnx | Format::TorchScript, _) => format.name().to_owned(),
        (Format::Weights, Some(arch)) => zoo::find(arch)?.name(),
        (Format::Weights, None) => {
            return Err(CliError::Usage(format!(
                "{model} is a weights file: say its architecture with --arch (and its normalisation \
                 with --mean and --std), or give a manifest; `resilience inspect {model}` says what it \
                 is, and writes a manifest to start from"
            )));
        }
    };
    let (mean, std) = normalisation.values()?;
    Ok(Described::Model(Manifest {
        name: path.file_stem().unwrap_or(path.as_os_str()).to_string_lossy().into_owned(),
        file: path.to_owned(),
        url: None,
        size: None,
        sha256: None,
        format,
        architecture,
        input_size: None,
        mean,
        std,
        source: "file given on the command line".to_owned(),
        license: None,
        dataset: None,
        input_noise: 0.0,
        input_levels: None,
        notes: None,
    }))
}

/// The number of classes of a model; of an ensemble that of its first member, which all have.
pub fn classes(described: &Described, data: Option<&str>) -> Result<u32, CliError> {
    match described.networks().first() {
        Some(first) => Ok(Takes::of(first, data)?.classes as u32),
        // An ensemble without members does not leave its manifest.
        None => Ok(0),
    }
}

/// Members have to take the same images and know the same classes. What a file says itself shows when it
/// is loaded.
fn check_alike(described: &Described) -> Result<(), CliError> {
    let named = described.networks().iter().filter(|network| !network.format.is_network());
    let shapes = named
        .map(|network| {
            let spec = zoo::find(&network.architecture)?;
            Ok((network.name.as_str(), spec.input, spec.classes))
        })
        .collect::<Result<Vec<_>, CliError>>()?;
    alike(described.name(), &shapes)
}

/// Of each member its name, the shape of its images and the number of its classes.
fn alike(ensemble: &str, members: &[(&str, [i64; 3], i64)]) -> Result<(), CliError> {
    let Some(&(first, input, classes)) = members.first() else { return Ok(()) };
    let takes = |input: [i64; 3], classes: i64| format!("shape {input:?} and {classes} classes");
    match members.iter().find(|(_, other, of)| (*other, *of) != (input, classes)) {
        Some(&(other, other_input, of)) => Err(CliError::Members {
            ensemble: ensemble.to_owned(),
            first: first.to_owned(),
            takes: takes(input, classes),
            other: other.to_owned(),
            other_takes: takes(other_input, of),
        }),
        None => Ok(()),
    }
}

/// Where a manifest's weights lie: beside it, else in one of the folders for models, among them the
/// one beside `data`. Elsewhere than beside it they are taken only where the manifest has their
/// checksum: a file of the same name may be another. An error says how to fetch them by what the user called
/// the model, where that is known.
pub fn locate(
    manifest: &Manifest,
    request: Option<&str>,
    data: Option<&str>,
) -> Result<PathBuf, CliError> {
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
            remedy: remedy(manifest, request),
        }
    })
}

/// How weights that are not at hand are had, for the beginning of a sentence that goes on.
fn remedy(manifest: &Manifest, request: Option<&str>) -> String {
    if manifest.url.is_none() {
        return format!("they are from: {}; ", manifest.source);
    }
    let model = request.map_or("MANIFEST.toml".to_owned(), quoted);
    format!("`resilience pull {model}` fetches it, or ")
}

/// Whether all weights of a model are at hand.
pub fn locate_all(
    request: &str,
    described: &Described,
    data: Option<&str>,
) -> Result<(), CliError> {
    let mut networks = described.networks().iter();
    networks.try_for_each(|network| locate(network, Some(request), data).map(drop))
}

/// [`check_fit`] for every network of a model whose weights are at hand.
pub fn check_all_fit(
    described: &Described,
    images: &Images,
    data: Option<&str>,
) -> Result<(), CliError> {
    described.networks().iter().try_for_each(|network| {
        check_takes(&Takes::of(network, data)?, network.dataset.as_deref(), images)
    })
}

/// Whether a network of the zoo can answer for these images: their shape, their classes, and the data set
/// where one is named.
pub fn check_fit(
    architecture: &str,
    dataset: Option<&str>,
    images: &Images,
) -> Result<(), CliError> {
    check_takes(&Takes::architecture(architecture)?, dataset, images)
}

fn check_takes(takes: &Takes, dataset: Option<&str>, images: &Images) -> Result<(), CliError> {
    let (classes, shape) = (images.classes().len(), images.shape());
    let fits = shape.map(|side| side as i64) == takes.input && classes as i64 == takes.classes;
    if fits && dataset.is_none_or(|name| has_classes_of(images, name)) {
        return Ok(());
    }
    let of = dataset.map(|name| format!(" with the classes of {name}")).unwrap_or_default();
    let tried = if takes.tried {
        " (its file states no size, and of the usual ones this is the first that it takes: another stands in a \
         manifest, input_size = [height, width])"
    } else {
        ""
    };
    let (input, classes_known) = (takes.input, takes.classes);
    Err(CliError::Mismatch {
        model: takes.title.clone(),
        expected: format!("images{of} of shape {input:?} and {classes_known} classes{tried}"),
        dataset: images.name().to_owned(),
        found: format!("images of shape {shape:?} and {classes} classes{}", named(images)),
    })
}

/// Whether the images are of that data set, or its classes are theirs.
fn has_classes_of(images: &Images, name: &str) -> bool {
    let same = |spec: &DatasetSpec| images.classes().iter().eq(spec.classes.iter());
    images.name() == name || dataset::spec(name).is_some_and(same)
}

/// The first names of the classes, so that a model of others is seen not to fit.
fn named(images: &Images) -> String {
    let first: Vec<&str> = images.classes().iter().take(3).map(String::as_str).collect();
    format!(" ({}{})", first.join(", "), if images.classes().len() > 3 { ", …" } else { "" })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Would catch a manifest that ships and cannot be used, and a baseline that is none of them.
    #[test]
    fn known_models_have_good_manifests() {
        for name in known().chain(BASELINES) {
            let described = resolve(name, None, &Normalisation { mean: None, std: None }).unwrap();
            let Described::Model(manifest) = described else { panic!("{name} is an ensemble") };
            assert!(zoo::find(&manifest.architecture).is_ok(), "{name}");
            assert!(manifest.sha256.is_some() && manifest.license.is_some(), "{name}");
            assert_eq!(manifest.dataset.as_deref(), Some("cifar10"), "{name}");
        }
    }

    /// Would catch members that cannot be shown the same images, or whose classes are others.
    #[test]
    fn members_are_alike() {
        let member = |name, side, classes| (name, [3, side, side], classes);
        let same = [member("a", 32, 10), member("b", 32, 10)];
        alike("all", &same).unwrap();
        for other in [member("c", 64, 10), member("c", 32, 100)] {
            let error = alike("all", &[same[0], same[1], other]).unwrap_err().to_string();
            assert!(error.contains("'a' takes") && error.contains("'c'"), "{error}");
        }
    }
}
