//! What a training run does, resolved and checked.

use std::path::PathBuf;
use std::rc::Rc;

use resilience_core::method::{Augmentation, Inner, Method, Mixing, Select};
use resilience_core::threat::Norm;

use crate::error::EngineError;
use crate::model::Differentiable;
use crate::recipe::{self, Ingredients, Recipe, RecipeSpec};
use crate::settings::Settings;

/// How to train.
pub struct Plan {
    /// The method, as it was asked for.
    pub method: Method,
    /// Seed of everything random.
    pub seed: u64,
    /// Where the state is kept after each epoch, and whether to go on from what lies there.
    pub checkpoint: Option<Checkpoint>,
    spec: &'static RecipeSpec,
    settings: Settings,
    others: Vec<Other>,
}

/// A model that a recipe learns from.
#[derive(Clone)]
pub struct Other {
    /// What it is called, for a record.
    pub name: String,
    /// SHA-256 of its weights.
    pub sha256: String,
    /// The model.
    pub model: Rc<dyn Differentiable>,
}

/// Where a training run keeps its state.
#[derive(Clone, Debug)]
pub struct Checkpoint {
    /// The file, written after every epoch.
    pub path: PathBuf,
    /// Whether to go on from it, if it is there.
    pub resume: bool,
}

/// Of few images so large a part at most is held out.
const LARGEST_PART: usize = 5;

impl Plan {
    /// Checks that there is such a recipe, that it has these settings and knows this norm, and that it
    /// learns from as many other models.
    pub fn new(method: Method, seed: u64, others: Vec<Other>) -> Result<Self, EngineError> {
        let spec = recipe::find(&method.recipe)?;
        let settings = spec.resolve(&method.settings)?;
        let plan = Self { method, seed, checkpoint: None, spec, settings, others };
        plan.recipe()?;
        check(spec, &plan.method)?;
        if let Some(noisy) = plan.others.iter().find(|other| other.model.declared_noisy()) {
            return Err(EngineError::Input {
                what: "model to learn from",
                expected: "one that answers the same each time, so that training repeats itself"
                    .to_owned(),
                found: format!("{}, which adds noise to its input", noisy.name),
            });
        }
        Ok(plan)
    }

    /// The same, which keeps its state there.
    #[must_use]
    pub fn with_checkpoint(self, path: PathBuf, resume: bool) -> Self {
        Self { checkpoint: Some(Checkpoint { path, resume }), ..self }
    }

