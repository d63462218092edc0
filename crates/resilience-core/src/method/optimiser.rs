//! Optimisers as data.

use serde::{Deserialize, Serialize};

use super::{Wrong, above_zero, within};

/// How weights follow their gradients. The learning rate is the schedule's largest.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, Serialize)]
#[serde(tag = "name", rename_all = "lowercase", deny_unknown_fields)]
pub enum Optimiser {
    /// Adam (Kingma and Ba 2015); a decay of the weights is part of the gradient, as in PyTorch.
    Adam {
        /// Learning rate.
        #[serde(default = "usual_rate")]
        learning_rate: f64,
        /// Added to the gradient, in units of the weight.
        #[serde(default)]
        weight_decay: f64,
    },
    /// Adam whose decay of the weights stands apart (Loshchilov and Hutter 2019).
    Adamw {
        /// Learning rate.
        #[serde(default = "usual_rate")]
        learning_rate: f64,
        /// Share of a weight that is taken off at a step, in units of the learning rate.
        #[serde(default = "usual_decay")]
        weight_decay: f64,
    },
    /// Stochastic gradient descent with momentum.
    Sgd {
        /// Learning rate.
        #[serde(default = "usual_rate_of_sgd")]
        learning_rate: f64,
        /// Share of the last step that goes on.
        #[serde(default)]
        momentum: f64,
        /// Whether the gradient is taken ahead of the momentum, in PyTorch's form.
        #[serde(default)]
        nesterov: bool,
        /// Added to the gradient, in units of the weight.
        #[serde(default)]
        weight_decay: f64,
    },
}

const fn usual_rate() -> f64 {
    0.001
}

const fn usual_decay() -> f64 {
    0.01
}

const fn usual_rate_of_sgd() -> f64 {
    0.1
}

impl Default for Optimiser {
    fn default() -> Self {
        Self::Adam { learning_rate: usual_rate(), weight_decay: 0.0 }
    }
}

impl Optimiser {
    /// The learning rate that the schedule starts from.
    #[must_use]
    pub const fn learning_rate(&self) -> f64 {
        match *self {
            Self::Adam { learning_rate, .. }
            | Self::Adamw { learning_rate, .. }
            | Self::Sgd { learning_rate, .. } => learning_rate,
        }
    }

    /// What it is, in words.
    #[must_use]
    pub fn describe(&self) -> String {
        let decay = |decay: f64| match decay {
            0.0 => String::new(),
            decay => format!(", weight decay {decay}"),
        };
        match *self {
            Self::Adam { weight_decay, .. } => format!("adam{}", decay(weight_decay)),
            Self::Adamw { weight_decay, .. } => format!("adamw{}", decay(weight_decay)),
            Self::Sgd { momentum, nesterov, weight_decay, .. } => format!(
                "sgd, momentum {momentum}{}{}",
                if nesterov { " (Nesterov)" } else { "" },
                decay(weight_decay)
            ),
        }
    }

    pub(super) fn check(&self) -> Result<(), Wrong> {
        above_zero("optimiser.learning_rate", self.learning_rate())?;
        let (Self::Adam { weight_decay, .. }
        | Self::Adamw { weight_decay, .. }
        | Self::Sgd { weight_decay, .. }) = *self;
        within("optimiser.weight_decay", "a number from 0 to 1", weight_decay, 0.0..=1.0)?;
        if let Self::Sgd { momentum, nesterov, .. } = *self {
            within("optimiser.momentum", "a share from 0 to below 1", momentum, 0.0..=1.0 - 1e-12)?;
            if nesterov && momentum <= 0.0 {
                let expected = "false, or a momentum above 0";
                return Err(("optimiser.nesterov", expected, "true".to_owned()));
            }
        }
        Ok(())
    }
}
