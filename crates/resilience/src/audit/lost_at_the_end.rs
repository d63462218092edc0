//! Success that an attack finds on the way and loses again.

use super::one_step_wins::many_steps;
use super::{Answer, DoubtSpec, Subject, of, share};
use crate::error::EngineError;

/// The registry's entry.
pub static SPEC: DoubtSpec = DoubtSpec {
    id: "lost-at-the-end",
    title: "success is found on the way and lost at the end",
    about: "PGD with 20 steps on the first images: how many of those that it broke on the way are right \
            again at its last step. Founded from a tenth and 3 images on.",
    why: "This program counts whatever was found on the way; most others look at the last step alone and \
          report a higher accuracy. It is also a sign of a gradient that leads astray.",
    remedy: "Compare with figures of others only where they keep the best candidate; use smaller steps.",
    check,
};

fn check(subject: &Subject) -> Result<Answer, EngineError> {
    let Some(threat) = subject.threat() else {
        return Ok(Answer::unknown("Nothing was attacked."));
    };
    let seen = subject.seen(threat, &many_steps())?;
    let rows =
        || (0..subject.right().len()).filter(|&row| subject.right()[row] && seen.broken[row]);
    let broken = rows().count();
    let lost = rows().filter(|&row| !seen.broken_at_the_end[row]).count();
    let what =
        format!("Of the images that PGD breaks {} are right again at its end.", of(lost, broken));
    let is = lost >= 3 && lost * 10 >= broken;
    Ok(Answer::doubt_if(is, what, &[("right_again", share(lost, broken))]))
}
