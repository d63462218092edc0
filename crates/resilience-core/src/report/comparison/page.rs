//! Joins the parts of a comparison into one self-contained page.

use super::part::PARTS;
use super::view::View;
use crate::comparison::Comparison;
use crate::report::page::Page;
use crate::report::{ReportError, words};

/// The page of a comparison: one HTML file that loads nothing.
pub fn html(comparison: &Comparison) -> Result<String, ReportError> {
    let view = View::new(comparison);
    let page = Page {
        title: view.title(),
        subtitle: subtitle(&view),
        notices: view.notices(),
        parts: PARTS.iter().map(|part| part(&view)).collect::<Result<_, _>>()?,
        tool: tools(&view),
    };
    page.render()
}

fn subtitle(view: &View<'_>) -> String {
    let methods = match view.subjects.len() {
        1 => "1 method".to_owned(),
        n => format!("{n} methods"),
    };
    let runs = match view.members().count() {
        1 => "1 run".to_owned(),
        n => format!("{n} runs"),
    };
    let day = |started: &str| started.chars().take(10).collect::<String>();
    let mut days: Vec<String> = view.members().map(|m| day(&m.summary.run.started)).collect();
    days.sort_unstable();
    let days = match (days.first(), days.last()) {
        (Some(first), Some(last)) if first == last => format!(" · {first}"),
        (Some(first), Some(last)) => format!(" · {first} to {last}"),
        _ => String::new(),
    };
    format!("{methods} · {runs}{days}")
}

/// The programs that made the runs, each once.
fn tools(view: &View<'_>) -> String {
    let tools = view.members().map(|member| &member.summary.tool);
    let mut tools: Vec<String> =
        tools.map(|tool| format!("{} {}", tool.name, tool.version)).collect();
    tools.sort_unstable();
    tools.dedup();
    words::listed(&tools)
}
