//! What each attack of an evaluation breaks, and what is left after it.

use askama::Template;

use crate::record::{LabelSource, Scope};
use crate::report::view::{Subject, View, headline, judged};
use crate::report::{ReportError, words};
use crate::summary::{Correct, EvaluationSummary, StageSummary};

#[derive(Template)]
#[template(path = "report/attacks.html")]
struct AttacksTemplate {
    subjects: Vec<SubjectTables>,
}

struct SubjectTables {
    name: String,
    tables: Vec<Table>,
}

struct Table {
    summary: String,
    /// Whether the headline is about it; the others open on demand.
    open: bool,
    clean: [String; 2],
    carried: Option<(String, [String; 2])>,
    rows: Vec<Row>,
    notes: Vec<String>,
}

struct Row {
    attack: String,
    about: String,
    attacked: String,
    broke: String,
    adds: String,
    /// Percentage and interval of what is left after it.
    left: [String; 2],
    passes: String,
    time: String,
    finished: bool,
}

/// One table for every norm and radius of every model.
pub fn part(view: &View<'_>) -> Result<String, ReportError> {
    let subjects: Vec<SubjectTables> = view.subjects.iter().filter_map(tables).collect();
    if subjects.is_empty() {
        return Ok(String::new());
    }
    Ok(AttacksTemplate { subjects }.render()?)
}

fn tables(subject: &Subject<'_>) -> Option<SubjectTables> {
    let first = headline(subject.model).or_else(|| judged(subject.model).next())?;
    let tables = judged(subject.model).map(|at| table(at, std::ptr::eq(at, first)));
    Some(SubjectTables { name: subject.name.clone(), tables: tables.collect() })
}

fn table(at: &EvaluationSummary, open: bool) -> Table {
    let suite = at.suite.as_ref().map(|suite| format!(" · {suite}")).unwrap_or_default();
    let left = if at.finished {
        format!("at most {}\u{a0}%", words::percent(at.robust.rate))
    } else {
        "incomplete".to_owned()
    };
    let carried = at.cost.first().filter(|_| at.carried > 0).map(|start| {
        let left = Correct::of(start.correct, at.n);
        (words::count(at.carried), figure(Correct { rate: start.rate, ..left }))
    });
    Table {
        summary: format!("{}{suite} · {left}", words::radius(at.norm, &at.eps_text)),
        open,
        clean: figure(at.clean),
        carried,
        rows: at.attacks.iter().map(row).collect(),
        notes: notes(at),
    }
}

fn figure(correct: Correct) -> [String; 2] {
    [words::percent(correct.rate), words::interval(correct.ci95)]
}

fn row(stage: &StageSummary) -> Row {
    let mut about = vec![words::budget(&stage.settings)];
    if stage.scope == Scope::All {
        about.push("on all images".to_owned());
    }
    if stage.scope == Scope::Closest {
        about.push("those that came closest, at the model itself".to_owned());
    }
    if let Some(source) = &stage.source {
        about.push(format!("made on {source}"));
    }
    if stage.labels == LabelSource::Predicted {
        about.push(words::labels(stage.labels).to_owned());
    }
    about.retain(|words| !words.is_empty());
    Row {
        attack: words::attack(&stage.id),
        about: about.join(", "),
        attacked: words::count(stage.attacked),
        broke: words::count(stage.broke),
        adds: words::count(stage.adds),
        left: figure(stage.remaining),
        passes: words::amount(stage.forwards + stage.backwards),
        time: words::time(stage.seconds),
        finished: stage.finished,
    }
}

fn notes(at: &EvaluationSummary) -> Vec<String> {
    let mut notes = Vec::new();
    if !at.finished {
        notes.push(
            "Incomplete: attacks that were planned here did not come to their end, so that images \
             count as left which nothing has tried. This is no robust accuracy."
                .to_owned(),
        );
    }
    match at.boundary() {
        0 => {}
        1 => notes.push(
            "One image was broken by so small a margin that another machine may decide otherwise."
                .to_owned(),
        ),
        n => notes.push(format!(
            "{} images were broken by so small a margin that another machine may decide otherwise.",
            words::count(n)
        )),
    }
    notes
}
