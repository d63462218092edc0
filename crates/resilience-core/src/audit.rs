//! What an audit says of a result: is there a reason not to trust this number?
//!
//! The engine looks for doubts; here is what it hands on. Attacks can only lower an accuracy, so that
//! a weak one makes a model look robust: an audit looks for the signs that this has happened
//! (Carlini et al. 2019, On Evaluating Adversarial Robustness; Athalye et al. 2018, Obfuscated
//! Gradients Give a False Sense of Security).

use serde::{Deserialize, Serialize};

/// Everything that was looked for in the result of one model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AuditRecord {
    /// Images that the model was tried on for this: the first of the run.
    pub images: u64,
    /// The threat that it was tried under, in words: `linf 8/255`; none where nothing was attacked.
    pub threat: Option<String>,
    /// Wall time.
    pub seconds: f64,
    /// One entry a doubt, in the order in which they are listed.
    pub findings: Vec<Finding>,
}

/// What was found about one doubt.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Finding {
    /// Registry id, `zero-gradients`.
    pub id: String,
    /// What is doubted, in a few words.
    pub title: String,
    /// Whether it is founded.
    pub judgement: Judgement,
    /// What was seen, with the figures; why it could not be looked for, where it could not. A whole
    /// sentence.
    pub what: String,
    /// Why it matters, where it is founded. Whole sentences.
    pub why: String,
    /// What to do about it.
    pub remedy: String,
    /// The figures by name: shares in [0, 1], or counts.
    pub numbers: Vec<(String, f64)>,
}

/// Whether a doubt is founded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Judgement {
    /// It was looked for and not found.
    Clear,
    /// It was found.
    Doubt,
    /// It could not be looked for.
    Unknown,
}

impl AuditRecord {
    /// The doubts that are founded.
    pub fn doubts(&self) -> impl Iterator<Item = &Finding> {
        self.of(Judgement::Doubt)
    }

    /// What could not be looked for.
    pub fn unknown(&self) -> impl Iterator<Item = &Finding> {
        self.of(Judgement::Unknown)
    }

    fn of(&self, judgement: Judgement) -> impl Iterator<Item = &Finding> {
        self.findings.iter().filter(move |finding| finding.judgement == judgement)
    }

    /// The overall word: `no doubt found (15 checks ran, 2 could not)`, or `doubtful (…)` with the
    /// number of reasons.
    #[must_use]
    pub fn word(&self) -> String {
        let (doubts, unknown) = (self.doubts().count(), self.unknown().count());
        let ran = self.findings.len() - unknown;
        let checks = format!("{ran} checks ran, {unknown} could not");
        match doubts {
            0 => format!("no doubt found ({checks})"),
            1 => format!("doubtful, for 1 reason ({checks})"),
            n => format!("doubtful, for {n} reasons ({checks})"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(judgements: &[Judgement]) -> AuditRecord {
        let finding = |&judgement: &Judgement| Finding {
            id: "any".to_owned(),
            title: "any".to_owned(),
            judgement,
            what: "any".to_owned(),
            why: "any".to_owned(),
            remedy: "any".to_owned(),
            numbers: Vec::new(),
        };
        AuditRecord {
            images: 1,
            threat: None,
            seconds: 0.0,
            findings: judgements.iter().map(finding).collect(),
        }
    }

    /// Would catch a check that could not run being counted as one that found nothing, and a doubt that
    /// the overall word leaves out.
    #[test]
    fn the_word_counts_what_ran() {
        use Judgement::{Clear, Doubt, Unknown};
        assert_eq!(
            record(&[Clear, Clear, Unknown]).word(),
            "no doubt found (2 checks ran, 1 could not)"
        );
        assert_eq!(
            record(&[Doubt, Unknown]).word(),
            "doubtful, for 1 reason (1 checks ran, 1 could not)"
        );
        assert_eq!(
            record(&[Doubt, Doubt, Clear]).word(),
            "doubtful, for 2 reasons (3 checks ran, 0 could not)"
        );
    }
}
