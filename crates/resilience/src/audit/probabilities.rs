//! A model that gives probabilities instead of logits.

use tch::Kind;

use super::{Answer, DoubtSpec, Subject};
use crate::error::EngineError;

/// The registry's entry.
pub static SPEC: DoubtSpec = DoubtSpec {
    id: "probabilities",
    title: "the model gives probabilities instead of logits",
    about: "Founded where all answers lie in [0, 1] and add up to 1, within 1e-5.",
    why: "Losses take the softmax of what they get. Of probabilities that is nearly flat, its gradient \
          vanishes, and attacks look weaker than they are.",
    remedy: "Give the model without its last softmax.",
    check,
};

fn check(subject: &Subject) -> Result<Answer, EngineError> {
    let answers = subject.logits(&subject.batch().images)?.f_to_kind(Kind::Double)?;
    let (low, high) =
        (answers.f_min()?.f_double_value(&[])?, answers.f_max()?.f_double_value(&[])?);
    let sums = answers.f_sum_dim_intlist([1].as_slice(), false, None::<Kind>)?;
    let apart = sums.f_sub_scalar(1.0)?.f_abs()?.f_max()?.f_double_value(&[])?;
    let what = format!(
        "Answers lie between {low:.3} and {high:.3}, and their sums differ from 1 by up to {apart:.3}."
    );
    let is = low > -1e-5 && high < 1.0 + 1e-5 && apart < 1e-5;
    Ok(Answer::doubt_if(is, what, &[("lowest", low), ("highest", high)]))
}
