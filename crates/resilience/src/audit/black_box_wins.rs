//! An attack without gradients that breaks what those with gradients do not.

use super::subject::Done;
use super::trace::Drill;
use super::{Answer, DoubtSpec, Subject, of, share};
use crate::error::EngineError;

/// The registry's entry.
pub static SPEC: DoubtSpec = DoubtSpec {
    id: "black-box-wins",
    title: "an attack without gradients beats those with them",
    about: "What the run's attacks without gradients broke after those with them, and Square with 200 \
            queries on the images that nothing broke. Founded from two images and more than a \
            hundredth of the images on.",
    why: "An attack that sees the gradient knows more than one that sees logits alone. Where the blind \
          one wins, the gradient is of no use: it is masked, and robust accuracy is overestimated.",
    remedy: "Trust only what Square and label-only attacks leave; look for what hides the gradient.",
    check,
};

fn check(subject: &Subject) -> Result<Answer, EngineError> {
    let Some(threat) = subject.threat() else {
        return Ok(Answer::unknown("Nothing was attacked."));
    };
    let stages = subject.stages()?;
    if !stages.iter().any(Done::takes_gradients) {
        return Ok(Answer::unknown("No attack of the run takes gradients."));
    }
    let evaluation = subject.summary().evaluations.iter().find(|evaluation| {
        (evaluation.norm, evaluation.eps.to_bits())
            == (threat.norm(), threat.eps().value().to_bits())
    });
    let mut added = 0;
    let mut n = 0;
    if let Some(evaluation) = evaluation {
        n = evaluation.n as usize;
        let mut seen_gradients = false;
        for stage in &evaluation.attacks {
            let done = stages.iter().find(|done| done.record.stage == stage.stage);
            match done.map(Done::takes_gradients) {
                Some(true) => seen_gradients = true,
                Some(false) if seen_gradients => added += stage.adds as usize,
                _ => {}
            }
        }
    }
    let survivors = subject.survivors()?;
    let mut fell = 0;
    if !survivors.is_empty() && fits_square(subject) {
        let drill = Drill::new("square", &[("queries", "200")]);
        let seen = subject.watched(threat, &drill, &survivors, subject.place())?;
        fell = seen.broken.iter().filter(|&&broken| broken).count();
    }
    let in_run = if stages.iter().all(Done::takes_gradients) {
        "The run has no attack without gradients".to_owned()
    } else {
        format!(
            "Attacks without gradients broke {} of the run's images after the others",
            of(added, n)
        )
    };
    let what = format!(
        "{in_run}; Square with 200 queries breaks {} of the survivors among the first {}.",
        of(fell, survivors.len()),
        subject.indices().len()
    );
    let numbers = [("added", share(added, n)), ("survivors_broken", share(fell, survivors.len()))];
    let many = |count: usize, n: usize| count >= 2 && count * 100 > n;
    Ok(Answer::doubt_if(many(added, n) || many(fell, subject.indices().len()), what, &numbers))
}

/// Square needs images of at least five pixels a side in the norms that it fills with windows.
fn fits_square(subject: &Subject) -> bool {
    subject.batch().images.size()[2..].iter().all(|&side| side >= 5)
}
