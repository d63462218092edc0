//! Answers that differ from one time to the next.

use super::{Answer, DoubtSpec, Subject};
use crate::error::EngineError;

/// The registry's entry.
pub static SPEC: DoubtSpec = DoubtSpec {
    id: "nondeterminism",
    title: "the model answers differently each time",
    about: "Three passes over the same images. Founded where any logit differs by more than a \
            ten-thousandth of the largest, unless every attack of the run that takes gradients averages \
            them over several passes (eot).",
    why: "A gradient of one pass is that of another model than the next one is: an attack chases noise, \
          and the accuracy that it leaves is too high (Athalye et al. 2018).",
    remedy: "Attack the mean over many passes: the suite autoattack-rand, or eot on every attack.",
    check,
};

fn check(subject: &Subject) -> Result<Answer, EngineError> {
    let (images, model) = (&subject.batch().images, subject.reference());
    let first = model.logits(images)?;
    let largest = first.f_abs()?.f_max()?.f_double_value(&[])?.max(f64::MIN_POSITIVE);
    let mut apart = 0.0_f64;
    for _ in 0..2 {
        let again = model.logits(images)?;
        apart = apart.max(again.f_sub(&first)?.f_abs()?.f_max()?.f_double_value(&[])? / largest);
    }
    let noisy = apart > 1e-4 || model.declared_noisy();
    let stages = subject.stages()?;
    let mut with_gradients = stages.iter().filter(|done| done.takes_gradients()).peekable();
    let averaged =
        with_gradients.peek().is_some() && with_gradients.all(|done| done.attack.eot() > 1);
    let what = format!(
        "Logits of the same images differ by {apart:.1e} of the largest one from pass to pass{}.",
        match (noisy, averaged) {
            (false, _) => "",
            (true, true) => "; every attack averages its gradients",
            (true, false) => "; not every attack averages its gradients",
        }
    );
    Ok(Answer::doubt_if(noisy && !averaged, what, &[("largest_difference", apart)]))
}
