//! What is known about the paper's figures.

use askama::Template;

use crate::paper;
use crate::report::ReportError;
use crate::report::view::View;

#[derive(Template)]
#[template(path = "report/paper.html")]
struct PaperTemplate {
    citation: &'static str,
    notes: Vec<String>,
    other_data: Vec<String>,
}

/// The notes, where the paper's figures stand on the page.
pub fn part(view: &View<'_>) -> Result<String, ReportError> {
    if !view.with_paper {
        return Ok(String::new());
    }
    let other_data =
        view.datasets.iter().filter(|name| *name != "CIFAR-10").cloned().collect::<Vec<_>>();
    Ok(PaperTemplate { citation: paper::CITATION, notes: paper::notes(), other_data }.render()?)
}
