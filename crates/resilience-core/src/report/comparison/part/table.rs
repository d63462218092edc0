//! Every group's figures, one row a group.

use askama::Template;

use crate::comparison::{Figure, Measure};
use crate::report::comparison::view::{View, figure};
use crate::report::{ReportError, words};

#[derive(Template)]
#[template(path = "report/comparison/table.html")]
struct TableTemplate {
    /// Names of the columns, with the number of images where all have the same.
    columns: Vec<(String, Option<String>)>,
    rows: Vec<Row>,
    threat: String,
}

struct Row {
    number: usize,
    name: String,
    about: String,
    cells: Vec<Cell>,
}

/// What a cell says; a rate that is missing says nothing.
struct Cell {
    /// The column's name, for a screen that has no room for the head.
    label: String,
    value: String,
    notes: Vec<String>,
    /// Whether it is what all attacks leave.
    left: bool,
}

/// The table, in the suite's order.
pub fn part(view: &View<'_>) -> Result<String, ReportError> {
    if view.subjects.is_empty() {
        return Ok(String::new());
    }
    let column = |measure| {
        let images = view.images(measure).map(|n| format!("n = {}", words::count(n)));
        (view.column(measure), images)
    };
    let costs = ["training of a seed", "passes, an image and epoch"];
    let costs = costs.map(|cost| (cost.to_owned(), None));
    let columns = view.columns().map(column).chain(costs).collect();
    let rows = view.subjects.iter().map(|subject| {
        let group = subject.group;
        let rates = view.columns().map(|measure| rate(view, measure, figure(subject, measure)));
        let mut cells: Vec<Cell> = rates.collect();
        cells.push(cost("training of a seed", group.training_seconds().map(words::time)));
        let passes = group.training_passes().filter(|passes| *passes > 0.0);
        let passes = passes.map(|passes| format!("{passes:.1}"));
        cells.push(cost("passes, an image and epoch", passes));
        let recipe = group.recipe().map(|recipe| format!(" · recipe {recipe}"));
        Row {
            number: subject.number,
            name: subject.name.clone(),
            about: subject.seeds_in_full() + &recipe.unwrap_or_default(),
            cells,
        }
    });
    let (rows, threat) = (rows.collect(), view.threat());
    Ok(TableTemplate { columns, rows, threat }.render()?)
}

fn rate(view: &View<'_>, measure: Measure, figure: Option<&Figure>) -> Cell {
    let left = measure == Measure::Robust;
    let images = view.images(measure);
    let label = match images {
        Some(n) => format!("{}, n = {}", view.column(measure), words::count(n)),
        None => view.column(measure),
    };
    let Some(figure) = figure else {
        return Cell { label, value: "–".to_owned(), notes: Vec::new(), left };
    };
    let bound = if left { "≤\u{a0}" } else { "" };
    let mut notes = vec![words::interval(figure.ci95)];
    notes.extend(figure.deviation.map(|s| format!("s = {}", words::percent(s))));
    if images.is_none() {
        notes.push(format!("n = {}", words::count(figure.n)));
    }
    Cell { label, value: format!("{bound}{}", words::percent(figure.mean)), notes, left }
}

fn cost(label: &str, value: Option<String>) -> Cell {
    let value = value.unwrap_or_else(|| "–".to_owned());
    Cell { label: label.to_owned(), value, notes: Vec::new(), left: false }
}
