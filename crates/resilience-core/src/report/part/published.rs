//! Where results would stand among what others have published.

use askama::Template;

use crate::report::published::{Placed, placed, ranks, spans, terms, told};
use crate::report::view::View;
use crate::report::{ReportError, words};

#[derive(Template)]
#[template(path = "report/published.html")]
struct PublishedTemplate {
    rows: Vec<Row>,
    /// On what terms the figures are compared, each once.
    terms: Vec<String>,
}

struct Row {
    name: String,
    threat: String,
    percent: String,
    interval: String,
    /// What the interval spans, and the rank of the figure itself where that is one of several.
    ranks: String,
    rank: String,
    above: String,
    below: String,
}

/// The table, where anything is published for a threat of the page.
pub fn part(view: &View<'_>) -> Result<String, ReportError> {
    let placed = placed(view);
    if placed.is_empty() {
        return Ok(String::new());
    }
    let mut said: Vec<String> = Vec::new();
    for sentence in placed.iter().map(terms) {
        if !said.contains(&sentence) {
            said.push(sentence);
        }
    }
    Ok(PublishedTemplate { rows: placed.iter().map(row).collect(), terms: said }.render()?)
}

fn row(placed: &Placed<'_>) -> Row {
    let Placed { subject, at, place } = placed;
    let rank = if spans(place) {
        format!("{} by the figure", words::count(place.rank))
    } else {
        String::new()
    };
    Row {
        name: subject.name.clone(),
        threat: words::radius(at.norm, &at.eps_text),
        percent: words::percent(at.robust.rate),
        interval: words::interval(at.robust.ci95),
        ranks: format!("{} of {}", ranks(place), words::count(place.claims)),
        rank,
        above: place.above.as_ref().map_or_else(|| "–".to_owned(), told),
        below: place.below.as_ref().map_or_else(|| "–".to_owned(), told),
    }
}
