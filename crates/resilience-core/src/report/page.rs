//! Joins the parts into one self-contained page.

use askama::Template;

use super::part::PARTS;
use super::view::View;
use super::{ReportError, Run, words};

const STYLE: &str = include_str!("../../templates/report/style.css");

/// A page before it is written.
#[derive(Template)]
#[template(path = "report/page.html")]
pub(super) struct Page {
    /// Its title and heading.
    pub title: String,
    /// What stands below the heading.
    pub subtitle: String,
    /// What must be read before any figure.
    pub notices: Vec<String>,
    /// Its parts as HTML, in order.
    pub parts: Vec<String>,
    /// The programs that made what it shows.
    pub tool: String,
}

impl Page {
    /// The page as HTML.
    pub fn render(&self) -> Result<String, ReportError> {
        Ok(Template::render(self)? + "\n")
    }
}

/// The page of one or several runs: one HTML file that loads nothing.
pub fn html(runs: &[Run]) -> Result<String, ReportError> {
    let view = View::new(runs)?;
    let parts = PARTS.iter().map(|part| part(&view)).collect::<Result<_, _>>()?;
    let page = Page {
        title: view.title(),
        subtitle: subtitle(&view),
        notices: view.notices(),
        parts,
        tool: tools(&view),
    };
    page.render()
}

/// The programs that made the runs, each once.
fn tools(view: &View<'_>) -> String {
    let tool = |run: &Run| format!("{} {}", run.summary.tool.name, run.summary.tool.version);
    let mut tools: Vec<String> = view.runs.iter().map(tool).collect();
    tools.sort_unstable();
    tools.dedup();
    words::listed(&tools)
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
