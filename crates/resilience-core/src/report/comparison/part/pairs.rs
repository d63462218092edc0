//! Every two groups against each other.

use askama::Template;

use crate::comparison::{Difference, Measure};
use crate::metric::ALPHA;
use crate::report::comparison::view::{Subject, View, points_interval, signed};
use crate::report::{ReportError, words};

/// So many rows are read without opening them.
const OPEN: usize = 10;

#[derive(Template)]
#[template(path = "report/comparison/pairs.html")]
struct PairsTemplate {
    tables: Vec<Table>,
    /// Of how many differences one measure has, and how many of them chance alone would make clear.
    multiple: Option<(usize, String)>,
    /// Whether any interval is over the images alone.
    alone: bool,
}

/// The differences in one measure.
struct Table {
    title: String,
    counted: String,
    /// Numbers of the columns' groups; empty where a list is enough.
    numbers: Vec<usize>,
    lines: Vec<Line>,
    open: bool,
    rows: Vec<Row>,
}

/// A line of the matrix.
struct Line {
    number: usize,
    name: String,
    cells: Vec<Cell>,
}

struct Cell {
    text: String,
    class: &'static str,
    title: String,
}

/// One difference in words, the higher one first.
struct Row {
    finding: String,
    seeds: String,
    points: String,
    interval: String,
    p: Option<String>,
}

/// Robust accuracy first, then clean.
pub fn part(view: &View<'_>) -> Result<String, ReportError> {
    let tables: Vec<Table> = [
        (Measure::Robust, format!("Robust accuracy at {}, at most", view.threat())),
        (Measure::Clean, "Clean accuracy".to_owned()),
    ]
    .into_iter()
    .filter_map(|(measure, title)| table(view, measure, title))
    .collect();
    if tables.is_empty() {
        return Ok(String::new());
    }
    let most = tables.iter().map(|table| table.rows.len()).max().unwrap_or_default();
    let by_chance = format!("{:.0}", (ALPHA * most as f64).max(1.0));
    let multiple = (most > OPEN).then_some((most, by_chance));
    let shown = |d: &&Difference| matches!(d.measure, Measure::Robust | Measure::Clean);
    let mut differences = view.comparison.differences.iter().filter(shown);
    let alone = differences.any(Difference::is_of_images_alone);
    Ok(PairsTemplate { tables, multiple, alone }.render()?)
}

fn table(view: &View<'_>, measure: Measure, title: String) -> Option<Table> {
    let ranked: Vec<&Subject<'_>> = view.ranked(measure).into_iter().map(|(s, _)| s).collect();
    let mut found = Vec::new();
    for (at, a) in ranked.iter().enumerate() {
        for b in &ranked[at + 1..] {
            let Some(d) = view.difference(a, b, measure) else { continue };
            found.push(if d.difference < 0.0 { (*b, *a, d.turned()) } else { (*a, *b, d) });
        }
    }
    if found.is_empty() {
        return None;
    }
    found.sort_by(|(.., a), (.., b)| b.difference.total_cmp(&a.difference));
    let clear = found.iter().filter(|(.., d)| d.is_clear()).count();
    let alone = found.iter().filter(|(.., d)| d.is_clear() && d.is_of_images_alone()).count();
    let with_matrix = ranked.len() > 2;
    Some(Table {
        title,
        counted: counted(found.len(), clear) + &of_images(clear, alone),
        numbers: if with_matrix { ranked.iter().map(|s| s.number).collect() } else { Vec::new() },
        lines: if with_matrix { lines(view, &ranked, measure) } else { Vec::new() },
        open: found.len() <= OPEN,
        rows: found.iter().map(|(a, b, d)| row(a, b, d)).collect(),
    })
}

fn counted(all: usize, clear: usize) -> String {
    match (all, clear) {
        (1, 0) => "The one difference is no more than chance explains.".to_owned(),
        (1, _) => "The one difference is more than chance explains.".to_owned(),
        (n, 0) => format!("Of {n} differences none is more than chance explains."),
        (n, k) if n == k => format!("All {n} differences are more than chance explains."),
        (n, 1) => format!("Of {n} differences one is more than chance explains."),
        (n, k) => format!("Of {n} differences {k} are more than chance explains."),
    }
}

/// How many of the clear ones another training may turn.
fn of_images(clear: usize, alone: usize) -> String {
    match (clear, alone) {
        (_, 0) => String::new(),
        (1, _) => " It is over the images alone: another training may turn it.".to_owned(),
        (n, k) if n == k => {
            " They are over the images alone: another training may turn them.".to_owned()
        }
        (_, 1) => " One of them is over the images alone: another training may turn it.".to_owned(),
        (_, k) => {
            format!(" Of them {k} are over the images alone: another training may turn those.")
        }
    }
}

fn lines(view: &View<'_>, ranked: &[&Subject<'_>], measure: Measure) -> Vec<Line> {
    let cell = |a: &Subject<'_>, b: &Subject<'_>| {
        if a.number == b.number {
            return Cell { text: String::new(), class: "same", title: String::new() };
        }
        let Some(d) = view.difference(a, b, measure) else {
            let title = format!("{} and {}: not on the same images", a.name, b.name);
            return Cell { text: "–".to_owned(), class: "open", title };
        };
        let mark = if d.is_of_images_alone() { "°" } else { "" };
        Cell {
            text: format!("{}{mark}", signed(d.difference, "+")),
            class: match d.difference {
                _ if !d.is_clear() => "open",
                x if x > 0.0 => "more",
                _ => "less",
            },
            title: format!("{} less {}: {}", a.name, b.name, points_interval(d.ci95)),
        }
    };
    let line = |a: &&Subject<'_>| Line {
        number: a.number,
        name: a.name.clone(),
        cells: ranked.iter().map(|b| cell(a, b)).collect(),
    };
    ranked.iter().map(line).collect()
}

fn row(a: &Subject<'_>, b: &Subject<'_>, d: &Difference) -> Row {
    let finding = if d.is_clear() {
        format!("{} is above {}.", a.name, b.name)
    } else {
        format!("{} and {} differ by no more than chance explains.", a.name, b.name)
    };
    let seeds = match (d.pairs, d.seeds) {
        (0, [1, 1]) => "one model each, over the images alone°".to_owned(),
        (0, [ours, theirs]) => format!("{ours} and {theirs} models, over the images alone°"),
        (pairs, _) => format!("{pairs} pairs of the same seed"),
    };
    Row {
        finding,
        seeds: format!("{seeds}; {} images", words::count(d.n)),
        points: signed(d.difference, "+"),
        interval: points_interval(d.ci95),
        p: d.p.map(words::p_clause),
    }
}
