//! Joins the parts into one self-contained page.

use askama::Template;

use super::part::PARTS;
use super::view::View;
use super::{ReportError, Run};

#[derive(Template)]
#[template(path = "report/page.html")]
struct PageTemplate<'a> {
    title: String,
    subtitle: String,
    notices: Vec<&'a str>,
    style: &'static str,
    parts: Vec<String>,
    tool: String,
}

/// The page of one or several runs: one HTML file that loads nothing.
pub fn html(runs: &[Run]) -> Result<String, ReportError> {
    let view = View::new(runs)?;
    let parts = PARTS.iter().map(|part| part(&view)).collect::<Result<_, _>>()?;
    let first = &view.runs[0].summary;
    let template = PageTemplate {
        title: view.title(),
        subtitle: subtitle(&view),
        notices: view.notices(),
        style: include_str!("../../templates/report/style.css"),
        parts,
        tool: format!("{} {}", first.tool.name, first.tool.version),
    };
    Ok(template.render()? + "\n")
}

fn subtitle(view: &View<'_>) -> String {
    let models = match view.subjects.len() {
        1 => "1 model".to_owned(),
        n => format!("{n} models"),
    };
    let date = |run: &Run| run.summary.run.started.chars().take(10).collect::<String>();
    let mut dates: Vec<String> = view.runs.iter().map(date).collect();
    dates.dedup();
    let runs = match view.runs.len() {
        1 => String::new(),
        n => format!(" · {n} runs"),
    };
    format!("{models}{runs} · {}", dates.join(", "))
}
