//! Parts of values.

use tch::{Kind, Tensor};

use super::super::translation::Translation;
use super::super::{OnnxError, Site};
use super::Operator;
use crate::error::EngineError;

/// `Slice`.
pub static SLICE: Operator = Operator::new("Slice", 1, slice);
/// `Gather`.
pub static GATHER: Operator = Operator::new("Gather", 2, gather);
/// `GatherElements`.
pub static GATHER_ELEMENTS: Operator = Operator::new("GatherElements", 2, |site| {
    let axis = site.int_or("axis", 0)?;
    Ok(Translation::flowing(move |args| {
        let value = args.get(0)?;
        let place = super::axis(axis, value.dim()) as usize;
        let index = counted(args.get(1)?, value.size().get(place).copied().unwrap_or(0))?;
        Ok(value.f_gather(axis, &index, false)?)
    }))
});
/// `Trilu`: one side of the diagonal.
pub static TRILU: Operator = Operator::new("Trilu", 1, |site| {
    let upper = site.int_or("upper", 1)? != 0;
    let diagonal = site.scalar(1, "input 'k'")?.unwrap_or(0.0) as i64;
    Ok(Translation::flowing(move |args| {
        let value = args.get(0)?;
        Ok(if upper { value.f_triu(diagonal)? } else { value.f_tril(diagonal)? })
    }))
});

/// Places counted from the front.
fn counted(index: &Tensor, length: i64) -> Result<Tensor, EngineError> {
    let index = index.f_to_kind(Kind::Int64)?;
    Ok(index.f_where_self(&index.f_ge(0)?, &index.f_add_scalar(length)?)?)
}

fn gather(site: &Site) -> Result<Translation, OnnxError> {
    let axis = site.int_or("axis", 0)?;
    Ok(Translation::flowing(move |args| {
        let (value, index) = (args.get(0)?, args.get(1)?);
        let size = value.size();
        let place = super::axis(axis, size.len());
        let Some(&length) = usize::try_from(place).ok().and_then(|place| size.get(place)) else {
            return Err(EngineError::Input {
                what: "an axis",
                expected: format!("one of {} dimensions", size.len()),
                found: axis.to_string(),
            });
        };
        let flat = counted(index, length)?.f_reshape([-1])?;
        let picked = value.f_index_select(place, &flat)?;
        let shape = [&size[..place as usize], &index.size(), &size[place as usize + 1..]].concat();
        Ok(picked.f_reshape(&shape[..])?)
    }))
}

fn slice(site: &Site) -> Result<Translation, OnnxError> {
    let starts = site.needed(site.numbers("starts", 1)?, "starts")?;
    let ends = site.needed(site.numbers("ends", 2)?, "ends")?;
    let axes = site.numbers("axes", 3)?;
    let steps = site.numbers_at(4)?;
    Ok(Translation::flowing(move |args| {
        let mut value = args.get(0)?.shallow_clone();
        let (starts, ends) = (starts.of(args)?, ends.of(args)?);
        let axes = match &axes {
            Some(axes) => axes.of(args)?,
            None => (0..starts.len() as i64).collect(),
        };
        let steps = match &steps {
            Some(steps) => steps.of(args)?,
            None => vec![1; starts.len()],
        };
        if [ends.len(), axes.len(), steps.len()] != [starts.len(); 3] || steps.contains(&0) {
            return Err(EngineError::Input {
                what: "a part of a value",
                expected: "as many starts as ends, axes and steps that are not 0".to_owned(),
                found: format!("{starts:?}, {ends:?}, {axes:?}, {steps:?}"),
            });
        }
        for (at, &axis) in axes.iter().enumerate() {
            let axis = super::axis(axis, value.dim());
            value = part(&value, axis, [starts[at], ends[at], steps[at]])?;
        }
        Ok(value)
    }))
}

/// Every so manieth from `start` up to `end` along an axis; from behind with a step below 0.
fn part(value: &Tensor, axis: i64, [start, end, step]: [i64; 3]) -> Result<Tensor, EngineError> {
    let length = value.size().get(axis as usize).copied().unwrap_or(0);
    let counted = |at: i64| if at < 0 { at.saturating_add(length) } else { at };
    if step > 0 {
        let (start, end) = (counted(start).clamp(0, length), counted(end).clamp(0, length));
        return Ok(value.f_slice(axis, start, end.max(start), step)?);
    }
    let end = counted(end).clamp(-1, length - 1);
    let start = counted(start).clamp(0, (length - 1).max(0));
    let mut places = Vec::new();
    let mut at = start;
    while at > end && length > 0 {
        places.push(at);
        at = at.saturating_add(step);
    }
    Ok(value.f_index_select(axis, &Tensor::f_from_slice(&places)?)?)
}
