//! An attack that was stopped while it still got on.

use super::{Answer, DoubtSpec, Subject};
use crate::attack::Search;
use crate::error::EngineError;

/// The registry's entry.
pub static SPEC: DoubtSpec = DoubtSpec {
    id: "loss-still-rising",
    title: "the attack was stopped while it still got on",
    about: "The run's gradient attack within a radius that has the most steps again on images that nothing broke: how much of \
            the fall of their smallest margins falls in the last tenth of the steps. Founded where that \
            is more than a twentieth (a loss that rises evenly gives a tenth), or where no attack takes more than ten steps.",
    why: "More steps would break more images: the budget decided the figure, not the model.",
    remedy: "Raise steps until the last ones change nothing (the suite ladder shows where), or use \
             Auto-PGD, which finds its step size.",
    check,
};

/// An attack of fewer steps cannot show where it levels off.
const FEW: u32 = 10;

fn check(subject: &Subject) -> Result<Answer, EngineError> {
    let stages = subject.stages()?;
    // A search for nearest points passes through margins outside the ball, which say nothing of eps.
    let within = stages.iter().filter(|done| done.spec.search == Search::WithinBall);
    let with_gradients = within.filter(|done| done.takes_gradients());
    let Some(done) = with_gradients.max_by_key(|done| done.attack.steps()) else {
        return Ok(Answer::unknown(
            "No attack of the run takes gradients and stays within its radius.",
        ));
    };
    let steps = done.attack.steps();
    let survivors = subject.survivors()?;
    if survivors.is_empty() {
        let what = "No image of the first ones withstood the run: no more steps are needed.";
        return Ok(Answer::doubt_if(false, what.to_owned(), &[]));
    }
    if steps <= FEW {
        let steps_in_words = if steps == 1 { "one step" } else { &format!("{steps} steps") };
        let what = format!(
            "No attack of the run takes more than {steps_in_words}, and images are left that it did not \
             break."
        );
        return Ok(Answer::doubt_if(true, what, &[("steps", f64::from(steps))]));
    }
    let seen = subject.repeated(done.stage, &survivors)?;
    let margins = &seen.smallest_margins;
    let first_round = margins.iter().take(steps as usize).copied().collect::<Vec<_>>();
    let (Some(&start), Some(&end)) = (first_round.first(), first_round.last()) else {
        return Ok(Answer::unknown("The attack took no step."));
    };
    let late = first_round[first_round.len() - 1 - first_round.len() / 10];
    let part = if start > end { (late - end) / (start - end) } else { 0.0 };
    let what = format!(
        "On {} images that nothing broke {} lowers the margin from {start:.2} to {end:.2}; {:.1} % of \
         that falls in the last tenth of its {steps} steps.",
        survivors.len(),
        done.spec.id,
        100.0 * part
    );
    Ok(Answer::doubt_if(part > 0.05, what, &[("late_part", part), ("steps", f64::from(steps))]))
}
