//! `resilience verify`: checks a run's evidence.

use std::fmt::Write as _;

use resilience::evaluate::verify::{self, Finding};
use resilience_core::context::Context;
use resilience_core::metric::MARGIN_TOLERANCE;
use resilience_core::store::RunStore;
use resilience_core::summary::{self, Summary};

use super::resume;
use crate::args::Verify;
use crate::environment::Environment;
use crate::error::CliError;
use crate::results::{self, SUMMARY};
use crate::screen::Screen;

/// Loads what the run was made of by its checksums, checks everything, and says what was found.
pub fn run(
    arguments: &Verify,
    environment: &Environment,
    screen: &mut Screen,
) -> Result<(), CliError> {
    let dir = &arguments.run;
    let store = RunStore::open(dir)?;
    let plan = store.plan().clone();
    let data = arguments.data.data.as_deref();
    let images = resume::images(&plan, data, screen)?;
    let mut loaded = resume::models(&plan, &arguments.model, data)?;
    if arguments.replay > 0 {
        results::look(&mut loaded, &plan)?;
    }
    let models: Vec<_> = loaded.iter().map(|loaded| &loaded.model).collect();
    let findings = {
        let mut context = Context { observer: screen, clock: environment };
        verify::verify(&mut context, &store, &models, &images, arguments.replay)?
    };
    for finding in &findings {
        screen.print(&told(finding));
    }
    let mut problems: Vec<String> = Vec::new();
    for finding in findings.iter().filter(|finding| !finding.holds()) {
        problems.push(format!(
            "{}: {} examples refuted, {} clean predictions differ, {} survivors broken when replayed",
            finding.model,
            finding.refuted.len(),
            finding.clean_differs.len(),
            finding.replays.iter().filter(|replay| replay.broken).count()
        ));
    }
    let written = dir.join(SUMMARY);
    let counted = summary::from_store(&store)?;
    if written.exists() {
        let written = Summary::read(&written)?;
        if written == counted {
            screen.print("summary.json says what the outcomes amount to");
        } else if written.without_places() == counted.without_places() {
            screen.print(
                "summary.json says what the outcomes amount to; where that stands among published \
                 claims it says by other claims than those of this program",
            );
        } else {
            problems.push("summary.json says something else than the outcomes".to_owned());
        }
    }
    if !store.finished()? {
        screen
            .notice("The run is not finished: what it has not attacked yet counts as robust here.");
    }
    if problems.is_empty() {
        screen.print(
            "Everything holds. Robust accuracy is at most what is proven above; a stronger attack \
             could lower it further.",
        );
        return Ok(());
    }
    Err(CliError::NotVerified { dir: dir.clone(), problems: problems.join("; ") })
}

/// What was found of a model, in words.
fn told(finding: &Finding) -> String {
    let mut text = format!(
        "{}\n  examples: {} stored, {} proven (in [0, 1], in the ball, misclassified), {} too close \
         to call (margin below {MARGIN_TOLERANCE}), {} refuted\n  as 8-bit pixels: {} of the proven \
         ones still break the model inside the ball\n  largest difference from a recorded margin: \
         {:.1e}\n  clean predictions: {} differ, {} too close to call",
        finding.model,
        finding.examples,
        finding.proven,
        finding.boundary,
        finding.refuted.len(),
        finding.survive_rounding,
        finding.margin_difference,
        finding.clean_differs.len(),
        finding.clean_boundary
    );
    if finding.nearest > 0 {
        let _ = write!(
            text,
            "\n  nearest points: {} stored, {} proven (in [0, 1], as near as recorded, misclassified), {} \
             too close to call",
            finding.nearest, finding.nearest_proven, finding.nearest_boundary
        );
    }
    for refuted in finding.refuted.iter().take(10) {
        let _ = write!(text, "\n    {refuted}");
    }
    for bound in &finding.threats {
        let percent = |count: u64| 100.0 * count as f64 / bound.n.max(1) as f64;
        let _ = write!(
            text,
            "\n  {} {}: robust accuracy at most {:.2} % ({} of {}); proven by stored examples: at \
             most {:.2} %",
            bound.norm,
            bound.eps,
            percent(bound.claimed),
            bound.claimed,
            bound.n,
            percent(bound.proven)
        );
    }
    if !finding.replays.is_empty() {
        let apart = |replay: &verify::Replay| (replay.found - replay.recorded).abs();
        let same = finding.replays.iter().filter(|r| apart(r) < MARGIN_TOLERANCE).count();
        let broken = finding.replays.iter().filter(|replay| replay.broken).count();
        let most = finding.replays.iter().map(apart).fold(0.0, f64::max);
        let _ = write!(
            text,
            "\n  replayed: {} survivors, {same} with the recorded smallest margin, {broken} broken; \
             largest difference {most:.1e}",
            finding.replays.len()
        );
    }
    text
}
