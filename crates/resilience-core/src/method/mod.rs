//! How a network is trained, as data: a recipe with everything around it.
//!
//! ```toml
//! version = 1
//! recipe = "pgd-at"                       # resilience list recipes; the only key that must be there
//! title = "what it is"                    # optional, like all that follows
//! source = "who published it"
//! published = "the result that was published, and where"
//! architecture = "resnet18"               # resilience list architectures
//! settings = { steps = 10 }               # the recipe's: resilience explain pgd-at
//! norm = "linf"
//! eps = "8/255"
//! epochs = 200
//! batch = 128
//! mean = [0.4914, 0.4822, 0.4465]         # of pixels in [0, 1], by channel
//! std = [0.247, 0.2435, 0.2616]
//! label_smoothing = 0.1
//! mixup = 1.4                             # alpha of the Beta distribution of the shares
//! cutmix = 1.0                            # likewise; one of the two
//! inner = "bf16"                          # precision between the first and the last layer
//! validation = 1000                       # the last images of the training split, held out
//! select = "best"                         # or "last": whose weights are kept
//! patience = 20                           # stop after so many epochs that were no better
//! guard = true                            # stop where catastrophic overfitting is found
//!
//! [optimiser]
//! name = "sgd"                            # or adam, adamw
//! learning_rate = 0.1
//! momentum = 0.9
//! nesterov = true
//! weight_decay = 5e-4
//!
//! [schedule]
//! name = "piecewise"                      # or constant, cosine, cyclic, one-cycle
//! epochs = [100, 150]
//! factor = 0.1
//!
//! [augmentation]
//! flip = true
//! crop = 4                                # shifted by so many pixels at most, black outside
//! rotation = 15                           # degrees either way
//! interpolation = "nearest"               # or bilinear
//!
//! [awp]                                   # adversarial weight perturbation
//! gamma = 0.01
//! warmup = 0                              # epochs without it
//!
//! [ema]                                   # average of the weights
//! decay = 0.995
//! warmup = 0                              # epochs in which the average is the weights themselves
//! ```

mod error;
mod known;
mod optimiser;
mod schedule;

use std::path::Path;

use serde::{Deserialize, Serialize};

pub use error::MethodError;
pub use known::{known, known_method, known_names};
pub use optimiser::Optimiser;
pub use schedule::Schedule;

use crate::format::regular;
use crate::manifest;
use crate::suggest::did_you_mean;
use crate::threat::{Eps, Norm, Threat};

/// A checked method. What its defaults are, [`Default`] says: the training of the paper.
#[derive(Clone, Debug, PartialEq)]
pub struct Method {
    /// What it is, for a person.
    pub title: Option<String>,
    /// Who published it.
    pub source: Option<String>,
    /// The result that was published.
    pub published: Option<String>,
    /// Architecture id; whether there is such a one, the engine checks.
    pub architecture: String,
    /// Recipe id; likewise.
    pub recipe: String,
    /// The recipe's settings that differ from its defaults, name and text; likewise.
    pub settings: Vec<(String, String)>,
    /// What the recipe's attack may do, and what the validation attacks with.
    pub threat: Threat,
    /// Passes over the data.
    pub epochs: u32,
    /// Images a step; the last step of an epoch takes what is left.
    pub batch: u32,
    /// Subtracted from each channel of pixels in [0, 1].
    pub mean: [f64; 3],
    /// Divides each channel after that.
    pub std: [f64; 3],
    /// Share of each target that is spread over all classes.
    pub label_smoothing: f64,
    /// How images are mixed.
    pub mixing: Option<Mixing>,
    /// Precision of the values between the network's first and its last layer.
    pub inner: Inner,
    /// Images of the training split held out for choosing an epoch; fewer where there are few.
    pub validation: u32,
    /// Whose weights are kept.
    pub select: Select,
    /// Stop after so many epochs that were no better than the best.
    pub patience: Option<u32>,
    /// Whether to stop where catastrophic overfitting is found; without it the recipe decides.
    pub guard: Option<bool>,
    /// How weights follow gradients.
    pub optimiser: Optimiser,
    /// How the learning rate changes.
    pub schedule: Schedule,
    /// What is done to the images.
    pub augmentation: Augmentation,
    /// Adversarial weight perturbation.
    pub awp: Option<Awp>,
    /// Average of the weights.
    pub ema: Option<Ema>,
}

/// How two images of a batch become one; alpha is that of the Beta distribution of their shares.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Mixing {
    /// Their weighted mean (Zhang et al. 2018).
    Mixup(f64),
    /// A box of the one in the other (Yun et al. 2019).
    Cutmix(f64),
}