    /// What is known of the recipe.
    #[must_use]
    pub const fn spec(&self) -> &'static RecipeSpec {
        self.spec
    }

    pub(super) fn recipe(&self) -> Result<Box<dyn Recipe>, EngineError> {
        self.spec.plan(Ingredients {
            threat: self.method.threat,
            settings: &self.settings,
            others: self.others.iter().map(|other| Rc::clone(&other.model)).collect(),
        })
    }

    /// Whether training stops where catastrophic overfitting is found.
    pub(super) fn guarded(&self) -> bool {
        guarded(self.spec, &self.method)
    }

    /// How many of `n` images, the last ones, are held out.
    #[must_use]
    pub fn held_out(&self, n: usize) -> usize {
        (self.method.validation as usize).min(n / LARGEST_PART)
    }

    /// What the plan fixes, in words: stored with the weights and compared on resume.
    #[must_use]
    pub fn settings(&self) -> Vec<(String, String)> {
        let method = &self.method;
        let mut words = vec![
            ("architecture", method.architecture.clone()),
            ("recipe", self.spec.id.to_owned()),
        ];
        let settings = self.settings.to_json();
        let settings: Vec<_> = settings
            .as_object()
            .into_iter()
            .flatten()
            .map(|(name, value)| (name.replace('_', " "), value.to_string().replace('"', "")))
            .collect();
        words.extend(settings.iter().map(|(name, value)| (name.as_str(), value.clone())));
        if self.spec.adversarial() || method.validation > 0 {
            words.push(("threat", method.threat.to_string()));
        }
        let others: Vec<_> = (1..)
            .zip(&self.others)
            .map(|(number, other)| {
                let Other { name, sha256, .. } = other;
                (format!("learns from {number}"), format!("{name} (sha256 {sha256})"))
            })
            .collect();
        words.extend(others.iter().map(|(name, value)| (name.as_str(), value.clone())));
        words.extend([
            ("optimiser", method.optimiser.describe()),
            ("learning rate", method.optimiser.learning_rate().to_string()),
            ("schedule", method.schedule.describe()),
            ("batch", method.batch.to_string()),
            ("epochs", method.epochs.to_string()),
            ("seed", self.seed.to_string()),
        ]);
        words.extend(augmentation(method.augmentation));
        if let Some(mixing) = method.mixing {
            let (name, alpha) = match mixing {
                Mixing::Mixup(alpha) => ("mixup", alpha),
                Mixing::Cutmix(alpha) => ("cutmix", alpha),
            };
            words.push((name, format!("Beta({alpha}, {alpha})")));
        }
        if method.label_smoothing > 0.0 {
            words.push(("label smoothing", method.label_smoothing.to_string()));
        }
        if let Some(awp) = method.awp {
            let words_of = format!("gamma {}, from epoch {}", awp.gamma, awp.warmup + 1);
            words.push(("weight perturbation", words_of));
        }
        if let Some(ema) = method.ema {
            let words_of = format!("decay {}, from epoch {}", ema.decay, ema.warmup + 1);
            words.push(("average of weights", words_of));
        }
        let [identity, one] = [[0.0; 3], [1.0; 3]];
        if method.mean.map(f64::to_bits) != identity.map(f64::to_bits)
            || method.std.map(f64::to_bits) != one.map(f64::to_bits)
        {
            let (mean, std) = (method.mean, method.std);
            words.push(("normalisation", format!("mean {mean:?}, std {std:?}")));
        }
        if method.inner == Inner::Bf16 {
            words.push(("inner values", "bf16".to_owned()));
        }
        if method.validation > 0 {
            let held = format!("the last {} images, at most a fifth", method.validation);
            words.push(("held out", held));
            let kept = if method.select == Select::Best { "best on these" } else { "last" };
            words.push(("weights kept", kept.to_owned()));
        }
        if let Some(patience) = method.patience {
            words.push(("patience", format!("{patience} epochs")));
        }
        if self.guarded() {
            words.push(("guard", "against catastrophic overfitting".to_owned()));
        }
        words.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
    }
}

fn guarded(spec: &RecipeSpec, method: &Method) -> bool {
    method.guard.unwrap_or(spec.guarded)
}

/// Whether a recipe goes with what a method puts around it: what ends a training early, and what chooses
/// an epoch, need held-out images and the best epoch.
pub fn check(spec: &RecipeSpec, method: &Method) -> Result<(), EngineError> {
    let wrong = |setting: &'static str, expected: &str, found: &str| EngineError::Setting {
        what: format!("recipe {}", spec.id),
        setting,
        expected: expected.to_owned(),
        found: found.to_owned(),
    };
    let watches = guarded(spec, method);
    if method.validation == 0 {
        let none = "no held-out images";
        if watches {
            let expected = "held-out images to watch (validation), or no guard (guard off)";
            return Err(wrong("guard", expected, none));
        }
        if method.patience.is_some() {
            return Err(wrong("patience", "held-out images to watch (validation)", none));
        }
        return Ok(());
    }
    if method.select == Select::Last {
        if watches {
            let expected = "the best epoch to be kept (select best), or no guard (guard off)";
            return Err(wrong("guard", expected, "select last"));
        }
        if method.patience.is_some() {
            return Err(wrong(
                "patience",
                "the best epoch to be kept (select best)",
                "select last",
            ));
        }
    }
    if method.threat.norm() == Norm::L1 {
        let expected = "linf or l2, in which held-out images are attacked, or validation 0";
        return Err(wrong("norm", expected, "l1"));
    }
    Ok(())
}

fn augmentation(of: Augmentation) -> Vec<(&'static str, String)> {
    let Augmentation { flip, crop, rotation, interpolation } = of;
    let mut words = vec![("horizontal flip", if flip { "random" } else { "none" }.to_owned())];
    if crop > 0 {
        words.push(("crop", format!("shifted by at most {crop} pixels")));
    }
    words
        .push(("rotation", format!("within {rotation} degrees, {interpolation:?}").to_lowercase()));
    words
}
