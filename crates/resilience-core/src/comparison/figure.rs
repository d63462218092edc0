//! What is measured of a group, and how two groups differ in it.

use serde::{Deserialize, Serialize};

use crate::metric::OverSeeds;

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Measure {
    /// Accuracy without an attack.
    Clean,
    /// Accuracy under FGSM made with true labels.
    FgsmTrue,
    /// Accuracy under FGSM made with the model's own predictions.
    FgsmPredicted,
    /// The paper's robustness score: predictions that FGSM with true labels leaves unchanged.
    Stability,
    /// Accuracy under FGSM made with true labels, at the radius at which that was claimed for
    /// robustness.
    Claim,
    /// Accuracy under PGD-50.
    Pgd,
    /// What all attacks together leave, at most.
    Robust,
}

impl Measure {
    /// All of them, in the order of the table.
    pub const ALL: [Self; 7] = [
        Self::Clean,
        Self::FgsmTrue,
        Self::FgsmPredicted,
        Self::Stability,
        Self::Claim,
        Self::Pgd,
        Self::Robust,
    ];

    /// The name in tables.
    #[must_use]
    pub const fn title(self) -> &'static str {
        match self {
            Self::Clean => "clean",
            Self::FgsmTrue => "FGSM, true labels",
            Self::FgsmPredicted => "FGSM, predicted labels",
            Self::Stability => "robustness score",
            Self::Claim => "FGSM, the claim's radius",
            Self::Pgd => "PGD-50",
            Self::Robust => "robust, at most",
        }
    }
}

/// A rate over seeds.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Figure {
    /// What is measured.
    pub measure: Measure,
    /// On so many images.
    pub n: u64,
    /// The rate of each seed, in the order of the members.
    pub by_seed: Vec<f64>,
    /// Mean over the seeds.
    pub mean: f64,
    /// Standard deviation over the seeds; none of one.
    pub deviation: Option<f64>,
    /// 95 % interval of the mean, over seeds and images.
    pub ci95: [f64; 2],
}

impl Figure {
    pub(super) fn new(measure: Measure, n: u64, by_seed: Vec<f64>, over: OverSeeds) -> Self {
        let OverSeeds { mean, deviation, ci95 } = over;
        Self { measure, n, by_seed, mean, deviation, ci95 }
    }
}

/// How two groups differ.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Difference {
    /// What is measured.
    pub measure: Measure,
    /// Name of the one.
    pub a: String,
    /// Name of the other.
    pub b: String,
    /// On so many images, the same for both.
    pub n: u64,
    /// Models of each that it is over: seeds, or one ensemble.
    pub seeds: [u64; 2],
    /// Pairs of the same seed that it is over; 0 where it is over the images alone.
    pub pairs: u64,
    /// Mean of `a` less mean of `b`.
    pub difference: f64,
    /// Its 95 % interval, over seeds and images where there are pairs, else over the images alone.
    pub ci95: [f64; 2],
    /// Where both have one seed alone: McNemar's exact p-value over the images.
    pub p: Option<f64>,
}

impl Difference {
    /// Whether chance does not explain it.
    #[must_use]
    pub fn is_clear(&self) -> bool {
        leaves_out_zero(self.ci95)
    }

    /// Whether its interval is over the images alone and says nothing of other trainings: the two share
    /// fewer than two seeds.
    #[must_use]
    pub const fn is_of_images_alone(&self) -> bool {
        self.pairs == 0
    }

    /// The same, the other way round.
    #[must_use]
    pub fn turned(&self) -> Self {
        Self {
            a: self.b.clone(),
            b: self.a.clone(),
            seeds: [self.seeds[1], self.seeds[0]],
            difference: -self.difference,
            ci95: [-self.ci95[1], -self.ci95[0]],
            ..self.clone()
        }
    }
}

/// Whether an interval of a difference says which of the two is higher.
pub(super) fn leaves_out_zero([low, high]: [f64; 2]) -> bool {
    low > 0.0 || high < 0.0
}
