//! Sums, means and the like over dimensions.

use tch::{Kind, TchError, Tensor};

use super::super::translation::Translation;
use super::super::{OnnxError, Site};
use super::Operator;

/// `ReduceMean`.
pub static MEAN: Operator = Operator::new("ReduceMean", 1, |site| {
    over(site, |x, axes, keep| x.f_mean_dim(axes, keep, SAME))
});
/// `ReduceSum`.
pub static SUM: Operator = Operator::new("ReduceSum", 1, |site| over(site, sum));
/// `ReduceMax`.
pub static MAX: Operator =
    Operator::new("ReduceMax", 1, |site| over(site, |x, axes, keep| x.f_amax(axes, keep)));
/// `ReduceMin`.
pub static MIN: Operator =
    Operator::new("ReduceMin", 1, |site| over(site, |x, axes, keep| x.f_amin(axes, keep)));
/// `ReduceProd`.
pub static PROD: Operator = Operator::new("ReduceProd", 1, |site| over(site, prod));
/// `ReduceL1`.
pub static L1: Operator =
    Operator::new("ReduceL1", 1, |site| over(site, |x, axes, keep| sum(&x.f_abs()?, axes, keep)));
/// `ReduceL2`.
pub static L2: Operator = Operator::new("ReduceL2", 1, |site| over(site, length));
/// `ReduceLogSum`.
pub static LOG_SUM: Operator = Operator::new("ReduceLogSum", 1, |site| {
    over(site, |x, axes, keep| sum(x, axes, keep)?.f_log())
});
/// `ReduceLogSumExp`.
pub static LOG_SUM_EXP: Operator = Operator::new("ReduceLogSumExp", 1, |site| {
    over(site, |x, axes, keep| x.f_logsumexp(axes, keep))
});
/// `ReduceSumSquare`.
pub static SUM_SQUARE: Operator = Operator::new("ReduceSumSquare", 1, |site| {
    over(site, |x, axes, keep| sum(&x.f_mul(x)?, axes, keep))
});

const SAME: Option<Kind> = None;

fn sum(x: &Tensor, axes: &[i64], keep: bool) -> Result<Tensor, TchError> {
    x.f_sum_dim_intlist(axes, keep, SAME)
}

/// The Euclidean length, whose gradient at zero is zero.
pub(super) fn length(x: &Tensor, axes: &[i64], keep: bool) -> Result<Tensor, TchError> {
    let square = sum(&x.f_mul(x)?, axes, keep)?;
    let none = square.f_eq_tensor(&square.f_zeros_like()?)?;
    // The root of zero has no gradient, so that of one stands in for it and is not chosen.
    let root = square.f_ones_like()?.f_where_self(&none, &square)?.f_sqrt()?;
    square.f_where_self(&none, &root)
}

/// Axes are given in order from the front.
fn prod(x: &Tensor, axes: &[i64], keep: bool) -> Result<Tensor, TchError> {
    let mut value = x.shallow_clone();
    for &axis in axes.iter().rev() {
        value = value.f_prod_dim_int(axis, keep, SAME)?;
    }
    Ok(value)
}

fn over(
    site: &Site,
    run: fn(&Tensor, &[i64], bool) -> Result<Tensor, TchError>,
) -> Result<Translation, OnnxError> {
    let axes = site.numbers("axes", 1)?;
    let keep = site.int_or("keepdims", 1)? != 0;
    let nothing = site.int_or("noop_with_empty_axes", 0)? != 0;
    Ok(Translation::flowing(move |args| {
        let value = args.get(0)?;
        let mut axes = match &axes {
            Some(axes) => axes.of(args)?,
            None => Vec::new(),
        };
        if axes.is_empty() {
            if nothing {
                // Over an axis of one: of a sum that is the value, of a sum of squares its square.
                return Ok(run(&value.f_unsqueeze(0)?, &[0], false)?);
            }
            axes.extend(0..value.dim() as i64);
        }
        for axis in &mut axes {
            *axis = super::axis(*axis, value.dim());
        }
        axes.sort_unstable();
        Ok(run(value, &axes, keep)?)
    }))
}
