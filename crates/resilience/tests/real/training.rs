//! The training loop: it learns, it repeats itself bit for bit, it resumes, it stops at nonsense.

use std::path::Path;

use resilience::augment::{Augmentation, Interpolation};
use resilience::model::Native;
use resilience::train::{self, Checkpoint, Inner, Plan};
use resilience::{EngineError, recipe};
use resilience_core::context::{Context, Stopped};
use resilience_core::dataset::{Images, Split};
use resilience_core::event::{Event, Observer, Silent};
use resilience_core::format::array::StateDict;
use resilience_core::threat::{Norm, Threat};

use crate::{common, correct, load};

fn plan(recipe: &str, epochs: u32) -> Plan {
    Plan {
        recipe: recipe::find(recipe).unwrap(),
        threat: Threat::new(Norm::Linf, "0.1".parse().unwrap()).unwrap(),
        epochs,
        batch: 128,
        learning_rate: 1e-3,
        seed: 7,
        augmentation: Augmentation {
            flip: true,
            rotation: 15.0,
            interpolation: Interpolation::Nearest,
        },
        inner: Inner::F32,
        checkpoint: None,
    }
}

fn network() -> Native {
    // The same sum in another order is another sum: results are compared for one thread.
    resilience::set_threads(1);
    Native::initial("resilience-cnn", 7, [0.0; 3], [1.0; 3]).unwrap()
}

fn trained(
    images: &Images,
    plan: &Plan,
    observer: &mut dyn Observer,
) -> Result<StateDict, EngineError> {
    let model = network();
    let mut context = Context { observer, clock: &Stopped };
    train::train(&mut context, &model, images, plan)?;
    model.network().state_dict()
}

/// Would catch a loop that does not learn: guessing is right for a tenth of the images, and this
/// much training for about half of them.
#[test]
fn it_learns_real_images() {
    let Some(data) = common::shared("cifar10") else { return };
    let data = data.to_str().unwrap();
    let model = network();
    let mut context = Context { observer: &mut Silent, clock: &Stopped };
    let images = load(data, Split::Train, 6000);
    let epochs = train::train(&mut context, &model, &images, &plan("standard", 4)).unwrap();
    assert!(epochs.windows(2).all(|pair| pair[1].loss < pair[0].loss), "{epochs:?}");
    let right = correct(&model, &load(data, Split::Test, 1000));
    assert!(right > 380, "{right} of 1,000 after four epochs of 6,000 images");
}

/// Would catch anything random that is not keyed, in each recipe.
#[test]
fn the_same_seed_gives_the_same_weights() {
    let images = load("shapes10", Split::Train, 300);
    for spec in recipe::RECIPES {
        let weights = || trained(&images, &plan(spec.id, 1), &mut Silent).unwrap();
        let first = weights();
        assert_eq!(first, weights(), "{}", spec.id);
        let other = Plan { seed: 8, ..plan(spec.id, 1) };
        assert_ne!(first, trained(&images, &other, &mut Silent).unwrap(), "{}", spec.id);
    }
}

/// Asks to stop in the middle of an epoch.
struct StopIn {
    epoch: u32,
    begun: u32,
    images: u64,
}

impl Observer for StopIn {
    fn event(&mut self, event: Event) {
        match event {
            Event::Started { .. } => self.begun += 1,
            Event::Advanced { done, .. } => self.images = done,
            _ => {}
        }
    }

    fn cancelled(&self) -> bool {
        self.begun == self.epoch && self.images >= 128
    }
}

fn with_checkpoint(mut plan: Plan, path: &Path, resume: bool) -> Plan {
    plan.checkpoint = Some(Checkpoint { path: path.to_owned(), resume });
    plan
}

