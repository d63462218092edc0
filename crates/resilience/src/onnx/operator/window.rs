//! Windows that slide over an image: of convolutions and of pools.

use tch::Tensor;

use super::super::{OnnxError, Site};
use crate::error::EngineError;

/// Pixels that a stride, a margin or a side of a window may have: more means no image.
pub const FARTHEST: i64 = 1 << 14;

/// How a window slides, as a node states it.
#[derive(Clone)]
pub struct Sliding {
    auto: Auto,
    strides: Option<Vec<i64>>,
    dilations: Option<Vec<i64>>,
    pads: Option<Vec<i64>>,
}

/// How the margin is found.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Auto {
    Stated,
    /// The result is as large as the image, divided by the stride; an odd pixel goes to the end.
    Upper,
    /// An odd pixel goes to the beginning.
    Lower,
}

/// The same for an image of known size; one number for each of its dimensions.
pub struct Window {
    /// Pixels from one place to the next.
    pub strides: Vec<i64>,
    /// Pixels from one point of the kernel to the next.
    pub dilations: Vec<i64>,
    /// Pixels added before the image.
    pub begin: Vec<i64>,
    /// Pixels added behind it.
    pub end: Vec<i64>,
}

impl Sliding {
    /// What a node says of it.
    pub fn read(site: &Site) -> Result<Self, OnnxError> {
        let auto = match site.text_or("auto_pad", "NOTSET")? {
            "NOTSET" | "VALID" | "" => Auto::Stated,
            "SAME_UPPER" => Auto::Upper,
            "SAME_LOWER" => Auto::Lower,
            other => {
                let expected = "NOTSET, VALID, SAME_UPPER or SAME_LOWER";
                return Err(site.wrong("attribute 'auto_pad'", expected, other));
            }
        };
        let positive = |name: &'static str| match site.ints(name)? {
            Some(values) if values.iter().any(|value| !(1..=FARTHEST).contains(value)) => {
                let found = format!("{values:?}");
                let expected = format!("numbers from 1 to {FARTHEST}");
                Err(site.wrong(&format!("attribute '{name}'"), &expected, &found))
            }
            values => Ok(values),
        };
        let (strides, dilations) = (positive("strides")?, positive("dilations")?);
        let pads = site.ints("pads")?;
        if let Some(far) = pads.iter().flatten().find(|pad| pad.unsigned_abs() > FARTHEST as u64) {
            let expected = format!("at most {FARTHEST} pixels");
            return Err(site.wrong("attribute 'pads'", &expected, &far.to_string()));
        }
        Ok(Self { auto, strides, dilations, pads })
    }

    /// The window on an image `[…]` of these sides, with a kernel of these.
    pub fn on(&self, image: &[i64], kernel: &[i64]) -> Result<Window, EngineError> {
        let rank = image.len();
        let filled = |values: &Option<Vec<i64>>| values.clone().unwrap_or_else(|| vec![1; rank]);
        let (strides, dilations) = (filled(&self.strides), filled(&self.dilations));
        let pads = self.pads.clone().unwrap_or_else(|| vec![0; 2 * rank]);
        let lengths = [kernel.len(), strides.len(), dilations.len(), pads.len() / 2];
        if rank == 0 || lengths != [rank; 4] || !pads.len().is_multiple_of(2) {
            return Err(EngineError::Input {
                what: "a window",
                expected: format!("kernel, strides, dilations and pads for {rank} dimensions"),
                found: format!("{kernel:?}, {strides:?}, {dilations:?}, {pads:?}"),
            });
        }
        let (mut begin, mut end) = (pads[..rank].to_vec(), pads[rank..].to_vec());
        if self.auto != Auto::Stated {
            for at in 0..rank {
                let places = (image[at] + strides[at] - 1) / strides[at];
                let reach = (kernel[at] - 1) * dilations[at] + 1;
                let total = ((places - 1) * strides[at] + reach - image[at]).max(0);
                begin[at] = if self.auto == Auto::Upper { total / 2 } else { total - total / 2 };
                end[at] = total - begin[at];
            }
        }
        Ok(Window { strides, dilations, begin, end })
    }

    /// One number that all strides are, another that all pads are; none where they differ, or anything
    /// else is set.
    pub fn square(&self) -> Option<[i64; 2]> {
        let same = |values: &Option<Vec<i64>>, default: i64| match values.as_deref() {
            None => Some(default),
            Some([first, rest @ ..]) => rest.iter().all(|other| other == first).then_some(*first),
            Some([]) => None,
        };
        let plain = self.auto == Auto::Stated && same(&self.dilations, 1) == Some(1);
        plain.then_some(())?;
        Some([same(&self.strides, 1)?, same(&self.pads, 0)?])
    }
}

impl Window {
    /// Whether there are as many pixels before the image as behind it.
    pub fn is_even(&self) -> bool {
        self.begin == self.end
    }

    /// The image `[n,c,…]` with its margin of this value.
    pub fn padded(&self, image: &Tensor, value: f64) -> Result<Tensor, EngineError> {
        // libtorch takes the last dimension first.
        let sides = self.begin.iter().zip(&self.end).rev();
        let pads: Vec<i64> = sides.flat_map(|(&begin, &end)| [begin, end]).collect();
        Ok(image.f_pad(pads, "constant", value)?)
    }
}
