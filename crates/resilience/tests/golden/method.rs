//! Six float64 training steps of each recipe and of what goes around them, against PyTorch.

use std::cell::RefCell;
use std::rc::Rc;

use resilience::EngineError;
use resilience::model::{Differentiable, Learner, Lesson, Native, Normalise};
use resilience::optim::Optimiser;
use resilience::recipe::{self, Draws, Ingredients, Losses, Recipe, Step};
use resilience::train::{self, CutBox, Mixed, mixed_targets};
use resilience::zoo;
use resilience_core::method;
use resilience_core::threat::{Norm, Threat};
use tch::{Kind, Tensor};

use super::recipe::weights;
use super::{assert_close, fixture, formula, numbers};

const N: usize = 8;
const SHAPE: [i64; 4] = [N as i64, 3, 32, 32];
const TOLERANCE: f64 = 1e-8;

/// What a case is made of.
struct Case {
    name: &'static str,
    recipe: &'static str,
    settings: &'static [(&'static str, &'static str)],
    threat: (Norm, &'static str),
    awp: Option<f64>,
    mixing: Mixing,
    /// Names of figures in the fixture and of our own.
    figures: &'static [(&'static str, &'static str)],
    other: Option<u64>,
}

#[derive(Clone, Copy, PartialEq)]
enum Mixing {
    None,
    Mixup(f64),
    Cutmix,
}

const LINF: (Norm, &str) = (Norm::Linf, "8/255");
const L2: (Norm, &str) = (Norm::L2, "0.5");
const FOUR: &[(&str, &str)] = &[("steps", "4"), ("step_size", "0.25")];
const TRADES: &[(&str, &str)] = &[("clean", "clean_loss"), ("kl", "divergence")];
const BOTH: &[(&str, &str)] = &[("clean", "clean_loss"), ("adversarial", "adversarial_loss")];

const PLAIN: Case = Case {
    name: "",
    recipe: "standard",
    settings: &[],
    threat: LINF,
    awp: None,
    mixing: Mixing::None,
    figures: &[],
    other: None,
};

const CASES: &[Case] = &[
    Case { name: "pgd-at-linf", recipe: "pgd-at", settings: FOUR, ..PLAIN },
    Case { name: "pgd-at-l2", recipe: "pgd-at", settings: FOUR, threat: L2, ..PLAIN },
    Case { name: "trades-linf", recipe: "trades", settings: FOUR, figures: TRADES, ..PLAIN },
    Case {
        name: "trades-l2",
        recipe: "trades",
        settings: &[("steps", "4"), ("step_size", "0.5")],
        threat: L2,
        figures: TRADES,
        ..PLAIN
    },
    Case { name: "fast-at-linf", recipe: "fast-at", ..PLAIN },
    Case { name: "n-fgsm-linf", recipe: "n-fgsm", ..PLAIN },
    Case { name: "distillation", recipe: "distillation", other: Some(100), ..PLAIN },
    Case { name: "standard-temperature", settings: &[("temperature", "20")], ..PLAIN },
    Case {
        name: "ensemble-at-linf",
        recipe: "ensemble-at",
        figures: BOTH,
        other: Some(200),
        ..PLAIN
    },
    Case { name: "awp-pgd-at", recipe: "pgd-at", settings: FOUR, awp: Some(0.01), ..PLAIN },
    Case {
        name: "awp-trades",
        recipe: "trades",
        settings: FOUR,
        awp: Some(0.005),
        figures: TRADES,
        ..PLAIN
    },
    Case {
        name: "awp-fgsm-joint",
        recipe: "fgsm-joint",
        threat: (Norm::Linf, "0.1"),
        awp: Some(0.01),
        figures: BOTH,
        ..PLAIN
    },
    Case { name: "mixup", mixing: Mixing::Mixup(0.1), ..PLAIN },
    Case { name: "cutmix", mixing: Mixing::Cutmix, ..PLAIN },
    Case {
        name: "pgd-at-mixup",
        recipe: "pgd-at",
        settings: FOUR,
        mixing: Mixing::Mixup(0.0),
        ..PLAIN
    },
];

/// The draws of a step, by formula.
struct Formula(u64);

impl Formula {
    fn tensor(stream: u64, images: &Tensor) -> Tensor {
        Tensor::from_slice(&formula::signed(stream, images.numel())).view_as(images)
    }
}

impl Draws for Formula {
    fn uniform(&self, images: &Tensor) -> Result<Tensor, EngineError> {
        Ok(Self::tensor(5000 + 10 * self.0, images))
    }

