//! Images in another size.
//!
//! Every axis by itself: each number of the result is a weighted sum of numbers along the axis, and the weights
//! are a matrix. So all modes are one operation, exact in every setting, with its gradient.

use tch::Tensor;

use super::super::site::Ints;
use super::super::translation::{Args, Translation};
use super::super::{OnnxError, Site};
use super::Operator;
use crate::error::EngineError;

/// `Resize`.
pub static RESIZE: Operator = Operator::new("Resize", 1, resize);
/// `Upsample`, which came before it.
pub static UPSAMPLE: Operator = Operator::new("Upsample", 1, upsample);

/// Sides that an image may get.
const LONGEST: i64 = 1 << 14;
/// Numbers that it may get.
const MOST: i64 = 1 << 28;

/// How values between pixels are found.
#[derive(Clone, Copy, PartialEq)]
enum Mode {
    Nearest(Rounding),
    Linear,
    /// With its coefficient.
    Cubic(f64),
}

#[derive(Clone, Copy, PartialEq)]
enum Rounding {
    PreferFloor,
    PreferCeil,
    Floor,
    Ceil,
    /// Before opset 11: down where the image grows, up where it shrinks, as onnxruntime has it.
    Old,
}

/// Where a pixel of the result lies in the image.
#[derive(Clone, Copy, PartialEq)]
enum Place {
    HalfPixel,
    PytorchHalfPixel,
    AlignCorners,
    Asymmetric,
}

#[derive(Clone, Copy)]
struct Rule {
    mode: Mode,
    place: Place,
    /// Whether pixels outside of the image get no weight, rather than the edge's.
    exclude: bool,
}

/// What says how large the result is.
enum Target {
    /// Factors: stated, or an input.
    Scales(Option<Vec<f64>>, usize),
    Sizes(Ints),
}

fn resize(site: &Site) -> Result<Translation, OnnxError> {
    let old = site.opset < 11;
    let place = match site.text_or("coordinate_transformation_mode", "half_pixel")? {
        _ if old => Place::Asymmetric,
        "half_pixel" => Place::HalfPixel,
        "pytorch_half_pixel" => Place::PytorchHalfPixel,
        "align_corners" => Place::AlignCorners,
        "asymmetric" => Place::Asymmetric,
        other => {
            let expected = "half_pixel, pytorch_half_pixel, align_corners or asymmetric";
            return Err(site.wrong("attribute 'coordinate_transformation_mode'", expected, other));
        }
    };
    let rounding = match site.text_or("nearest_mode", "round_prefer_floor")? {
        "floor" => Rounding::Floor,
        _ if old => Rounding::Old,
        "round_prefer_floor" => Rounding::PreferFloor,
        "round_prefer_ceil" => Rounding::PreferCeil,
        "ceil" => Rounding::Ceil,
        other => {
            let expected = "round_prefer_floor, round_prefer_ceil, floor or ceil";
            return Err(site.wrong("attribute 'nearest_mode'", expected, other));
        }
    };
    let coefficient = site.float_or("cubic_coeff_a", -0.75)?;
    let mode = mode(site, rounding, coefficient)?;
    site.ignore(&["extrapolation_value"]);
    for (name, known) in [("antialias", "0"), ("keep_aspect_ratio_policy", "stretch")] {
        let found = match name {
            "antialias" => site.int_or("antialias", 0)?.to_string(),
            _ => site.text_or("keep_aspect_ratio_policy", "stretch")?.to_owned(),
        };
        if found != known {
            return Err(site.wrong(&format!("attribute '{name}'"), known, &found));
        }
    }
    let exclude = site.int_or("exclude_outside", 0)? != 0;
    let axes = site.ints("axes")?;
    let scales = if old { 1 } else { 2 };
    let target = match site.numbers_at(3)? {
        Some(sizes) => Target::Sizes(sizes),
        None => Target::Scales(None, scales),
    };
    Ok(scaled(Rule { mode, place, exclude }, target, axes))
}

