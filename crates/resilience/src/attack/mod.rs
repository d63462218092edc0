//! Attacks, one per file, and the registry of them.
//!
//! An attack is a stepper: it starts on some rows and proposes candidates step by step. The loop
//! around it, the verdict, and what leaves the pool are `evaluate`'s.

pub mod apgd;
pub mod cw;
pub mod deepfool;
pub mod fab;
pub mod fgsm;
pub mod fmn;
pub mod hopskipjump;
pub mod noise;
pub mod pgd;
pub mod spsa;
pub mod square;

use resilience_core::threat::{Norm, Threat};
use tch::Tensor;

use crate::error::EngineError;
use crate::model::{Oracle, Passes};
use crate::rng::Key;
use crate::settings::{Setting, Settings};

/// The attacks that arguments and suites can name. One line each.
pub static ATTACKS: &[&AttackSpec] = &[
    &fgsm::SPEC,
    &pgd::SPEC,
    &apgd::CE,
    &apgd::RESCALED,
    &apgd::DLR,
    &apgd::TARGETED,
    &fab::SPEC,
    &fab::TARGETED,
    &deepfool::SPEC,
    &fmn::SPEC,
    &cw::SPEC,
    &square::SPEC,
    &spsa::SPEC,
    &hopskipjump::SPEC,
    &noise::UNIFORM,
    &noise::GAUSSIAN,
];

/// What there is to know about an attack.
#[derive(Debug)]
pub struct AttackSpec {
    /// The name in arguments and results.
    pub id: &'static str,
    /// Its usual name.
    pub title: &'static str,
    /// Where it was published, and the implementations that it agrees with.
    pub source: &'static str,
    /// What it does and when it fails, for `explain`: whole sentences.
    pub about: &'static str,
    /// The norms that it knows.
    pub norms: &'static [Norm],
    /// What its candidates are.
    pub search: Search,
    /// Its settings, in the order in which they are explained.
    pub settings: &'static [Setting],
    make: fn(&Request) -> Result<Box<dyn Attack>, EngineError>,
}

/// What an attack's candidates are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Search {
    /// Points of the ball: one outside is a bug of the attack.
    WithinBall,
    /// Misclassified points as near as can be, inside the ball or not.
    MinimumNorm,
}

/// What an attack is planned for.
#[derive(Debug)]
pub struct Request<'a> {
    /// What it may do.
    pub threat: Threat,
    /// Number of classes of the model.
    pub classes: u32,
    /// All its settings.
    pub settings: &'a Settings,
}

/// An attack ready to be run, and what must be known about how.
pub struct Planned {
    /// The attack.
    pub attack: Box<dyn Attack>,
    /// Where it had to be done otherwise than its settings say; a whole sentence.
    pub notice: Option<String>,
}

impl AttackSpec {
    /// The attack under a threat whose norm it must know, with settings that it must know.
    pub fn plan(&'static self, request: &Request) -> Result<Planned, EngineError> {
        if !self.norms.contains(&request.threat.norm()) {
            return Err(EngineError::NormNotSupported {
                attack: self.id,
                norm: request.threat.norm().to_string(),
                known: self.norms.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "),
            });
        }
        let attack = (self.make)(request)?;
        let notice = attack.notice().map(|what| format!("{}: {what}", self.id));
        Ok(Planned { attack, notice })
    }
}

/// An attack with all its settings.
pub trait Attack {
    /// How many times it begins anew on the images that it has not broken: in each restart once for
    /// each target, so that the rounds of fewer restarts are the first ones of more.
    fn rounds(&self) -> u32;

    /// The most calls of `step` in a round.
    fn steps(&self) -> u32;

    /// What a round costs an image that it does not break, the look at its candidates included.
    fn cost(&self) -> Passes;

    /// Whether its steps compute their candidates' logits on the way; where not, the reference is
    /// asked for them.
    fn gives_logits(&self) -> bool {
        true
    }

    /// Which class a round aims at: that with the so-manieth highest logit among the wrong ones of
    /// the clean image, from 1. None where any wrong class will do.
    fn target_rank(&self, _round: u32) -> Option<u32> {
        None
    }

    /// Passes that a gradient is the mean of.
    fn eot(&self) -> u32 {
        1
    }

    /// Where it had to be done otherwise than its settings say.
    fn notice(&self) -> Option<String> {
        None
    }

    /// Begins a round on clean images. Nothing is asked of the model yet.
    fn start(&self, rows: &Rows) -> Result<Box<dyn State>, EngineError>;
}

/// Where an attack stands on the images that are left. The first dimension of every tensor is the
/// sample.
pub trait State {
    /// One step: a candidate for every row.
    fn step(&mut self, oracle: &Oracle) -> Result<Candidates, EngineError>;

    /// How far from the clean images the candidates of the last step may lie, in units of eps: 1, but
    /// for a search that passes through a larger ball on its way.
    fn reach(&self) -> f64 {
        1.0
    }

    /// Every tensor that has to lose the rows which are done.
    fn tensors(&mut self) -> Vec<&mut Tensor>;

    /// Keeps these rows of what it has besides tensors, in that order.
    fn keep(&mut self, _rows: &[usize]) {}
}

/// The images that a round begins on.
#[derive(Debug)]
pub struct Rows {
    /// `[n,c,h,w]` in [0, 1], clean.
    pub images: Tensor,
    /// `[n]`, the classes to push away from.
    pub labels: Tensor,
    /// `[n]`, the classes to push towards, where the attack aims ([`Attack::target_rank`]).
    pub targets: Option<Tensor>,
    /// Places of the images in their split, which key their random numbers.
    pub indices: Vec<u64>,
    /// Keys the random numbers of this round.
    pub key: Key,
    /// The round, from 0.
    pub round: u32,
}

/// What a step proposes.
#[derive(Debug)]
pub struct Candidates {
    /// `[n,c,h,w]`.
    pub images: Tensor,
    /// Their logits `[n,k]` where the step has computed them on its way, so that nobody has to
    /// again.
    pub logits: Option<Tensor>,
}

/// The attack of that id.
pub fn find(id: &str) -> Result<&'static AttackSpec, EngineError> {
    crate::registry::find("attack", id, ATTACKS, |spec| spec.id)
}
