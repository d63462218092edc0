//! What the numbers do not show.

use askama::Template;

use crate::report::ReportError;
use crate::report::view::{View, has_fgsm};

#[derive(Template)]
#[template(path = "report/limits.html")]
struct LimitsTemplate {
    fgsm: bool,
    trained_here: bool,
}

/// The limits, those of FGSM where it was run.
pub fn part(view: &View<'_>) -> Result<String, ReportError> {
    let trained_here = view.subjects.iter().any(|subject| subject.model.training.is_some());
    Ok(LimitsTemplate { fgsm: has_fgsm(view), trained_here }.render()?)
}
