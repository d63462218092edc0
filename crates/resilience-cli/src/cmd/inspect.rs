//! `resilience inspect FILE`: what the file of a model is, and a manifest to start from.

mod graph;
mod script;

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use resilience::settings::Setting;
use resilience::zoo::{self, Architecture, Fit};
use resilience_core::format::array::StateDict;
use resilience_core::format::checkpoint::Checkpoint;
use resilience_core::format::weights;
use resilience_core::manifest::{Format, Manifest};
use resilience_core::report::count;

use crate::args::Inspect;
use crate::error::CliError;
use crate::models;
use crate::screen::Screen;

/// Tensors that are listed unasked.
const SHOWN: usize = 12;

/// Says what the file is, and prints a manifest of it.
pub fn run(arguments: &Inspect, screen: &Screen) -> Result<(), CliError> {
    let path = &arguments.file;
    let format = Format::of_content(path);
    let tensors = arguments.tensors && format == Format::Onnx;
    if format.is_network() && (arguments.arch.is_some() || tensors) {
        return Err(CliError::Usage(format!(
            "{} is {}, which says its architecture itself: leave out {}",
            path.display(),
            format.title(),
            if tensors { "--tensors" } else { "--arch" }
        )));
    }
    match format {
        Format::Weights => {}
        Format::Onnx => return graph::run(path, screen),
        Format::TorchScript => return script::run(path, arguments.tensors, screen),
    }
    let (checkpoint, sha256) = weights::read_checkpoint(path)?;
    screen.note(&contents(path, &checkpoint, &sha256, arguments.tensors));
    let fits = match &arguments.arch {
        Some(arch) => vec![Fit::of(&zoo::find(arch)?, &checkpoint.state)?],
        None => zoo::likely(&checkpoint.state),
    };
    for (place, fit) in fits.iter().enumerate() {
        let or = if place > 0 && fit.is_exact() { "or " } else { "" };
        screen.note(&format!("{or}{}", verdict(fit, arguments.arch.is_some())));
    }
    let Some(best) = fits.first().filter(|fit| fit.is_exact()) else {
        return Err(CliError::NoArchitecture { path: path.clone() });
    };
    let known = models::known_weights(&sha256);
    let manifest = manifest(path, &best.architecture, sha256, known.as_ref());
    screen.note(&advice(best, &checkpoint.state, known.as_ref()));
    screen.print(manifest.to_toml().trim_end());
    Ok(())
}

/// Its form, how the state dict lies in it, and its tensors.
fn contents(path: &Path, checkpoint: &Checkpoint, sha256: &str, all: bool) -> String {
    let Checkpoint { state, form, nest, others, prefix } = checkpoint;
    let mut text = format!("{}: {}\nSHA-256 {sha256}", path.display(), form.describe());
    if !nest.is_empty() {
        let _ = write!(text, "\nthe state dict lies under {}", nest.join(", "));
    }
    if !others.is_empty() {
        let _ = write!(text, "; not read, but of the same kind: {}", others.join(", "));
    }
    if !prefix.is_empty() {
        let _ = write!(text, "\nall names began with {prefix}");
    }
    text + &tensors(state, all)
}

/// The tensors of a state dict, in lines.
fn tensors(state: &StateDict, all: bool) -> String {
    let numbers: usize = state.entries.iter().map(|(_, array)| array.data().len()).sum();
    let mut text = format!(
        "\n{} tensors, {} numbers ({})",
        state.entries.len(),
        count(numbers as u64),
        kinds(state)
    );
    let shown = if all { state.entries.len() } else { SHOWN };
    let width = state.names().take(shown).map(str::len).max().unwrap_or(0);
    for (name, array) in state.entries.iter().take(shown) {
        let kind = array.data().kind().name();
        let _ = write!(text, "\n  {name:width$}  {kind:8}  {:?}", array.shape());
    }
    if let Some(more) = state.entries.len().checked_sub(shown).filter(|&more| more > 0) {
        let _ = write!(text, "\n  and {more} more (--tensors lists all)");
    }
    text
}