    fn normal(&self, images: &Tensor) -> Result<Tensor, EngineError> {
        Ok(Self::tensor(6000 + 10 * self.0, images))
    }

    fn shares(&self, _: &Tensor) -> Result<Tensor, EngineError> {
        Ok(Tensor::from_slice(&formula::unit(7000 + 10 * self.0, N)))
    }
}

fn network(first: u64) -> Native {
    let network = zoo::find("resilience-cnn").unwrap().build(0, Kind::Double).unwrap();
    network.load_state_dict(&weights(first)).unwrap();
    Native::new(network, Normalise::new(&[0.0; 3], &[1.0; 3], Kind::Double).unwrap())
}

/// A batch of the fixtures, and how it was mixed.
struct Examples {
    images: Tensor,
    labels: Tensor,
    targets: Tensor,
    mixed: Option<Mixed>,
}

impl Examples {
    fn new(mixing: Mixing, s: u64) -> Self {
        let images = formula::images(1000 + s, SHAPE);
        let labels = formula::labels(2000 + s, N);
        let partners = Tensor::from_slice(&(0..N as i64).rev().collect::<Vec<_>>());
        let (mixed, smoothing) = match mixing {
            Mixing::None => {
                let targets = labels.shallow_clone();
                return Self { images, labels, targets, mixed: None };
            }
            Mixing::Mixup(smoothing) => {
                let share = formula::unit(8000 + s, 1)[0];
                (Mixed { share, partners, cut: None }, smoothing)
            }
            Mixing::Cutmix => {
                let share = formula::unit(8100 + s, 1)[0];
                let centre = [0, 1].map(|axis| (formula::word(8200 + s, axis) % 32) as i64);
                let cut = CutBox::around(centre, share, [32, 32]);
                (Mixed { share: cut.rest([32, 32]), partners, cut: Some(cut) }, 0.0)
            }
        };
        let others = labels.index_select(0, &mixed.partners);
        let shares = Some((&others, mixed.share));
        let targets = mixed_targets(&labels, shares, 10, smoothing, Kind::Double).unwrap();
        Self { images: mixed.images(&images).unwrap(), labels, targets, mixed: Some(mixed) }
    }

    fn check(&self, what: &str, expected: &serde_json::Value) {
        let Some(mixed) = &self.mixed else { return };
        assert_close(what, &[mixed.share], &numbers(&expected["lambda"]), 1e-15);
        if let Some(cut) = mixed.cut {
            for (name, found) in [("columns", cut.columns), ("rows", cut.rows)] {
                let found = found.map(|edge| edge as f64);
                assert_close(what, &found, &numbers(&expected[name]), 0.0);
            }
        }
    }

