//! Operations without a gradient. Between the pixels and the logits they are refused; on shapes and
//! constants they are computed.

use tch::{Kind, TchError, Tensor};

use super::super::translation::Translation;
use super::super::{OnnxError, Site};
use super::Operator;
use crate::error::EngineError;

/// `Round`, halves to even.
pub static ROUND: Operator = Operator::new("Round", 1, |_| Ok(each(Tensor::f_round)));
/// `Floor`.
pub static FLOOR: Operator = Operator::new("Floor", 1, |_| Ok(each(Tensor::f_floor)));
/// `Ceil`.
pub static CEIL: Operator = Operator::new("Ceil", 1, |_| Ok(each(Tensor::f_ceil)));
/// `Sign`.
pub static SIGN: Operator = Operator::new("Sign", 1, |_| Ok(each(Tensor::f_sign)));
/// `ArgMax`.
pub static ARG_MAX: Operator = Operator::new("ArgMax", 1, |site| arg(site, 1.0));
/// `ArgMin`.
pub static ARG_MIN: Operator = Operator::new("ArgMin", 1, |site| arg(site, -1.0));
/// `QuantizeLinear`.
pub static QUANTIZE: Operator = Operator::new("QuantizeLinear", 2, quantize);
/// `DynamicQuantizeLinear`, which nothing but pixels comes before.
pub static DYNAMIC_QUANTIZE: Operator = Operator::new("DynamicQuantizeLinear", 1, |_| {
    Ok(Translation::stopping(|_| {
        Err(EngineError::Input {
            what: "an operation",
            expected: "one with a gradient".to_owned(),
            found: "DynamicQuantizeLinear".to_owned(),
        })
    }))
});
/// `DequantizeLinear`: linear itself, but of whole numbers.
pub static DEQUANTIZE: Operator = Operator::new("DequantizeLinear", 2, dequantize);

fn each(run: fn(&Tensor) -> Result<Tensor, TchError>) -> Translation {
    Translation::stopping(move |args| Ok(run(args.get(0)?)?))
}

/// The place of the largest after a multiplication by `sign`.
fn arg(site: &Site, sign: f64) -> Result<Translation, OnnxError> {
    let (axis, keep) = (site.int_or("axis", 0)?, site.int_or("keepdims", 1)? != 0);
    let last = site.int_or("select_last_index", 0)?;
    if last != 0 {
        return Err(site.wrong("attribute 'select_last_index'", "0", &last.to_string()));
    }
    Ok(Translation::stopping(move |args| {
        Ok(args.get(0)?.f_mul_scalar(sign)?.f_argmax(axis, keep)?)
    }))
}

/// Scale or zero point, along its axis.
fn along(numbers: &Tensor, value: &Tensor, axis: i64) -> Result<Tensor, EngineError> {
    if numbers.numel() == 1 {
        return Ok(numbers.f_reshape([1i64; 0])?);
    }
    let mut shape = vec![1; value.dim()];
    let place = super::axis(axis, value.dim()) as usize;
    match shape.get_mut(place) {
        Some(side) if numbers.dim() == 1 => *side = -1,
        _ => {
            return Err(EngineError::Input {
                what: "a scale",
                expected: "one number, or one for each place along an axis".to_owned(),
                found: format!("{:?}", numbers.size()),
            });
        }
    }
    Ok(numbers.f_reshape(&shape[..])?)
}

fn dequantize(site: &Site) -> Result<Translation, OnnxError> {
    let axis = site.int_or("axis", 1)?;
    site.ignore(&["output_dtype"]);
    let block = site.int_or("block_size", 0)?;
    if block != 0 {
        return Err(site.wrong("attribute 'block_size'", "0", &block.to_string()));
    }
    Ok(Translation::flowing(move |args| {
        let (value, kind) = (args.get(0)?, args.kind);
        let mut number = value.f_to_kind(kind)?;
        if let Some(zero) = args.maybe(2) {
            number = number.f_sub(&along(zero, value, axis)?.f_to_kind(kind)?)?;
        }
        Ok(number.f_mul(&along(args.get(1)?, value, axis)?)?)
    }))
}

fn quantize(site: &Site) -> Result<Translation, OnnxError> {
    let axis = site.int_or("axis", 1)?;
    site.ignore(&["saturate", "output_dtype", "precision", "block_size"]);
    Ok(Translation::stopping(move |args| {
        let value = args.get(0)?;
        let zero = args.maybe(2);
        let kind = zero.map_or(Kind::Uint8, Tensor::kind);
        let (low, high) = match kind {
            Kind::Int8 => (-128.0, 127.0),
            Kind::Int16 => (-32768.0, 32767.0),
            _ => (0.0, 255.0),
        };
        let mut number = value.f_div(&along(args.get(1)?, value, axis)?)?.f_round()?;
        if let Some(zero) = zero {
            number = number.f_add(&along(zero, value, axis)?.f_to_kind(value.kind())?)?;
        }
        Ok(number.f_clamp(low, high)?.f_to_kind(kind)?)
    }))
}
