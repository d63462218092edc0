//! Losses: logits `[n,k]` x labels `[n]` -> `[n]`, or their mean. An attack climbs them.

use tch::{Kind, Reduction, Tensor};

use crate::error::EngineError;

/// Keeps quotients of logits finite, as the reference does.
const TINY: f64 = 1e-12;

/// Mean cross-entropy over the batch, a scalar; labels are classes `[n]`, or shares `[n,k]`.
pub fn cross_entropy(logits: &Tensor, labels: &Tensor) -> Result<Tensor, EngineError> {
    Ok(logits.f_cross_entropy_loss::<Tensor>(labels, None, Reduction::Mean, -100, 0.0)?)
}

/// Cross-entropy of each sample: `[n,k]` x `[n]` (or `[n,k]`) -> `[n]`.
pub fn cross_entropies(logits: &Tensor, labels: &Tensor) -> Result<Tensor, EngineError> {
    Ok(logits.f_cross_entropy_loss::<Tensor>(labels, None, Reduction::None, -100, 0.0)?)
}

/// The divergence (Kullback and Leibler 1951) of the logits' probabilities from those with these
/// logarithms, for each sample: `sum p (log p - log softmax z)`. `[n,k]` x `[n,k]` -> `[n]`. It takes
/// logarithms, because the slope of `p log p` is infinite where a probability underflows to 0.
pub fn divergences(log_probabilities: &Tensor, logits: &Tensor) -> Result<Tensor, EngineError> {
    let logs = logits.f_log_softmax(1, None::<Kind>)?;
    let terms = logs.f_kl_div(log_probabilities, Reduction::None, true)?;
    Ok(terms.f_sum_dim_intlist([1].as_slice(), false, None::<Kind>)?)
}

/// The logits divided by a temperature; as they are at 1.
pub fn cooled(logits: &Tensor, temperature: f64) -> Result<Tensor, EngineError> {
    if (temperature - 1.0).abs() < f64::EPSILON {
        return Ok(logits.shallow_clone());
    }
    Ok(logits.f_div_scalar(temperature)?)
}

/// The logits over the lead of the highest one, which counts as a constant: the softmax of what comes out
/// is never so sure that its gradient is lost in rounding, however large the logits are. (After Minimizing
/// the Impact of Floating-Point Errors, 2025, arXiv 2507.22428, of which the abstract was at hand.) `[n,k]` ->
/// `[n,k]`.
pub fn rescaled(logits: &Tensor) -> Result<Tensor, EngineError> {
    let (highest, _) = logits.f_detach()?.f_topk(2, 1, true, true)?;
    let lead = highest.f_select(1, 0)?.f_sub(&highest.f_select(1, 1)?)?;
    Ok(logits.f_div(&lead.f_clamp_min(TINY)?.f_unsqueeze(1)?)?)
}

/// The logit of one class a row: `[n,k]` x `[n]` -> `[n]`.
pub fn logit_of(logits: &Tensor, classes: &Tensor) -> Result<Tensor, EngineError> {
    Ok(logits.f_gather(1, &classes.f_unsqueeze(1)?, false)?.f_squeeze_dim(1)?)
}

/// The margin of each sample: the label's logit less the largest other one. Negative where the
/// sample is misclassified. `[n,k]` x `[n]` -> `[n]`.
pub fn margins(logits: &Tensor, labels: &Tensor) -> Result<Tensor, EngineError> {
    let column = labels.f_unsqueeze(1)?;
    let others = logits.f_scatter_value(1, &column, f64::NEG_INFINITY)?;
    let best = others.f_amax([1], false)?;
    Ok(logit_of(logits, labels)?.f_sub(&best)?)
}

