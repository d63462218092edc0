//! Ways to train, compared on equal terms: same data, budget, seeds and attacks.
//!
//! [`Suite`] says what to compare; every network and seed is a run in a folder of its own, which can be
//! made on another machine; [`Comparison`] counts the runs that are there. `docs/comparison-schema.md`
//! describes every field of its `comparison.json`.

mod count;
mod error;
mod figure;
mod gap;
mod suite;
mod terms;

use std::path::Path;

use serde::Serialize;

pub use self::count::{Place, count};
#[cfg(test)]
pub use self::count::{Verdicts, compare, group};
pub use self::error::ComparisonError;
pub use self::figure::{Difference, Figure, Measure};
pub use self::gap::Gap;
pub use self::suite::{Ensemble, Evaluation, Network, Suite};
use crate::format::atomic;
use crate::plan::Stage;
use crate::record::TrainingRecord;
use crate::summary::{Correct, CurveSummary, Summary, ThreatSummary};

/// Version of `comparison.json`.
pub const SCHEMA: u32 = 1;

/// What a comparison has found out.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Comparison {
    /// Version of this structure.
    pub schema: u32,
    /// Name of the suite.
    pub name: String,
    /// What it is to show.
    pub about: String,
    /// What the attacks may do.
    pub threat: ThreatSummary,
    /// The radius at which accuracy under FGSM was claimed for robustness, where that is measured.
    pub claim: Option<ThreatSummary>,
    /// The attacks that everything was judged by, in order.
    pub stages: Vec<Stage>,
    /// What is compared, in the suite's order.
    pub groups: Vec<Group>,
    /// Every two of them that share images, by measure.
    pub differences: Vec<Difference>,
    /// What the suite names and no finished run is there for, `pgd-at, seed 2`.
    pub missing: Vec<String>,
}

/// A way to train, over its seeds; or an ensemble.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Group {
    /// Its name.
    pub name: String,
    /// What it is, for a person.
    pub title: String,
    /// Its figures over the seeds that are there, by measure.
    pub figures: Vec<Figure>,
    /// How two of its measures differ: FGSM with true labels less clean, and less robust.
    pub gaps: Vec<Gap>,
    /// One a seed that is there.
    pub members: Vec<Member>,
}

/// One seed.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Member {
    /// Its seed; none of an ensemble.
    pub seed: Option<u64>,
    /// The run's folder, within the comparison's.
    pub folder: String,
    /// How it was trained.
    pub training: Option<TrainingRecord>,
    /// Its curves.
    pub curves: Vec<CurveSummary>,
    /// The run as it is summed up, for conditions and provenance.
    #[serde(skip)]
    pub summary: Summary,
}

impl Group {
    /// A figure of it.
    #[must_use]
    pub fn figure(&self, measure: Measure) -> Option<&Figure> {
        self.figures.iter().find(|figure| figure.measure == measure)
    }

    /// How two of its measures differ.
    #[must_use]
    pub fn gap(&self, of: Measure, less: Measure) -> Option<&Gap> {
        self.gaps.iter().find(|gap| gap.of == of && gap.less == less)
    }

    /// The recipe that all of it was trained by; none of an ensemble.
    #[must_use]
    pub fn recipe(&self) -> Option<&str> {
        Some(self.members.first()?.training.as_ref()?.recipe.as_str())
    }

    /// What its curve's attack leaves at a radius: the attack's id, and the rate of each seed, in the order
    /// of the members; at least one.
    #[must_use]
    pub fn curve_at(&self, eps: f64) -> Option<(&str, Vec<Correct>)> {
        let attack = &self.members.first()?.curves.first()?.attack;
        let left = self.members.iter().map(|member| {
            let points = &member.curves.first()?.points;
            points.iter().find(|p| p.eps.to_bits() == eps.to_bits()).map(|p| p.adversarial)
        });
        Some((attack, left.collect::<Option<_>>()?))
    }

    /// Mean seconds of its trainings.
    #[must_use]
    pub fn training_seconds(&self) -> Option<f64> {
        let seconds = self.members.iter().map(|member| {
            let training = member.training.as_ref()?;
            Some(training.epochs.iter().map(|epoch| epoch.seconds).sum::<f64>())
        });
        let seconds: Vec<f64> = seconds.collect::<Option<_>>()?;
        (!seconds.is_empty()).then(|| seconds.iter().sum::<f64>() / seconds.len() as f64)
    }

    /// Mean forward and backward passes of a training image in an epoch.
    #[must_use]
    pub fn training_passes(&self) -> Option<f64> {
        let epochs =
            || self.members.iter().filter_map(|m| m.training.as_ref()).flat_map(|t| &t.epochs);
        let passes: f64 = epochs().map(|epoch| epoch.passes).sum();
        let n = epochs().count();
        (n > 0).then(|| passes / n as f64)
    }
}

impl Comparison {
    /// The group of that name.
    #[must_use]
    pub fn group(&self, name: &str) -> Option<&Group> {
        self.groups.iter().find(|group| group.name == name)
    }

    /// How two groups differ in a measure, positive where the first is higher.
    #[must_use]
    pub fn difference(&self, a: &str, b: &str, measure: Measure) -> Option<Difference> {
        self.differences.iter().filter(|d| d.measure == measure).find_map(|d| {
            if (d.a.as_str(), d.b.as_str()) == (a, b) {
                return Some(d.clone());
            }
            ((d.a.as_str(), d.b.as_str()) == (b, a)).then(|| d.turned())
        })
    }

    /// Writes it as JSON, whole or not at all.
    pub fn write(&self, path: &Path) -> Result<(), ComparisonError> {
        let json =
            serde_json::to_vec_pretty(self).expect("numbers and texts can be written as JSON");
        Ok(atomic::write(path, &json)?)
    }
}

#[cfg(test)]
mod tests {
    use crate::testdata;

    /// Would catch a field that the documentation leaves out, and one that it describes although it is
    /// gone.
    #[test]
    fn every_field_is_documented() {
        let documented =
            testdata::documented(include_str!("../../../../docs/comparison-schema.md"));
        let comparison = serde_json::to_value(testdata::comparison()).unwrap();
        let written = testdata::written(&comparison);
        assert_eq!(written.difference(&documented).collect::<Vec<_>>(), [] as [&String; 0]);
        assert_eq!(documented.difference(&written).collect::<Vec<_>>(), [] as [&String; 0]);
    }

    /// Would catch a file that is left half written, or is not what was counted.
    #[test]
    fn the_file_is_written_whole() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("comparison.json");
        let comparison = testdata::comparison();
        comparison.write(&path).unwrap();
        let read: serde_json::Value =
            serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        assert_eq!(read, serde_json::to_value(&comparison).unwrap());
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
    }
}
