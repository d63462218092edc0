//! The figures of the paper that the experiment is from, as data, with what is known about them.
//!
//! Khan, Sami, Muhammad and Naveed: "AI Resilience: A Revolutionary Benchmarking Model for AI
//! Safety", table 2. They stand beside ours and are never mixed with them.

use crate::dataset::ALTERED;
use crate::metric::clopper_pearson;
use crate::summary::Summary;
use crate::threat::Norm;

/// The paper, as it is cited.
pub const CITATION: &str = "Khan, Sami, Muhammad and Naveed, \"AI Resilience: A Revolutionary \
                            Benchmarking Model for AI Safety\", table 2";

/// The radius of the paper's FGSM attack, in Linf.
pub const EPS: f64 = 0.1;

/// The data set that the paper's figures are on.
pub const DATASET: &str = "cifar10";

/// One column of the paper's table 2.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PaperModel {
    /// What the paper calls it.
    pub name: &'static str,
    /// Clean accuracy.
    pub clean: PaperFigure,
    /// Adversarial accuracy.
    pub adversarial: PaperFigure,
    /// Robustness score.
    pub robustness: PaperFigure,
}

/// A figure as the paper prints it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PaperFigure {
    /// As printed, in per cent: `68`, `94.78`.
    pub percent: &'static str,
    /// The figure as a share in [0, 1].
    pub rate: f64,
    /// The count that gives it exactly, where a small one does: correct of n. The paper states
    /// neither.
    pub probable: Option<(u64, u64)>,
}

const fn printed(percent: &'static str, rate: f64) -> PaperFigure {
    PaperFigure { percent, rate, probable: None }
}

/// The paper's two models.
pub const MODELS: [PaperModel; 2] = [
    PaperModel {
        name: "custom AI Resilience model",
        clean: printed("68", 0.68),
        adversarial: printed("57", 0.57),
        robustness: printed("80", 0.80),
    },
    PaperModel {
        name: "\"pretrained ResNet-18\"",
        clean: printed("94.78", 0.9478),
        adversarial: PaperFigure { percent: "18.75", rate: 0.1875, probable: Some((12, 64)) },
        robustness: PaperFigure { percent: "14.06", rate: 0.1406, probable: Some((9, 64)) },
    },
];

/// Whether a run measured what the paper did, so that its figures belong beside: FGSM in Linf at
/// eps 0.1. The data may be others, which the rows say; but beside a CIFAR-10 that was altered its
/// figures would be taken for comparable.
#[must_use]
pub fn compares_with(summary: &Summary) -> bool {
    let official = summary.models.iter().filter(|model| {
        let (set, training) = (&model.dataset.name, &model.training);
        let trained_on = training.as_ref().map(|training| &training.dataset.name);
        ![Some(set), trained_on].into_iter().flatten().any(|name| name.ends_with(ALTERED))
    });
    official.flat_map(|model| &model.attacks).any(|attack| {
        let at = attack.norm == Norm::Linf && (attack.eps - EPS).abs() < 1e-9;
        attack.id == "fgsm" && at && is_plain(&attack.settings)
    })
}

/// Whether FGSM was the one step from the clean image away from its label that the paper means.
pub(crate) fn is_plain(settings: &serde_json::Value) -> bool {
    let at_most = |name: &str, most| settings[name].as_u64().is_none_or(|count| count <= most);
    let clean = settings["start"].as_str().is_none_or(|start| start == "clean");
    clean && at_most("targets", 0) && at_most("radii", 1)
}

/// What is known about the paper's figures, in whole sentences.
#[must_use]
pub fn notes() -> Vec<String> {
    let interval = |(k, n): (u64, u64)| {
        let [low, high] = clopper_pearson(k, n);
        format!("[{:.1}, {:.1}]", 100.0 * low, 100.0 * high)
    };
    let (adversarial, robustness) = ((12, 64), (9, 64));
    vec![
        "The figures are the paper's own, on CIFAR-10 with FGSM at eps 0.1. The paper states \
         neither the number of images nor an interval nor whose labels the attack used, and links \
         to no weights, so they cannot be checked here. Ours are what this program \
         measured; nothing was tuned toward theirs."
            .to_owned(),
        "94.78 % is the clean accuracy that RobustBench publishes for its non-robust \
         WideResNet-28-10, \"Standard\", whose accuracy under AutoAttack is 0.0 %. It is neither a \
         ResNet-18 nor adversarially trained."
            .to_owned(),
        format!(
            "18.75 % is exactly 12 of 64 and 14.0625 % exactly 9 of 64, so both are probably \
             measured on one batch of 64 images. Their 95 % intervals would then be {} % and \
             {} %. Of 12 images that are right at most 9 are unchanged, so at least 3 were wrong \
             when clean and became right. That happens by accident where an attack pushes away from \
             the model's own predictions, which ART does by default; the paper does not state whose \
             labels it used.",
            interval(adversarial),
            interval(robustness)
        ),
        "The paper concludes that its own model is the more robust of the two. If the other is that \
         undefended network, as its clean accuracy suggests, the comparison says nothing about \
         adversarially trained ones."
            .to_owned(),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Would catch a figure whose two forms differ, or a probable count that does not give it.
    #[test]
    fn figures_agree_with_themselves() {
        for model in MODELS {
            for figure in [model.clean, model.adversarial, model.robustness] {
                let percent: f64 = figure.percent.parse().unwrap();
                assert!((percent / 100.0 - figure.rate).abs() < 1e-12, "{figure:?}");
                if let Some((k, n)) = figure.probable {
                    assert!((k as f64 / n as f64 - figure.rate).abs() < 5.1e-5, "{figure:?}");
                }
            }
        }
    }

    /// Would catch figures of a targeted, restarted or cut step beside the paper's, and old runs' that are
    /// not.
    #[test]
    fn only_the_plain_step_is_the_papers() {
        let plain = |text| is_plain(&serde_json::from_str(text).unwrap());
        assert!(plain("{}") && plain(r#"{"eot": 1}"#));
        assert!(plain(r#"{"radii": 1, "restarts": 3, "start": "clean", "targets": 0}"#));
        for other in [r#"{"radii": 2}"#, r#"{"targets": 1}"#, r#"{"start": "random"}"#] {
            assert!(!plain(other), "{other}");
        }
    }

    /// Would catch intervals other than those that the literature's formula gives.
    #[test]
    fn notes_state_the_intervals() {
        let text = notes().join(" ");
        assert!(text.contains("[10.1, 30.5] %") && text.contains("[6.6, 25.0] %"), "{text}");
    }
}
