//! Accuracy against strength: what each attack leaves by itself.

use askama::Template;

use crate::report::bars::{self, Bar, Group};
use crate::report::view::{View, judged};
use crate::report::{ReportError, words};
use crate::summary::{Correct, EvaluationSummary, StageSummary};

#[derive(Template)]
#[template(path = "report/ladder.html")]
struct LadderTemplate {
    plot: String,
    groups: Vec<Group>,
}

/// Bars for every evaluation whose attacks were each run on all images that are right.
pub fn part(view: &View<'_>) -> Result<String, ReportError> {
    let mut groups = Vec::new();
    for subject in &view.subjects {
        let ladders = judged(subject.model).filter(|at| at.finished && at.individual);
        for at in ladders.filter(|at| rungs_of(at).count() > 1) {
            let threat = words::radius(at.norm, &at.eps_text);
            groups.push(Group { name: format!("{} · {threat}", subject.name), bars: rungs(at) });
        }
    }
    if groups.is_empty() {
        return Ok(String::new());
    }
    let plot = bars::both("ladder", "What each attack leaves by itself", &groups)?;
    Ok(LadderTemplate { plot, groups }.render()?)
}

/// The attacks that were run on the model itself and carried through, with what each leaves.
fn rungs_of(at: &EvaluationSummary) -> impl Iterator<Item = (&StageSummary, Correct)> {
    let direct = at.attacks.iter().filter(|stage| stage.source.is_none());
    direct.filter_map(|stage| Some((stage, stage.alone?)))
}

/// The attacks from the weakest to the strongest, and all of them together.
fn rungs(at: &EvaluationSummary) -> Vec<Bar> {
    let mut alone: Vec<_> = rungs_of(at).collect();
    alone.sort_by(|a, b| b.1.rate.total_cmp(&a.1.rate));
    let clean = Bar::new("clean", "clean", "clean", at.clean.rate, at.clean.ci95);
    let rungs = alone.into_iter().map(|(stage, left)| {
        let name = words::attack(&stage.id);
        let budget = words::budget(&stage.settings);
        let label = if budget.is_empty() { name } else { format!("{name}, {budget}") };
        Bar::new(
            &label,
            &words::rung(&stage.id, &stage.settings),
            "adversarial",
            left.rate,
            left.ci95,
        )
    });
    let all = Bar::new("all together", "all together", "robust", at.robust.rate, at.robust.ci95);
    std::iter::once(clean).chain(rungs).chain([all]).collect()
}
