//! Accuracy under attack that exceeds accuracy without one.

use resilience_core::record::LabelSource;

use super::trace::Drill;
use super::{Answer, DoubtSpec, Subject, of, share};
use crate::error::EngineError;

/// The registry's entry.
pub static SPEC: DoubtSpec = DoubtSpec {
    id: "label-leaking",
    title: "the attack raises accuracy",
    about: "FGSM with true labels on all images, and every attack of the run that was carried out on \
            all of them. Founded where more images are right under attack than without, by more than \
            chance explains (McNemar's exact test), or by a twentieth of those that FGSM is tried on.",
    why: "A single step with the true label leaves a pattern that depends on the label, and a network \
          that was trained on such examples reads the label off the pattern (label leaking, Kurakin et \
          al. 2017). Its accuracy under that attack says nothing of robustness.",
    remedy: "Judge it by attacks of many steps (the suite quick), and train against more than one step.",
    check,
};

fn check(subject: &Subject) -> Result<Answer, EngineError> {
    let leaks = subject
        .summary()
        .attacks
        .iter()
        .find(|attack| attack.labels == LabelSource::True && attack.paired.gains());
    if let Some(attack) = leaks {
        let clean = attack.adversarial.rate
            - (attack.paired.gained as f64 - attack.paired.lost as f64)
                / attack.adversarial.n as f64;
        let what = format!(
            "{} at {} {} leaves {:.1} % of {} images right, of which {:.1} % are right without it.",
            attack.id,
            attack.norm,
            attack.eps_text,
            100.0 * attack.adversarial.rate,
            attack.adversarial.n,
            100.0 * clean
        );
        let numbers = [("clean_accuracy", clean), ("attacked_accuracy", attack.adversarial.rate)];
        return Ok(Answer::doubt_if(true, what, &numbers));
    }
    let Some(threat) = subject.threat() else {
        return Ok(Answer::unknown("Nothing was attacked."));
    };
    let seen = subject.seen(threat, &Drill::new("fgsm", &[]))?;
    let (n, clean) = (seen.broken.len(), subject.count_right());
    let attacked = seen.broken.iter().filter(|&&broken| !broken).count();
    let what = format!(
        "FGSM leaves {} of the images right, of which {} are right without it.",
        of(attacked, n),
        of(clean, n)
    );
    let numbers = [("clean_accuracy", share(clean, n)), ("attacked_accuracy", share(attacked, n))];
    Ok(Answer::doubt_if(attacked > clean + n / 20, what, &numbers))
}
