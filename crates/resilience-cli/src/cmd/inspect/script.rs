//! What a TorchScript file is.

use std::path::Path;

use resilience::model::Script;
use resilience_core::format::pth;
use resilience_core::manifest::{Format, Manifest};
use resilience_core::report::count;

use super::{blank, tensors};
use crate::error::CliError;
use crate::screen::Screen;

/// Says what the module is, and prints a manifest of it. That it can be attacked is found by loading it.
pub fn run(path: &Path, all: bool, screen: &Screen) -> Result<(), CliError> {
    let (file, sha256) = pth::read_script(path, None)?;
    let files = if file.files == 1 { "file" } else { "files" };
    screen.note(&format!(
        "{}: TorchScript, {} {files} of code, {} characters\nSHA-256 {sha256}{}",
        path.display(),
        file.files,
        count(file.code),
        tensors(&file.state, all)
    ));
    let model = Script::load(&file, [0.0; 3], [1.0; 3], None)?;
    let (shape, classes) = (model.shape(), model.classes());
    let gradients =
        if model.is_differentiable() { "; a gradient comes back to the pixels" } else { "" };
    screen.note(&format!(
        "it takes images of shape {shape:?} (a file states no size: usual ones were tried) and gives logits \
         of {classes} classes{gradients}"
    ));
    if let Some(twin) = model.twin() {
        screen.note(&format!(
            "it has the weights and the logits of {twin}: attacks can look at our own, faster form of it"
        ));
    }
    for notice in model.notices() {
        screen.note(&format!("note: {notice}"));
    }
    screen.note(
        "its manifest to start from (on standard output), beside the file; to check:\n- input_size is that of \
         the images it was trained on\n- mean and std do not show in a module: 0 and 1 are right where it \
         normalises pixels itself\n- a published clean accuracy tells whether all of it is right: resilience \
         eval MANIFEST --attack none --out DIR",
    );
    let size = [shape[1], shape[2]].map(|side| u32::try_from(side).unwrap_or(u32::MAX));
    let blank = blank(path, Format::TorchScript, Format::TorchScript.name().to_owned(), sha256);
    let manifest = Manifest { input_size: Some(size), ..blank };
    screen.print(manifest.to_toml().trim_end());
    Ok(())
}
