//! How a page opens: what was found, the most important first and large.

use askama::Template;

use super::ReportError;

#[derive(Template)]
#[template(path = "report/headline.html")]
struct OpeningTemplate {
    lead: String,
    rest: Vec<String>,
}

/// These sentences as a section.
pub fn opening(sentences: Vec<String>) -> Result<String, ReportError> {
    let mut sentences = sentences.into_iter();
    let lead = sentences.next().unwrap_or_default();
    Ok(OpeningTemplate { lead, rest: sentences.collect() }.render()?)
}
