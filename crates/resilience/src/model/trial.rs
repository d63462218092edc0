//! What a network out of a file does with several images at once.

use tch::{Kind, Tensor};

use crate::error::EngineError;

/// How many images a network is shown at once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rows {
    /// As many as there are.
    Together,
    /// One, because it answers otherwise when there are more, or not at all.
    OneByOne {
        /// What it does with three, in words.
        why: String,
    },
}

/// Gives the logits `[n,k]` of what the network takes.
pub(super) type Forward<'a> = &'a dyn Fn(&Tensor) -> Result<Tensor, EngineError>;

impl Rows {
    /// Images `[n,c,h,w]` -> logits `[n,k]`.
    pub(super) fn logits(
        &self,
        images: &Tensor,
        forward: Forward<'_>,
    ) -> Result<Tensor, EngineError> {
        match self {
            Self::Together => forward(images),
            Self::OneByOne { .. } => one_by_one(images, forward),
        }
    }

    /// What a user has to know, in words, where images go through one by one; `remedy` says how to export
    /// the model better.
    #[must_use]
    pub(super) fn notice(&self, remedy: &str) -> Option<String> {
        match self {
            Self::Together => None,
            Self::OneByOne { why } => Some(format!(
                "its images are computed one by one, because three of them together {why}; {remedy}"
            )),
        }
    }
}

fn one_by_one(images: &Tensor, forward: Forward<'_>) -> Result<Tensor, EngineError> {
    let single = |at: i64| forward(&images.f_narrow(0, at, 1)?);
    let logits = (0..images.size()[0]).map(single).collect::<Result<Vec<_>, _>>()?;
    Ok(Tensor::f_cat(&logits, 0)?)
}

/// What a network was found to do.
pub(super) struct Trial {
    pub classes: i64,
    pub rows: Rows,
}

impl Trial {
    /// Three images of no meaning in [0, 1], of this shape: channels, height, width.
    pub fn images(shape: [i64; 3], kind: Kind) -> Result<Tensor, EngineError> {
        let [c, h, w] = shape;
        let options = (kind, tch::Device::Cpu);
        let steps = Tensor::f_arange(3 * c * h * w, options)?;
        let wave = steps.f_mul_scalar(0.739)?.f_sin()?.f_mul_scalar(0.5)?.f_add_scalar(0.5)?;
        // A dark one, one of all, and a bright one: what looks at the whole batch answers otherwise then.
        let column = |values: [f64; 3]| -> Result<Tensor, EngineError> {
            Ok(Tensor::f_from_slice(&values)?.f_to_kind(kind)?.f_view([3, 1, 1, 1])?)
        };
        let (scale, shift) = (column([0.375, 1.0, 0.375])?, column([0.0, 0.0, 0.625])?);
        Ok(wave.f_view([3, c, h, w])?.f_mul(&scale)?.f_add(&shift)?)
    }

    /// Finds the number of classes, and whether three `images`, as the network takes them, together get the
    /// logits that each gets alone.
    pub fn of(images: &Tensor, forward: Forward<'_>) -> Result<Self, EngineError> {
        let _guard = tch::no_grad_guard();
        let alone = one_by_one(images, forward)?;
        let classes = alone.size()[1];
        if classes < 2 {
            return Err(output(
                "logits of two classes at least",
                format!("{classes} for each image"),
                "export the model so that it gives one logit a class",
            ));
        }
        let largest = alone.f_abs()?.f_max()?.f_double_value(&[])?;
        if !largest.is_finite() {
            return Err(output(
                "finite logits",
                "NaN or infinity".to_owned(),
                "check the file, and the model's mean and std",
            ));
        }
        let tolerance = if alone.f_kind()? == Kind::Double { 1e-9 } else { 1e-4 };
        let why = match forward(images) {
            Ok(logits) => {
                let apart = logits.f_sub(&alone)?.f_abs()?.f_max()?.f_double_value(&[])?;
                let far = apart.is_nan() || apart > tolerance * largest.max(1e-3);
                // One that answers otherwise each time does so for one image too.
                let random = far && forward(images)? != logits;
                (far && !random).then(|| {
                    format!("get logits that are up to {apart:.1e} away from those of each")
                })
            }
            Err(error) => Some(format!("cannot be computed ({error})")),
        };
        let rows = why.map_or(Rows::Together, |why| Rows::OneByOne { why });
        Ok(Self { classes, rows })
    }
}

/// What a network gave for `n` images as logits `[n,k]`; it may be images of one pixel.
pub(super) fn logits(given: &Tensor, n: i64) -> Result<Tensor, EngineError> {
    let size = given.size();
    let wide = size.iter().skip(1).filter(|&&side| side != 1).count();
    if size.first() != Some(&n) || wide > 1 {
        return Err(output(
            &format!("logits of shape [{n}, classes]"),
            format!("{size:?}"),
            "export the model so that it gives the logits alone",
        ));
    }
    Ok(given.f_reshape([n, -1])?)
}

/// The error of an output that is not a classifier's.
pub(super) fn output(expected: &str, found: String, remedy: &'static str) -> EngineError {
    EngineError::Output { expected: expected.to_owned(), found, remedy }
}
