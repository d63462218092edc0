//! The arguments of `resilience train`: each takes the place of a key of a method.

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use resilience_core::method::{self, Method};
use resilience_core::threat::{Eps, Norm};
use toml::{Table, Value};

use super::{DataArgs, Normalisation, pair};
use crate::error::CliError;

#[derive(Debug, Args)]
#[command(after_help = "Besides FILE (a PyTorch state dict) it writes, with the same stem: \
    .safetensors, .toml (a manifest for `resilience eval`), .training.json (the training curve), \
    .log.jsonl (a line an epoch, as it goes), .tensorboard (the same for TensorBoard), \
    .checkpoint (the state after the last epoch, for --resume) and, where the weights kept are not \
    those of the last epoch, .last.safetensors.\n\
    Options take the place of what the recipe's file says; without a file the rest is the paper's \
    training: Adam 0.001, batches of 128, flips, rotation within 15 degrees.")]
pub struct Train {
    /// A recipe (see `resilience list recipes`), a method (`resilience list methods`), or a file with a
    /// method (TOML).
    #[arg(long, value_name = "NAME|FILE")]
    pub recipe: String,
    #[command(flatten)]
    pub options: Options,
    #[command(flatten)]
    pub data: DataArgs,
    /// Train on the first N images only.
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..))]
    pub n: Option<u64>,
    /// A model that the recipe learns from: the teacher of distillation, the sources of ensemble-at.
    #[arg(long, value_name = "MODEL")]
    pub with: Vec<String>,
    /// Seed of everything random.
    #[arg(long, default_value_t = 0)]
    pub seed: u64,
    /// Go on from FILE's checkpoint of an interrupted run with the same options.
    #[arg(long)]
    pub resume: bool,
    /// The weights file to write.
    #[arg(long, value_name = "FILE")]
    pub out: PathBuf,
}

/// What takes the place of a method's keys.
#[derive(Debug, Default, Args)]
pub struct Options {
    /// The architecture (see `resilience list architectures`) [default: resilience-cnn].
    #[arg(long, value_name = "NAME")]
    pub arch: Option<String>,
    /// A setting of the recipe (see `resilience explain NAME`); may be given again.
    #[arg(long, value_name = "NAME=VALUE", value_parser = pair)]
    pub set: Vec<(String, String)>,
    /// Passes over the training images [default: 5].
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
    pub epochs: Option<u32>,
    /// Images a step [default: 128].
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
    pub batch: Option<u32>,
    /// Norm of the recipe's attack [default: linf].
    #[arg(long, ignore_case = true)]
    pub norm: Option<Norm>,
    /// Radius of the recipe's attack, such as 0.1 [default: 8/255 for linf, 0.5 for l2].
    #[arg(long)]
    pub eps: Option<Eps>,
    /// How weights follow gradients [default: adam].
    #[arg(long, value_enum)]
    pub optimiser: Option<OptimiserArg>,
    /// The largest learning rate [default: 0.001 for adam and adamw, 0.1 for sgd].
    #[arg(long)]
    pub learning_rate: Option<f64>,
    /// Momentum of sgd [default: 0].
    #[arg(long)]
    pub momentum: Option<f64>,
    /// Nesterov's form of sgd's momentum.
    #[arg(long)]
    pub nesterov: bool,
    /// Decay of the weights [default: 0, 0.01 for adamw].
    #[arg(long)]
    pub weight_decay: Option<f64>,
    /// How the learning rate changes [default: constant].
    #[arg(long, value_enum)]
    pub schedule: Option<ScheduleArg>,
    /// Epochs after which a piecewise schedule falls, `100,150`.
    #[arg(long, value_delimiter = ',', value_name = "EPOCHS")]
    pub milestones: Vec<u32>,
    /// Leave out random horizontal flips.
    #[arg(long)]
    pub no_flip: bool,
    /// Shift images at random by at most so many pixels, black outside [default: 0].
    #[arg(long, value_name = "PIXELS")]
    pub crop: Option<u32>,
    /// Turn images by a random angle within plus or minus so many degrees; 0 for none [default: 15].
    #[arg(long, value_name = "DEGREES")]
    pub rotation: Option<f64>,
    /// How a turned pixel gets its value [default: nearest].
    #[arg(long, value_enum)]
    pub interpolation: Option<InterpolationArg>,
    /// Mix pairs of images, in shares from Beta(ALPHA, ALPHA).
    #[arg(long, value_name = "ALPHA")]
    pub mixup: Option<f64>,
    /// Put a box of one image into another, in shares from Beta(ALPHA, ALPHA).
    #[arg(long, value_name = "ALPHA")]
    pub cutmix: Option<f64>,
    /// Spread this share of each target over all classes [default: 0].
    #[arg(long, value_name = "SHARE")]
    pub label_smoothing: Option<f64>,
    /// Adversarial weight perturbation of this length.
    #[arg(long, value_name = "GAMMA")]
    pub awp: Option<f64>,
    /// Epochs without weight perturbation [default: 0].
    #[arg(long, value_name = "EPOCHS", requires = "awp")]
    pub awp_warmup: Option<u32>,
    /// Keep an average of the weights that decays like this, such as 0.995.
    #[arg(long, value_name = "DECAY")]
    pub ema: Option<f64>,
    /// Epochs in which the average is the weights themselves [default: 0].
    #[arg(long, value_name = "EPOCHS", requires = "ema")]
    pub ema_warmup: Option<u32>,
    /// Precision of the values between the network's first and last layer; weights and optimiser stay
    /// f32. bf16 is for processors that have instructions for it [default: f32].
    #[arg(long, value_enum)]
    pub inner: Option<InnerArg>,
    /// Hold out the last N training images for choosing an epoch, at most a fifth of all; 0 for none
    /// [default: 1000].
    #[arg(long, value_name = "N")]
    pub validation: Option<u32>,
    /// Whose weights are kept: those of the epoch that was best on the held-out images (under PGD, for a
    /// recipe that attacks), or of the last one [default: best].
    #[arg(long, value_enum)]
    pub select: Option<SelectArg>,
    /// Stop after so many epochs that were no better than the best.
    #[arg(long, value_name = "EPOCHS")]
    pub patience: Option<u32>,
    /// Stop where catastrophic overfitting is found on held-out images [default: on for fast-at].
    #[arg(long, value_enum)]
    pub guard: Option<Switch>,
    #[command(flatten)]
    pub normalisation: Normalisation,
}

