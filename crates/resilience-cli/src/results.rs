//! Evaluating models into a run store, and what is written of it.

use std::path::Path;

use resilience::evaluate::{self, Setup};
use resilience_core::context::Context;
use resilience_core::dataset::Images;
use resilience_core::report::{self, Run};
use resilience_core::store::RunStore;

use crate::environment::Environment;
use crate::error::CliError;
use crate::models::{self, Loaded};
use crate::screen::Screen;

const SUMMARY: &str = "summary.json";
const PAGE: &str = "report.html";

/// Images whose adversarial examples are kept for the gallery: the first of the split.
const GALLERY: u64 = 8;

/// Evaluates one model: clean, then each attack; the points of a curve on the first `curve_images`
/// only.
pub fn evaluate(
    loaded: &Loaded,
    images: &Images,
    curve_images: usize,
    setups: &[Setup],
    store: &mut RunStore,
    environment: &Environment,
    screen: &mut Screen,
) -> Result<(), CliError> {
    let manifest = &loaded.describe.manifest;
    models::check_fit(&manifest.architecture, manifest.dataset.as_deref(), images)?;
    let mut context = Context { observer: screen, clock: environment };
    let clean = evaluate::clean(&mut context, &loaded.model, images)?;
    let model = store.add_model(&loaded.describe.on(images), &clean)?;
    let first = images.clone().first(curve_images);
    for &setup in setups {
        let (images, keep): (_, Vec<u64>) =
            if setup.curve { (&first, Vec::new()) } else { (images, (0..GALLERY).collect()) };
        let clean = &clean[..images.len()];
        let outcome = evaluate::attack(&mut context, &loaded.model, images, clean, setup, &keep)?;
        store.add_attack(model, &outcome.record, &outcome.outcomes, &outcome.examples)?;
    }
    Ok(())
}

/// Removes what an earlier run in the folder was summed up in: it would stand beside outcomes that
/// it does not belong to.
pub fn remove_old(dir: &Path) -> Result<(), CliError> {
    for path in [dir.join(SUMMARY), dir.join(PAGE)] {
        match std::fs::remove_file(&path) {
            Err(source) if source.kind() != std::io::ErrorKind::NotFound => {
                return Err(CliError::Io { doing: "remove", path, source });
            }
            _ => {}
        }
    }
    Ok(())
}

/// Writes summary.json and report.html of a finished run, and prints its table.
pub fn write(dir: &Path, store: &mut RunStore, screen: &Screen) -> Result<(), CliError> {
    store.finish()?;
    let run = Run::from_store(store)?;
    let (json, page) = (dir.join(SUMMARY), dir.join(PAGE));
    run.summary.write(&json)?;
    let runs = [run];
    report::write_html(&runs, &page)?;
    screen.print(&report::terminal(&runs, Screen::width())?);
    screen.print(&format!("summary: {}\nreport:  {}", json.display(), page.display()));
    Ok(())
}