/// The difference of logits ratio of each sample, which does not change when all logits are scaled
/// (Croce and Hein 2020): `-(z_y - max_{i != y} z_i) / (z_(1) - z_(3))`, with z_(1) >= z_(2) >= …;
/// it needs three classes. `[n,k]` x `[n]` -> `[n]`.
pub fn dlr(logits: &Tensor, labels: &Tensor) -> Result<Tensor, EngineError> {
    let (sorted, order) = logits.f_topk(3, 1, true, true)?;
    let place = |k: i64| sorted.f_select(1, k);
    let right = order.f_select(1, 0)?.f_eq_tensor(labels)?;
    let other = place(1)?.f_where_self(&right, &place(0)?)?;
    let range = place(0)?.f_sub(&place(2)?)?.f_add_scalar(TINY)?;
    Ok(other.f_sub(&logit_of(logits, labels)?)?.f_div(&range)?)
}

/// The targeted difference of logits ratio: `-(z_y - z_t) / (z_(1) - (z_(3) + z_(4)) / 2)`; it
/// needs four classes. `[n,k]` x `[n]` x `[n]` -> `[n]`.
pub fn dlr_targeted(
    logits: &Tensor,
    labels: &Tensor,
    targets: &Tensor,
) -> Result<Tensor, EngineError> {
    let (sorted, _) = logits.f_topk(4, 1, true, true)?;
    let place = |k: i64| sorted.f_select(1, k);
    let middle = place(2)?.f_add(&place(3)?)?.f_mul_scalar(0.5)?;
    let range = place(0)?.f_sub(&middle)?.f_add_scalar(TINY)?;
    Ok(logit_of(logits, targets)?.f_sub(&logit_of(logits, labels)?)?.f_div(&range)?)
}

/// The class with the `rank`-th highest logit among those that are not the label's; rank 1 is the
/// most likely wrong one. `[n,k]` x `[n]` -> `[n]`.
pub fn ranked_class(logits: &Tensor, labels: &Tensor, rank: i64) -> Result<Tensor, EngineError> {
    let others = logits.f_scatter_value(1, &labels.f_unsqueeze(1)?, f64::NEG_INFINITY)?;
    Ok(others.f_topk(rank, 1, true, true)?.1.f_select(1, rank - 1)?)
}

/// What an attack climbs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Objective {
    /// Cross-entropy of the label.
    CrossEntropy,
    /// Cross-entropy of the target, falling.
    CrossEntropyTargeted,
    /// Cross-entropy of the label, of rescaled logits.
    Rescaled,
    /// The same of the target, falling.
    RescaledTargeted,
    /// Difference of logits ratio.
    Dlr,
    /// The same towards a target.
    DlrTargeted,
    /// The margin, falling.
    Margin,
    /// The difference of the target's and the label's logit.
    MarginTargeted,
}

impl Objective {
    /// Its value for each row: `[n,k]` x `[n]` x `[n]` -> `[n]`. Those without a target do not look
    /// at the targets.
    pub fn values(
        self,
        logits: &Tensor,
        labels: &Tensor,
        targets: &Tensor,
    ) -> Result<Tensor, EngineError> {
        match self {
            Self::CrossEntropy => cross_entropies(logits, labels),
            Self::CrossEntropyTargeted => Ok(cross_entropies(logits, targets)?.f_neg()?),
            Self::Rescaled => cross_entropies(&rescaled(logits)?, labels),
            Self::RescaledTargeted => Ok(cross_entropies(&rescaled(logits)?, targets)?.f_neg()?),
            Self::Dlr => dlr(logits, labels),
            Self::DlrTargeted => dlr_targeted(logits, labels, targets),
            Self::Margin => Ok(margins(logits, labels)?.f_neg()?),
            Self::MarginTargeted => {
                Ok(logit_of(logits, targets)?.f_sub(&logit_of(logits, labels)?)?)
            }
        }
    }
}

/// How many samples have their label's logit on top.
pub fn correct(logits: &Tensor, labels: &Tensor) -> Result<u64, EngineError> {
    let hits = logits.f_argmax(1, false)?.f_eq_tensor(labels)?.f_sum(Kind::Int64)?;
    Ok(hits.f_int64_value(&[])? as u64)
}

