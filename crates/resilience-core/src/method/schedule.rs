//! How the learning rate changes from step to step.

use serde::{Deserialize, Serialize};

use super::{Wrong, above_zero, within};

/// A curve over the whole training, in units of the optimiser's learning rate.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(tag = "name", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Schedule {
    /// Always the same.
    Constant {},
    /// Multiplied by `factor` when each of these epochs is done.
    Piecewise {
        /// Epochs that are done by then, in order.
        epochs: Vec<u32>,
        /// What the rate is multiplied by.
        #[serde(default = "tenth")]
        factor: f64,
    },
    /// Half a wave of the cosine, to zero (Loshchilov and Hutter 2017).
    Cosine {},
    /// From zero to the whole rate and back, in straight lines (Smith 2017, as in Wong et al. 2020).
    Cyclic {
        /// Where the whole rate is reached, as a share of all steps.
        #[serde(default = "half")]
        peak: f64,
    },
    /// Up from a twenty-fifth along half a wave of the cosine, then down to nearly nothing along
    /// another (PyTorch's `OneCycleLR`).
    OneCycle {
        /// Where the whole rate is reached, as a share of all steps.
        #[serde(default = "usual_peak")]
        peak: f64,
    },
}

const fn tenth() -> f64 {
    0.1
}

const fn half() -> f64 {
    0.5
}

const fn usual_peak() -> f64 {
    0.3
}

impl Default for Schedule {
    fn default() -> Self {
        Self::Constant {}
    }
}

/// Where a one-cycle begins, and how far below that it ends: PyTorch's constants.
const START: f64 = 1.0 / 25.0;
const END: f64 = START / 1e4;

impl Schedule {
    /// The factor of the learning rate at optimiser step `step`, from 0, of `epochs` epochs of
    /// `steps` steps each.
    #[must_use]
    pub fn factor(&self, step: u64, steps: u64, epochs: u32) -> f64 {
        let total = (steps * u64::from(epochs)) as f64;
        let done = step as f64;
        match self {
            Self::Constant {} => 1.0,
            Self::Piecewise { epochs, factor } => {
                let epoch = step / steps.max(1);
                let passed = epochs.iter().filter(|&&at| epoch >= u64::from(at)).count();
                factor.powi(passed as i32)
            }
            Self::Cosine {} => between(1.0, 0.0, done / total),
            Self::Cyclic { peak } => {
                let top = total * peak;
                if done <= top { done / top } else { (total - done) / (total - top) }
            }
            Self::OneCycle { peak } => {
                let (top, last) = (peak * total - 1.0, total - 1.0);
                // Where the way up has no length, the first step is at the top.
                if done <= top && top > 0.0 {
                    between(START, 1.0, done / top)
                } else {
                    between(1.0, END, (done - top) / (last - top))
                }
            }
        }
    }

    /// What it is, in words.
    #[must_use]
    pub fn describe(&self) -> String {
        match self {
            Self::Constant {} => "constant".to_owned(),
            Self::Piecewise { epochs, factor } => {
                let epochs: Vec<_> = epochs.iter().map(ToString::to_string).collect();
                format!("times {factor} after epochs {}", epochs.join(", "))
            }
            Self::Cosine {} => "cosine to 0".to_owned(),
            Self::Cyclic { peak } => format!("cyclic, peak at {peak} of the steps"),
            Self::OneCycle { peak } => format!("one cycle, peak at {peak} of the steps"),
        }
    }

    pub(super) fn check(&self) -> Result<(), Wrong> {
        let open = 1e-12..=1.0 - 1e-12;
        match self {
            Self::Piecewise { epochs, factor } => {
                above_zero("schedule.factor", *factor)?;
                if epochs.is_empty() || epochs.windows(2).any(|pair| pair[0] >= pair[1]) {
                    let expected = "numbers of epochs in ascending order";
                    return Err(("schedule.epochs", expected, format!("{epochs:?}")));
                }
            }
            Self::Cyclic { peak } | Self::OneCycle { peak } => {
                within("schedule.peak", "a share between 0 and 1", *peak, open)?;
            }
            Self::Constant {} | Self::Cosine {} => {}
        }
        Ok(())
    }
}

/// `from` to `to` along half a wave of the cosine; `share` of the way.
fn between(from: f64, to: f64, share: f64) -> f64 {
    to + (from - to) / 2.0 * (1.0 + (std::f64::consts::PI * share.clamp(0.0, 1.0)).cos())
}
