//! Carlini and Wagner's attack: the nearest misclassified point in L2, by gradient descent on distance
//! and margin together, over a search for the weight between the two.
//!
//! Source: Carlini and Wagner 2017, Towards Evaluating the Robustness of Neural Networks. Its iterates
//! agree with those of foolbox's `L2CarliniWagnerAttack` run on each image alone, and with one constant
//! (`search_steps` 1) with torchattacks' `CW`.
//!
//! Update: an image is `x = (1 + tanh w) / 2`, so that it lies in the box whatever w is. Adam lowers
//! `|x - x0|^2 + c max(m + confidence, 0)` in w, where m is the margin of the label's logit over the
//! largest other one (with a target: of the largest other one over the target's), and every x is a
//! candidate. Where none with m at most minus the confidence was found after so many steps, the constant
//! c was too small and is made ten times as large, else it is halved towards the largest that was too
//! small; and Adam begins anew at the clean image.
//!
//! An image whose loss has not fallen by a ten-thousandth within a tenth of the steps has stalled and
//! goes on to its next constant by itself. Steps that it saves so are spent on more constants.
//!
//! | setting | default | range |
//! |---|---|---|
//! | `search_steps` | 9 | 1 .. 1000; constants, where none stalls |
//! | steps | 200 | 1 .. 100,000; of Adam, for each constant |
//! | `step_size` | 0.01 | above 0 .. 10; of w |
//! | confidence | 0 | 0 .. 1000, in logits |
//! | `initial_const` | 0.001 | above 0 .. 1e10 |
//! | targets | 0: untargeted | 0 .. 1000; so many likeliest wrong classes, one round each |
//! | eot | 1 | 1 .. |
//!
//! Shapes: `[n,c,h,w]` x `[n]` -> `[n,c,h,w]`. `search_steps` times `steps` forward and backward passes.
//!
//! Other than in the reference nothing hangs on the other images of a batch, the candidate at which an
//! image stalls counts, saved steps are not given up, and no constant exceeds 1e10.

mod constant;

use resilience_core::threat::Norm;
use tch::{Kind, Tensor};

use self::constant::Constant;
use super::{Attack, AttackSpec, Candidates, Request, Rows, Search, State};
use crate::adam::Adam;
use crate::error::EngineError;
use crate::loss;
use crate::model::{Oracle, Passes, Span};
use crate::rows::{choose, per_row};
use crate::settings::{EOT, Range, Setting};

/// The registry's entry.
pub static SPEC: AttackSpec = AttackSpec {
    id: "cw",
    title: "Carlini and Wagner's L2 attack",
    source: "Carlini and Wagner 2017, Towards Evaluating the Robustness of Neural Networks; foolbox \
             L2CarliniWagnerAttack (torchattacks CW with one constant)",
    about: "Looks for the nearest misclassified image by descending on distance and margin at once, for \
            one weight between them after the other. It climbs the margin, not the cross-entropy, so \
            that confident models (defensive distillation, which it was made to break) do not hide from \
            it, and its examples are among the nearest that are known. It costs many passes: most of \
            the weights are tried only to find the right one, for which initial_const may be raised. With \
            too few steps its candidates stay too far away; for a given radius APGD is as strong and \
            cheaper.",
    norms: &[Norm::L2],
    search: Search::MinimumNorm,
    settings: &[
        Setting {
            name: "search_steps",
            value: Range::Count(9, 1, 1000),
            about: "constants that are tried one after the other, more where images stall",
        },
        Setting {
            name: "steps",
            value: Range::Count(200, 1, 100_000),
            about: "gradient steps for each constant",
        },
        Setting {
            name: "step_size",
            value: Range::Real(0.01, 1e-6, 10.0),
            about: "length of a step, in atanh of pixels from -1 to 1",
        },
        Setting {
            name: "confidence",
            value: Range::Real(0.0, 0.0, 1000.0),
            about: "lead of a wrong logit that is asked for",
        },
        Setting {
            name: "initial_const",
            value: Range::Real(1e-3, 1e-10, constant::LARGEST),
            about: "weight of the margin against the squared distance that the search begins with",
        },
        Setting {
            name: "targets",
            value: Range::Count(0, 0, 1000),
            about: "aim at so many likeliest wrong classes, one after the other; 0 for any",
        },
        EOT,
    ],
    make: |request| Ok(Box::new(CarliniWagner::new(request)?)),
};

/// What a round needs to know.
#[derive(Clone, Copy, Debug)]
pub struct Run {
    /// Constants, where none stalls.
    pub search_steps: u32,
    /// Steps for each constant.
    pub steps: u32,
    /// Length of a step.
    pub step_size: f64,
    /// Lead of a wrong logit that is asked for.
    pub confidence: f64,
    /// The constant to begin with.
    pub initial_const: f64,
}

#[derive(Debug)]
struct CarliniWagner {
    run: Run,
    targets: u32,
    eot: u32,
    notice: Option<String>,
}

impl CarliniWagner {
    fn new(request: &Request) -> Result<Self, EngineError> {
        let settings = request.settings;
        // Of the goal only the number of targets counts: what is lowered is its own.
        let goal = super::apgd::goal("margin", settings.count("targets"), request)?;
        Ok(Self {
            run: Run {
                search_steps: settings.count("search_steps"),
                steps: settings.count("steps"),
                step_size: settings.real("step_size"),
                confidence: settings.real("confidence"),
                initial_const: settings.real("initial_const"),
            },
            targets: goal.targets,
            eot: settings.count("eot"),
            notice: goal.notice,
        })
    }
}

impl Attack for CarliniWagner {
    fn rounds(&self) -> u32 {
        self.targets.max(1)
    }

