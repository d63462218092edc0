//! What one step claims, and what is left after each attack.

use super::{figure, fitted, framed, printable};
use crate::record::LabelSource;
use crate::record::Scope;
use crate::report::view::{View, attack_names, claim, judged};
use crate::report::words;
use crate::summary::{EvaluationSummary, StageSummary};

/// What one step claims beside what is left, one row a norm and radius.
pub fn table(view: &View<'_>, width: Option<u16>) -> String {
    let mut table = framed(width);
    table.set_header([
        "Model",
        "Attacks",
        "Clean\nacc.",
        "FGSM,\none step",
        "Robust acc.,\nat most",
    ]);
    for subject in &view.subjects {
        let model = subject.model;
        let mut about = format!(
            "{}\n{} {}",
            printable(&subject.name),
            printable(words::dataset(&model.dataset.name)),
            model.dataset.split
        );
        if judged(model).next().is_none() {
            let clean = figure(model.clean.rate, model.clean.ci95);
            table.add_row([&about, "not attacked", &clean, "-", "-"]);
        }
        for at in judged(model) {
            let what = format!(
                "{} {}\n{}\nn = {}",
                at.norm,
                at.eps_text,
                at.suite.as_deref().map_or_else(|| attack_names(at), printable),
                words::count(at.n)
            );
            let step = claim(model, at).map_or_else(
                || "-".to_owned(),
                |claim| {
                    let rate = figure(claim.correct.rate, claim.correct.ci95);
                    let other = claim.correct.n != at.n;
                    let n = other.then(|| format!("\nn = {}", words::count(claim.correct.n)));
                    let predicted = claim.labels == LabelSource::Predicted;
                    let labels = if predicted { "\npredicted" } else { "" };
                    rate + &n.unwrap_or_default() + labels
                },
            );
            let left = if at.finished {
                format!("<= {}", figure(at.robust.rate, at.robust.ci95))
            } else {
                "incomplete".to_owned()
            };
            let clean = figure(at.clean.rate, at.clean.ci95);
            table.add_row([&about, &what, &clean, &step, &left]);
            // Said once for all radii.
            about.clear();
        }
    }
    fitted(table, width)
}

/// What each attack leaves, one line a model and radius.
pub fn steps(view: &View<'_>) -> Vec<String> {
    let mut lines = vec!["Left after each attack, %:".to_owned()];
    for subject in &view.subjects {
        for at in judged(subject.model) {
            let name = printable(&subject.name);
            lines.push(format!("- {name}, {} {}: {}", at.norm, at.eps_text, after(at)));
        }
    }
    lines
}

/// How far the nearest adversarial examples lie, one line a model and norm; none where nobody looked.
pub fn distances(view: &View<'_>) -> Vec<String> {
    let mut lines = Vec::new();
    for subject in &view.subjects {
        for found in &subject.model.distances {
            let words = |place: usize| {
                let distance = found.quartiles[place];
                distance.map_or_else(|| "none".to_owned(), |far| words::distance(found.norm, far))
            };
            let attacks = found.attacks.iter().map(|attack| words::attack(&attack.id));
            let attacks = words::listed(&attacks.collect::<Vec<_>>());
            let missing = match found.right - found.found {
                0 => String::new(),
                missing => format!("; of {} none was found", words::count(missing)),
            };
            lines.push(format!(
                "- {}, {} by {attacks}, of {} images that are right: a quarter within {}, half within \
                 {}, three quarters within {}{missing}",
                printable(&subject.name),
                found.norm,
                words::count(found.right),
                words(0),
                words(1),
                words(2)
            ));
        }
    }
    lines
}

/// `clean 85.60, APGD-CE 48.10, APGD-T 46.90`.
fn after(at: &EvaluationSummary) -> String {
    let mut points = vec![format!("clean {}", words::percent(at.clean.rate))];
    if let Some(start) = at.cost.first().filter(|_| at.carried > 0) {
        points.push(format!("found before {}", words::percent(start.rate)));
    }
    for stage in &at.attacks {
        let mark = if stage.finished { "" } else { " (incomplete)" };
        let left = words::percent(stage.remaining.rate);
        points.push(format!("{} {left}{mark}", told_apart(at, stage)));
    }
    if !at.finished && at.attacks.iter().all(|stage| stage.finished) {
        points.push("further attacks are missing (incomplete)".to_owned());
    }
    points.join(", ")
}

/// An attack's name, with whatever tells it from another of the same name.
fn told_apart(at: &EvaluationSummary, stage: &StageSummary) -> String {
    if stage.scope == Scope::Closest {
        return format!("{} on the closest", words::attack(&stage.id));
    }
    if let Some(source) = &stage.source {
        let attack = words::rung(&stage.id, &stage.settings);
        return format!("{attack} made on {}", printable(source));
    }
    let alike = |twin: &&StageSummary| twin.id == stage.id && twin.scope != Scope::Closest;
    let mut twins = at.attacks.iter().filter(alike).filter(|twin| *twin != stage);
    let Some(twin) = twins.next() else { return words::attack(&stage.id) };
    if twin.settings == stage.settings {
        return format!("{} ({})", words::attack(&stage.id), words::labels(stage.labels));
    }
    words::rung(&stage.id, &stage.settings)
}
