//! The same numbers in another shape.

use tch::Tensor;

use super::super::site::Ints;
use super::super::translation::{Args, Gradient, Role, Translation};
use super::super::{Dependence, OnnxError, Site};
use super::Operator;
use crate::error::EngineError;

/// `Reshape`.
pub static RESHAPE: Operator = Operator::new("Reshape", 1, reshape);
/// `Flatten`.
pub static FLATTEN: Operator = Operator::new("Flatten", 1, flatten);
/// `Squeeze`.
pub static SQUEEZE: Operator = Operator::new("Squeeze", 1, squeeze);
/// `Unsqueeze`.
pub static UNSQUEEZE: Operator = Operator::new("Unsqueeze", 1, unsqueeze);
/// `Transpose`.
pub static TRANSPOSE: Operator = Operator::new("Transpose", 1, transpose);
/// `Expand`.
pub static EXPAND: Operator = Operator::new("Expand", 2, expand);
/// `Tile`.
pub static TILE: Operator = Operator::new("Tile", 2, |_| {
    Ok(Translation::flowing(|args| {
        let (value, times) = (args.get(0)?, args.ints(1)?);
        let numbers = times.iter().try_fold(value.numel() as i64, |n, &side| n.checked_mul(side));
        if numbers.is_none_or(|numbers| numbers > MOST) {
            return Err(too_many(&times));
        }
        Ok(value.f_repeat(&times[..])?)
    }))
});
/// `Shape`.
pub static SHAPE: Operator = Operator::new("Shape", 1, shape);
/// `Size`.
pub static SIZE: Operator = Operator::new("Size", 1, |_| {
    let run = |args: &Args| Ok(Tensor::from(args.get(0)?.numel() as i64));
    Ok(Translation::flowing(run).with_gradient(Gradient::Shape))
});
/// `Identity`.
pub static IDENTITY: Operator = Operator::new("Identity", 1, |_| Ok(nothing()));
/// `Dropout`, which does nothing outside of training.
pub static DROPOUT: Operator = Operator::new("Dropout", 1, dropout);
/// `DepthToSpace`.
pub static DEPTH_TO_SPACE: Operator = Operator::new("DepthToSpace", 1, depth_to_space);
/// `SpaceToDepth`.
pub static SPACE_TO_DEPTH: Operator = Operator::new("SpaceToDepth", 1, space_to_depth);

/// Numbers that a repeated value may have.
const MOST: i64 = 1 << 28;
/// Dimensions that a value may have.
const RANK: usize = 64;

fn too_many(found: &[i64]) -> EngineError {
    EngineError::Input {
        what: "a value in another shape",
        expected: format!("at most {MOST} numbers in {RANK} dimensions"),
        found: format!("{found:?}"),
    }
}

fn nothing() -> Translation {
    Translation::flowing(|args| Ok(args.get(0)?.shallow_clone()))
}

fn dropout(site: &Site) -> Result<Translation, OnnxError> {
    site.ignore(&["ratio", "seed", "is_test"]);
    let training = site.has(2) && !matches!(site.scalar(2, "input 'training_mode'")?, Some(0.0));
    if training {
        return Err(site.wrong("input 'training_mode'", "false", "true"));
    }
    site.at_most_outputs(1)?;
    Ok(nothing())
}

fn reshape(site: &Site) -> Result<Translation, OnnxError> {
    let target = site.needed(site.numbers("shape", 1)?, "the shape")?;
    let copies_zero = site.int_or("allowzero", 0)? == 0;
    // In a graph for one image a first side that is stated is one image's.
    let stated = matches!(target, Ints::Known(_));
    let one_image = site.freed && stated && site.dependence(0) == Dependence::Pixels;
    Ok(Translation::flowing(move |args| {
        let value = args.get(0)?;
        let size = value.size();
        let mut shape = target.of(args)?;
        for (place, side) in shape.iter_mut().enumerate() {
            if *side == 0 && copies_zero {
                *side = size.get(place).copied().unwrap_or(0);
            } else if place == 0 && one_image && *side > 0 {
                *side = side.saturating_mul(args.rows);
            }
        }
        Ok(value.f_reshape(&shape[..])?)
    }))
}

fn flatten(site: &Site) -> Result<Translation, OnnxError> {
    let axis = site.int_or("axis", 1)?;
    let role = if axis == 1 { Role::Flatten } else { Role::Other };
    let run = move |args: &Args| {
        let value = args.get(0)?;
        let size = value.size();
        let first = super::axis(axis, size.len()).clamp(0, size.len() as i64) as usize;
        let rows: i64 = size[..first].iter().product();
        let columns: i64 = size[first..].iter().product();
        Ok(value.f_reshape([rows, columns])?)
    };
    Ok(Translation::flowing(run).with_role(role))
}