/// The kinds of numbers, the most frequent first.
fn kinds(state: &StateDict) -> String {
    let mut kinds: Vec<(&str, usize)> = Vec::new();
    for (_, array) in &state.entries {
        let name = array.data().kind().name();
        match kinds.iter_mut().find(|(known, _)| *known == name) {
            Some((_, tensors)) => *tensors += 1,
            None => kinds.push((name, 1)),
        }
    }
    kinds.sort_by_key(|&(_, tensors)| std::cmp::Reverse(tensors));
    let words: Vec<_> = kinds.iter().map(|(name, n)| format!("{n} of {name}")).collect();
    words.join(", ")
}

/// How well it fits an architecture; with everything that does not where it was asked for.
fn verdict(fit: &Fit, asked: bool) -> String {
    let Architecture { input, classes, .. } = &fit.architecture;
    let (name, title) = (fit.architecture.name(), fit.architecture.title());
    let what = format!("{name}: {title}, images of shape {input:?}, {classes} classes");
    if fit.is_exact() {
        return format!("it fits {what}");
    }
    let mut text =
        format!("it does not fit {what}: {} of {} tensors do", fit.fitting, fit.tensors());
    let problems = fit.problems();
    let shown = if asked { problems.len() } else { 3 };
    for problem in problems.iter().take(shown) {
        let _ = write!(text, "\n  {problem}");
    }
    if let Some(more) = problems.len().checked_sub(shown).filter(|&more| more > 0) {
        let _ = write!(text, "\n  and {more} more (--arch {name} lists all)");
    }
    text
}

/// What the manifest takes from the file or from a known model, all else being a place to fill in.
fn manifest(
    path: &Path,
    architecture: &Architecture,
    sha256: String,
    known: Option<&(&'static str, Manifest)>,
) -> Manifest {
    let blank = blank(path, Format::Weights, architecture.name(), sha256);
    match known {
        Some((_, known)) => Manifest { file: blank.file, ..known.clone() },
        None => blank,
    }
}

/// A manifest of a file of which nothing else is known.
fn blank(path: &Path, format: Format, architecture: String, sha256: String) -> Manifest {
    Manifest {
        name: path.file_stem().unwrap_or(path.as_os_str()).to_string_lossy().into_owned(),
        file: PathBuf::from(path.file_name().unwrap_or(path.as_os_str())),
        url: None,
        size: path.metadata().ok().map(|file| file.len()),
        sha256: Some(sha256),
        format,
        architecture,
        input_size: None,
        mean: [0.0; 3],
        std: [1.0; 3],
        source: "who trained it, and where it comes from".to_owned(),
        license: None,
        dataset: None,
        input_noise: 0.0,
        input_levels: None,
        notes: None,
    }
}

/// What the file does not say, and what to do about it.
fn advice(fit: &Fit, state: &StateDict, known: Option<&(&'static str, Manifest)>) -> String {
    if let Some((name, _)) = known {
        return format!("it is the known model '{name}'; its manifest (on standard output):");
    }
    let spec = fit.architecture.spec();
    let mut text =
        String::from("its manifest to start from (on standard output), beside the file; to check:");
    let unseen = spec.parameters.iter().filter(|setting| spec.unseen.contains(&setting.name));
    for Setting { name, value, about } in unseen {
        let expected = value.expected();
        let _ = write!(text, "\n- {name} does not show in weights ({about}: {expected})");
    }
    if state.get("mean").is_some() && state.get("std").is_some() {
        text += "\n- the network normalises pixels by the file's own mean and std: leave those of the manifest 0 and 1";
    } else {
        let usual = if fit.architecture.input[1] >= 224 {
            "ImageNet's usual ones are 0.485, 0.456, 0.406 and 0.229, 0.224, 0.225"
        } else {
            "CIFAR-10's usual ones are 0.4914, 0.4822, 0.4465 and 0.2471, 0.2435, 0.2616"
        };
        let _ = write!(
            text,
            "\n- mean and std do not show in weights: 0 and 1 leave pixels as they are, {usual}"
        );
    }
    text += "\n- a published clean accuracy tells whether all of it is right: resilience eval MANIFEST --attack \
             none --out DIR";
    text
}
