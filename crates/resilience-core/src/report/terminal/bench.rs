//! What `resilience bench` shows: the pace of a model's forms, and how long suites would take.

use std::fmt::Write as _;

use comfy_table::{CellAlignment, Table};

use super::{fill, framed, printable};
use crate::report::words;
use crate::threat::Norm;
use crate::view::View;

/// What was measured and what it comes to.
#[derive(Clone, Debug, PartialEq)]
pub struct Bench {
    /// The model's name.
    pub model: String,
    /// Registry id of its architecture.
    pub architecture: String,
    /// The processor.
    pub cpu: String,
    /// Threads that were used.
    pub threads: u32,
    /// What was passed through: `random images`.
    pub images: String,
    /// The forms of the model, measured or not.
    pub forms: Vec<Form>,
    /// Images that the times are predicted for.
    pub n: u64,
    /// The norm that they are predicted for.
    pub norm: Norm,
    /// The radius, likewise.
    pub eps: String,
    /// The times.
    pub suites: Vec<SuiteTime>,
}

/// A form of a model.
#[derive(Clone, Debug, PartialEq)]
pub struct Form {
    /// Which.
    pub view: View,
    /// What was measured, the smaller chunks first; none where the form was left out.
    pub rates: Vec<Rate>,
    /// What was left out and why, as the end of a sentence that begins with the form.
    pub left_out: Option<String>,
}

/// Images a second.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rate {
    /// Images at once.
    pub chunk: u64,
    /// Forwards alone.
    pub forwards: f64,
    /// Forwards and back to the gradient of the input.
    pub both: f64,
    /// Whether `eval` would choose this.
    pub chosen: bool,
}

/// How long a suite would take.
#[derive(Clone, Debug, PartialEq)]
pub struct SuiteTime {
    /// Its name.
    pub name: String,
    /// Registry ids of its attacks, in order.
    pub attacks: Vec<String>,
    /// Seconds if every image survived everything, or why it cannot be run.
    pub at_most: Result<f64, String>,
}

/// Both tables with what must be known about them.
///
/// `width` is the terminal's, in columns, as for [`super::terminal`].
#[must_use]
pub fn bench(bench: &Bench, width: Option<u16>) -> String {
    let mut text = format!("{} ({})\n", bench.model, bench.architecture);
    text += &fill(&format!("{}; threads: {}", bench.cpu, bench.threads), width);
    let _ = write!(text, "\n\nImages a second ({}):\n{}\n", bench.images, forms(bench, width));
    let mut notes: Vec<String> = bench
        .forms
        .iter()
        .filter_map(|form| Some(format!("{}: {}", form.view.name(), form.left_out.as_ref()?)))
        .collect();
    notes
        .push("Chosen by eval: what attacks would look at, and how much of it at once.".to_owned());
    text += &lines(&notes, width);
    let _ = write!(
        text,
        "\nPredicted for {} images, {} {}:\n{}\n",
        words::count(bench.n),
        bench.norm,
        bench.eps,
        suites(bench, width)
    );
    let mut notes: Vec<String> = bench
        .suites
        .iter()
        .filter_map(|suite| Some(format!("{}: {}", suite.name, suite.at_most.as_ref().err()?)))
        .collect();
    notes.push(
        "At most: if every image survived every attack. One that falls is attacked no further: \
         where one in four survives everything, a run takes at least a quarter of that, and more, \
         the later the others fall."
            .to_owned(),
    );
    text += lines(&notes, width).trim_end();
    // Names come from files, and could steer the terminal.
    text.replace(|c: char| c.is_control() && c != '\n', "\u{fffd}")
}

fn lines(notes: &[String], width: Option<u16>) -> String {
    notes.iter().map(|note| fill(note, width) + "\n").collect()
}

fn forms(bench: &Bench, width: Option<u16>) -> String {
    let mut table = framed(width);
    table.set_header(["Form", "At once", "Forwards", "and back", "Chosen by"]);
    for form in &bench.forms {
        let column = |of: &dyn Fn(&Rate) -> String| {
            let rates: Vec<String> = form.rates.iter().map(of).collect();
            if rates.is_empty() { "-".to_owned() } else { rates.join("\n").trim_end().to_owned() }
        };
        table.add_row([
            format!("{}\n{}", form.view.name(), form.view.about()),
            column(&|rate| rate.chunk.to_string()),
            column(&|rate| words::rate(rate.forwards)),
            column(&|rate| words::rate(rate.both)),
            column(&|rate| if rate.chosen { "eval" } else { "" }.to_owned()),
        ]);
    }
    figures_right(&mut table, &[1, 2, 3]);
    table.to_string()
}

fn suites(bench: &Bench, width: Option<u16>) -> String {
    let mut table = framed(width);
    table.set_header(["Suite", "Attacks", "At most"]);
    for suite in &bench.suites {
        let attacks: Vec<String> = suite.attacks.iter().map(|id| words::attack(id)).collect();
        let at_most = suite.at_most.as_ref().map_or("-".to_owned(), |&s| words::foreseen(s));
        table.add_row([printable(&suite.name), attacks.join(", "), at_most]);
    }
    figures_right(&mut table, &[2]);
    table.to_string()
}

fn figures_right(table: &mut Table, columns: &[usize]) {
    for &place in columns {
        if let Some(column) = table.column_mut(place) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
}
