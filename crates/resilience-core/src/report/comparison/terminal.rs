//! The table of a comparison for the terminal, as text.

use comfy_table::{CellAlignment, ColumnConstraint, Width, presets};

use super::front;
use super::sentences::sentences;
use super::view::{View, figure};
use crate::comparison::{Comparison, Group, Measure};
use crate::report::terminal::{banner, fill, framed, printable};
use crate::report::{ReportError, words};

/// The table of methods and figures, one line a method, with what was found below.
///
/// `width` is the terminal's, in columns; without one (a file, a pipe) nothing is wrapped and the frame is
/// plain ASCII.
pub fn comparison_table(
    comparison: &Comparison,
    width: Option<u16>,
) -> Result<String, ReportError> {
    let view = View::new(comparison);
    let mut text = String::new();
    for notice in view.notices() {
        text += &banner(&notice, width);
    }
    text += &view.title();
    text.push('\n');
    text += &table(&view, width);
    text += "\n\n";
    let notes = [format!(
        "Means over the seeds in %, attacks at {}. Robust: what all attacks together leave, an upper \
             bound, with its 95 % interval over seeds and images (of one seed over the images alone); a \
             stronger attack can only lower it.",
        view.threat().replace('\u{a0}', " ")
    )];
    for line in notes.into_iter().chain(sentences(&view)).chain(front::sentence(&view)) {
        text += &fill(&line.replace('\u{a0}', " "), width);
        text.push('\n');
    }
    // Names come from files, and could steer the terminal.
    Ok(text.replace(|c: char| c.is_control() && c != '\n', "\u{fffd}"))
}

const HEADER: [&str; 9] = [
    "Method",
    "Seeds",
    "Clean",
    "FGSM,\ntrue",
    "FGSM,\npred.",
    "PGD-50",
    "Robust,\nat most",
    "95 %\ninterval",
    "Training",
];

/// Columns that are left out where there is no room: seeds and training.
const LESS_NEEDED: [usize; 2] = [1, 8];

fn table(view: &View<'_>, width: Option<u16>) -> String {
    let mut table = framed(width);
    let style =
        if width.is_some() { presets::UTF8_FULL_CONDENSED } else { presets::ASCII_FULL_CONDENSED };
    table.load_style(style);
    // A narrow terminal has no room for what the page says too.
    let narrow = width.is_some_and(|width| width < 100);
    let shown = |place: usize| !(narrow && LESS_NEEDED.contains(&place));
    let kept = |row: [String; 9]| -> Vec<String> {
        (0..).zip(row).filter(|(place, _)| shown(*place)).map(|(_, cell)| cell).collect()
    };
    table.set_header(kept(HEADER.map(str::to_owned)));
    for subject in &view.subjects {
        let rate = |measure| {
            figure(subject, measure).map_or_else(|| "-".to_owned(), |f| words::percent(f.mean))
        };
        let robust = figure(subject, Measure::Robust);
        let interval = robust.map(|figure| {
            let [low, high] = figure.ci95.map(words::percent);
            format!("{low}-{high}")
        });
        let seconds = subject.group.training_seconds();
        table.add_row(kept([
            printable(&subject.name),
            seeds(subject.group),
            rate(Measure::Clean),
            rate(Measure::FgsmTrue),
            rate(Measure::FgsmPredicted),
            rate(Measure::Pgd),
            robust.map_or_else(|| "-".to_owned(), |f| format!("<={}", words::percent(f.mean))),
            interval.unwrap_or_else(|| "-".to_owned()),
            seconds.map_or_else(|| "-".to_owned(), |s| words::time(s).replace('\u{a0}', " ")),
        ]));
    }
    // Names wrap, figures do not.
    let widths = table.column_max_content_widths();
    for (place, content) in widths.into_iter().enumerate().skip(1) {
        let Some(column) = table.column_mut(place) else { continue };
        column.set_constraint(ColumnConstraint::LowerBoundary(Width::Fixed(content + 2)));
        column.set_cell_alignment(CellAlignment::Right);
    }
    table.to_string()
}

/// The number of seeds; none of an ensemble.
fn seeds(group: &Group) -> String {
    match group.members.iter().filter(|member| member.seed.is_some()).count() {
        0 => "-".to_owned(),
        n => n.to_string(),
    }
}
