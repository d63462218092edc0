//! The tables for the terminal, as text.

mod bench;
mod leaderboard;
mod robust;
mod transfer;

use comfy_table::{CellAlignment, ColumnConstraint, ContentArrangement, Table, Width, presets};

pub use self::bench::{Bench, Form, Rate, SuiteTime, bench};
pub use self::leaderboard::leaderboard;
use super::view::{View, any_judged, claim, has_fgsm, judged};
use super::{ReportError, Run, part, published, words};
use crate::paper;

/// The table of models and metrics with what must be known about it.
///
/// `width` is the terminal's, in columns; without one (a file, a pipe) nothing is wrapped and the
/// frame is plain ASCII.
pub fn terminal(runs: &[Run], width: Option<u16>) -> Result<String, ReportError> {
    let view = View::new(runs)?;
    let mut text = String::new();
    for notice in view.notices() {
        text.push_str(&banner(&notice, width));
    }
    text += &view.title();
    text.push('\n');
    let mut notes = vec!["Figures in % with 95 % Clopper-Pearson intervals.".to_owned()];
    if any_judged(&view) {
        text += &robust::table(&view, width);
        text += "\n\n";
        for line in robust::steps(&view) {
            text += &fill(&line, width);
            text.push('\n');
        }
        text.push('\n');
        let published = published::sentences(&view);
        if !published.is_empty() {
            text += "Among published claims (resilience leaderboard):\n";
            for sentence in published {
                text += &fill(&format!("- {sentence}"), width);
                text.push('\n');
            }
            text.push('\n');
        }
        notes.push(
            "FGSM: what a single gradient step claims. Robust: what is left when all attacks have had \
             their turn, an upper bound; a stronger attack can only lower it."
                .to_owned(),
        );
    }
    for (title, table) in transfer::tables(&view, width) {
        text += &fill(&format!("Examples of one model shown to another, % left: {title}"), width);
        text.push('\n');
        text += &table;
        text += "\n\n";
    }
    let distances = robust::distances(&view);
    if !distances.is_empty() {
        text += "Distances of the nearest adversarial examples, at most:\n";
        for line in distances {
            text += &fill(&line, width);
            text.push('\n');
        }
        text.push('\n');
    }
    if has_single(&view) {
        if any_judged(&view) {
            text += "One attack on all images, as the paper counts:\n";
        }
        text += &table(&view, width);
        text += "\n\n";
        notes.push("Robustness score: predictions that the attack leaves unchanged.".to_owned());
    }
    if has_labels(&view) {
        notes.push(words::LABELS_EXPLAINED.to_owned());
    }
    if view.with_paper {
        notes.push(
            "(paper) rows are the paper's own figures on CIFAR-10, not ours; k/n? is the count \
             that gives the figure exactly, which the paper does not state. The report says what \
             is known about them."
                .to_owned(),
        );
    }
    let audits = part::audits(&view);
    if audits.is_empty() {
        notes.extend(part::findings(&view).into_iter().map(|finding| {
            format!("Label leaking: {finding} That is not robustness; see the report.")
        }));
    }
    if has_fgsm(&view) && !any_judged(&view) {
        notes.push(
            "FGSM is one gradient step: its adversarial accuracy is an upper bound, not a \
             statement of robustness."
                .to_owned(),
        );
    }
    for note in notes {
        text.push_str(&fill(&note, width));
        text.push('\n');
    }
    for (word, doubts) in audits {
        let mut lines = vec![word];
        for doubt in doubts {
            lines.push(format!("- {}: {}", doubt.title, doubt.what));
            lines.push(format!("  Why it matters: {}", doubt.why));
            lines.push(format!("  What to do: {}", doubt.remedy));
        }
        text.push('\n');
        for line in lines {
            text.push_str(&fill(&line, width));
            text.push('\n');
        }
    }
    // Names come from files, and could steer the terminal.
    Ok(text.replace(|c: char| c.is_control() && c != '\n', "\u{fffd}"))
}

/// Whether the table of single attacks has anything to say, or is the only one.
fn has_single(view: &View<'_>) -> bool {
    !any_judged(view) || view.subjects.iter().any(|subject| !subject.model.attacks.is_empty())
}

/// Whether any figure depends on the convention of labels.
fn has_labels(view: &View<'_>) -> bool {
    has_single(view)
        || view
            .subjects
            .iter()
            .any(|subject| judged(subject.model).any(|at| claim(subject.model, at).is_some()))
}

