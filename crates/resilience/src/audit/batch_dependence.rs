//! Answers that depend on what else is in the batch.

use super::{Answer, DoubtSpec, Subject, of, share};
use crate::error::EngineError;

/// The registry's entry.
pub static SPEC: DoubtSpec = DoubtSpec {
    id: "batch-dependence",
    title: "answers depend on the other images of the batch",
    about: "The first eight images among all the others and each by itself. Founded where a logit differs \
            by more than a thousandth of the largest.",
    why: "Attack and verdict see different batches: what one finds the other does not see. Usually a batch \
          norm was left in training mode.",
    remedy: "Put the model into evaluation mode before it is saved.",
    check,
};

fn check(subject: &Subject) -> Result<Answer, EngineError> {
    if subject.model_plan().passes > 1 {
        return Ok(Answer::unknown("The model is noisy: its answers differ anyway."));
    }
    let (images, model) = (&subject.batch().images, subject.reference());
    let together = model.logits(images)?;
    let largest = together.f_abs()?.f_max()?.f_double_value(&[])?.max(f64::MIN_POSITIVE);
    let n = images.size()[0].min(8);
    let mut apart = 0.0_f64;
    let mut others = 0;
    for row in 0..n {
        let alone = model.logits(&images.f_narrow(0, row, 1)?)?;
        let among = together.f_narrow(0, row, 1)?;
        apart = apart.max(alone.f_sub(&among)?.f_abs()?.f_max()?.f_double_value(&[])? / largest);
        let class = |logits: &tch::Tensor| logits.f_argmax(1, false)?.f_int64_value(&[0]);
        others += usize::from(class(&alone)? != class(&among)?);
    }
    let what = format!(
        "Alone and among others logits differ by {apart:.1e} of the largest one; the class differs for {}.",
        of(others, n as usize)
    );
    let numbers = [("largest_difference", apart), ("other_class", share(others, n as usize))];
    Ok(Answer::doubt_if(apart > 1e-3, what, &numbers))
}
