//! Normalisation inside a network, with the statistics of training or of each image itself.

use tch::{Kind, Tensor};

use super::super::translation::{Role, Translation};
use super::super::{OnnxError, Site};
use super::Operator;
use crate::error::EngineError;

/// `BatchNormalization` with stored statistics.
pub static BATCH: Operator = Operator::new("BatchNormalization", 5, batch);
/// `InstanceNormalization`.
pub static INSTANCE: Operator = Operator::new("InstanceNormalization", 3, instance);
/// `LayerNormalization`.
pub static LAYER: Operator = Operator::new("LayerNormalization", 2, layer);
/// `GroupNormalization`.
pub static GROUP: Operator = Operator::new("GroupNormalization", 3, group);
/// `RMSNormalization`.
pub static RMS: Operator = Operator::new("RMSNormalization", 2, rms);
/// `LpNormalization`: each vector divided by its length.
pub static LP: Operator = Operator::new("LpNormalization", 1, lp);

const NONE: Option<&Tensor> = None;

fn batch(site: &Site) -> Result<Translation, OnnxError> {
    let epsilon = site.float_or("epsilon", 1e-5)?;
    site.ignore(&["momentum"]);
    for (name, wanted) in [("training_mode", 0), ("spatial", 1)] {
        let found = site.int_or(name, wanted)?;
        if found != wanted {
            let (what, expected) = (format!("attribute '{name}'"), wanted.to_string());
            return Err(site.wrong(&what, &expected, &found.to_string()));
        }
    }
    site.at_most_outputs(1)?;
    let run = move |args: &super::super::Args| -> Result<Tensor, EngineError> {
        let at = |place: usize| args.get(place).map(Some);
        let [scale, bias, mean, variance] = [at(1)?, at(2)?, at(3)?, at(4)?];
        Ok(args.get(0)?.f_batch_norm(scale, bias, mean, variance, false, 0.0, epsilon, false)?)
    };
    Ok(Translation::flowing(run).with_role(Role::BatchNorm(epsilon)))
}

fn instance(site: &Site) -> Result<Translation, OnnxError> {
    let epsilon = site.float_or("epsilon", 1e-5)?;
    Ok(Translation::flowing(move |args| {
        let (scale, bias) = (Some(args.get(1)?), Some(args.get(2)?));
        Ok(args.get(0)?.f_instance_norm(scale, bias, NONE, NONE, true, 0.0, epsilon, false)?)
    }))
}

fn layer(site: &Site) -> Result<Translation, OnnxError> {
    let axis = site.int_or("axis", -1)?;
    let epsilon = site.float_or("epsilon", 1e-5)?;
    site.ignore(&["stash_type"]);
    site.at_most_outputs(1)?;
    Ok(Translation::flowing(move |args| {
        let (value, scale, bias) = (args.get(0)?, args.get(1)?, args.maybe(2));
        let size = value.size();
        let first = super::axis(axis, size.len()).clamp(0, size.len() as i64) as usize;
        let shape = &size[first..];
        if scale.size() == shape && bias.is_none_or(|bias| bias.size() == shape) {
            return Ok(value.f_layer_norm(shape, Some(scale), bias, epsilon, false)?);
        }
        let normal = value.f_layer_norm(shape, NONE, NONE, epsilon, false)?.f_mul(scale)?;
        Ok(match bias {
            Some(bias) => normal.f_add(bias)?,
            None => normal,
        })
    }))
}

fn group(site: &Site) -> Result<Translation, OnnxError> {
    site.since(18)?;
    let groups = site.int("num_groups")?;
    let groups = groups.ok_or_else(|| site.wrong("attribute 'num_groups'", "a number", "none"))?;
    let epsilon = site.float_or("epsilon", 1e-5)?;
    site.ignore(&["stash_type"]);
    Ok(Translation::flowing(move |args| {
        let value = args.get(0)?;
        let channels = value.size().get(1).copied().unwrap_or(0);
        // Before opset 21 there was one number a group.
        let full = |numbers: &Tensor| -> Result<Tensor, EngineError> {
            if numbers.numel() as i64 == channels {
                return Ok(numbers.shallow_clone());
            }
            let each = channels / groups.max(1);
            Ok(numbers.f_view([-1, 1])?.f_expand([-1, each], false)?.f_reshape([-1])?)
        };
        let (scale, bias) = (full(args.get(1)?)?, full(args.get(2)?)?);
        Ok(value.f_group_norm(groups, Some(&scale), Some(&bias), epsilon, false)?)
    }))
}

fn rms(site: &Site) -> Result<Translation, OnnxError> {
    site.since(23)?;
    let axis = site.int_or("axis", -1)?;
    let epsilon = site.float_or("epsilon", 1e-5)?;
    site.ignore(&["stash_type"]);
    Ok(Translation::flowing(move |args| {
        let value = args.get(0)?;
        let rank = value.dim();
        let axes: Vec<i64> = (super::axis(axis, rank)..rank as i64).collect();
        let square = value.f_mul(value)?.f_mean_dim(&axes[..], true, None::<Kind>)?;
        let length = square.f_add_scalar(epsilon)?.f_sqrt()?;
        Ok(value.f_div(&length)?.f_mul(args.get(1)?)?)
    }))
}

fn lp(site: &Site) -> Result<Translation, OnnxError> {
    let (axis, p) = (site.int_or("axis", -1)?, site.int_or("p", 2)?);
    if !(1..=2).contains(&p) {
        return Err(site.wrong("attribute 'p'", "1 or 2", &p.to_string()));
    }
    Ok(Translation::flowing(move |args| {
        let value = args.get(0)?;
        let length = if p == 1 {
            value.f_abs()?.f_sum_dim_intlist([axis].as_slice(), true, None::<Kind>)?
        } else {
            super::reduce::length(value, &[axis], true)?
        };
        // Nothing has no direction, and stays nothing.
        let none = length.f_eq(0.0)?.f_to_kind(length.kind())?;
        Ok(value.f_div(&length.f_add(&none)?)?)
    }))
}