    fn steps(&self) -> u32 {
        self.run.search_steps * self.run.steps
    }

    fn cost(&self) -> Passes {
        let passes = u64::from(self.steps()) * u64::from(self.eot);
        Passes { forwards: passes, backwards: passes }
    }

    fn target_rank(&self, round: u32) -> Option<u32> {
        (self.targets > 0).then_some(round + 1)
    }

    fn eot(&self) -> u32 {
        self.eot
    }

    fn notice(&self) -> Option<String> {
        self.notice.clone()
    }

    fn start(&self, rows: &Rows) -> Result<Box<dyn State>, EngineError> {
        Ok(Box::new(Iterate::begin(self.run, rows)?))
    }
}

/// Where a round stands.
pub struct Iterate {
    run: Run,
    labels: Tensor,
    targets: Option<Tensor>,
    clean: Tensor,   // the clean images on their way through w
    origins: Tensor, // their w
    current: Tensor, // w
    adam: Adam,
    constants: Vec<Constant>,
}

impl Iterate {
    /// Begins at the clean images; aims at the rows' targets where they have some.
    pub fn begin(run: Run, rows: &Rows) -> Result<Self, EngineError> {
        let origins = to_tanh_space(&rows.images)?;
        Ok(Self {
            run,
            labels: rows.labels.shallow_clone(),
            targets: rows.targets.as_ref().map(Tensor::shallow_clone),
            clean: to_images(&origins)?,
            current: origins.shallow_clone(),
            adam: Adam::of(&origins)?,
            origins,
            constants: vec![Constant::new(run); rows.indices.len()],
        })
    }

    /// By how much each row's margin misses what is asked for: 0 where it does not.
    fn misses(&self, logits: &Tensor, span: Span) -> Result<Tensor, EngineError> {
        let margins = match &self.targets {
            Some(targets) => loss::margins(logits, &span.of(targets)?)?.f_neg()?,
            None => loss::margins(logits, &span.of(&self.labels)?)?,
        };
        Ok(margins.f_add_scalar(self.run.confidence)?.f_clamp_min(0.0)?)
    }

    /// Moves on from images with that slope of their margin.
    fn descend(&mut self, images: &Tensor, slope: &Tensor) -> Result<(), EngineError> {
        let weights: Vec<f64> = self.constants.iter().map(Constant::value).collect();
        let weights = Tensor::f_from_slice(&weights)?.f_to_kind(images.kind())?;
        let weights = per_row(&weights.f_to_device(images.device())?)?;
        let away = images.f_sub(&self.clean)?.f_mul_scalar(2.0)?;
        let slope = slope.f_mul(&weights)?.f_add(&away)?;
        // Of x by w: (1 - tanh^2 w) / 2 = 2 x (1 - x).
        let bend = images.f_mul(&images.f_neg()?.f_add_scalar(1.0)?)?.f_mul_scalar(2.0)?;
        let taken: Vec<i32> = self.constants.iter().map(|constant| constant.taken() + 1).collect();
        self.adam.gather(&slope.f_mul(&bend)?)?;
        let step = self.adam.step(&taken)?;
        self.current = self.current.f_sub(&step.f_mul_scalar(self.run.step_size)?)?;
        Ok(())
    }

    /// Tells every row what became of its step, and takes those back to their clean image that go on
    /// to another constant.
    fn search(&mut self, images: &Tensor, misses: &Tensor) -> Result<(), EngineError> {
        let away = images.f_sub(&self.clean)?.f_square()?;
        let away = away.f_sum_dim_intlist([1_i64, 2, 3].as_slice(), false, Kind::Double)?;
        let away = Vec::<f64>::try_from(away)?;
        let misses = Vec::<f64>::try_from(misses.f_to_kind(Kind::Double)?)?;
        let run = self.run;
        let rows = self.constants.iter_mut().zip(away.into_iter().zip(misses));
        let anew: Vec<bool> =
            rows.map(|(constant, (away, miss))| constant.step(run, away, miss)).collect();
        if anew.contains(&true) {
            let anew = Tensor::f_from_slice(&anew)?.f_to_device(images.device())?;
            self.current = choose(&anew, &self.origins, &self.current)?;
            self.adam.forget(&anew)?;
        }
        Ok(())
    }
}

impl State for Iterate {
    fn step(&mut self, oracle: &Oracle) -> Result<Candidates, EngineError> {
        let images = to_images(&self.current)?;
        let ascent = oracle.ascent(&images, &|logits, span| self.misses(logits, span))?;
        self.descend(&images, &ascent.gradient)?;
        self.search(&images, &ascent.losses)?;
        Ok(Candidates { images, logits: Some(ascent.logits) })
    }

    fn tensors(&mut self) -> Vec<&mut Tensor> {
        let own = [&mut self.labels, &mut self.clean, &mut self.origins, &mut self.current];
        own.into_iter().chain(&mut self.targets).chain(self.adam.tensors()).collect()
    }

    fn keep(&mut self, rows: &[usize]) {
        self.constants = rows.iter().map(|&row| self.constants[row]).collect();
    }
}

/// What is left of an image's way to the border of the box, whose w is infinite.
const SHORT_OF_THE_BORDER: f64 = 0.999_999;

/// The w of images.
fn to_tanh_space(images: &Tensor) -> Result<Tensor, EngineError> {
    let centred = images.f_sub_scalar(0.5)?.f_div_scalar(0.5)?;
    Ok(centred.f_mul_scalar(SHORT_OF_THE_BORDER)?.f_atanh()?)
}

/// The images of a w.
fn to_images(w: &Tensor) -> Result<Tensor, EngineError> {
    Ok(w.f_tanh()?.f_mul_scalar(0.5)?.f_add_scalar(0.5)?)
}
