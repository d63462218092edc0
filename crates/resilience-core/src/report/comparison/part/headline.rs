//! What was found, in plain words.

use askama::Template;

use crate::report::ReportError;
use crate::report::comparison::sentences::sentences;
use crate::report::comparison::view::View;

#[derive(Template)]
#[template(path = "report/headline.html")]
struct HeadlineTemplate {
    lead: String,
    rest: Vec<String>,
}

/// The opening of the page.
pub fn part(view: &View<'_>) -> Result<String, ReportError> {
    let mut sentences = sentences(view).into_iter();
    let lead = sentences.next().unwrap_or_default();
    Ok(HeadlineTemplate { lead, rest: sentences.collect() }.render()?)
}
