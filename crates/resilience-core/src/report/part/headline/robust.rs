//! What is left when everything was tried, and what a single step had claimed.

use crate::report::view::{Ahead, Claim, Subject, View, attack_names, claim, headline, leaks};
use crate::report::words;
use crate::summary::{Correct, EvaluationSummary};

/// A model with the evaluation that speaks for it.
struct Candidate<'a> {
    subject: &'a Subject<'a>,
    at: &'a EvaluationSummary,
}

/// The findings, the most important first, and what came to no end.
pub fn sentences(view: &View<'_>, subjects: &[&Subject<'_>]) -> Vec<String> {
    let mut groups: Vec<Vec<Candidate<'_>>> = Vec::new();
    let mut incomplete = Vec::new();
    for subject in subjects {
        let Some(at) = headline(subject.model) else {
            incomplete.push(subject.name.clone());
            continue;
        };
        let candidate = Candidate { subject, at };
        match groups.iter_mut().find(|group| group[0].compares_with(&candidate)) {
            Some(group) => group.push(candidate),
            None => groups.push(vec![candidate]),
        }
    }
    let mut sentences: Vec<String> =
        groups.into_iter().flat_map(|group| group_sentences(view, group)).collect();
    if !incomplete.is_empty() {
        sentences.push(format!(
            "Incomplete: the attacks on {} were not carried through, so that there is no robust \
             accuracy to state.",
            words::listed(&incomplete)
        ));
    }
    sentences
}

impl Candidate<'_> {
    fn compares_with(&self, other: &Self) -> bool {
        let threat = |at: &EvaluationSummary| (at.norm, at.eps.to_bits(), at.n);
        let attacks = |at: &EvaluationSummary| -> Vec<_> {
            at.attacks.iter().map(|attack| (attack.id.clone(), attack.settings.clone())).collect()
        };
        self.subject.model.dataset.sha256 == other.subject.model.dataset.sha256
            && threat(self.at) == threat(other.at)
            && attacks(self.at) == attacks(other.at)
    }

    /// `at most 46.90 % [43.77, 50.05]`.
    fn left(&self) -> String {
        format!("at most {}", share(self.at.robust))
    }

    /// `ResNet-32 keeps at most 46.90 % [43.77, 50.05]`.
    fn keeps(&self) -> String {
        format!("{} keeps {}", self.subject.name, self.left())
    }
}

/// `46.90 % [43.77, 50.05]`.
fn share(correct: Correct) -> String {
    format!("{}\u{a0}% {}", words::percent(correct.rate), words::interval(correct.ci95))
}

fn group_sentences(view: &View<'_>, mut group: Vec<Candidate<'_>>) -> Vec<String> {
    group.sort_by(|a, b| b.at.robust.rate.total_cmp(&a.at.robust.rate));
    let mut sentences = vec![lead(view, &group)];
    let told = if group.len() > 1 && !is_ahead(view, &group[0], &group[1]) { 2 } else { 1 };
    if group.len() > told {
        let others: Vec<String> = group[told..].iter().map(Candidate::keeps).collect();
        sentences.push(format!("{}.", words::listed(&others)));
    }
    sentences.extend(gap(&group));
    let leaking: Vec<String> =
        group.iter().filter(|c| leaks(c.subject.model)).map(|c| c.subject.name.clone()).collect();
    if !leaking.is_empty() {
        sentences.push(format!(
            "For {} FGSM with true labels even gives a higher accuracy than clean images do: labels \
             leak through the attack.",
            words::listed(&leaking)
        ));
    }
    sentences.push(meaning(&group[0]));
    sentences
}

fn lead(view: &View<'_>, group: &[Candidate<'_>]) -> String {
    let best = &group[0];
    let data = words::dataset(&best.subject.model.dataset.name);
    let under = format!("At {} on {data}", words::radius(best.at.norm, &best.at.eps_text));
    let clean = words::percent(best.at.clean.rate);
    match group {
        [only] => format!(
            "{under}, the robust accuracy of {} is {}, down from {clean}\u{a0}% when clean.",
            only.subject.name,
            only.left()
        ),
        [first, second, ..] if is_ahead(view, first, second) => format!(
            "{under}, {} is the most robust: it keeps {}, down from {clean}\u{a0}% when clean.",
            first.subject.name,
            first.left()
        ),
        [first, second, ..] => format!(
            "{under}, no model is clearly the most robust: {}, down from {clean}\u{a0}% when clean, \
             and {}.",
            first.keeps(),
            second.keeps()
        ),
        [] => String::new(),
    }
}

/// By McNemar's test where one run holds both, else where the intervals do not touch.
fn is_ahead(view: &View<'_>, first: &Candidate<'_>, second: &Candidate<'_>) -> bool {
    view.pair(first.subject, second.subject, first.at).map_or_else(
        || first.at.robust.ci95[0] > second.at.robust.ci95[1],
        |ahead| ahead == Ahead::Clearly,
    )
}

/// Where a single step promises the most of what is not there.
fn gap(group: &[Candidate<'_>]) -> Option<String> {
    let gaps = group.iter().filter_map(|candidate| {
        let claim = claim(candidate.subject.model, candidate.at)?;
        Some((claim.correct.rate - candidate.at.robust.rate, claim, candidate))
    });
    let (gap, claim, candidate) = gaps.max_by(|a, b| a.0.total_cmp(&b.0))?;
    if gap <= 0.0 || candidate.at.is_weak() {
        return None;
    }
    let Claim { correct, labels } = claim;
    let images = if correct.n == candidate.at.n {
        String::new()
    } else {
        format!(" of the first {} images", words::count(correct.n))
    };
    Some(format!(
        "A single step of FGSM ({}) leaves {} {}\u{a0}%{images}; {} it at most {}\u{a0}%.",
        words::labels(labels),
        candidate.subject.name,
        words::percent(correct.rate),
        tried(candidate.at),
        words::percent(candidate.at.robust.rate)
    ))
}

/// `APGD-CE and APGD-T leave`; one attack leaves.
fn tried(at: &EvaluationSummary) -> String {
    let several = at.attacks.iter().any(|attack| attack.id != at.attacks[0].id);
    format!("{} {}", attack_names(at), if several { "leave" } else { "leaves" })
}

fn meaning(best: &Candidate<'_>) -> String {
    let dataset = &best.subject.model.dataset;
    let caution = if best.at.is_weak() {
        " Nothing but a single step or noise was tried here, which says little."
    } else {
        ""
    };
    format!(
        "Robust accuracy counts images that are right when clean and that nothing broke ({}), of {} {} \
         images, with 95\u{a0}% intervals. It is an upper bound: a stronger attack can only lower it.{caution}",
        attack_names(best.at),
        words::count(best.at.n),
        dataset.split
    )
}
