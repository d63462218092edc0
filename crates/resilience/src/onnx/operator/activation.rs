//! Activations.

use tch::{Kind, Tensor};

use super::super::convert::is_float;
use super::super::translation::{Role, Translation};
use super::super::{OnnxError, Site};
use super::Operator;
use crate::error::EngineError;

/// `Relu`.
pub static RELU: Operator = Operator::new("Relu", 1, |_| {
    Ok(Translation::flowing(|args| Ok(args.get(0)?.f_relu()?)).with_role(Role::Relu))
});
/// `LeakyRelu`.
pub static LEAKY_RELU: Operator = Operator::new("LeakyRelu", 1, |site| {
    let alpha = site.float_or("alpha", 0.01)?;
    Ok(each(move |x| below(x, &x.f_mul_scalar(alpha)?)))
});
/// `PRelu`, whose slope broadcasts.
pub static PRELU: Operator = Operator::new("PRelu", 2, |_| {
    Ok(Translation::flowing(|args| below(args.get(0)?, &args.get(0)?.f_mul(args.get(1)?)?)))
});
/// `ThresholdedRelu`.
pub static THRESHOLDED_RELU: Operator = Operator::new("ThresholdedRelu", 1, |site| {
    let alpha = site.float_or("alpha", 1.0)?;
    Ok(each(move |x| Ok(x.f_where_self(&x.f_gt(alpha)?, &x.f_zeros_like()?)?)))
});
/// `Elu`.
pub static ELU: Operator = Operator::new("Elu", 1, |site| {
    let alpha = site.float_or("alpha", 1.0)?;
    Ok(each(move |x| below(x, &x.f_clamp_max(0.0)?.f_expm1()?.f_mul_scalar(alpha)?)))
});
/// `Selu`.
pub static SELU: Operator = Operator::new("Selu", 1, |site| {
    let alpha = site.float_or("alpha", 1.673_263_2)?;
    let gamma = site.float_or("gamma", 1.050_701)?;
    Ok(each(move |x| {
        let negative = x.f_clamp_max(0.0)?.f_expm1()?.f_mul_scalar(alpha)?;
        Ok(below(x, &negative)?.f_mul_scalar(gamma)?)
    }))
});
/// `Celu`.
pub static CELU: Operator = Operator::new("Celu", 1, |site| {
    let alpha = site.float_or("alpha", 1.0)?;
    Ok(each(move |x| {
        let negative = x.f_clamp_max(0.0)?.f_div_scalar(alpha)?.f_expm1()?;
        below(x, &negative.f_mul_scalar(alpha)?)
    }))
});
/// `Sigmoid`.
pub static SIGMOID: Operator = Operator::new("Sigmoid", 1, |_| Ok(each(|x| Ok(x.f_sigmoid()?))));
/// `HardSigmoid`.
pub static HARD_SIGMOID: Operator = Operator::new("HardSigmoid", 1, |site| {
    let (alpha, beta) = (site.float_or("alpha", 0.2)?, site.float_or("beta", 0.5)?);
    Ok(each(move |x| Ok(x.f_mul_scalar(alpha)?.f_add_scalar(beta)?.f_clamp(0.0, 1.0)?)))
});
/// `HardSwish`.
pub static HARD_SWISH: Operator = Operator::new("HardSwish", 1, |site| {
    site.since(14)?;
    Ok(each(|x| Ok(x.f_hardswish()?)))
});
/// `Swish`: x times the sigmoid of alpha x.
pub static SWISH: Operator = Operator::new("Swish", 1, |site| {
    site.since(24)?;
    let alpha = site.float_or("alpha", 1.0)?;
    Ok(each(move |x| Ok(x.f_mul(&x.f_mul_scalar(alpha)?.f_sigmoid()?)?)))
});
/// `Softplus`.
pub static SOFTPLUS: Operator =
    Operator::new("Softplus", 1, |_| Ok(each(|x| Ok(x.f_logaddexp(&x.f_zeros_like()?)?))));
/// `Softsign`.
pub static SOFTSIGN: Operator =
    Operator::new("Softsign", 1, |_| Ok(each(|x| Ok(x.f_div(&x.f_abs()?.f_add_scalar(1.0)?)?))));
/// `Tanh`.
pub static TANH: Operator = Operator::new("Tanh", 1, |_| Ok(each(|x| Ok(x.f_tanh()?))));
/// `Gelu`.
pub static GELU: Operator = Operator::new("Gelu", 1, |site| {
    site.since(20)?;
    let approximate = site.text_or("approximate", "none")?;
    if !matches!(approximate, "none" | "tanh") {
        return Err(site.wrong("attribute 'approximate'", "none or tanh", approximate));
    }
    let approximate = approximate.to_owned();
    Ok(each(move |x| Ok(x.f_gelu(&approximate)?)))
});
/// `Mish`.
pub static MISH: Operator = Operator::new("Mish", 1, |site| {
    site.since(18)?;
    Ok(each(|x| Ok(x.f_mish()?)))
});
/// `Clip`.
pub static CLIP: Operator = Operator::new("Clip", 1, clip);

/// An operation on each number.
fn each(run: impl Fn(&Tensor) -> Result<Tensor, EngineError> + 'static) -> Translation {
    Translation::flowing(move |args| {
        let value = args.get(0)?;
        if value.kind() == Kind::Bool {
            return Err(EngineError::Input {
                what: "an activation",
                expected: "numbers".to_owned(),
                found: "truth values".to_owned(),
            });
        }
        run(value)
    })
}

/// `x` where it is above 0, else `other`.
fn below(x: &Tensor, other: &Tensor) -> Result<Tensor, EngineError> {
    Ok(x.f_where_self(&x.f_gt(0.0)?, other)?)
}

fn clip(site: &Site) -> Result<Translation, OnnxError> {
    let low =
        site.float("min")?.map_or_else(|| site.scalar(1, "input 'min'"), |low| Ok(Some(low)))?;
    let high =
        site.float("max")?.map_or_else(|| site.scalar(2, "input 'max'"), |high| Ok(Some(high)))?;
    Ok(each(move |x| {
        let mut value = x.shallow_clone();
        // A whole number stays one.
        let whole = !is_float(x.kind());
        if let Some(low) = low {
            value = if whole { value.f_clamp_min(low as i64)? } else { value.f_clamp_min(low)? };
        }
        if let Some(high) = high {
            value =
                if whole { value.f_clamp_max(high as i64)? } else { value.f_clamp_max(high)? };
        }
        Ok(value)
    }))
}
