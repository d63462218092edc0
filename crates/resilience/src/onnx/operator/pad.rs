//! Margins around values.

use tch::Tensor;

use super::super::translation::Translation;
use super::super::{OnnxError, Site};
use super::Operator;
use super::window::FARTHEST;
use crate::error::EngineError;

/// `Pad`.
pub static PAD: Operator = Operator::new("Pad", 1, pad);

/// Where the numbers of a margin come from.
#[derive(Clone, Copy)]
enum Mode {
    Constant,
    Reflect,
    Edge,
    Wrap,
}

fn pad(site: &Site) -> Result<Translation, OnnxError> {
    let mode = match site.text_or("mode", "constant")? {
        "constant" => Mode::Constant,
        "reflect" => Mode::Reflect,
        "edge" => Mode::Edge,
        "wrap" => Mode::Wrap,
        other => {
            let expected = "constant, reflect, edge or wrap";
            return Err(site.wrong("attribute 'mode'", expected, other));
        }
    };
    let pads = site.needed(site.numbers("pads", 1)?, "pads")?;
    let axes = site.numbers_at(3)?;
    let value = match site.float("value")? {
        Some(value) => value,
        None => site.scalar(2, "input 'constant_value'")?.unwrap_or(0.0),
    };
    Ok(Translation::flowing(move |args| {
        let image = args.get(0)?;
        let axes = match &axes {
            Some(axes) => axes.of(args)?,
            None => (0..image.dim() as i64).collect(),
        };
        let sides = sides(image, &pads.of(args)?, &axes)?;
        match mode {
            Mode::Constant => {
                // libtorch takes the last dimension first.
                let pads: Vec<i64> = sides.iter().rev().flatten().copied().collect();
                Ok(image.f_pad(pads, "constant", value)?)
            }
            _ => by_index(image, &sides, mode),
        }
    }))
}

/// Before and behind, for every dimension.
fn sides(image: &Tensor, pads: &[i64], axes: &[i64]) -> Result<Vec<[i64; 2]>, EngineError> {
    let mut sides = vec![[0; 2]; image.dim()];
    let (begin, end) = pads.split_at(pads.len() / 2);
    let places = axes.iter().map(|&axis| super::axis(axis, image.dim()) as usize);
    for (place, (&begin, &end)) in places.clone().zip(begin.iter().zip(end)) {
        if let Some(side) = sides.get_mut(place) {
            *side = [begin, end];
        }
    }
    let far = pads.iter().any(|pad| pad.unsigned_abs() > FARTHEST as u64);
    if far || pads.len() != 2 * axes.len() || places.clone().any(|place| place >= image.dim()) {
        return Err(EngineError::Input {
            what: "pads",
            expected: format!(
                "two for each of {axes:?} of {} dimensions, at most {FARTHEST}",
                image.dim()
            ),
            found: format!("{pads:?}"),
        });
    }
    Ok(sides)
}

/// A margin of numbers of the image itself.
fn by_index(image: &Tensor, sides: &[[i64; 2]], mode: Mode) -> Result<Tensor, EngineError> {
    let mut image = image.shallow_clone();
    for (axis, &[begin, end]) in sides.iter().enumerate() {
        if (begin, end) == (0, 0) {
            continue;
        }
        let length = image.size()[axis];
        if length < 1 {
            return Err(EngineError::Input {
                what: "an image with a margin of its own numbers",
                expected: "one number at least".to_owned(),
                found: "none".to_owned(),
            });
        }
        let reach = length - 1;
        let from = |place: i64| match mode {
            Mode::Wrap => place.rem_euclid(length),
            Mode::Reflect if reach > 0 => reach - (place.rem_euclid(2 * reach) - reach).abs(),
            _ => place.clamp(0, reach),
        };
        let places: Vec<i64> = (-begin..length + end).map(from).collect();
        image = image.f_index_select(axis as i64, &Tensor::f_from_slice(&places)?)?;
    }
    Ok(image)
}
