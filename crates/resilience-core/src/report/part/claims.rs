//! What a single step claims beside what is left when everything was tried: the opening table.

use askama::Template;

use crate::report::view::{Subject, View, any_judged, attack_names, claim, judged};
use crate::report::{ReportError, words};
use crate::summary::{Correct, EvaluationSummary};

#[derive(Template)]
#[template(path = "report/claims.html")]
struct ClaimsTemplate {
    subjects: Vec<SubjectRows>,
    /// Whether any figure is missing because its attacks came to no end.
    incomplete: bool,
}

struct SubjectRows {
    name: String,
    about: String,
    rows: Vec<Row>,
}

struct Row {
    threat: String,
    suite: String,
    attacks: String,
    clean: Figure,
    claim: Option<Figure>,
    /// None where the attacks came to no end.
    robust: Option<Figure>,
}

struct Figure {
    percent: String,
    interval: String,
    /// What it is over, and how.
    note: String,
}

impl Figure {
    fn of(correct: Correct, note: String) -> Self {
        Self {
            percent: words::percent(correct.rate),
            interval: words::interval(correct.ci95),
            note,
        }
    }

    fn over(correct: Correct) -> Self {
        Self::of(correct, format!("n = {}", words::count(correct.n)))
    }
}

/// The table, where anything but one step was tried.
pub fn part(view: &View<'_>) -> Result<String, ReportError> {
    if !any_judged(view) {
        return Ok(String::new());
    }
    let subjects: Vec<SubjectRows> = view.subjects.iter().map(subject_rows).collect();
    let mut rows = subjects.iter().flat_map(|subject| &subject.rows);
    let incomplete = rows.any(|row| row.robust.is_none());
    Ok(ClaimsTemplate { subjects, incomplete }.render()?)
}

fn subject_rows(subject: &Subject<'_>) -> SubjectRows {
    let model = subject.model;
    let noise = match model.passes {
        1 => String::new(),
        n => format!(" · mean of {n} passes"),
    };
    SubjectRows {
        name: subject.name.clone(),
        about: format!(
            "{}, {} parameters · {}{noise}",
            model.architecture,
            words::count(model.parameters),
            words::images(&model.dataset)
        ),
        rows: judged(model).map(|at| row(subject, at)).collect(),
    }
}

fn row(subject: &Subject<'_>, at: &EvaluationSummary) -> Row {
    let claim = claim(subject.model, at).map(|claim| {
        let labels = words::labels(claim.labels);
        Figure::of(claim.correct, format!("n = {}, {labels}", words::count(claim.correct.n)))
    });
    let robust = at.finished.then(|| {
        let mut figure = Figure::over(at.robust);
        if at.is_weak() {
            figure.note += ", weak attacks only";
        }
        figure
    });
    Row {
        threat: words::radius(at.norm, &at.eps_text),
        suite: at.suite.clone().unwrap_or_default(),
        attacks: attack_names(at),
        clean: Figure::over(at.clean),
        claim,
        robust,
    }
}