fn upsample(site: &Site) -> Result<Translation, OnnxError> {
    let mode = mode(site, Rounding::Old, -0.75)?;
    let rule = Rule { mode, place: Place::Asymmetric, exclude: false };
    let stated = site.floats("scales")?;
    let stated = stated.map(|scales| scales.into_iter().map(f64::from).collect());
    Ok(scaled(rule, Target::Scales(stated, 1), None))
}

fn mode(site: &Site, rounding: Rounding, coefficient: f64) -> Result<Mode, OnnxError> {
    Ok(match site.text_or("mode", "nearest")? {
        "nearest" => Mode::Nearest(rounding),
        "linear" | "bilinear" => Mode::Linear,
        "cubic" => Mode::Cubic(coefficient),
        other => return Err(site.wrong("attribute 'mode'", "nearest, linear or cubic", other)),
    })
}

fn scaled(rule: Rule, target: Target, axes: Option<Vec<i64>>) -> Translation {
    Translation::flowing(move |args| {
        let mut image = args.get(0)?.shallow_clone();
        let rank = image.dim();
        let axes = axes.clone().unwrap_or_else(|| (0..rank as i64).collect());
        let sides = target.sides(args, &image, &axes)?;
        for (&axis, &(scale, to)) in axes.iter().zip(&sides) {
            let axis = super::axis(axis, rank);
            let from = image.size().get(axis as usize).copied().unwrap_or(0);
            // The number of images is not resized, whatever a graph for one of them says.
            if axis == 0 || (from == to && scale.to_bits() == 1.0_f64.to_bits()) {
                continue;
            }
            let numbers = image.numel() as i64 / from.max(1);
            if ![from, to].iter().all(|side| (1..=LONGEST).contains(side)) || numbers > MOST / to {
                return Err(EngineError::Input {
                    what: "an image in another size",
                    expected: format!("sides from 1 to {LONGEST}, at most {MOST} numbers"),
                    found: format!("{from} to {to}"),
                });
            }
            let single = matches!(target, Target::Scales(..));
            image = along(&image, axis, to, &rule.weights([from, to], scale, single))?;
        }
        Ok(image)
    })
}

impl Target {
    /// The factor and the new side of each axis.
    fn sides(
        &self,
        args: &Args,
        image: &Tensor,
        axes: &[i64],
    ) -> Result<Vec<(f64, i64)>, EngineError> {
        let size = image.size();
        let from =
            |axis: i64| size.get(super::axis(axis, size.len()) as usize).copied().unwrap_or(0);
        let wrong = |count: usize| EngineError::Input {
            what: "the new sides of an image",
            expected: format!("{} of them", axes.len()),
            found: count.to_string(),
        };
        match self {
            Self::Sizes(sizes) => {
                let sizes = sizes.of(args)?;
                if sizes.len() != axes.len() {
                    return Err(wrong(sizes.len()));
                }
                let pairs = axes.iter().zip(sizes);
                Ok(pairs.map(|(&axis, to)| (to as f64 / from(axis) as f64, to)).collect())
            }
            Self::Scales(stated, place) => {
                let scales = if let Some(scales) = stated {
                    scales.clone()
                } else {
                    let numbers = args.get(*place)?.f_to_kind(tch::Kind::Double)?;
                    Vec::<f64>::try_from(numbers.f_contiguous()?.f_view([-1])?)?
                };
                if scales.len() != axes.len() {
                    return Err(wrong(scales.len()));
                }
                // In f32, as exporters and runtimes count: ten times 0.7 is 7 there, and less in f64.
                let side =
                    |axis: i64, scale: f64| (from(axis) as f32 * scale as f32).floor() as i64;
                Ok(axes.iter().zip(scales).map(|(&axis, s)| (s, side(axis, s))).collect())
            }
        }
    }
}