/// Defines an argument whose values are words of a method's file.
macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$of:meta])* $value:ident),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
        pub enum $name { $($(#[$of])* $value),+ }

        impl $name {
            fn word(self) -> Value {
                self.to_possible_value().map_or_else(String::new, |v| v.get_name().to_owned()).into()
            }
        }
    };
}

words!(
    /// An optimiser.
    OptimiserArg { Adam, Adamw, Sgd }
);
words!(
    /// A schedule.
    ScheduleArg { Constant, Piecewise, Cosine, Cyclic, OneCycle }
);
words!(
    /// How a turned pixel gets its value.
    InterpolationArg { Nearest, Bilinear }
);
words!(
    /// A precision.
    InnerArg { F32, Bf16 }
);
words!(
    /// Whose weights are kept.
    SelectArg { Best, Last }
);

/// On or off.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Switch {
    On,
    Off,
}

impl Options {
    /// The method of that name or in that file, with these options in the place of its keys.
    pub fn method(&self, recipe: &str) -> Result<Method, CliError> {
        let mut table = base(recipe)?;
        self.lay_over(&mut table)?;
        Method::from_table(&format!("method {recipe}"), &table).map_err(|error| {
            // Without a file only arguments can be wrong.
            if is_file(recipe) { error.into() } else { CliError::Usage(error.to_string()) }
        })
    }

