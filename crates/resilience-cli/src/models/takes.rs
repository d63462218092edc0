//! What a network takes and gives.

use resilience::model::{Onnx, Script};
use resilience::zoo;
use resilience_core::format::{onnx, pth};
use resilience_core::manifest::{Format, Manifest};

use crate::error::CliError;

/// The images that a network takes and the classes that it knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Takes {
    /// What it is called in messages.
    pub title: String,
    /// Shape of the images: channels, height, width.
    pub input: [i64; 3],
    /// Number of classes.
    pub classes: i64,
    /// Whether neither the file nor a manifest states the size of the images, so that it was found by trying.
    pub tried: bool,
}

impl Takes {
    /// Those of a network of the zoo.
    pub fn architecture(id: &str) -> Result<Self, CliError> {
        let spec = zoo::find(id)?;
        let (input, classes) = (spec.input, spec.classes);
        Ok(Self { title: spec.title(), input, classes, tried: false })
    }

    /// Those of a loaded graph.
    pub fn onnx(manifest: &Manifest, model: &Onnx) -> Self {
        let (input, classes) = (model.shape(), model.classes());
        Self { title: manifest.name.clone(), input, classes, tried: false }
    }

    /// Those of a loaded module.
    pub fn script(manifest: &Manifest, model: &Script) -> Self {
        let (input, classes) = (model.shape(), model.classes());
        let tried = manifest.input_size.is_none();
        Self { title: manifest.name.clone(), input, classes, tried }
    }

    /// Those of a manifest's network. A graph says them itself: its file is read, and where it states no
    /// number of classes, translated. A module has to be loaded.
    pub fn of(manifest: &Manifest, data: Option<&str>) -> Result<Self, CliError> {
        let sha256 = manifest.sha256.as_deref();
        let file = || super::locate(manifest, None, data);
        let size = size(manifest);
        let graph = match manifest.format {
            Format::Weights => return Self::architecture(&manifest.architecture),
            Format::Onnx => onnx::read_checked(&file()?, sha256)?.0,
            Format::TorchScript => {
                let (script, _) = pth::read_script(&file()?, sha256)?;
                let model = Script::load(&script, manifest.mean, manifest.std, size)?;
                return Ok(Self::script(manifest, &model));
            }
        };
        let (input, classes) = Onnx::stated(&graph, size)?;
        let title = manifest.name.clone();
        if let Some(classes) = classes {
            return Ok(Self { title, input, classes, tried: false });
        }
        let model = Onnx::load(&graph, manifest.mean, manifest.std, size)?;
        Ok(Self::onnx(manifest, &model))
    }
}

/// Height and width of the images, where a manifest says them.
pub fn size(manifest: &Manifest) -> Option<[i64; 2]> {
    manifest.input_size.map(|sides| sides.map(i64::from))
}
