//! Examples made on one model and shown to another, as a matrix.

use askama::Template;

use crate::report::view::{Subject, View};
use crate::report::{ReportError, words};
use crate::summary::{Correct, EvaluationSummary, StageSummary};

#[derive(Template)]
#[template(path = "report/transfer.html")]
struct TransferTemplate {
    matrices: Vec<Matrix>,
}

/// One attack at one radius: what each model leaves of the examples made on each.
pub struct Matrix {
    run: usize,
    /// The attack with all its settings, its labels and radius.
    attack: String,
    /// `PGD, linf 8/255, true labels (steps 40, …), CIFAR-10 test, n = 1,000`.
    pub title: String,
    /// The models that examples were shown to, and their clean accuracy on the same images.
    pub shown_to: Vec<(String, Correct)>,
    /// The models that examples were made on, each with the accuracy of those they were shown to, in
    /// order; none where that was not carried through.
    pub made_on: Vec<(String, Vec<Option<Correct>>)>,
}

impl Matrix {
    /// Whether row and column are of the same model.
    fn is_itself(&self, source: &str, column: usize) -> bool {
        self.shown_to[column].0 == source
    }
}

/// The matrices of all runs, in the order of their attacks.
pub fn matrices(view: &View<'_>) -> Vec<Matrix> {
    let mut matrices: Vec<Matrix> = Vec::new();
    for subject in &view.subjects {
        for at in &subject.model.evaluations {
            for stage in &at.attacks {
                let Some(source) = &stage.source else { continue };
                let attack = key(at, stage);
                let same = |matrix: &Matrix| matrix.run == subject.run && matrix.attack == attack;
                let place = matrices.iter().position(same).unwrap_or_else(|| {
                    matrices.push(Matrix::new(subject, (at, stage), attack.clone()));
                    matrices.len() - 1
                });
                matrices[place].take(source, (&subject.name, at.clean), stage.alone);
            }
        }
    }
    matrices
}

/// What tells one attack from another.
fn key(at: &EvaluationSummary, stage: &StageSummary) -> String {
    format!("{} {} {:?} {} {}", stage.id, stage.settings, stage.labels, at.norm, at.eps)
}

/// The attack with its radius: `PGD, linf 8/255, true labels (steps 40, …)`.
fn attack(at: &EvaluationSummary, stage: &StageSummary) -> String {
    let settings = words::settings(&stage.settings);
    let settings = if settings.is_empty() { settings } else { format!(" ({settings})") };
    let threat = words::threat(&stage.id, at.norm, &at.eps_text);
    format!("{threat}, {}{settings}", words::labels(stage.labels))
}

impl Matrix {
    fn new(
        subject: &Subject<'_>,
        (at, stage): (&EvaluationSummary, &StageSummary),
        key: String,
    ) -> Self {
        let set = &subject.model.dataset;
        let (data, n) = (words::dataset(&set.name), words::count(at.n));
        Self {
            run: subject.run,
            attack: key,
            title: format!("{}, {data} {}, n = {n}", attack(at, stage), set.split),
            shown_to: Vec::new(),
            made_on: Vec::new(),
        }
    }

    fn take(&mut self, source: &str, (target, clean): (&str, Correct), left: Option<Correct>) {
        let column = self.shown_to.iter().position(|(name, _)| name == target);
        let column = column.unwrap_or_else(|| {
            self.shown_to.push((target.to_owned(), clean));
            self.shown_to.len() - 1
        });
        let row = self.made_on.iter().position(|(name, _)| name == source);
        let row = row.unwrap_or_else(|| {
            self.made_on.push((source.to_owned(), Vec::new()));
            self.made_on.len() - 1
        });
        for (_, cells) in &mut self.made_on {
            cells.resize(self.shown_to.len(), None);
        }
        self.made_on[row].1[column] = left;
    }
}

/// A table for each attack and radius.
pub fn part(view: &View<'_>) -> Result<String, ReportError> {
    let matrices = matrices(view);
    if matrices.is_empty() {
        return Ok(String::new());
    }
    Ok(TransferTemplate { matrices }.render()?)
}
