//! What can go wrong in the engine.

use resilience_core::dataset::DatasetError;
use resilience_core::threat::Threat;

/// An error of the engine. Each names what went wrong, where, and what to do about it.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// libtorch refused an operation.
    #[error("libtorch failed: {}", without_stack(&.0.to_string()))]
    Torch(#[from] tch::TchError),
    /// An image could not be read when it was needed.
    #[error(transparent)]
    Dataset(#[from] DatasetError),
    /// A name that no registry holds.
    #[error("unknown {what} '{name}'{}", suggest(.near.as_deref()))]
    UnknownName {
        /// What was looked for: `architecture`.
        what: &'static str,
        /// The name given.
        name: String,
        /// The most similar known name.
        near: Option<String>,
    },
    /// The weights do not fit the architecture.
    #[error(
        "the weights do not fit {architecture}: {}{best}; `resilience inspect FILE --arch {architecture}` \
         lists all that does not fit",
        first_of(.problems)
    )]
    Weights {
        /// Architecture, with its parameters.
        architecture: String,
        /// Missing, misshapen and unused tensors, by name and shape.
        problems: Vec<String>,
        /// `; they fit …`, or empty.
        best: String,
    },
    /// Pixels would be normalised by the weights file and by the manifest.
    #[error(
        "the weights hold a mean and a standard deviation of their own, which the network normalises pixels \
         by, and {given} is given beside: say mean 0 and std 1 for every channel"
    )]
    NormalisedTwice {
        /// Mean and standard deviation of the manifest.
        given: String,
    },
    /// A weight is NaN or infinite.
    #[error(
        "weight '{name}' holds NaN or infinity: its file is damaged, or training diverged; begin \
         anew with a lower learning rate"
    )]
    WeightNotFinite {
        /// Name in the state dict.
        name: String,
    },
    /// A model cannot be computed in the form that was asked for.
    #[error(
        "model '{model}' cannot be computed in the form '{form}' on this machine; go on where the \
         run was begun, or begin anew"
    )]
    NoForm {
        /// Name of the model.
        model: String,
        /// The form.
        form: &'static str,
    },
    /// An ONNX graph cannot be translated or computed.
    #[error(transparent)]
    Onnx(Box<crate::onnx::OnnxError>),
    /// A TorchScript module cannot be loaded or computed.
    #[error("{what}: {}; {remedy}", .reason.trim_end_matches(['.', ' ']))]
    Script {
        /// What was being done with the module.
        what: &'static str,
        /// libtorch's reason.
        reason: String,
        /// What to do.
        remedy: &'static str,
    },
    /// A network does not give what a classifier of images gives.
    #[error("the network's output: expected {expected}, found {found}; {remedy}")]
    Output {
        /// What it should be.
        expected: String,
        /// What it is.
        found: String,
        /// What to do.
        remedy: &'static str,
    },
    /// Images do not fit the model or contain what no image contains.
    #[error("{what}: expected {expected}, found {found}")]
    Input {
        /// What was checked.
        what: &'static str,
        /// What it should be.
        expected: String,
        /// What it is.
        found: String,
    },
    /// A model gave a logit that is no number.
    #[error(
        "model '{model}' gives NaN or infinite logits for image {index}; no accuracy can be \
         stated: check its weights, mean and std"
    )]
    LogitsNotFinite {
        /// Name of the model.
        model: String,
        /// Place of the image in its split.
        index: u64,
    },
    /// An attack left its ball or the box: a bug of the attack, never repaired.
    #[error(
        "attack {attack} failed: its image {index} lies at distance {distance} from the clean one \
         or outside [0, 1], but {threat} was allowed; the run is incomplete"
    )]
    OutsideThreat {
        /// Registry id.
        attack: &'static str,
        /// Place of the image in its split.
        index: u64,
        /// Distance in the threat's norm.
        distance: f64,
        /// What was allowed.
        threat: Threat,
    },
    /// An attack does not know this norm.
    #[error("attack {attack} has no version for {norm}; it knows {known}")]
    NormNotSupported {
        /// Registry id.
        attack: &'static str,
        /// The norm asked for.
        norm: String,
        /// The norms it has.
        known: String,
    },
    /// A recipe does not know this norm.
    #[error("recipe {recipe} cannot attack in {norm}; it knows {known}")]
    RecipeNorm {
        /// Registry id.
        recipe: &'static str,
        /// The norm asked for.
        norm: String,
        /// The norms it has.
        known: String,
    },
    /// A recipe learns from another number of models than it was given.
    #[error(
        "recipe {recipe} learns from {expected} (--with MODEL, or `with` in a suite), but was given {found}"
    )]
    RecipeOthers {
        /// Registry id.
        recipe: &'static str,
        /// How many it takes.
        expected: &'static str,
        /// How many there are.
        found: usize,
    },
    /// An attack or a recipe has no such setting.
    #[error("{what} has no setting '{setting}'{}; its settings are {known}", suggest(.near.as_deref()))]
    UnknownSetting {
        /// Whose: `attack pgd`.
        what: String,
        /// The name given.
        setting: String,
        /// The most similar known name.
        near: Option<String>,
        /// All of them.
        known: String,
    },
    /// A setting's value makes no sense.
    #[error("{what}, setting {setting}: expected {expected}, found '{found}'")]
    Setting {
        /// Whose: `attack pgd`.
        what: String,
        /// Its name.
        setting: &'static str,
        /// What it may be.
        expected: String,
        /// What was given.
        found: String,
    },
    /// The run store cannot be written or read.
    #[error(transparent)]
    Store(#[from] resilience_core::store::StoreError),
    /// The training loss is no number any more.
    #[error(
        "the loss is {loss} in epoch {epoch}, step {step}; training diverged: begin anew \
         with a lower learning rate"
    )]
    LossNotFinite {
        /// From 1.
        epoch: u32,
        /// From 1.
        step: u64,
        /// The value.
        loss: f64,
    },
    /// A checkpoint belongs to another training run.
    #[error(
        "checkpoint {path} cannot be gone on from: {difference}; give the same options as before, or \
         remove it (without --resume it is begun anew)"
    )]
    Checkpoint {
        /// The file.
        path: String,
        /// What differs.
        difference: String,
    },
    /// A file could not be read or written.
    #[error(transparent)]
    Format(#[from] resilience_core::format::FormatError),
    /// The log of a training run cannot be written.
    #[error(transparent)]
    Log(#[from] resilience_core::training_log::TrainingLogError),
    /// The user asked to stop.
    #[error("stopped on request; what was written so far is valid")]
    Cancelled,
}

/// What libtorch says, without the addresses of its C++ functions behind it.
pub(crate) fn without_stack(text: &str) -> &str {
    text.split("\nException raised from").next().unwrap_or(text).trim_end()
}

/// The first few, and how many more there are.
fn first_of(problems: &[String]) -> String {
    const SHOWN: usize = 6;
    let first = problems.iter().take(SHOWN).cloned().collect::<Vec<_>>().join("; ");
    match problems.len().checked_sub(SHOWN) {
        None | Some(0) => first,
        Some(more) => format!("{first}; and {more} more"),
    }
}

impl From<crate::onnx::OnnxError> for EngineError {
    fn from(error: crate::onnx::OnnxError) -> Self {
        Self::Onnx(Box::new(error))
    }
}

fn suggest(near: Option<&str>) -> String {
    near.map(|name| format!("; did you mean '{name}'?")).unwrap_or_default()
}
