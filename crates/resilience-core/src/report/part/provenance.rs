//! Where the figures come from: enough to repeat them.

use askama::Template;

use crate::record::MemberRecord;
use crate::report::view::View;
use crate::report::{ReportError, words};
use crate::summary::{EvaluationSummary, ModelSummary, StageSummary, Summary};

#[derive(Template)]
#[template(path = "report/provenance.html")]
struct ProvenanceTemplate<'a> {
    runs: Vec<RunFacts<'a>>,
}

struct RunFacts<'a> {
    title: String,
    summary: &'a Summary,
    /// The data that the run is about, each once: name and checksum.
    data: Vec<(String, String)>,
    models: Vec<ModelFacts<'a>>,
}

struct ModelFacts<'a> {
    model: &'a ModelSummary,
    normalisation: String,
    members: Vec<MemberFacts<'a>>,
    costs: Vec<Cost>,
}

struct MemberFacts<'a> {
    member: &'a MemberRecord,
    normalisation: String,
}

/// What an attack was and cost.
struct Cost {
    attack: String,
    passes: String,
    settings: String,
}

/// The facts of every run.
pub fn part(view: &View<'_>) -> Result<String, ReportError> {
    let runs = (1..).zip(view.runs).map(|(number, run)| RunFacts {
        title: if view.runs.len() > 1 { format!("Run {number}") } else { "The run".to_owned() },
        summary: &run.summary,
        data: data(&run.summary),
        models: run.summary.models.iter().map(facts).collect(),
    });
    Ok(ProvenanceTemplate { runs: runs.collect() }.render()?)
}

fn data(summary: &Summary) -> Vec<(String, String)> {
    let mut data: Vec<(String, String)> = Vec::new();
    for set in summary.models.iter().map(|model| &model.dataset) {
        let entry = (words::images(set), set.sha256.clone());
        if !data.contains(&entry) {
            data.push(entry);
        }
    }
    data
}

fn facts(model: &ModelSummary) -> ModelFacts<'_> {
    let members = model.ensemble.iter().flat_map(|ensemble| &ensemble.members);
    let stages = model.evaluations.iter().flat_map(|at| at.attacks.iter().map(move |s| (at, s)));
    ModelFacts {
        model,
        normalisation: normalisation((&model.mean, &model.std), model.input_levels),
        members: members.map(member).collect(),
        costs: stages.map(|(at, stage)| cost(at, stage)).collect(),
    }
}

fn member(member: &MemberRecord) -> MemberFacts<'_> {
    let noise = match member.input_noise {
        noise if noise > 0.0 => format!("; noise of deviation {noise} on its pixels"),
        _ => String::new(),
    };
    let own = normalisation((&member.mean, &member.std), member.input_levels);
    let normalisation = format!("{own}{noise}");
    MemberFacts { member, normalisation }
}

fn normalisation((mean, std): (&[f64], &[f64]), levels: Option<u32>) -> String {
    let list = |values: &[f64]| {
        let texts: Vec<String> = values.iter().map(f64::to_string).collect();
        texts.join(", ")
    };
    let rounding = levels.map_or_else(String::new, |levels| {
        format!(
            "; pixels rounded to {levels} levels first, which attacks see as if they stayed as they are \
             (BPDA)"
        )
    });
    format!("mean {}; std {}{rounding}", list(mean), list(std))
}

fn cost(at: &EvaluationSummary, stage: &StageSummary) -> Cost {
    let threat = words::threat(&stage.id, at.norm, &at.eps_text);
    Cost {
        attack: format!("{threat}, {}", words::labels(stage.labels)),
        passes: format!(
            "{} forward and {} backward passes in images, {}",
            words::count(stage.forwards),
            words::count(stage.backwards),
            words::time(stage.seconds)
        ),
        settings: words::settings(&stage.settings),
    }
}
