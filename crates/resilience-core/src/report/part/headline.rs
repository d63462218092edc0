//! What was found, in plain words.

use askama::Template;

use crate::record::LabelSource;
use crate::report::view::{Subject, View, attack_words, clean_rate};
use crate::report::{ReportError, words};
use crate::summary::AttackSummary;

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

/// The findings, the most important first. Models are compared only where they were attacked in
/// the same way on the same images.
pub fn sentences(view: &View<'_>) -> Vec<String> {
    let mut compared: Vec<Vec<(&Subject<'_>, &AttackSummary)>> = Vec::new();
    for subject in &view.subjects {
        let Some(attack) = representative(subject) else { continue };
        let alike = |group: &&mut Vec<(&Subject<'_>, &AttackSummary)>| {
            group.first().is_some_and(|(other, theirs)| {
                other.model.dataset.sha256 == subject.model.dataset.sha256
                    && theirs.adversarial.n == attack.adversarial.n
                    && attack_words(theirs) == attack_words(attack)
            })
        };
        match compared.iter_mut().find(alike) {
            Some(group) => group.push((subject, attack)),
            None => compared.push(vec![(subject, attack)]),
        }
    }
    if compared.is_empty() {
        return view.subjects.iter().map(without_attack).collect();
    }
    compared.into_iter().flat_map(group_sentences).collect()
}

/// The attack that speaks for a model: on predicted labels where there is one, since labels that
/// leak flatter the others.
fn representative<'a>(subject: &Subject<'a>) -> Option<&'a AttackSummary> {
    let attacks = &subject.model.attacks;
    attacks.iter().find(|a| a.labels == LabelSource::Predicted).or_else(|| attacks.first())
}

fn without_attack(subject: &Subject<'_>) -> String {
    let (clean, data) = (subject.model.clean, &subject.model.dataset);
    format!(
        "{} is right on {}\u{a0}% of {}; it was not attacked.",
        subject.name,
        words::percent(clean.rate),
        words::images(data)
    )
}

fn group_sentences(mut group: Vec<(&Subject<'_>, &AttackSummary)>) -> Vec<String> {
    group.sort_by(|a, b| b.1.adversarial.rate.total_cmp(&a.1.adversarial.rate));
    let (best, attack) = group[0];
    let data = words::dataset(&best.model.dataset.name);
    let n = words::count(attack.adversarial.n);
    let under = format!("Under {} at eps {} on {data}", words::attack(&attack.id), attack.eps_text);
    let change = |(subject, attack): &(&Subject<'_>, &AttackSummary)| {
        let (clean, adversarial) = (clean_rate(attack), attack.adversarial.rate);
        let verb = if adversarial < clean { "falls" } else { "goes" };
        let (from, to) = (words::percent(clean), words::percent(adversarial));
        format!("{} {verb} from {from}\u{a0}% to {to}\u{a0}%", subject.name)
    };
    let lead = match &group[..] {
        [only] => format!("{under}, the accuracy of {}.", change(only)),
        [(_, first), (_, second), ..] if first.adversarial.ci95[0] > second.adversarial.ci95[1] => {
            format!(
                "{under}, {} keeps the most: it is right on {}\u{a0}% of the attacked images, and on \
                 {}\u{a0}% of the clean ones.",
                best.name,
                words::percent(attack.adversarial.rate),
                words::percent(clean_rate(attack))
            )
        }
        _ => format!(
            "{under}, no model is clearly ahead: the best, {}, is right on {}\u{a0}% of the attacked \
             images, and its interval overlaps the next one's.",
            best.name,
            words::percent(attack.adversarial.rate)
        ),
    };
    let mut sentences = vec![lead];
    if group.len() > 1 {
        let others: Vec<String> = group[1..].iter().map(change).collect();
        sentences.push(format!("{}.", words::listed(&others)));
    }
    sentences.push(format!(
        "These are shares of {n} {} images, attacked with {}; intervals and the other figures \
         follow.",
        best.model.dataset.split,
        words::labels(attack.labels)
    ));
    if attack.id == "fgsm" {
        let caution = "FGSM is a single gradient step, which is a weak attack: its accuracies are \
                       upper bounds, not statements of robustness.";
        sentences.push(caution.to_owned());
    }
    sentences
}