/// The image with the numbers along an axis summed by `weights` `[to, from]`.
fn along(image: &Tensor, axis: i64, to: i64, weights: &[f64]) -> Result<Tensor, EngineError> {
    let matrix = Tensor::f_from_slice(weights)?.f_view([to, -1])?.f_to_kind(image.kind())?;
    let last = image.f_transpose(axis, -1)?; // […, from]
    Ok(last.f_matmul(&matrix.f_transpose(0, 1)?)?.f_transpose(axis, -1)?)
}

impl Rule {
    /// The weights `[to, from]` of one axis, row by row. `single` says that the scale is what the file has,
    /// an f32: then the nearest pixel is found in f32, as runtimes do, so that a tie there is one here.
    fn weights(self, [from, to]: [i64; 2], scale: f64, single: bool) -> Vec<f64> {
        let mut weights = vec![0.0; (to * from) as usize];
        for (at, row) in weights.chunks_exact_mut(from as usize).enumerate() {
            let x = self.place(at as f64, from as f64, to as f64, scale);
            match self.mode {
                Mode::Nearest(rounding) => {
                    let x = if single { self.place_in_f32(at, x, scale) } else { x };
                    row[rounding.of(x, scale).clamp(0, from - 1) as usize] = 1.0;
                }
                Mode::Linear => {
                    let x = x.clamp(0.0, (from - 1) as f64);
                    let first = (x.floor() as i64).min(from - 1);
                    let share = x - first as f64;
                    row[first as usize] += 1.0 - share;
                    row[(first + 1).min(from - 1) as usize] += share;
                }
                Mode::Cubic(a) => self.cubic(row, x, a),
            }
        }
        weights
    }

    /// The same place `x` as f32 arithmetic has it, where it hangs on the scale.
    fn place_in_f32(self, at: usize, x: f64, scale: f64) -> f64 {
        let (at, scale) = (at as f32, scale as f32);
        match self.place {
            Place::HalfPixel | Place::PytorchHalfPixel if x.abs() > 0.0 => {
                f64::from((at + 0.5) / scale - 0.5)
            }
            Place::Asymmetric => f64::from(at / scale),
            _ => x,
        }
    }

    /// Four points around `x`, weighted by the cubic of Keys (1981).
    fn cubic(self, row: &mut [f64], x: f64, a: f64) {
        let last = row.len() as i64 - 1;
        let first = x.floor();
        let mut total = 0.0;
        for offset in -1..=2 {
            let point = first as i64 + offset;
            if self.exclude && !(0..=last).contains(&point) {
                continue;
            }
            let far = (x - (first + offset as f64)).abs();
            let weight = if far <= 1.0 {
                ((a + 2.0) * far - (a + 3.0)) * far * far + 1.0
            } else {
                ((a * far - 5.0 * a) * far + 8.0 * a) * far - 4.0 * a
            };
            row[point.clamp(0, last) as usize] += weight;
            total += weight;
        }
        if self.exclude {
            for weight in row {
                *weight /= total;
            }
        }
    }

    /// Where the pixel `at` of the result lies in the image.
    fn place(self, at: f64, from: f64, to: f64, scale: f64) -> f64 {
        match self.place {
            Place::HalfPixel => (at + 0.5) / scale - 0.5,
            Place::PytorchHalfPixel if to > 1.0 => (at + 0.5) / scale - 0.5,
            Place::AlignCorners if to > 1.0 => at * (from - 1.0) / (to - 1.0),
            Place::PytorchHalfPixel | Place::AlignCorners => 0.0,
            Place::Asymmetric => at / scale,
        }
    }
}

impl Rounding {
    fn of(self, x: f64, scale: f64) -> i64 {
        let down = x.floor();
        let half = (x - down - 0.5).abs() < 1e-12;
        (match self {
            Self::Floor => down,
            Self::Ceil => x.ceil(),
            Self::Old => {
                if scale < 1.0 {
                    x.ceil()
                } else {
                    down
                }
            }
            Self::PreferFloor if half => down,
            Self::PreferCeil if half => down + 1.0,
            Self::PreferFloor | Self::PreferCeil => x.round(),
        }) as i64
    }
}
