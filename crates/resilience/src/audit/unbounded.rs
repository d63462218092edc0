//! An attack without a bound that does not break everything.

use super::trace::Drill;
use super::{Answer, DoubtSpec, Subject, of, share};
use crate::error::EngineError;

/// The registry's entry.
pub static SPEC: DoubtSpec = DoubtSpec {
    id: "unbounded",
    title: "an attack that may do anything does not break everything",
    about: "PGD with 50 steps of a twentieth, from the clean image, in a ball that holds every image (Linf 1). \
            Founded where any image that is right when clean is left.",
    why: "Where every image may be turned into any other, none can be robust. An attack that fails even \
          there fails for a reason of its own, and its figure at eps is too high as well.",
    remedy: "Look for what hides the gradient; a bound by such an attack is worth nothing.",
    check,
};

fn check(subject: &Subject) -> Result<Answer, EngineError> {
    let Some(threat) = subject.threat() else {
        return Ok(Answer::unknown("Nothing was attacked."));
    };
    let settings = [("steps", "50"), ("step_size", "0.05"), ("start", "clean")];
    let seen = subject.seen(threat, &Drill::new("pgd", &settings).at(None))?;
    let right = subject.count_right();
    let rows = 0..subject.right().len();
    let left = rows.filter(|&row| subject.right()[row] && !seen.broken[row]).count();
    let what = format!("Without a bound PGD leaves {}.", of(left, right));
    Ok(Answer::doubt_if(left > 0, what, &[("left", share(left, right))]))
}