fn squeeze(site: &Site) -> Result<Translation, OnnxError> {
    let axes = site.numbers("axes", 1)?;
    Ok(Translation::flowing(move |args| {
        let value = args.get(0)?;
        let Some(axes) = &axes else { return Ok(value.f_squeeze()?) };
        let size = value.size();
        let mut axes: Vec<i64> =
            axes.of(args)?.iter().map(|&axis| super::axis(axis, size.len())).collect();
        axes.sort_unstable();
        if let Some(&wide) = axes.iter().find(|&&axis| size.get(axis as usize) != Some(&1)) {
            return Err(EngineError::Input {
                what: "a dimension to be left out",
                expected: "one of length 1".to_owned(),
                found: format!("number {wide} of {size:?}"),
            });
        }
        let shape = size.iter().enumerate().filter(|(at, _)| !axes.contains(&(*at as i64)));
        let shape: Vec<i64> = shape.map(|(_, &side)| side).collect();
        Ok(value.f_reshape(&shape[..])?)
    }))
}

fn unsqueeze(site: &Site) -> Result<Translation, OnnxError> {
    let axes = site.needed(site.numbers("axes", 1)?, "axes")?;
    Ok(Translation::flowing(move |args| {
        let mut value = args.get(0)?.shallow_clone();
        let axes = axes.of(args)?;
        let rank = value.dim() + axes.len();
        if rank > RANK {
            return Err(too_many(&axes));
        }
        let mut axes: Vec<i64> = axes.iter().map(|&axis| super::axis(axis, rank)).collect();
        axes.sort_unstable();
        for axis in axes {
            value = value.f_unsqueeze(axis)?;
        }
        Ok(value)
    }))
}

fn transpose(site: &Site) -> Result<Translation, OnnxError> {
    let order = site.ints("perm")?;
    Ok(Translation::flowing(move |args| {
        let value = args.get(0)?;
        Ok(match &order {
            Some(order) => value.f_permute(&order[..])?,
            None => value.f_permute(&(0..value.dim() as i64).rev().collect::<Vec<_>>()[..])?,
        })
    }))
}

fn expand(site: &Site) -> Result<Translation, OnnxError> {
    let target = site.needed(site.numbers_at(1)?, "the shape")?;
    Ok(Translation::flowing(move |args| {
        let value = args.get(0)?;
        let (size, mut shape) = (value.size(), target.of(args)?);
        // Either of the two may have the longer side, or more dimensions.
        while shape.len() < size.len() {
            shape.insert(0, 1);
        }
        let more = shape.len() - size.len();
        for (side, &own) in shape[more..].iter_mut().zip(&size) {
            if *side == 1 {
                *side = own;
            }
        }
        Ok(value.f_expand(&shape[..], false)?)
    }))
}

fn shape(site: &Site) -> Result<Translation, OnnxError> {
    let (start, end) = (site.int_or("start", 0)?, site.int("end")?);
    let run = move |args: &Args| {
        let size = args.get(0)?.size();
        let rank = size.len() as i64;
        let place = |at: i64| super::axis(at, size.len()).clamp(0, rank) as usize;
        let (start, end) = (place(start), place(end.unwrap_or(rank)));
        Ok(Tensor::f_from_slice(&size[start..end.max(start)])?)
    };
    Ok(Translation::flowing(run).with_gradient(Gradient::Shape))
}

fn depth_to_space(site: &Site) -> Result<Translation, OnnxError> {
    let block = block(site)?;
    let order: &[i64] = match site.text_or("mode", "DCR")? {
        "DCR" => &[0, 3, 4, 1, 5, 2],
        "CRD" => &[0, 1, 4, 2, 5, 3],
        other => return Err(site.wrong("attribute 'mode'", "DCR or CRD", other)),
    };
    Ok(Translation::flowing(move |args| {
        let value = args.get(0)?;
        let (n, c, h, w) = value.size4()?;
        let depth = c / (block * block);
        let split = match order[1] {
            3 => [n, block, block, depth, h, w],
            _ => [n, depth, block, block, h, w],
        };
        let moved = value.f_reshape(split)?.f_permute(order)?;
        Ok(moved.f_reshape([n, depth, h * block, w * block])?)
    }))
}

fn space_to_depth(site: &Site) -> Result<Translation, OnnxError> {
    let block = block(site)?;
    Ok(Translation::flowing(move |args| {
        let value = args.get(0)?;
        let (n, c, h, w) = value.size4()?;
        let split = value.f_reshape([n, c, h / block, block, w / block, block])?;
        let moved = split.f_permute([0, 3, 5, 1, 2, 4])?;
        Ok(moved.f_reshape([n, c * block * block, h / block, w / block])?)
    }))
}

fn block(site: &Site) -> Result<i64, OnnxError> {
    let block = site.int_or("blocksize", 0)?;
    if !(1..=1 << 10).contains(&block) {
        return Err(site.wrong(
            "attribute 'blocksize'",
            "a number from 1 to 1024",
            &block.to_string(),
        ));
    }
    Ok(block)
}
