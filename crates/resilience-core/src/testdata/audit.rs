//! An audit with a finding of each kind.

use crate::audit::{AuditRecord, Finding, Judgement};

/// One doubt, one clear check and one that could not run.
pub fn audit() -> AuditRecord {
    let finding = |title: &str, judgement, what: &str| Finding {
        id: title.replace(' ', "-"),
        title: title.to_owned(),
        judgement,
        what: what.to_owned(),
        why: "It says nothing of robustness.".to_owned(),
        remedy: "Judge it by attacks of many steps.".to_owned(),
        numbers: vec![("attacked_accuracy".to_owned(), 0.8)],
    };
    AuditRecord {
        images: 100,
        threat: Some("linf 8/255".to_owned()),
        seconds: 1.5,
        findings: vec![
            finding(
                "the attack raises accuracy",
                Judgement::Doubt,
                "FGSM leaves 80.0 % of the images right.",
            ),
            finding("gradients vanish", Judgement::Clear, "None of the gradients is zero."),
            finding("another model's examples", Judgement::Unknown, "The run has one model."),
        ],
    }
}