    fn lay_over(&self, table: &mut Table) -> Result<(), CliError> {
        // A radius is of its norm: another norm has its own usual one.
        let other =
            |norm: Norm| table.get("norm").and_then(Value::as_str).unwrap_or("linf") != norm.name();
        if self.eps.is_none() && self.norm.is_some_and(other) {
            table.remove("eps");
        }
        let mut put = |key: &str, value: Option<Value>| {
            if let Some(value) = value {
                table.insert(key.to_owned(), value);
            }
        };
        put("architecture", self.arch.clone().map(Value::from));
        put("epochs", self.epochs.map(Value::from));
        put("batch", self.batch.map(Value::from));
        put("norm", self.norm.map(|norm| norm.name().into()));
        put("eps", self.eps.map(|eps| eps.to_string().into()));
        put("label_smoothing", self.label_smoothing.map(Value::from));
        put("inner", self.inner.map(InnerArg::word));
        put("validation", self.validation.map(Value::from));
        put("select", self.select.map(SelectArg::word));
        put("patience", self.patience.map(Value::from));
        put("guard", self.guard.map(|guard| (guard == Switch::On).into()));
        if self.normalisation.mean.is_some() {
            let (mean, std) = self.normalisation.values()?;
            put("mean", Some(mean.to_vec().into()));
            put("std", Some(std.to_vec().into()));
        }
        // Mixing is of one kind: what is asked for takes the place of the file's.
        if self.mixup.is_some() || self.cutmix.is_some() {
            table.remove("mixup");
            table.remove("cutmix");
            table.extend(self.mixup.map(|alpha| ("mixup".to_owned(), alpha.into())));
            table.extend(self.cutmix.map(|alpha| ("cutmix".to_owned(), alpha.into())));
        }
        for (name, value) in &self.set {
            part(table, "settings").insert(name.clone(), value.clone().into());
        }
        self.optimiser(table);
        self.schedule(table);
        let augmentation = [
            ("flip", self.no_flip.then(|| false.into())),
            ("crop", self.crop.map(Value::from)),
            ("rotation", self.rotation.map(Value::from)),
            ("interpolation", self.interpolation.map(InterpolationArg::word)),
        ];
        put_into(table, "augmentation", augmentation);
        let awp =
            [("gamma", self.awp.map(Value::from)), ("warmup", self.awp_warmup.map(Value::from))];
        put_into(table, "awp", awp);
        let ema =
            [("decay", self.ema.map(Value::from)), ("warmup", self.ema_warmup.map(Value::from))];
        put_into(table, "ema", ema);
        Ok(())
    }

    fn optimiser(&self, table: &mut Table) {
        if let Some(optimiser) = self.optimiser {
            // The keys of another optimiser are not this one's.
            let name = ("name".to_owned(), optimiser.word());
            table.insert("optimiser".to_owned(), Table::from_iter([name]).into());
        }
        let given = [
            ("learning_rate", self.learning_rate.map(Value::from)),
            ("momentum", self.momentum.map(Value::from)),
            ("nesterov", self.nesterov.then(|| true.into())),
            ("weight_decay", self.weight_decay.map(Value::from)),
        ];
        if given.iter().any(|(_, value)| value.is_some()) {
            part(table, "optimiser").entry("name").or_insert_with(|| OptimiserArg::Adam.word());
        }
        put_into(table, "optimiser", given);
    }

    fn schedule(&self, table: &mut Table) {
        if let Some(schedule) = self.schedule {
            let name = ("name".to_owned(), schedule.word());
            table.insert("schedule".to_owned(), Table::from_iter([name]).into());
        }
        if !self.milestones.is_empty() {
            let schedule = part(table, "schedule");
            schedule.entry("name").or_insert_with(|| ScheduleArg::Piecewise.word());
            schedule.insert("epochs".to_owned(), self.milestones.clone().into());
        }
    }
}

/// The table to begin with: a file's, a known method's, or only a recipe's name.
fn base(recipe: &str) -> Result<Table, CliError> {
    if is_file(recipe) {
        return Ok(method::read(Path::new(recipe))?);
    }
    if let Some(table) = method::known(recipe)? {
        return Ok(table);
    }
    Ok(Table::from_iter([("recipe".to_owned(), recipe.into())]))
}

fn is_file(recipe: &str) -> bool {
    Path::new(recipe).extension().is_some_and(|ending| ending.eq_ignore_ascii_case("toml"))
}

/// The table of that name within a table, made where it is missing.
fn part<'a>(table: &'a mut Table, name: &str) -> &'a mut Table {
    let value = table.entry(name).or_insert_with(|| Table::new().into());
    if !value.is_table() {
        // What stands there is no table, and is refused when the method is read.
        *value = Table::new().into();
    }
    value.as_table_mut().expect("it was just made sure")
}

fn put_into<const N: usize>(table: &mut Table, name: &str, given: [(&str, Option<Value>); N]) {
    for (key, value) in given {
        if let Some(value) = value {
            part(table, name).insert(key.to_owned(), value);
        }
    }
}
