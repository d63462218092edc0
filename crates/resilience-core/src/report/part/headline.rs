//! What was found, in plain words.

mod one_step;
mod robust;

use crate::report::opening::opening;
use crate::report::view::{View, judged};
use crate::report::{ReportError, words};

/// The opening of the page.
pub fn part(view: &View<'_>) -> Result<String, ReportError> {
    opening(sentences(view))
}

/// The findings, the most important first: what is left of each model when everything was tried,
/// else what one step leaves. Models are compared only where they were attacked in the same way on
/// the same images.
pub fn sentences(view: &View<'_>) -> Vec<String> {
    let (tried, others): (Vec<_>, Vec<_>) =
        view.subjects.iter().partition(|subject| judged(subject.model).next().is_some());
    let mut sentences = robust::sentences(view, &tried);
    if tried.is_empty() || others.iter().any(|subject| !subject.model.attacks.is_empty()) {
        sentences.extend(one_step::sentences(&others));
    } else if !others.is_empty() {
        let names: Vec<String> = others.iter().map(|subject| subject.name.clone()).collect();
        sentences.push(format!("Not attacked: {}.", words::listed(&names)));
    }
    sentences
}
