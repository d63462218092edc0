//! Models against each other, in words.

use askama::Template;

use crate::metric::ALPHA;
use crate::report::view::{View, judged};
use crate::report::{ReportError, words};
use crate::summary::PairSummary;

#[derive(Template)]
#[template(path = "report/pairs.html")]
struct PairsTemplate {
    groups: Vec<Group>,
}

/// The comparisons at one radius.
struct Group {
    title: String,
    rows: Vec<Row>,
}

struct Row {
    finding: String,
    detail: String,
    points: String,
    interval: String,
    p: String,
}

/// The comparisons of every run, clean accuracy last.
pub fn part(view: &View<'_>) -> Result<String, ReportError> {
    let mut groups: Vec<Group> = Vec::new();
    let pairs = || {
        view.runs
            .iter()
            .enumerate()
            .flat_map(|(run, r)| r.summary.pairs.iter().map(move |pair| (run, pair)))
    };
    let told = pairs().filter(|(run, pair)| is_told(view, *run, pair));
    let (attacked, clean): (Vec<_>, Vec<_>) = told.partition(|(_, pair)| pair.norm.is_some());
    for (run, pair) in attacked.into_iter().chain(clean) {
        let title = title(pair);
        let row = row(view, run, pair);
        match groups.iter_mut().find(|group| group.title == title) {
            Some(group) => group.rows.push(row),
            None => groups.push(Group { title, rows: vec![row] }),
        }
    }
    if groups.is_empty() {
        return Ok(String::new());
    }
    Ok(PairsTemplate { groups }.render()?)
}

/// What FGSM alone leaves is no robust accuracy to compare.
fn is_told(view: &View<'_>, run: usize, pair: &PairSummary) -> bool {
    let mut subjects = view.subjects.iter().filter(|subject| subject.run == run);
    pair.norm.is_none()
        || subjects.any(|subject| {
            subject.model.name == pair.a
                && judged(subject.model)
                    .any(|at| (Some(at.norm), Some(at.eps)) == (pair.norm, pair.eps))
        })
}

fn title(pair: &PairSummary) -> String {
    match (pair.norm, &pair.eps_text) {
        (Some(norm), Some(eps)) => format!("Robust accuracy at {}", words::radius(norm, eps)),
        _ => "Clean accuracy".to_owned(),
    }
}

fn row(view: &View<'_>, run: usize, pair: &PairSummary) -> Row {
    let named = |name: &str| {
        let mut subjects = view.subjects.iter().filter(|subject| subject.run == run);
        let subject = subjects.find(|subject| subject.model.name == name);
        subject.map_or_else(|| name.to_owned(), |subject| subject.name.clone())
    };
    // The one that keeps more is named first.
    let turned = pair.difference < 0.0;
    let (mut first, mut second) = (named(&pair.a), named(&pair.b));
    let [low, high] = pair.ci95;
    let (mut ours, mut theirs, mut interval) = (pair.only_a, pair.only_b, [low, high]);
    if turned {
        std::mem::swap(&mut first, &mut second);
        std::mem::swap(&mut ours, &mut theirs);
        interval = [-high, -low];
    }
    let points = words::points(pair.difference);
    let robust = pair.norm.is_some();
    let finding = if pair.p < ALPHA && robust {
        format!("{first} keeps {points} points more than {second}.")
    } else if pair.p < ALPHA {
        format!("{first} is more accurate than {second}, by {points} points.")
    } else {
        format!("{first} and {second} differ by no more than chance explains.")
    };
    let stand = if robust { "stand" } else { "are right" };
    Row {
        finding,
        detail: format!(
            "Of {} images {} {stand} only in the first, {} only in the second.",
            words::count(pair.n),
            words::count(ours),
            words::count(theirs)
        ),
        points: format!("{}{points}", if points == "0.0" { "" } else { "+" }),
        interval: format!("[{:.1}, {:.1}]", 100.0 * interval[0], 100.0 * interval[1]),
        p: words::p_value(pair.p),
    }
}
