//! `resilience pull`: the published weights of models, by their manifests.

use std::path::{Path, PathBuf};

use resilience_core::manifest::Manifest;
use resilience_core::pull::{self, PullError, Weights};
use resilience_core::report::count;

use crate::args::{Normalisation, Pull};
use crate::environment::Environment;
use crate::error::CliError;
use crate::models;
use crate::screen::Screen;

/// Fetches the weights of all models that are named. Whatever can be wrong before anything comes over the
/// network is found first.
pub fn run(arguments: &Pull, screen: &mut Screen) -> Result<(), CliError> {
    let mut away: Vec<(Manifest, PathBuf)> = Vec::new();
    for model in &arguments.models {
        for manifest in networks(model)? {
            let path = match &arguments.out {
                Some(folder) => folder.join(file_name(&manifest)),
                None => place(model, &manifest)?,
            };
            match pull::look(&manifest, &path)? {
                Weights::Here => screen.print(&here(&manifest, &path)),
                Weights::Away(_) if away.iter().any(|other| is_same(other, &manifest, &path)) => {}
                Weights::Away(_) => away.push((manifest, path)),
            }
        }
    }
    for (manifest, path) in &away {
        pull::fetch(manifest, path, screen)?;
        screen.print(&fetched(manifest, path));
        if !models::locate(manifest, None, None).is_ok_and(|found| lies_at(manifest, &found)) {
            let folder = path.parent().unwrap_or(Path::new(".")).display();
            screen.note(&format!("to use it, set RESILIENCE_MODELS to {folder}"));
        }
    }
    Ok(())
}

/// The networks that a model is made of.
fn networks(model: &str) -> Result<Vec<Manifest>, CliError> {
    if !models::says_itself(model) && Path::new(model).exists() {
        return Err(CliError::Usage(format!(
            "{model} is no manifest: `resilience pull` takes a known model's name or a manifest (.toml), which \
             says where the weights are to be had"
        )));
    }
    let described = models::resolve(model, None, &Normalisation::default())?;
    Ok(described.networks().to_vec())
}

/// Where the weights lie or are to lie, so that other commands find them: beside a manifest, and those of a
/// known model in the cache folder. Those that other commands would take from elsewhere count as here.
fn place(model: &str, manifest: &Manifest) -> Result<PathBuf, CliError> {
    let found = models::locate(manifest, None, None).ok();
    if models::known().any(|name| name == model) {
        // What lies elsewhere would be found first, whatever it is.
        let cached = || Environment::model_cache().map(|folder| folder.join(file_name(manifest)));
        return found.or_else(cached).ok_or_else(|| PullError::NoCache.into());
    }
    // What lies beside a manifest is found first: another file elsewhere is in nobody's way.
    let right = found.filter(|found| lies_at(manifest, found));
    Ok(right.unwrap_or_else(|| manifest.file.clone()))
}

fn lies_at(manifest: &Manifest, path: &Path) -> bool {
    matches!(pull::look(manifest, path), Ok(Weights::Here))
}

/// Whether another manifest wants the same file at the same place.
fn is_same((other, place): &(Manifest, PathBuf), manifest: &Manifest, path: &Path) -> bool {
    place == path && other.sha256 == manifest.sha256
}

fn file_name(manifest: &Manifest) -> &Path {
    Path::new(manifest.file.file_name().unwrap_or(manifest.file.as_os_str()))
}

fn here(manifest: &Manifest, path: &Path) -> String {
    let checked = match &manifest.sha256 {
        Some(_) => "with the right SHA-256",
        None => "unchecked, because the manifest has no sha256",
    };
    format!("{}: here already, {checked}: {}", manifest.name, path.display())
}

fn fetched(manifest: &Manifest, path: &Path) -> String {
    let size = manifest.size.map(|size| format!("{} bytes, ", count(size))).unwrap_or_default();
    let sha256 = manifest.sha256.as_deref().unwrap_or_default();
    format!("{}: fetched, {size}SHA-256 {sha256}: {}", manifest.name, path.display())
}