/// The share of samples that have their label's logit on top.
pub fn accuracy(logits: &Tensor, labels: &Tensor) -> Result<f64, EngineError> {
    Ok(correct(logits, labels)? as f64 / labels.size()[0] as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Would catch a ratio with another numerator or denominator: values by hand.
    #[test]
    fn ratios_of_logits_are_those_of_the_paper() {
        let z = Tensor::from_slice(&[2.0, 1.0, 0.5, 0.0, -1.0]).view([1, 5]);
        let class = |y: i64| Tensor::from_slice(&[y]);
        let value = |t: Tensor| t.double_value(&[0]);
        assert!((value(dlr(&z, &class(0)).unwrap()) + 2.0 / 3.0).abs() < 1e-9);
        assert!((value(dlr(&z, &class(1)).unwrap()) - 2.0 / 3.0).abs() < 1e-9);
        let targeted = |t| value(dlr_targeted(&z, &class(0), &class(t)).unwrap());
        assert!((targeted(1) + 0.571_428_571).abs() < 1e-9);
        assert!((targeted(4) + 1.714_285_714).abs() < 1e-9);
        assert!((value(margins(&z, &class(0)).unwrap()) - 1.0).abs() < 1e-12);
        assert!((value(margins(&z, &class(3)).unwrap()) + 2.0).abs() < 1e-12);
    }

    /// Would catch a gradient that logits of any size take away, a scale that is differentiated, and another
    /// scale: the gradient is that of the cross-entropy of logits whose lead is 1, over the lead.
    #[test]
    fn rescaled_logits_keep_their_gradient() {
        for scale in [1.0, 1e4] {
            let z = Tensor::from_slice(&[2.0_f32, 0.0, -1.0]).view([1, 3]) * scale;
            let z = z.set_requires_grad(true);
            let label = Tensor::from_slice(&[0_i64]);
            cross_entropies(&rescaled(&z).unwrap(), &label).unwrap().sum(Kind::Float).backward();
            let powers = [1.0_f64.exp(), 1.0, (-0.5_f64).exp()];
            let sum: f64 = powers.iter().sum();
            for (place, power) in (0..).zip(powers) {
                let own = if place == 0 { 1.0 } else { 0.0 };
                let expected = (power / sum - own) / (2.0 * scale);
                let found = z.grad().double_value(&[0, place]);
                assert!((found - expected).abs() < 1e-6 * expected.abs(), "{found} {expected}");
            }
        }
    }

    /// Would catch a divergence the other way round, and a slope that is no number where an answer is so
    /// sure that a probability underflows: values by hand.
    #[test]
    fn divergences_are_those_of_the_formula_and_finite() {
        let p = Tensor::from_slice(&[0.5, 0.25, 0.25]).view([1, 3]);
        let z = Tensor::from_slice(&[0.25_f64.ln(), 0.5_f64.ln(), 0.25_f64.ln()]).view([1, 3]);
        let expected = 0.5 * 2.0_f64.ln() + 0.25 * 0.5_f64.ln();
        let found = divergences(&p.log(), &z).unwrap().double_value(&[0]);
        assert!((found - expected).abs() < 1e-12, "{found}");
        let sure = Tensor::from_slice(&[300.0_f32, 0.0, 0.0]).view([1, 3]).set_requires_grad(true);
        let other = Tensor::from_slice(&[0.0_f32, 300.0, 0.0]).view([1, 3]).set_requires_grad(true);
        let value =
            divergences(&sure.log_softmax(1, Kind::Float), &other).unwrap().sum(Kind::Float);
        value.backward();
        for gradient in [sure.grad(), other.grad()] {
            assert_eq!(gradient.isfinite().all().int64_value(&[]), 1);
        }
    }

    /// Would catch a target that is the label itself, or counted from another end.
    #[test]
    fn targets_are_the_likeliest_other_classes() {
        let z = Tensor::from_slice(&[2.0, 1.0, 0.5, 0.0]).view([1, 4]);
        let ranked = |y: i64, rank| {
            ranked_class(&z, &Tensor::from_slice(&[y]), rank).unwrap().int64_value(&[0])
        };
        assert_eq!([ranked(0, 1), ranked(0, 3), ranked(1, 1), ranked(1, 2)], [1, 3, 0, 2]);
    }
}