/// Widths of `predicted labels`, of `100.00-100.00`, and of the spaces beside them.
const ATTACK: u16 = 16;
const INTERVAL: u16 = 13;
const PADDING: u16 = 2;

fn table(view: &View<'_>, width: Option<u16>) -> String {
    let mut table = framed(width);
    table.set_header(["Model", "Attack", "Clean\nacc.", "Adversarial\nacc.", "Robustness\nscore"]);
    for subject in &view.subjects {
        let model = subject.model;
        let mut about = format!(
            "{}\n{} {}\nn = {}",
            printable(&subject.name),
            printable(words::dataset(&model.dataset.name)),
            model.dataset.split,
            words::count(model.clean.n)
        );
        let mut clean = figure(model.clean.rate, model.clean.ci95);
        if model.attacks.is_empty() && !any_judged(view) {
            table.add_row([&about, "none", &clean, "-", "-"]);
        }
        for attack in &model.attacks {
            let (a, r) = (attack.adversarial, attack.robustness);
            let what = format!(
                "{} {} {}\n{}\nn = {}",
                words::attack(&attack.id),
                attack.norm,
                attack.eps_text,
                words::labels(attack.labels),
                words::count(a.n)
            );
            let (a, r) = (figure(a.rate, a.ci95), figure(r.rate, r.ci95));
            table.add_row([&about, &what, &clean, &a, &r]);
            // Said once for all attacks on a model.
            about.clear();
            clean.clear();
        }
    }
    if view.with_paper {
        for model in paper::MODELS {
            let figure = |figure: paper::PaperFigure| match figure.probable {
                Some((k, n)) => format!("{}\n{k}/{n}?", figure.percent),
                None => format!("{}\nn unstated", figure.percent),
            };
            table.add_row([
                format!("(paper) {}\nCIFAR-10", model.name),
                format!("FGSM linf {}\nlabels unstated", paper::EPS),
                figure(model.clean),
                figure(model.adversarial),
                figure(model.robustness),
            ]);
        }
    }
    fitted(table, width)
}

pub(super) fn framed(width: Option<u16>) -> Table {
    let mut table = Table::new();
    if let Some(width) = width {
        table.load_style(presets::UTF8_FULL);
        table.set_content_arrangement(ContentArrangement::Dynamic);
        table.set_width(width);
    } else {
        table.load_style(presets::ASCII_FULL);
        table.set_content_arrangement(ContentArrangement::Disabled);
    }
    table
}

/// As text, in which figures are not broken over lines.
fn fitted(mut table: Table, width: Option<u16>) -> String {
    // An interval stays on one line, and an attack too where all of it fits; names wrap.
    let widths = table.column_max_content_widths();
    for (place, content) in widths.into_iter().enumerate().skip(1) {
        let Some(column) = table.column_mut(place) else { continue };
        let needed = match place {
            1 if width.is_some_and(|width| width < 80) => continue,
            1 => ATTACK,
            _ => content.min(INTERVAL),
        };
        column.set_constraint(ColumnConstraint::LowerBoundary(Width::Fixed(needed + PADDING)));
        if place > 1 {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table.to_string()
}

/// Without spaces, so that an interval is not broken over lines.
fn figure(rate: f64, [low, high]: [f64; 2]) -> String {
    format!("{}\n{}-{}", words::percent(rate), words::percent(low), words::percent(high))
}

/// A name without what would steer a terminal.
pub(super) fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

/// A notice that cannot be missed.
pub(super) fn banner(notice: &str, width: Option<u16>) -> String {
    let ruler = "!".repeat(width.map_or(78, usize::from).clamp(10, 78));
    let text = fill(&format!("NOTICE: {}", printable(notice)), Some(width.unwrap_or(78).min(78)));
    format!("{ruler}\n{text}\n{ruler}\n\n")
}

/// Breaks lines at spaces where there is a width.
pub(super) fn fill(text: &str, width: Option<u16>) -> String {
    let Some(width) = width.map(usize::from) else { return text.to_owned() };
    let mut filled = String::new();
    let mut column = 0;
    for word in text.split(' ') {
        let length = word.chars().count();
        if column > 0 && column + 1 + length > width {
            filled.push('\n');
            column = 0;
        } else if column > 0 {
            filled.push(' ');
            column += 1;
        }
        filled.push_str(word);
        column += length;
    }
    filled
}
