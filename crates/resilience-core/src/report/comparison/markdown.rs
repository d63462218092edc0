//! The same figures as a few lines of Markdown, for an issue or a README.

use super::front;
use super::sentences::sentences;
use super::view::{Subject, View, figure};
use crate::comparison::{Comparison, Measure};
use crate::report::markdown::escaped;
use crate::report::words;

/// Title, notices, findings and the table.
#[must_use]
pub fn comparison_markdown(comparison: &Comparison) -> String {
    let view = View::new(comparison);
    let mut lines = vec![format!("## {}", escaped(&view.title())), String::new()];
    for notice in view.notices() {
        lines.extend([format!("> **Notice.** {}", escaped(&notice)), String::new()]);
    }
    for sentence in sentences(&view).into_iter().chain(front::sentence(&view)) {
        lines.extend([escaped(&sentence), String::new()]);
    }
    if !view.subjects.is_empty() {
        table(&view, &mut lines);
    }
    lines.join("\n")
}

fn table(view: &View<'_>, lines: &mut Vec<String>) {
    let title = |measure| match view.images(measure) {
        Some(n) => format!("{} %, n = {}", view.column(measure), words::count(n)),
        None => format!("{} %", view.column(measure)),
    };
    let titles: Vec<String> = view.columns().map(|measure| escaped(&title(measure))).collect();
    lines.push(format!("| method | seeds | {} | training |", titles.join(" | ")));
    lines.push(format!("|---|---|{}---|", "---|".repeat(titles.len())));
    lines.extend(view.subjects.iter().map(|subject| row(view, subject)));
    lines.extend([
        String::new(),
        format!(
            "Attacks at {}, where a column names no other radius. Means over the seeds, with 95 % intervals over seeds and images in brackets \
             (of one seed over the images alone). Robust accuracy is an upper bound: what all attacks \
             together left. A stronger attack can only lower it. {}",
            escaped(&view.threat()),
            words::LABELS_EXPLAINED
        ),
        String::new(),
    ]);
}

fn row(view: &View<'_>, subject: &Subject<'_>) -> String {
    let cells = view.columns().map(|measure| {
        let Some(figure) = figure(subject, measure) else { return "–".to_owned() };
        let rate = words::percent(figure.mean);
        let rate = if measure == Measure::Robust { format!("**{rate}**") } else { rate };
        let n = match view.images(measure) {
            Some(_) => String::new(),
            None => format!(", n = {}", words::count(figure.n)),
        };
        format!("{rate} {}{n}", words::interval(figure.ci95))
    });
    let cells: Vec<String> = cells.collect();
    let time = subject.group.training_seconds().map_or_else(|| "–".to_owned(), words::time);
    let (name, seeds) = (escaped(&subject.name), subject.seeds());
    format!("| {name} | {seeds} | {} | {time} |", cells.join(" | "))
}
