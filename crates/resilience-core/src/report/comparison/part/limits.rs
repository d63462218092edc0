//! What the comparison does not show.

use askama::Template;

use crate::report::comparison::view::View;
use crate::report::{ReportError, words};
use crate::summary::ModelSummary;

#[derive(Template)]
#[template(path = "report/comparison/limits.html")]
struct LimitsTemplate {
    /// `2 to 5 epochs`, where anything was trained here.
    epochs: Option<String>,
    /// `at most 545,098 parameters`.
    parameters: Option<String>,
    /// The most seeds of any group.
    seeds: usize,
    /// Whether any group has no more than one.
    single: bool,
}

/// The limits, with the figures of what was done.
pub fn part(view: &View<'_>) -> Result<String, ReportError> {
    let trainings = view.members().filter_map(|member| member.training.as_ref());
    let mut epochs: Vec<usize> = trainings.map(|training| training.epochs.len()).collect();
    epochs.sort_unstable();
    let epochs = match (epochs.first(), epochs.last()) {
        (Some(1), Some(1)) => Some("one epoch".to_owned()),
        (Some(few), Some(many)) if few == many => Some(format!("{few} epochs")),
        (Some(few), Some(many)) => Some(format!("{few} to {many} epochs")),
        _ => None,
    };
    let models = view.members().flat_map(|member| &member.summary.models);
    let parameters = models.flat_map(parameters).max();
    let seeds = view.subjects.iter().map(|subject| subject.group.members.len());
    let template = LimitsTemplate {
        epochs,
        parameters: parameters.map(|n| format!("{} parameters at most", words::count(n))),
        seeds: seeds.clone().max().unwrap_or_default(),
        single: seeds.min().is_some_and(|seeds| seeds < 2),
    };
    Ok(template.render()?)
}

/// Parameters of each single network: of an ensemble those of its members, which it has the sum of.
fn parameters(model: &ModelSummary) -> Vec<u64> {
    match &model.ensemble {
        Some(ensemble) => ensemble.members.iter().map(|member| member.parameters).collect(),
        None => vec![model.parameters],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testdata;

    /// Would catch an ensemble's sum of parameters that is taken for the size of a network.
    #[test]
    fn an_ensemble_is_as_large_as_its_largest_member() {
        let mut comparison = testdata::comparison();
        let model = &mut comparison.groups[4].members[0].summary.models[0];
        let mut ensemble = testdata::ensemble();
        ensemble.members[1].parameters = 700_000;
        (model.parameters, model.ensemble) = (1_164_154, Some(ensemble));
        let said = part(&View::new(&comparison)).unwrap();
        assert!(said.contains("700,000 parameters at most"), "{said}");
    }
}
