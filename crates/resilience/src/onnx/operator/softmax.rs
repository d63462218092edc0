//! Softmax and its logarithm.

use tch::{Kind, Tensor};

use super::super::translation::Translation;
use super::super::{OnnxError, Site};
use super::Operator;
use crate::error::EngineError;

/// `Softmax`.
pub static SOFTMAX: Operator =
    Operator::new("Softmax", 1, |site| along(site, |x, axis| Ok(x.f_softmax(axis, None::<Kind>)?)));
/// `LogSoftmax`.
pub static LOG_SOFTMAX: Operator = Operator::new("LogSoftmax", 1, |site| {
    along(site, |x, axis| Ok(x.f_log_softmax(axis, None::<Kind>)?))
});

fn along(
    site: &Site,
    run: fn(&Tensor, i64) -> Result<Tensor, EngineError>,
) -> Result<Translation, OnnxError> {
    if site.opset >= 13 {
        let axis = site.int_or("axis", -1)?;
        return Ok(Translation::flowing(move |args| run(args.get(0)?, axis)));
    }
    // Before opset 13 it went over all dimensions from the axis on.
    let axis = site.int_or("axis", 1)?;
    Ok(Translation::flowing(move |args| {
        let value = args.get(0)?;
        let size = value.size();
        let first = super::axis(axis, size.len()).clamp(0, size.len() as i64) as usize;
        let rows: i64 = size[..first].iter().product();
        let columns: i64 = size[first..].iter().product();
        Ok(run(&value.f_reshape([rows, columns])?, 1)?.f_reshape(&size[..])?)
    }))
}