/// Precision of the values between a network's first and its last layer; weights, losses and the
/// optimiser's state are f32.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Inner {
    /// As everything else.
    #[default]
    F32,
    /// bf16.
    Bf16,
}

/// Whose weights are kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Select {
    /// Those of the epoch that was most accurate on the held-out images: under PGD where the recipe
    /// is adversarial, without an attack else.
    #[default]
    Best,
    /// Those of the last epoch.
    Last,
}

/// What is done to a training image at random.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Augmentation {
    /// Whether it is mirrored, with probability one half.
    pub flip: bool,
    /// It is shifted by at most so many pixels in each direction, black outside (a crop of the
    /// padded image).
    pub crop: u32,
    /// It is turned by an angle uniform in plus or minus so many degrees.
    pub rotation: f64,
    /// How a pixel between others gets its value.
    pub interpolation: Interpolation,
}

/// How a rotated pixel gets its value.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Interpolation {
    /// The nearest pixel's (torchvision's default).
    #[default]
    Nearest,
    /// The weighted mean of the four nearest.
    Bilinear,
}

impl Default for Augmentation {
    fn default() -> Self {
        Self { flip: true, crop: 0, rotation: 15.0, interpolation: Interpolation::Nearest }
    }
}

/// Adversarial weight perturbation (Wu et al. 2020).
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Awp {
    /// Length of the perturbation of each weight tensor, in units of the tensor's own length.
    pub gamma: f64,
    /// Epochs without it.
    #[serde(default)]
    pub warmup: u32,
}

/// An average of the weights that follows them exponentially.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Ema {
    /// The most of the average that stays at a step; the first steps keep less.
    pub decay: f64,
    /// Epochs in which the average is the weights themselves.
    #[serde(default)]
    pub warmup: u32,
}

/// The file's form, before it is checked.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    #[serde(default = "this_version")]
    version: i64,
    recipe: String,
    title: Option<String>,
    source: Option<String>,
    published: Option<String>,
    architecture: Option<String>,
    #[serde(default)]
    settings: toml::Table,
    norm: Option<Norm>,
    eps: Option<toml::Value>,
    epochs: Option<u32>,
    batch: Option<u32>,
    mean: Option<[f64; 3]>,
    std: Option<[f64; 3]>,
    label_smoothing: Option<f64>,
    mixup: Option<f64>,
    cutmix: Option<f64>,
    inner: Option<Inner>,
    validation: Option<u32>,
    select: Option<Select>,
    patience: Option<u32>,
    guard: Option<bool>,
    optimiser: Option<Optimiser>,
    schedule: Option<Schedule>,
    augmentation: Option<Augmentation>,
    awp: Option<Awp>,
    ema: Option<Ema>,
}

const KEYS: [&str; 26] = [
    "version",
    "recipe",
    "title",
    "source",
    "published",
    "architecture",
    "settings",
    "norm",
    "eps",
    "epochs",
    "batch",
    "mean",
    "std",
    "label_smoothing",
    "mixup",
    "cutmix",
    "inner",
    "validation",
    "select",
    "patience",
    "guard",
    "optimiser",
    "schedule",
    "augmentation",
    "awp",
    "ema",
];

/// Version of the files that this program reads.
const VERSION: i64 = 1;

const fn this_version() -> i64 {
    VERSION
}

/// Reads the file as it is, unchecked, so that arguments can take the place of some of its keys.
pub fn read(path: &Path) -> Result<toml::Table, MethodError> {
    let text = regular::read_text(path, regular::TEXT)
        .map_err(|source| MethodError::Read { path: path.to_owned(), source })?;
    toml::from_str(&text)
        .map_err(|source| MethodError::Toml { place: place(path), source: Box::new(source) })
}

fn place(path: &Path) -> String {
    format!("method {}", path.display())
}

impl Method {
    /// Checks a table; `place` says where it stands, for messages.
    pub fn from_table(place: &str, table: &toml::Table) -> Result<Self, MethodError> {
        if let Some(key) = table.keys().find(|key| !KEYS.contains(&key.as_str())) {
            return Err(MethodError::UnknownKey {
                place: place.to_owned(),
                key: key.clone(),
                suggestion: did_you_mean(key, KEYS),
                known: KEYS.join(", "),
            });
        }
        let raw: Raw = table.clone().try_into().map_err(|source| MethodError::Toml {
            place: place.to_owned(),
            source: Box::new(source),
        })?;
        if raw.version != VERSION {
            return Err(MethodError::Version { place: place.to_owned(), found: raw.version });
        }
        checked(raw).map_err(|(key, expected, found)| MethodError::Value {
            place: place.to_owned(),
            key,
            expected,
            found,
        })
    }
}

