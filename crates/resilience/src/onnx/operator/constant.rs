//! Values that are stated, and the same value as another kind of number.

use tch::{Device, Kind, Tensor};

use super::super::convert::{is_float, kind_of};
use super::super::translation::{Args, Gradient, Translation};
use super::super::{OnnxError, Site};
use super::Operator;
use crate::error::EngineError;

/// `Constant`.
pub static CONSTANT: Operator = Operator::new("Constant", 0, constant);
/// `ConstantOfShape`.
pub static CONSTANT_OF_SHAPE: Operator = Operator::new("ConstantOfShape", 1, of_shape);
/// `Range`.
pub static RANGE: Operator = Operator::new("Range", 3, |_| Ok(Translation::stopping(range)));
/// `Cast`.
pub static CAST: Operator = Operator::new("Cast", 1, cast);
/// `CastLike`.
pub static CAST_LIKE: Operator = Operator::new("CastLike", 2, |site| Ok(cast_like(site)));

/// Numbers that a value which a node makes of nothing may have.
const MOST: i64 = 1 << 28;

fn constant(site: &Site) -> Result<Translation, OnnxError> {
    let floats = |values: &[f32], scalar: bool| -> Result<Tensor, EngineError> {
        let flat = Tensor::f_from_slice(values)?.f_to_kind(site.kind)?;
        Ok(if scalar { flat.f_reshape([1i64; 0])? } else { flat })
    };
    let value = if let Some(value) = site.tensor("value")? {
        Ok(value)
    } else if let Some(value) = site.float("value_float")? {
        floats(&[value as f32], true)
    } else if let Some(values) = site.floats("value_floats")? {
        floats(&values, false)
    } else if let Some(value) = site.int("value_int")? {
        Ok(Tensor::from(value))
    } else if let Some(values) = site.ints("value_ints")? {
        Tensor::f_from_slice(&values).map_err(EngineError::from)
    } else {
        return Err(site.wrong("the value", "a tensor, or numbers", "none"));
    };
    let value = value.map_err(|source| site.failed(source))?;
    Ok(Translation::flowing(move |_| Ok(value.shallow_clone())))
}

fn of_shape(site: &Site) -> Result<Translation, OnnxError> {
    let value = match site.tensor("value")? {
        Some(value) => value,
        None => Tensor::f_zeros([1], (site.kind, Device::Cpu))
            .map_err(|source| site.failed(source.into()))?,
    };
    let run = move |args: &Args| {
        let shape = args.ints(0)?;
        let sides = shape.iter().map(|&side| (side >= 0).then_some(side));
        let count = sides.into_iter().try_fold(1_i64, |count, side| count.checked_mul(side?));
        if count.is_none_or(|count| count > MOST) {
            return Err(EngineError::Input {
                what: "a value of a stated shape",
                expected: format!("at most {MOST} numbers"),
                found: format!("{shape:?}"),
            });
        }
        let kind = if is_float(value.kind()) { args.kind } else { value.kind() };
        let value = value.f_reshape([1i64; 0])?.f_to_kind(kind)?;
        Ok(value.f_expand(&shape[..], false)?.f_contiguous()?)
    };
    Ok(Translation::flowing(run).with_gradient(Gradient::Shape))
}

fn range(args: &Args) -> Result<Tensor, EngineError> {
    let ends = [args.get(0)?, args.get(1)?, args.get(2)?];
    let kind = ends[0].kind();
    let number = |tensor: &Tensor| tensor.f_reshape([1i64; 0])?.f_double_value(&[]);
    let [start, end, step] = [number(ends[0])?, number(ends[1])?, number(ends[2])?];
    let count = ((end - start) / step).ceil().max(0.0);
    if !count.is_finite() || count > MOST as f64 {
        return Err(EngineError::Input {
            what: "a range",
            expected: format!("at most {MOST} numbers"),
            found: format!("{start} to {end} by {step}"),
        });
    }
    let numbers = Tensor::f_arange(count as i64, (Kind::Double, Device::Cpu))?;
    Ok(numbers.f_mul_scalar(step)?.f_add_scalar(start)?.f_to_kind(kind)?)
}

fn cast(site: &Site) -> Result<Translation, OnnxError> {
    site.ignore(&["saturate", "round_mode"]);
    let to = site.int_or("to", 0)?;
    let Some(kind) = kind_of(to, site.kind) else {
        let expected = "float, double, float16, bfloat16, bool or an integer";
        return Err(site.wrong("attribute 'to'", expected, &format!("data type {to}")));
    };
    let float = is_float(kind);
    let run =
        move |args: &Args| Ok(args.get(0)?.f_to_kind(if float { args.kind } else { kind })?);
    let gradient = if float { Gradient::Flows } else { Gradient::Stops };
    Ok(Translation::flowing(run).with_gradient(gradient))
}

fn cast_like(site: &Site) -> Translation {
    site.ignore(&["saturate", "round_mode"]);
    let stops = site.known(1).is_some_and(|like| !is_float(like.kind()));
    let run = move |args: &Args| {
        let (value, like) = (args.get(0)?, args.get(1)?);
        if !stops && is_float(value.kind()) && !is_float(like.kind()) {
            return Err(EngineError::Input {
                what: "a cast like a value that is computed",
                expected: "one to floats".to_owned(),
                found: format!("{:?}", like.kind()),
            });
        }
        Ok(value.f_to_kind(like.kind())?)
    };
    let gradient = if stops { Gradient::Stops } else { Gradient::Of(0) };
    Translation::flowing(run).with_gradient(gradient)
}
