//! What one attack on all images says, where nothing stronger was run.

use crate::report::view::{Subject, clean_rate, kept, leaks, threat_words};
use crate::report::words;
use crate::summary::{AttackSummary, Correct};

/// The findings of attacks on all images, the most important first.
pub fn sentences(subjects: &[&Subject<'_>]) -> Vec<String> {
    let mut compared: Vec<Vec<Candidate<'_>>> = Vec::new();
    for subject in subjects {
        let Some(candidate) = Candidate::of(subject) else { continue };
        match compared.iter_mut().find(|group| group[0].compares_with(&candidate)) {
            Some(group) => group.push(candidate),
            None => compared.push(vec![candidate]),
        }
    }
    if compared.is_empty() {
        return subjects.iter().map(|subject| without_attack(subject)).collect();
    }
    compared.into_iter().flat_map(group_sentences).collect()
}

/// A model with the attack that speaks for it.
struct Candidate<'a> {
    subject: &'a Subject<'a>,
    attack: &'a AttackSummary,
    /// Images that are right when clean and right when attacked. Adversarial accuracy also counts
    /// images that were wrong when clean and that the attack pushed into the right class, which
    /// would rank a model by its mistakes.
    kept: Correct,
}

impl<'a> Candidate<'a> {
    /// The first threat that the model met, with those labels that leave the least.
    fn of(subject: &'a Subject<'a>) -> Option<Self> {
        let attacks = &subject.model.attacks;
        let first = attacks.first()?;
        let worst = attacks.iter().filter(|attack| same_threat(attack, first));
        let attack = worst.min_by_key(|attack| kept(attack).correct)?;
        Some(Self { subject, attack, kept: kept(attack) })
    }

    fn compares_with(&self, other: &Self) -> bool {
        self.subject.model.dataset.sha256 == other.subject.model.dataset.sha256
            && self.kept.n == other.kept.n
            && same_threat(self.attack, other.attack)
    }

    /// `10.30 % [8.49, 12.35]`.
    fn kept_text(&self) -> String {
        format!("{}\u{a0}% {}", words::percent(self.kept.rate), words::interval(self.kept.ci95))
    }

    /// `ResNet-32 falls from 92.80 % to 10.30 % [8.49, 12.35]`.
    fn change(&self) -> String {
        let from = words::percent(clean_rate(self.attack));
        format!("{} falls from {from}\u{a0}% to {}", self.subject.name, self.kept_text())
    }

    /// What the figures of adversarial accuracy hold beside the images that were kept, where it is
    /// more than a fifth.
    fn gains(&self) -> impl Iterator<Item = String> {
        let alike = self.subject.model.attacks.iter().filter(|a| same_threat(a, self.attack));
        alike.filter(|attack| 5 * attack.paired.gained > attack.adversarial.correct).map(|attack| {
            format!(
                "With {}, {} is right on {} attacked images, of which {} were wrong when clean.",
                words::labels(attack.labels),
                self.subject.name,
                words::count(attack.adversarial.correct),
                words::count(attack.paired.gained)
            )
        })
    }
}

fn same_threat(one: &AttackSummary, other: &AttackSummary) -> bool {
    one.id == other.id && one.norm == other.norm && one.eps_text == other.eps_text
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

fn group_sentences(mut group: Vec<Candidate<'_>>) -> Vec<String> {
    group.sort_by_key(|candidate| std::cmp::Reverse(candidate.kept.correct));
    let best = &group[0];
    let data = &best.subject.model.dataset;
    let under = format!("Under {}, on {}", threat_words(best.attack), words::dataset(&data.name));
    let clean = words::percent(clean_rate(best.attack));
    let lead = match &group[..] {
        [only] => format!("{under}, {}.", only.change()),
        [first, second, ..] if first.kept.ci95[0] > second.kept.ci95[1] => format!(
            "{under}, {} keeps the most: it is right on {} of the images both clean and attacked, \
             down from {clean}\u{a0}% when clean.",
            best.subject.name,
            best.kept_text()
        ),
        _ => format!(
            "{under}, no model is clearly ahead: the best, {}, is right on {} of the images both \
             clean and attacked, down from {clean}\u{a0}% when clean, and its interval overlaps the \
             next one’s.",
            best.subject.name,
            best.kept_text()
        ),
    };
    let mut sentences = vec![lead];
    // With images that were right when clean the two conventions of labels agree, so that what
    // leaks is in these figures too.
    let leaks = |candidate: &&Candidate<'_>| leaks(candidate.subject.model);
    let leaking: Vec<_> = group.iter().filter(leaks).map(|c| c.subject.name.clone()).collect();
    if !leaking.is_empty() {
        sentences.push(format!(
            "But for {} this attack does not tell: with true labels, accuracy is higher under attack than \
             without one, which is not robustness.",
            words::listed(&leaking)
        ));
    }
    if group.len() > 1 {
        let others: Vec<String> = group[1..].iter().map(Candidate::change).collect();
        sentences.push(format!("{}.", words::listed(&others)));
    }
    sentences.push(format!(
        "These are shares of {} {} images, with 95\u{a0}% intervals; attacked shares count images \
         that are right both times, with those labels that leave the fewest.",
        words::count(best.kept.n),
        data.split
    ));
    let gains: Vec<String> = group.iter().flat_map(Candidate::gains).collect();
    if !gains.is_empty() {
        sentences.push(format!(
            "Adversarial accuracy also counts images that were wrong until the attack moved them. {}",
            gains.join(" ")
        ));
    }
    if best.attack.id == "fgsm" {
        let caution = "FGSM is a single gradient step, which is a weak attack: its accuracies are \
                       upper bounds, not statements of robustness.";
        sentences.push(caution.to_owned());
    }
    sentences
}
