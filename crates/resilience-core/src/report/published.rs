//! Where results would stand among published claims, in words.

use super::view::{Subject, View, attack_names, judged};
use super::words;
use crate::leaderboard::{Effort, Neighbour, Place};
use crate::summary::EvaluationSummary;

/// A result with its place.
pub struct Placed<'a> {
    /// The model.
    pub subject: &'a Subject<'a>,
    /// What was left of it.
    pub at: &'a EvaluationSummary,
    /// Where that would stand.
    pub place: &'a Place,
}

/// All results that have a place.
pub fn placed<'a>(view: &'a View<'a>) -> Vec<Placed<'a>> {
    let of = |subject: &'a Subject<'a>| {
        let finished = judged(subject.model).filter(|at| at.finished);
        let places = finished.filter_map(|at| Some((at, at.place.as_ref()?)));
        places.map(move |(at, place)| Placed { subject, at, place })
    };
    view.subjects.iter().flat_map(of).collect()
}

/// Each place in a sentence, and on what terms it is meant: once for all, where those are the same.
pub fn sentences(view: &View<'_>) -> Vec<String> {
    let placed = placed(view);
    let terms: Vec<String> = placed.iter().map(|placed| terms(placed)).collect();
    let alike = terms.windows(2).all(|pair| pair[0] == pair[1]);
    let mut sentences = Vec::new();
    for (placed, terms) in placed.iter().zip(&terms) {
        let own = if alike { String::new() } else { format!(" {terms}") };
        sentences.push(format!("{}{own}", sentence(placed)));
    }
    sentences.extend(terms.into_iter().next().filter(|_| alike));
    sentences
}

/// `ResNet-32, linf 8/255: 25.40 % would stand between … and …, rank 94 of 99 published claims.`
fn sentence(placed: &Placed<'_>) -> String {
    let Placed { subject, at, place } = placed;
    let ranks = ranks(place);
    let by = if spans(place) { " by its 95\u{a0}% interval" } else { "" };
    let claims = words::count(place.claims);
    let stand = match (&place.above, &place.below) {
        (None, below) => {
            let best = below.as_ref().map_or_else(String::new, told);
            format!("above all {claims} published claims, the best of which is {best}: {ranks}{by}")
        }
        (Some(above), None) => format!(
            "below all {claims} published claims, the last of which is {}: {ranks}{by}",
            told(above)
        ),
        (Some(above), Some(below)) => format!(
            "between {} and {}, {ranks} of {claims} published claims{by}",
            told(above),
            told(below)
        ),
    };
    format!(
        "{}, {}: {}\u{a0}% would stand {stand}.",
        subject.name,
        words::radius(at.norm, &at.eps_text),
        words::percent(at.robust.rate)
    )
}

/// Whether the interval spans several ranks.
pub fn spans(place: &Place) -> bool {
    place.rank95[0] != place.rank95[1]
}

/// The ranks that the interval spans: `rank 92 to 95`, `rank 94`.
pub fn ranks(place: &Place) -> String {
    let [best, worst] = place.rank95.map(|rank| {
        if rank > place.claims { "below the last".to_owned() } else { words::count(rank) }
    });
    if spans(place) {
        format!("rank {best} to {worst}")
    } else if place.rank > place.claims {
        best
    } else {
        format!("rank {best}")
    }
}

/// `WangZhang2019Bilateral (29.35 %)`, with what takes away from it.
pub fn told(claim: &Neighbour) -> String {
    let mark = if claim.unreliable { ", known to be too high" } else { "" };
    let best = claim.best_known.map_or_else(String::new, |best| {
        format!(", at most {}\u{a0}% by other attacks", words::percent(best))
    });
    format!("{} ({}\u{a0}%{mark}{best})", claim.id, words::percent(claim.robust))
}

/// What the claims and the result have in common, and what not.
pub fn terms(placed: &Placed<'_>) -> String {
    let Placed { at, place, .. } = placed;
    let near = match place.other_eps {
        0 => String::new(),
        n => format!(" ({} of them at nearly this radius)", words::count(n)),
    };
    let images = if at.n == place.n {
        "on as many".to_owned()
    } else {
        format!("on {} images", words::count(at.n))
    };
    let by = at.suite.clone().unwrap_or_else(|| attack_names(at));
    let ours = match place.effort {
        Effort::Same => format!("ours, {images}, is by the same attacks."),
        Effort::More => {
            format!(
                "ours, {images}, is by all of its attacks and more ({by}), which can only lower it."
            )
        }
        Effort::Less => format!(
            "ours, {images}, is an upper bound by less than that ({by}), which the rest of it can \
             only lower."
        ),
    };
    format!(
        "The claims{near} are what AutoAttack's standard suite left of {} test images; {ours}",
        words::count(place.n)
    )
}
