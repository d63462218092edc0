//! What the numbers do not show.

use std::collections::{BTreeMap, BTreeSet};

use askama::Template;

use crate::report::network::networks;
use crate::report::view::{View, any_judged, has_fgsm};
use crate::report::{ReportError, words};

#[derive(Template)]
#[template(path = "report/limits.html")]
struct LimitsTemplate {
    fgsm: bool,
    robust: bool,
    /// Whether any figure is of one attack on all images.
    scores: bool,
    /// `one seed was`, where any model was trained here.
    seeds: Option<String>,
    /// The names of models that have no gradient.
    without_gradient: Option<String>,
}

/// The limits, those of FGSM where it was run.
pub fn part(view: &View<'_>) -> Result<String, ReportError> {
    let template = LimitsTemplate {
        fgsm: has_fgsm(view),
        robust: any_judged(view),
        scores: view.subjects.iter().any(|subject| !subject.model.attacks.is_empty()),
        seeds: seeds(view),
        without_gradient: without_gradient(view),
    };
    Ok(template.render()?)
}

/// How many seeds each recipe was trained with, over all runs.
fn seeds(view: &View<'_>) -> Option<String> {
    let mut recipes: BTreeMap<&str, BTreeSet<u64>> = BTreeMap::new();
    for training in networks(view).into_iter().filter_map(|network| network.training) {
        recipes.entry(&training.recipe).or_default().insert(training.seed);
    }
    let said = recipes.iter().map(|(recipe, seeds)| match seeds.len() {
        1 => format!("one seed of {recipe}"),
        n => format!("{n} seeds of {recipe}"),
    });
    let said: Vec<String> = said.collect();
    (!said.is_empty()).then(|| words::listed(&said))
}

/// The models that attacks saw another function's gradient of.
fn without_gradient(view: &View<'_>) -> Option<String> {
    let voted = view.subjects.iter().filter(|subject| {
        subject.model.ensemble.as_ref().is_some_and(|ensemble| !ensemble.differentiable)
    });
    let names: Vec<String> = voted.map(|subject| subject.name.clone()).collect();
    (!names.is_empty()).then(|| words::listed(&names))
}
