//! Values put together and taken apart.

use tch::Tensor;

use super::super::translation::Translation;
use super::super::{OnnxError, Site};
use super::Operator;
use crate::error::EngineError;

/// `Concat`.
pub static CONCAT: Operator = Operator::new("Concat", 1, concat);
/// `Split`.
pub static SPLIT: Operator = Operator::new("Split", 1, split);

fn concat(site: &Site) -> Result<Translation, OnnxError> {
    let axis = site.int("axis")?;
    let axis = axis.ok_or_else(|| site.wrong("attribute 'axis'", "a dimension", "none"))?;
    let (places, freed) = (site.inputs(), site.freed);
    Ok(Translation::flowing(move |args| {
        let values = (0..places).map(|at| args.get(at)).collect::<Result<Vec<_>, _>>()?;
        if !freed {
            return Ok(Tensor::f_cat(&values, axis)?);
        }
        let longest = values.iter().filter_map(|value| value.size().first().copied()).max();
        let values = values.iter().map(|value| for_all(value, axis, longest.unwrap_or(1)));
        Ok(Tensor::f_cat(&values.collect::<Result<Vec<_>, _>>()?, axis)?)
    }))
}

/// In a graph for one image, what is a constant of one image (a class token, say) stands for each.
fn for_all(value: &Tensor, axis: i64, images: i64) -> Result<Tensor, EngineError> {
    let mut size = value.size();
    if super::axis(axis, size.len()) == 0 || size.first() != Some(&1) {
        return Ok(value.shallow_clone());
    }
    size[0] = images;
    Ok(value.f_expand(&size[..], false)?)
}

fn split(site: &Site) -> Result<Translation, OnnxError> {
    let axis = site.int_or("axis", 0)?;
    let sizes = site.numbers("split", 1)?;
    site.ignore(&["num_outputs"]);
    let parts =
        site.outputs().max(site.int_or("num_outputs", 0)?.clamp(0, 1 << 16) as usize) as i64;
    Ok(Translation::many(move |args| {
        let value = args.get(0)?;
        let sizes = if let Some(sizes) = &sizes {
            sizes.of(args)?
        } else {
            let place = super::axis(axis, value.dim()) as usize;
            let length = value.size().get(place).copied().unwrap_or(0);
            // Equal parts; the last one is shorter where they cannot be.
            let each = (length + parts - 1) / parts.max(1);
            (0..parts).map(|part| each.min(length - part * each)).collect()
        };
        Ok(value.f_split_with_sizes(&sizes[..], axis)?)
    }))
}
