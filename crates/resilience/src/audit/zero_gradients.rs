//! Gradients that are zero or drown.

use std::fmt::Write as _;

use tch::Tensor;

use super::trace::Drill;
use super::{Answer, DoubtSpec, Subject, of, share};
use crate::error::EngineError;
use crate::loss;
use crate::rows::select;

/// The registry's entry.
pub static SPEC: DoubtSpec = DoubtSpec {
    id: "zero-gradients",
    title: "gradients are zero or vanish",
    about: "The gradient of the cross-entropy at the clean images; and Auto-PGD with 20 steps on the \
            cross-entropy against the same on the difference of logits ratio, which does not change \
            when logits are scaled. Founded where more than a twentieth of the gradients are zero in \
            every pixel, or where more than a twentieth of the images, and at least 3, fall only to \
            the loss that ignores scale.",
    why: "An attack that follows the cross-entropy stands still where its gradient is zero, and is led \
          astray where it has lost its digits. Very confident models (defensive distillation, large \
          logits) look robust for that reason alone (Carlini and Wagner 2017).",
    remedy: "Do not use attacks on the cross-entropy alone (FGSM, PGD): use the difference of logits \
             ratio (apgd-t), fab-t or square.",
    check,
};

fn check(subject: &Subject) -> Result<Answer, EngineError> {
    let rows: Vec<i64> =
        (0..).zip(subject.right()).filter(|(_, right)| **right).map(|(row, _)| row).collect();
    if rows.is_empty() {
        return Ok(Answer::unknown("No image is right when clean."));
    }
    let index = Tensor::f_from_slice(&rows)?;
    let images = select(&subject.batch().images, &index)?;
    let labels = select(&subject.batch().labels, &index)?;
    let ascent = subject
        .oracle(1)
        .ascent(&images, &|logits, span| loss::cross_entropies(logits, &span.of(&labels)?))?;
    let largest = ascent.gradient.f_abs()?.f_flatten(1, -1)?.f_amax([1], false)?;
    let zero = Vec::<bool>::try_from(largest.f_eq(0.0)?)?.into_iter().filter(|&zero| zero).count();
    let n = rows.len();
    let mut what = format!("{} of the gradients are zero in every pixel", of(zero, n));
    let mut numbers = vec![("zero_gradients", share(zero, n))];
    let mut hidden = 0;
    if let Some(threat) = subject.threat() {
        let steps = [("steps", "20")];
        let cross = subject.seen(threat, &Drill::new("apgd-ce", &steps))?;
        let ratio = subject.seen(threat, &Drill::new("apgd-dlr", &steps))?;
        let broken = |trace: &[bool]| rows.iter().filter(|&&row| trace[row as usize]).count();
        let (by_cross, by_ratio) = (broken(&cross.broken), broken(&ratio.broken));
        hidden = by_ratio.saturating_sub(by_cross);
        let _ = write!(
            what,
            "; on the cross-entropy Auto-PGD breaks {}, on the ratio of logits {}",
            of(by_cross, n),
            of(by_ratio, n)
        );
        numbers.push(("broken_on_cross_entropy", share(by_cross, n)));
        numbers.push(("broken_on_logits_ratio", share(by_ratio, n)));
    }
    let is = zero * 20 > n || (hidden >= 3 && hidden * 20 > n);
    Ok(Answer::doubt_if(is, what + ".", &numbers))
}