    fn step<'a>(&'a self, lesson: &'a Lesson<'a>, draws: &'a Formula) -> Step<'a> {
        let Self { images, labels, targets, .. } = self;
        Step { lesson, images, labels, targets, draws, number: draws.0 }
    }
}

/// What a step at perturbed weights tells: the losses there, the loss at the weights, and how far each
/// weight was moved.
struct Perturbed {
    losses: Losses,
    at_weights: f64,
    moved: Vec<(String, Tensor)>,
}

fn weights_of(model: &Native) -> Vec<(String, Tensor)> {
    let named = |p: &resilience::layer::Parameter| (p.name.clone(), p.tensor.detach().copy());
    model.network().trainable().map(named).collect()
}

/// Takes the gradients of a step at perturbed weights, as the training loop does.
fn perturbed(
    learner: &mut Learner,
    model: &Native,
    gamma: f64,
    recipe: &dyn Recipe,
    (examples, draws): (&Examples, &Formula),
) -> Perturbed {
    let before = weights_of(model);
    let (mut first, moved) = (None, RefCell::new(Vec::new()));
    let at_weights = RefCell::new(&mut first);
    let losses = train::perturbed(
        learner,
        model,
        gamma,
        |lesson| recipe.attacked(&examples.step(lesson, draws)),
        |lesson, attacked| {
            let losses = recipe.learn(&examples.step(lesson, draws), attacked)?;
            let mut first = at_weights.borrow_mut();
            if first.is_none() {
                **first = Some(losses.total);
            } else {
                let now = weights_of(model).into_iter().zip(&before);
                let changed = now.map(|((name, now), (_, before))| (name, now - before));
                *moved.borrow_mut() = changed.collect();
            }
            Ok(losses)
        },
    )
    .unwrap();
    let after = weights_of(model);
    assert!(after.iter().zip(&before).all(|(a, b)| a.1 == b.1), "weights are put back to the bit");
    let mut moved = moved.into_inner();
    moved.retain(|(_, tensor)| tensor.abs().max().double_value(&[]) > 0.0);
    Perturbed { losses, at_weights: first.unwrap(), moved }
}

/// Would catch another attack, start, projection, loss, weight of a loss, temperature, turn of sources,
/// length or direction of a weight perturbation, order of its parts, share of an image or of a target than
/// the references'.
#[test]
fn six_steps_agree_with_pytorch() {
    for case in CASES {
        let expected = fixture(&format!("method/{}.json", case.name));
        let model = network(0);
        let mut learner = Learner::new(&model).unwrap();
        let rule = method::Optimiser::Adam { learning_rate: 1e-3, weight_decay: 0.0 };
        let mut adam = Optimiser::new(model.network().trainable(), rule).unwrap();
        let recipe = case.recipe();
        for (s, step) in (0..).zip(expected["steps"].as_array().unwrap()) {
            let what = format!("{} step {s}", case.name);
            let (examples, draws) = (Examples::new(case.mixing, s), Formula(s));
            examples.check(&what, &expected["mixed"][s as usize]);
            let losses = if let Some(gamma) = case.awp {
                let how = (&examples, &draws);
                let found = perturbed(&mut learner, &model, gamma, recipe.as_ref(), how);
                let expected_loss = numbers(&step["loss_at_weights"]);
                assert_close(&what, &[found.at_weights], &expected_loss, TOLERANCE);
                if s == 0 {
                    check_perturbation(&what, &model, &found.moved, &expected["perturbation"]);
                }
                found.losses
            } else {
                let take = |lesson: &Lesson| recipe.gradients(&examples.step(lesson, &draws));
                learner.learn(take).unwrap()
            };
            adam.step(1.0).unwrap();
            assert_close(&what, &[losses.total], &numbers(&step["loss"]), TOLERANCE);
            for (theirs, ours) in case.figures {
                let (_, found) = losses.scalars.iter().find(|(name, _)| name == ours).unwrap();
                assert_close(&what, &[*found], &numbers(&step[*theirs]), TOLERANCE);
            }
        }
        for (p, parameter) in model.network().trainable().enumerate() {
            let found = formula::digest(&parameter.tensor, 3000 + p as u64);
            let expected = formula::expected_digest(&expected["parameters"][&parameter.name]);
            let what = format!("{} {}", case.name, parameter.name);
            assert_close(&what, &found, &expected, TOLERANCE);
        }
    }
}

fn check_perturbation(
    what: &str,
    model: &Native,
    moved: &[(String, Tensor)],
    expected: &serde_json::Value,
) {
    assert_eq!(moved.len(), 4, "{what}: the weights, and no bias");
    for (name, tensor) in moved {
        let p = model.network().trainable().position(|p| p.name == *name).unwrap();
        let found = formula::digest(tensor, 3000 + p as u64);
        let expected = formula::expected_digest(&expected[name]);
        assert_close(&format!("{what} {name}"), &found, &expected, TOLERANCE);
    }
}

impl Case {
    fn recipe(&self) -> Box<dyn Recipe> {
        let spec = recipe::find(self.recipe).unwrap();
        let given: Vec<_> =
            self.settings.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect();
        let other = |first| Rc::new(network(first)) as Rc<dyn Differentiable>;
        let ingredients = Ingredients {
            threat: Threat::new(self.threat.0, self.threat.1.parse().unwrap()).unwrap(),
            settings: &spec.resolve(&given).unwrap(),
            others: self.other.map(other).into_iter().collect(),
        };
        spec.plan(ingredients).unwrap()
    }
}

/// Would catch a recipe without a golden case of its own.
#[test]
fn every_recipe_has_a_case() {
    let twenty_steps = ["standard", "fgsm-joint"];
    for spec in recipe::RECIPES {
        let here = CASES.iter().any(|case| case.recipe == spec.id);
        assert!(here || twenty_steps.contains(&spec.id), "{}", spec.id);
    }
}
