//! What every attack must do, whatever it is: loops over the registry, on models whose answer is
//! known in closed form.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails right there")]

mod bounds;
mod distances;
mod labels_only;
mod linear;
mod recipes;
mod registry;
mod repetition;

use linear::Linear;
use resilience::EngineError;
use resilience::attack::{ATTACKS, Attack, AttackSpec, Planned, Request, Rows};
use resilience::loss;
use resilience::model::{Classifier, Oracle};
use resilience::rng::Key;
use resilience::settings::{Range, Settings};
use resilience_core::threat::{Norm, Threat};
use tch::{Device, Kind, Tensor};

const CPU: (Kind, Device) = (Kind::Float, Device::Cpu);

/// Images that are not the same in any two places, some of them at the border of the box.
fn images(shape: [i64; 4]) -> Tensor {
    let n = shape.iter().product::<i64>();
    (Tensor::arange(n, CPU) * 0.739).sin().view(shape).clamp(-0.9, 0.9) * 0.55 + 0.5
}

/// What the model itself says, so that there is something to break.
fn labels(model: &Linear, images: &Tensor) -> Tensor {
    model.logits(images).unwrap().argmax(1, false)
}

fn threat(norm: Norm, eps: &str) -> Threat {
    Threat::new(norm, eps.parse().unwrap()).unwrap()
}

/// Every attack with every norm that it knows.
fn cases() -> impl Iterator<Item = (&'static AttackSpec, Norm)> {
    ATTACKS.iter().flat_map(|spec| spec.norms.iter().map(move |&norm| (*spec, norm)))
}

/// Settings with little work: of those that the attack has, these, and the given ones.
fn cheap(spec: &'static AttackSpec, given: &[(&str, &str)]) -> Settings {
    let mut chosen = vec![("steps", "7"), ("queries", "12"), ("restarts", "2")];
    chosen.extend([("start", "random"), ("radii", "3"), ("samples", "4")]);
    if spec.settings.iter().any(|s| s.name == "targets" && !matches!(s.value, Range::Count(0, ..)))
    {
        chosen.push(("targets", "2"));
    }
    chosen.extend(given);
    let known = |name: &str| spec.settings.iter().any(|setting| setting.name == name);
    let owned = |&(name, value): &(&str, &str)| (name.to_owned(), value.to_owned());
    let chosen: Vec<_> = chosen.iter().filter(|(name, _)| known(name)).map(owned).collect();
    Settings::resolve(spec.id, spec.settings, &chosen).unwrap()
}

fn plan(
    spec: &'static AttackSpec,
    threat: Threat,
    classes: u32,
    settings: &Settings,
) -> Result<Planned, EngineError> {
    spec.plan(&Request { threat, classes, settings })
}

/// A cheap attack on images of three classes.
fn planned(spec: &'static AttackSpec, threat: Threat) -> Box<dyn Attack> {
    plan(spec, threat, 3, &cheap(spec, &[])).unwrap().attack
}

/// Images under attack.
struct Case<'a> {
    spec: &'static AttackSpec,
    attack: &'a dyn Attack,
    model: &'a Linear,
    images: &'a Tensor,
    labels: &'a Tensor,
    seed: u64,
    /// Index of the first image.
    first: u64,
}

impl<'a> Case<'a> {
    fn new(
        spec: &'static AttackSpec,
        attack: &'a dyn Attack,
        model: &'a Linear,
        (images, labels): (&'a Tensor, &'a Tensor),
    ) -> Self {
        Self { spec, attack, model, images, labels, seed: 0, first: 0 }
    }

    /// What a round begins on.
    fn rows(&self, round: u32) -> Rows {
        let clean = self.model.logits(self.images).unwrap();
        let targets = self.attack.target_rank(round);
        let indices = self.first..self.first + self.images.size()[0] as u64;
        Rows {
            images: self.images.shallow_clone(),
            labels: self.labels.shallow_clone(),
            targets: targets.map(|t| loss::ranked_class(&clean, self.labels, t.into()).unwrap()),
            indices: indices.collect(),
            key: Key::new(self.seed, self.spec.id, round),
            round,
        }
    }

    /// The candidates of every step of a round.
    fn round(&self, round: u32) -> Result<Vec<Tensor>, EngineError> {
        Ok(self.reaching(round)?.into_iter().map(|(candidates, _)| candidates).collect())
    }

    /// The same, each with how far they may lie from the clean images, in units of eps.
    fn reaching(&self, round: u32) -> Result<Vec<(Tensor, f64)>, EngineError> {
        let oracle = Oracle::new(self.model, 128, self.attack.eot(), None);
        let mut state = self.attack.start(&self.rows(round))?;
        let step = |_| Ok((state.step(&oracle)?.images.copy(), state.reach()));
        (0..self.attack.steps()).map(step).collect()
    }

    /// The candidates of every step of every round.
    fn run(&self) -> Vec<Tensor> {
        (0..self.attack.rounds()).flat_map(|round| self.round(round).unwrap()).collect()
    }

    /// The same, each with how far they may lie from the clean images, in units of eps.
    fn run_reaching(&self) -> Vec<(Tensor, f64)> {
        (0..self.attack.rounds()).flat_map(|round| self.reaching(round).unwrap()).collect()
    }

    /// Of these candidates those that have to lie in the ball, or are as near as can be.
    fn run_in_ball(&self) -> Vec<Tensor> {
        let all = self.run_reaching().into_iter();
        all.filter_map(|(candidates, reach)| (reach <= 1.0).then_some(candidates)).collect()
    }
}

/// How far rounding may carry candidates apart. An attack that divides the difference of two answers by a
/// small delta makes more of theirs.
fn rounding(spec: &AttackSpec) -> f64 {
    if spec.settings.iter().any(|setting| setting.name == "delta") { 1e-5 } else { 1e-6 }
}

/// The largest difference of two lists of candidates.
fn apart(a: &[Tensor], b: &[Tensor]) -> f64 {
    assert_eq!(a.len(), b.len());
    let far = |(a, b): (&Tensor, &Tensor)| (a - b).abs().max().double_value(&[]);
    a.iter().zip(b).map(far).fold(0.0, f64::max)
}
