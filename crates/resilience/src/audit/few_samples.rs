//! Too few images for what is claimed.

use super::{Answer, DoubtSpec, Subject};
use crate::error::EngineError;

/// The registry's entry.
pub static SPEC: DoubtSpec = DoubtSpec {
    id: "few-samples",
    title: "too few images for the claim",
    about: "The 95 % interval of the headline. Founded where it is wider than 10 points.",
    why: "Another sample of images of the same kind may give a figure anywhere in the interval; models \
          whose intervals overlap cannot be told apart by them.",
    remedy: "Evaluate more images: 1,000 give an interval of about 6 points, 10,000 of about 2.",
    check,
};

// The signature of all checks.
#[expect(clippy::unnecessary_wraps, reason = "one signature for all doubts")]
fn check(subject: &Subject) -> Result<Answer, EngineError> {
    let summary = subject.summary();
    let (name, rate) = match summary.robust {
        Some(robust) => ("robust accuracy", robust),
        None => ("clean accuracy", summary.clean),
    };
    let [low, high] = rate.ci95;
    let what = format!(
        "Of {} images: {name} {:.2} %, with an interval from {:.2} to {:.2} %.",
        rate.n,
        100.0 * rate.rate,
        100.0 * low,
        100.0 * high
    );
    let numbers = [("n", rate.n as f64), ("width", high - low)];
    Ok(Answer::doubt_if(high - low > 0.1, what, &numbers))
}
