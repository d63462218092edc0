//! The same figures as a few lines of Markdown, for an issue or a README.

use super::view::{View, any_judged, attack_names, claim, judged};
use super::{ReportError, Run, part, published, words};
use crate::paper;

/// Title, notices, findings and the table.
pub fn markdown(runs: &[Run]) -> Result<String, ReportError> {
    let view = View::new(runs)?;
    let mut lines = vec![format!("## {}", escaped(&view.title())), String::new()];
    for notice in view.notices() {
        lines.extend([format!("> **Notice.** {}", escaped(&notice)), String::new()]);
    }
    for sentence in part::sentences(&view).into_iter().chain(part::findings(&view)) {
        lines.extend([escaped(&sentence), String::new()]);
    }
    if any_judged(&view) {
        robust(&view, &mut lines);
    }
    single(&view, &mut lines);
    for (word, doubts) in part::audits(&view) {
        lines.extend([format!("**{}**", escaped(&word)), String::new()]);
        for doubt in &doubts {
            let (title, what) = (escaped(&doubt.title), escaped(&doubt.what));
            lines.push(format!("- **{title}**: {what} What to do: {}", escaped(&doubt.remedy)));
        }
        if !doubts.is_empty() {
            lines.push(String::new());
        }
    }
    lines.push(format!("95 % Clopper–Pearson intervals in brackets. {}", words::LABELS_EXPLAINED));
    lines.push(String::new());
    Ok(lines.join("\n"))
}

/// What one step claims, and what is left.
fn robust(view: &View<'_>, lines: &mut Vec<String>) {
    lines.push(
        "| model | data | threat | attacks | clean % | FGSM % | robust %, at most |".to_owned(),
    );
    lines.push("|---|---|---|---|---|---|---|".to_owned());
    for subject in &view.subjects {
        for at in judged(subject.model) {
            let claim = claim(subject.model, at).map_or_else(
                || "–".to_owned(),
                |claim| {
                    let rate = figure(claim.correct.rate, claim.correct.ci95);
                    let labels = words::labels(claim.labels);
                    format!("{rate}, {labels}, n = {}", words::count(claim.correct.n))
                },
            );
            let left = if at.finished {
                format!(
                    "**{}** {}",
                    words::percent(at.robust.rate),
                    words::interval(at.robust.ci95)
                )
            } else {
                "incomplete".to_owned()
            };
            lines.push(format!(
                "| {} | {}, n = {} | {} {} | {} | {} | {claim} | {left} |",
                escaped(&subject.name),
                escaped(words::dataset(&subject.model.dataset.name)),
                words::count(at.n),
                at.norm,
                escaped(&at.eps_text),
                escaped(&attack_names(at)),
                figure(at.clean.rate, at.clean.ci95),
            ));
        }
    }
    lines.extend([String::new(), UPPER_BOUND.to_owned(), String::new()]);
    for sentence in published::sentences(view) {
        lines.extend([escaped(&sentence), String::new()]);
    }
}

const UPPER_BOUND: &str = "Robust accuracy is an upper bound: what these attacks left of all images. A stronger attack can \
     only lower it.";

/// One attack on all images.
fn single(view: &View<'_>, lines: &mut Vec<String>) {
    let any = view.subjects.iter().any(|subject| !subject.model.attacks.is_empty());
    if any_judged(view) && !any {
        return;
    }
    lines.push("| model | data | attack | clean % | adversarial % | robustness % |".to_owned());
    lines.push("|---|---|---|---|---|---|".to_owned());
    for subject in &view.subjects {
        let model = subject.model;
        let clean = figure(model.clean.rate, model.clean.ci95);
        let start =
            format!("| {} | {} |", escaped(&subject.name), escaped(&words::images(&model.dataset)));
        if model.attacks.is_empty() {
            lines.push(format!("{start} none | {clean} | – | – |"));
        }
        for attack in &model.attacks {
            lines.push(format!(
                "{start} {} {} eps {}, {}, n = {} | {clean} | {} | {} |",
                escaped(&words::attack(&attack.id)),
                attack.norm,
                escaped(&attack.eps_text),
                words::labels(attack.labels),
                words::count(attack.adversarial.n),
                figure(attack.adversarial.rate, attack.adversarial.ci95),
                figure(attack.robustness.rate, attack.robustness.ci95)
            ));
        }
    }
    if view.with_paper {
        for model in paper::MODELS {
            lines.push(format!(
                "| *the paper's, not ours:* {} | CIFAR-10, n not stated | FGSM linf eps 0.1, labels \
                 not stated | {} | {} | {} |",
                model.name, model.clean.percent, model.adversarial.percent, model.robustness.percent
            ));
        }
    }
    lines.push(String::new());
}

fn figure(rate: f64, ci95: [f64; 2]) -> String {
    format!("{} {}", words::percent(rate), words::interval(ci95))
}

/// Text that Markdown takes literally.
pub(super) fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '&' => safe.push_str("&amp;"),
            '|' | '\\' | '`' | '*' | '_' | '[' | ']' => safe.extend(['\\', c]),
            c if c.is_control() => safe.push(' '),
            c => safe.push(c),
        }
    }
    safe
}