/// Would catch state that a checkpoint leaves out: weights, both moments of Adam, its step count.
#[test]
fn an_interrupted_run_ends_with_the_same_weights() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run.checkpoint");
    let images = load("shapes10", Split::Train, 300);
    for spec in recipe::RECIPES {
        let whole = trained(&images, &plan(spec.id, 3), &mut Silent).unwrap();
        let mut stop = StopIn { epoch: 3, begun: 0, images: 0 };
        let first = with_checkpoint(plan(spec.id, 3), &path, false);
        let error = trained(&images, &first, &mut stop).unwrap_err();
        assert!(matches!(error, EngineError::Cancelled), "{error}");
        let second = with_checkpoint(plan(spec.id, 3), &path, true);
        let mut count = StopIn { epoch: u32::MAX, begun: 0, images: 0 };
        assert_eq!(trained(&images, &second, &mut count).unwrap(), whole, "{}", spec.id);
        assert_eq!(count.begun, 1, "only the third epoch is left to do");
    }
}

/// Would catch a run that goes on from another run's state.
#[test]
fn a_checkpoint_of_another_run_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run.checkpoint");
    let images = load("shapes10", Split::Train, 128);
    trained(&images, &with_checkpoint(plan("standard", 1), &path, false), &mut Silent).unwrap();
    for (word, other) in [
        ("seed", Plan { seed: 8, ..plan("standard", 1) }),
        ("learning rate", Plan { learning_rate: 0.01, ..plan("standard", 1) }),
        ("recipe", plan("fgsm-joint", 1)),
    ] {
        let error = trained(&images, &with_checkpoint(other, &path, true), &mut Silent);
        let error = error.unwrap_err().to_string();
        assert!(error.contains(word) && error.contains("--resume"), "{error}");
    }
    let normalised = Native::initial("resilience-cnn", 7, [0.5; 3], [0.5; 3]).unwrap();
    let mut context = Context { observer: &mut Silent, clock: &Stopped };
    let same = with_checkpoint(plan("standard", 1), &path, true);
    let error = train::train(&mut context, &normalised, &images, &same).unwrap_err().to_string();
    assert!(error.contains("normalisation"), "{error}");
    let fewer = load("shapes10", Split::Train, 64);
    let same = with_checkpoint(plan("standard", 1), &path, true);
    assert!(trained(&fewer, &same, &mut Silent).unwrap_err().to_string().contains("data"));
}

/// Would catch a diverged training that goes on, and weights of NaN that are evaluated.
#[test]
fn a_loss_that_is_no_number_stops_the_training() {
    let images = load("shapes10", Split::Train, 512);
    let wild = Plan { learning_rate: 1e30, ..plan("standard", 2) };
    let error = trained(&images, &wild, &mut Silent).unwrap_err();
    assert!(matches!(error, EngineError::LossNotFinite { .. }), "{error}");
    assert!(error.to_string().contains("epoch 1"), "{error}");
}

/// Would catch weights that are loaded into the wrong place or silently left out.
#[test]
fn weights_that_do_not_fit_are_refused_by_name() {
    let state = network().network().state_dict().unwrap();
    let load = |state: &StateDict, architecture: &str| {
        Native::load(architecture, state, [0.0; 3], [1.0; 3]).err().map(|error| error.to_string())
    };
    assert_eq!(load(&state, "resilience-cnn"), None);
    let other = load(&state, "resnet20").unwrap();
    assert!(other.contains("'bn1.weight' [16] is missing") && other.contains("more"), "{other}");
    let mut missing = state.clone();
    missing.entries.retain(|(name, _)| name != "fc2.bias");
    let missing = load(&missing, "resilience-cnn").unwrap();
    assert!(missing.contains("'fc2.bias' [10] is missing"), "{missing}");
    let mut extra = state.clone();
    extra.entries.push(("fc3.bias".to_owned(), state.get("fc2.bias").unwrap().clone()));
    assert!(load(&extra, "resilience-cnn").unwrap().contains("'fc3.bias' [10] has no place"));
    let mut broken = state;
    let nan = resilience_core::format::array::ArrayData::F32(vec![f32::NAN; 10]);
    broken.entries.last_mut().unwrap().1 =
        resilience_core::format::array::Array::new(vec![10], nan).unwrap();
    assert!(load(&broken, "resilience-cnn").unwrap().contains("'fc2.bias' holds NaN"));
    assert!(load(&broken, "resnet3").unwrap().contains("did you mean"));
}
