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

/// Images of the accuracy-against-eps curve: the first of the split.
pub const CURVE_IMAGES: usize = 1000;

/// Images whose adversarial examples are kept for the gallery: the first of the split.
const GALLERY: u64 = 8;

/// Evaluates one model: clean, then each attack; a curve's points on the first images only.
pub fn evaluate(
    loaded: &Loaded,
    images: &Images,
    setups: &[Setup],
    store: &mut RunStore,
    environment: &Environment,
    screen: &mut Screen,
) -> Result<(), CliError> {
    models::check_fit(&loaded.describe.manifest.architecture, images)?;
    let mut context = Context { observer: screen, clock: environment };
    let clean = evaluate::clean(&mut context, &loaded.model, images)?;
    let model = store.add_model(&loaded.describe.on(images), &clean)?;
    let first = images.clone().first(CURVE_IMAGES);
    for &setup in setups {
        let (images, keep): (_, Vec<u64>) =
            if setup.curve { (&first, Vec::new()) } else { (images, (0..GALLERY).collect()) };
        let clean = &clean[..images.len()];
        let outcome = evaluate::attack(&mut context, &loaded.model, images, clean, setup, &keep)?;
        store.add_attack(model, &outcome.record, &outcome.outcomes, &outcome.examples)?;
    }
    Ok(())
}

/// Writes summary.json and report.html of a finished run, and prints its table.
pub fn write(dir: &Path, store: &RunStore, screen: &Screen) -> Result<(), CliError> {
    let run = Run::from_store(store)?;
    let (json, page) = (dir.join("summary.json"), dir.join("report.html"));
    run.summary.write(&json)?;
    let runs = [run];
    report::write_html(&runs, &page)?;
    screen.print(&report::terminal(&runs, Screen::width())?);
    screen.print(&format!("summary: {}\nreport:  {}", json.display(), page.display()));
    Ok(())
}
