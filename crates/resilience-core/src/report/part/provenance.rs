//! Where the figures come from: enough to repeat them.

use askama::Template;

use crate::report::view::{View, attack_words};
use crate::report::{ReportError, words};
use crate::summary::{AttackSummary, ModelSummary, Summary};

#[derive(Template)]
#[template(path = "report/provenance.html")]
struct ProvenanceTemplate<'a> {
    runs: Vec<RunFacts<'a>>,
}

struct RunFacts<'a> {
    title: String,
    summary: &'a Summary,
    models: Vec<ModelFacts<'a>>,
}

struct ModelFacts<'a> {
    model: &'a ModelSummary,
    normalisation: String,
    costs: Vec<[String; 4]>,
}

/// The facts of every run.
pub fn part(view: &View<'_>) -> Result<String, ReportError> {
    let runs = (1..).zip(view.runs).map(|(number, run)| RunFacts {
        title: if view.runs.len() > 1 { format!("Run {number}") } else { "The run".to_owned() },
        summary: &run.summary,
        models: run.summary.models.iter().map(facts).collect(),
    });
    Ok(ProvenanceTemplate { runs: runs.collect() }.render()?)
}

fn facts(model: &ModelSummary) -> ModelFacts<'_> {
    let list = |values: &[f64]| {
        let texts: Vec<String> = values.iter().map(f64::to_string).collect();
        texts.join(", ")
    };
    let cost = |attack: &AttackSummary| {
        [
            attack_words(attack),
            words::count(attack.forwards),
            words::count(attack.backwards),
            format!("{:.1} s", attack.seconds),
        ]
    };
    ModelFacts {
        model,
        normalisation: format!("mean {}; std {}", list(&model.mean), list(&model.std)),
        costs: model.attacks.iter().map(cost).collect(),
    }
}