/// No image of ours is larger.
const MOST_CROP: u32 = 1000;

/// A key, what was expected of it and what was found.
type Wrong = (&'static str, &'static str, String);

fn checked(raw: Raw) -> Result<Method, Wrong> {
    let norm = raw.norm.unwrap_or(Norm::Linf);
    let eps = match &raw.eps {
        Some(value) => {
            text(value).parse().map_err(|_| ("eps", "a radius such as 8/255", text(value)))?
        }
        None => Eps::usual(norm),
    };
    let threat = Threat::new(norm, eps).map_err(|error| ("eps", "a radius", error.to_string()))?;
    let mixing = match (raw.mixup, raw.cutmix) {
        (Some(_), Some(_)) => {
            return Err(("cutmix", "mixup or cutmix, one of the two", "both".to_owned()));
        }
        (Some(alpha), None) => Some(Mixing::Mixup(above_zero("mixup", alpha)?)),
        (None, Some(alpha)) => Some(Mixing::Cutmix(above_zero("cutmix", alpha)?)),
        (None, None) => None,
    };
    // As a manifest has them, which is written beside the weights.
    let three = |key, values: Option<[f64; 3]>, usual: f64, rule: manifest::Channels| {
        let values = values.unwrap_or([usual; 3]);
        manifest::channels(&values, rule).ok_or((key, rule.expected, format!("{values:?}")))
    };
    let mean = three("mean", raw.mean, 0.0, manifest::MEAN)?;
    let std = three("std", raw.std, 1.0, manifest::STD)?;
    let augmentation = raw.augmentation.unwrap_or_default();
    within("augmentation.rotation", "degrees from 0 to 180", augmentation.rotation, 0.0..=180.0)?;
    if augmentation.crop > MOST_CROP {
        let expected = "at most 1000 pixels";
        return Err(("augmentation.crop", expected, augmentation.crop.to_string()));
    }
    if let Some(awp) = raw.awp {
        within("awp.gamma", "a number above 0, at most 1", awp.gamma, f64::MIN_POSITIVE..=1.0)?;
    }
    if let Some(ema) = raw.ema {
        within("ema.decay", "a number from 0 to below 1", ema.decay, 0.0..=1.0 - 1e-12)?;
    }
    let optimiser = raw.optimiser.unwrap_or_default();
    optimiser.check()?;
    let schedule = raw.schedule.unwrap_or_default();
    schedule.check()?;
    let smoothing = raw.label_smoothing.unwrap_or(0.0);
    Ok(Method {
        title: raw.title,
        source: raw.source,
        published: raw.published,
        architecture: raw.architecture.unwrap_or_else(|| "resilience-cnn".to_owned()),
        recipe: raw.recipe,
        settings: raw.settings.iter().map(|(name, value)| (name.clone(), text(value))).collect(),
        threat,
        epochs: count("epochs", raw.epochs.unwrap_or(5))?,
        batch: count("batch", raw.batch.unwrap_or(128))?,
        mean,
        std,
        label_smoothing: within(
            "label_smoothing",
            "a share from 0 to below 1",
            smoothing,
            0.0..=1.0 - 1e-12,
        )?,
        mixing,
        inner: raw.inner.unwrap_or_default(),
        validation: raw.validation.unwrap_or(1000),
        select: raw.select.unwrap_or_default(),
        patience: raw.patience.map(|patience| count("patience", patience)).transpose()?,
        guard: raw.guard,
        optimiser,
        schedule,
        augmentation,
        awp: raw.awp,
        ema: raw.ema,
    })
}

/// A setting as an argument would have it.
#[must_use]
pub fn text(value: &toml::Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn count(key: &'static str, value: u32) -> Result<u32, Wrong> {
    if value > 0 { Ok(value) } else { Err((key, "a whole number above 0", value.to_string())) }
}

fn above_zero(key: &'static str, value: f64) -> Result<f64, Wrong> {
    within(key, "a number above 0", value, f64::MIN_POSITIVE..=f64::MAX)
}

fn within(
    key: &'static str,
    expected: &'static str,
    value: f64,
    range: std::ops::RangeInclusive<f64>,
) -> Result<f64, Wrong> {
    if range.contains(&value) { Ok(value) } else { Err((key, expected, value.to_string())) }
}

#[cfg(test)]
mod tests;
