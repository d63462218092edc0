//! Attacks, one per file, and the registry of them.
//!
//! An attack is a stepper: it starts on some rows and proposes candidates step by step. The loop
//! around it, and the verdict, are `evaluate`'s.

pub mod fgsm;

use resilience_core::threat::{Norm, Threat};
use tch::Tensor;

use crate::error::EngineError;
use crate::model::Differentiable;

/// The attacks that arguments and suites can name. One line each.
pub static ATTACKS: &[&AttackSpec] = &[&fgsm::SPEC];

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
    make: fn(Threat) -> Box<dyn Attack>,
}

impl AttackSpec {
    /// The attack under a threat whose norm it must know.
    pub fn plan(&'static self, threat: Threat) -> Result<Box<dyn Attack>, EngineError> {
        if self.norms.contains(&threat.norm()) {
            return Ok((self.make)(threat));
        }
        Err(EngineError::NormNotSupported {
            attack: self.id,
            norm: threat.norm().to_string(),
            known: self.norms.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "),
        })
    }
}

/// An attack with all its settings.
pub trait Attack {
    /// How often `step` is called.
    fn steps(&self) -> u32;

    /// Begins on clean images with the labels to push away from.
    fn start(&self, rows: Rows) -> Result<State, EngineError>;

    /// One step: candidates `[n,c,h,w]` for every row of the state.
    fn step(&self, state: &mut State, model: &dyn Differentiable) -> Result<Tensor, EngineError>;
}

/// The images that an attack works on.
#[derive(Debug)]
pub struct Rows {
    /// `[n,c,h,w]` in [0, 1].
    pub images: Tensor,
    /// `[n]`, the classes to push away from.
    pub labels: Tensor,
}

/// Where an attack stands. The first dimension of every tensor is the sample.
#[derive(Debug)]
pub struct State {
    /// The clean images and their labels.
    pub rows: Rows,
    /// The current iterate, `[n,c,h,w]`.
    pub current: Tensor,
}

/// The attack of that id.
pub fn find(id: &str) -> Result<&'static AttackSpec, EngineError> {
    crate::registry::find("attack", id, ATTACKS, |spec| spec.id)
}
