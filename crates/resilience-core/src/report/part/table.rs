//! The table of models and metrics, ours and the paper's.

use askama::Template;

use crate::paper::{self, PaperFigure};
use crate::report::view::{Subject, View, any_judged, threat_words};
use crate::report::{ReportError, words};

#[derive(Template)]
#[template(path = "report/table.html")]
struct TableTemplate {
    subjects: Vec<SubjectRows>,
    paper: Vec<PaperRows>,
    labels_explained: &'static str,
    /// Whether another table opens the page, so that this one is about single attacks only.
    second: bool,
}

struct SubjectRows {
    name: String,
    about: String,
    clean: Figure,
    attacks: Vec<AttackRow>,
}

struct AttackRow {
    attack: String,
    labels: &'static str,
    adversarial: Figure,
    robustness: Figure,
}

struct Figure {
    percent: String,
    interval: String,
    n: String,
}

struct PaperRows {
    name: &'static str,
    figures: [&'static str; 3],
    probable: [String; 3],
}

/// The table of attacks on all images; where there is none, and another table has the clean figures,
/// nothing.
pub fn part(view: &View<'_>) -> Result<String, ReportError> {
    let paper =
        if view.with_paper { paper::MODELS.iter().map(paper_rows).collect() } else { vec![] };
    let second = any_judged(view);
    let attacked = |subject: &&Subject<'_>| !second || !subject.model.attacks.is_empty();
    let subjects: Vec<_> = view.subjects.iter().filter(attacked).map(subject_rows).collect();
    if subjects.is_empty() {
        return Ok(String::new());
    }
    let template =
        TableTemplate { subjects, second, paper, labels_explained: words::LABELS_EXPLAINED };
    Ok(template.render()?)
}

fn figure(rate: f64, ci95: [f64; 2], n: u64) -> Figure {
    Figure { percent: words::percent(rate), interval: words::interval(ci95), n: words::count(n) }
}

fn subject_rows(subject: &Subject<'_>) -> SubjectRows {
    let model = subject.model;
    let attacks = model.attacks.iter().map(|attack| {
        let (adversarial, robustness) = (attack.adversarial, attack.robustness);
        AttackRow {
            attack: threat_words(attack),
            labels: words::labels(attack.labels),
            adversarial: figure(adversarial.rate, adversarial.ci95, adversarial.n),
            robustness: figure(robustness.rate, robustness.ci95, robustness.n),
        }
    });
    SubjectRows {
        name: subject.name.clone(),
        about: format!(
            "{}, {} parameters · {}",
            model.architecture,
            words::count(model.parameters),
            words::images(&model.dataset)
        ),
        clean: figure(model.clean.rate, model.clean.ci95, model.clean.n),
        attacks: attacks.collect(),
    }
}

fn paper_rows(model: &paper::PaperModel) -> PaperRows {
    let figures = [model.clean, model.adversarial, model.robustness];
    let probable = |figure: PaperFigure| match figure.probable {
        Some((k, n)) => format!("{k}/{n}?"),
        None => "n not stated".to_owned(),
    };
    PaperRows {
        name: model.name,
        figures: figures.map(|figure| figure.percent),
        probable: figures.map(probable),
    }
}
