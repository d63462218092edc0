//! The training loop: it learns, it repeats itself bit for bit, it resumes, it stops at nonsense.

use std::rc::Rc;

use resilience::EngineError;
use resilience::model::{Differentiable, Native};
use resilience::recipe::{self, Others, RecipeSpec};
use resilience::train::{self, Other, Plan, Trained};
use resilience_core::context::{Context, Stopped};
use resilience_core::dataset::{Images, Split};
use resilience_core::event::{Event, Observer, Silent};
use resilience_core::format::array::StateDict;
use resilience_core::method::Method;

use crate::{common, correct, load};

/// The paper's training with other keys, as in a method's file.
fn method(keys: &str) -> Method {
    Method::from_table("a test", &toml::from_str(keys).unwrap()).unwrap()
}

/// A recipe for so many epochs at eps 0.1, with few steps of its attack, and with the models that it
/// learns from.
fn plan(spec: &RecipeSpec, epochs: u32, more: &str) -> Plan {
    let keys = format!("recipe = '{}'\nepochs = {epochs}\neps = '0.1'\n{more}", spec.id);
    let mut method = method(&keys);
    if spec.settings.iter().any(|setting| setting.name == "steps") {
        method.settings.push(("steps".to_owned(), "2".to_owned()));
    }
    let others = match spec.others {
        Others::None => Vec::new(),
        Others::Teacher => vec![other()],
        Others::Sources => vec![other(), other()],
    };
    Plan::new(method, 7, others).unwrap()
}

fn named(id: &str, epochs: u32, more: &str) -> Plan {
    plan(recipe::find(id).unwrap(), epochs, more)
}

/// A network that others learn from: any will do.
fn other() -> Other {
    let model: Rc<dyn Differentiable> =
        Rc::new(Native::initial("resilience-cnn", 3, [0.0; 3], [1.0; 3]).unwrap());
    Other { name: "other".to_owned(), sha256: "0".to_owned(), model }
}

fn network() -> Native {
    of_architecture("resilience-cnn")
}

fn of_architecture(id: &str) -> Native {
    // The same sum in another order is another sum: results are compared for one thread.
    resilience::set_threads(1);
    Native::initial(id, 7, [0.0; 3], [1.0; 3]).unwrap()
}

fn trained(
    images: &Images,
    plan: &Plan,
    observer: &mut dyn Observer,
) -> Result<StateDict, EngineError> {
    let model = network();
    let mut context = Context { observer, clock: &Stopped };
    run(&mut context, &model, images, plan)?;
    model.network().state_dict()
}

fn run(
    context: &mut Context,
    model: &Native,
    images: &Images,
    plan: &Plan,
) -> Result<Trained, EngineError> {
    train::train(context, model, images, plan, &mut |_| Ok(()))
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
    let plan = named("standard", 4, "validation = 0");
    let epochs = run(&mut context, &model, &images, &plan).unwrap().epochs;
    assert!(epochs.windows(2).all(|pair| pair[1].loss < pair[0].loss), "{epochs:?}");
    let right = correct(&model, &load(data, Split::Test, 1000));
    assert!(right > 380, "{right} of 1,000 after four epochs of 6,000 images");
}

/// Would catch a recipe that does not learn, ends in nonsense, or is random in something that is not
/// keyed.
#[test]
fn each_recipe_learns_the_same_again() {
    let images = load("shapes10", Split::Train, 400);
    for spec in recipe::RECIPES {
        let trained = |plan: &Plan| {
            let model = network();
            let mut context = Context { observer: &mut Silent, clock: &Stopped };
            let trained = run(&mut context, &model, &images, plan).unwrap();
            (model.network().state_dict().unwrap(), trained)
        };
        let plan = plan(spec, 3, "batch = 16");
        let (weights, first) = trained(&plan);
        let losses: Vec<f64> = first.epochs.iter().map(|epoch| epoch.loss).collect();
        assert!(losses.iter().all(|loss| loss.is_finite()), "{}: {losses:?}", spec.id);
        assert!(losses[losses.len() - 1] < losses[0], "{}: {losses:?}", spec.id);
        assert!(weights == trained(&plan).0, "{}", spec.id);
    }
}

/// Would catch inner values in bf16 that change nothing, learn nothing or do not repeat themselves, and a
/// network of the other precision that is trained all the same.
#[test]
fn inner_values_in_bf16_learn_too() {
    // Few: most processors have no instructions for it.
    let images = load("shapes10", Split::Train, 48);
    let plan = |more: &str| {
        named("pgd-at", 2, &format!("batch = 16\nvalidation = 0\nselect = 'last'\n{more}"))
    };
    let half = || network().with_inner_bf16();
    let go = |model: Native, plan: &Plan| {
        let mut context = Context { observer: &mut Silent, clock: &Stopped };
        run(&mut context, &model, &images, plan)
    };
    let first = go(half(), &plan("inner = 'bf16'")).unwrap();
    let losses: Vec<f64> = first.epochs.iter().map(|epoch| epoch.loss).collect();
    assert!(losses.iter().all(|loss| loss.is_finite()) && losses[1] < losses[0], "{losses:?}");
    assert!(first.last == go(half(), &plan("inner = 'bf16'")).unwrap().last);
    assert!(first.last != go(network(), &plan("")).unwrap().last);
    for (model, plan) in [(network(), plan("inner = 'bf16'")), (half(), plan(""))] {
        let error = go(model, &plan).unwrap_err().to_string();
        assert!(error.contains("inner values"), "{error}");
    }
}

/// Everything that can be put around a recipe, one at a time.
const OPTIONS: [&str; 9] = [
    "mixup = 1.0",
    "cutmix = 1.0",
    "label_smoothing = 0.1",
    "[awp]\ngamma = 0.01\nwarmup = 1",
    "[ema]\ndecay = 0.9\nwarmup = 1",
    "[optimiser]\nname = 'sgd'\nlearning_rate = 0.05\nmomentum = 0.9\nnesterov = true",
    "[optimiser]\nname = 'adamw'",
    "[schedule]\nname = 'one-cycle'",
    "[augmentation]\ncrop = 4",
];

/// Would catch an option that changes nothing, that does not go with a recipe, or that ends in nonsense.
#[test]
fn each_option_goes_with_each_kind_of_recipe() {
    let images = load("shapes10", Split::Train, 160);
    for id in ["fgsm-joint", "trades"] {
        let as_it_is = trained(&images, &named(id, 2, ""), &mut Silent).unwrap();
        for option in OPTIONS {
            let model = network();
            let mut context = Context { observer: &mut Silent, clock: &Stopped };
            let trained = run(&mut context, &model, &images, &named(id, 2, option)).unwrap();
            assert!(trained.epochs.iter().all(|epoch| epoch.loss.is_finite()), "{id}, {option}");
            let averaged = option.contains("ema");
            assert!(trained.last != as_it_is, "{id}, {option}");
            assert_eq!(
                model.network().state_dict().unwrap() == as_it_is,
                averaged,
                "{id}, {option}"
            );
        }
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
            Event::Started { task, .. } if task.contains("epoch") => self.begun += 1,
            Event::Advanced { done, .. } => self.images = done,
            _ => {}
        }
    }

    fn cancelled(&self) -> bool {
        self.begun == self.epoch && self.images >= 32
    }
}

/// Would catch state that a checkpoint leaves out: weights, what the optimiser remembers, its step
/// count, the average and its number, the best weights, and random numbers that depend on what went
/// before.
#[test]
fn an_interrupted_run_ends_with_the_same_weights() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run.checkpoint");
    let few = load("shapes10", Split::Train, 80);
    let images = load("shapes10", Split::Train, 120);
    let small = |option: &str| format!("batch = 32\n{option}");
    let recipes = recipe::RECIPES.iter().map(|spec| ("resilience-cnn", spec.id, small("")));
    let options = OPTIONS.map(|option| ("resilience-cnn", "pgd-at", small(option)));
    let norm = "architecture = 'resnet20'\nbatch = 32\n[awp]\ngamma = 0.01\n[ema]\ndecay = 0.9";
    let deep = ["pgd-at", "trades"].map(|id| ("resnet20", id, norm.to_owned()));
    for (architecture, id, more) in recipes.chain(options).chain(deep) {
        let images = if architecture == "resnet20" { &few } else { &images };
        let go = |observer: &mut dyn Observer, checkpoint: Option<bool>| {
            let mut plan = named(id, 3, &more);
            if let Some(resume) = checkpoint {
                plan = plan.with_checkpoint(path.clone(), resume);
            }
            let mut context = Context { observer, clock: &Stopped };
            run(&mut context, &of_architecture(architecture), images, &plan)
        };
        let whole = go(&mut Silent, None).unwrap();
        let mut stop = StopIn { epoch: 3, begun: 0, images: 0 };
        let error = go(&mut stop, Some(false)).unwrap_err();
        assert!(matches!(error, EngineError::Cancelled), "{error}");
        let mut count = StopIn { epoch: u32::MAX, begun: 0, images: 0 };
        let again = go(&mut count, Some(true)).unwrap();
        let what = format!("{architecture}, {id} {more}");
        assert!(again.weights == whole.weights && again.last == whole.last, "{what}");
        assert_eq!(again.chosen, whole.chosen, "{what}");
        assert_eq!(count.begun, 1, "only the third epoch is left to do");
    }
}

/// Would catch an average or a best epoch that a resumed run has lost, and weights that are chosen on
/// images that were trained on.
#[test]
fn what_is_kept_is_the_same_after_a_resumption() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run.checkpoint");
    let images = load("shapes10", Split::Train, 300);
    let keys = "validation = 60\n[ema]\ndecay = 0.9";
    let go = |epochs, resume| {
        let plan = named("pgd-at", epochs, keys).with_checkpoint(path.clone(), resume);
        let mut context = Context { observer: &mut Silent, clock: &Stopped };
        run(&mut context, &network(), &images, &plan)
    };
    let whole = go(4, false).unwrap();
    assert_eq!(whole.epochs.iter().map(|e| e.validation.unwrap().n).collect::<Vec<_>>(), [60; 4]);
    let best = whole.epochs.iter().map(|epoch| epoch.validation.unwrap().pgd).fold(0.0, f64::max);
    let kept = &whole.epochs[whole.chosen as usize - 1];
    assert!((kept.validation.unwrap().pgd - best).abs() < 1e-12);
    assert!((whole.chosen == 4) == (whole.weights == whole.last));
    let again = go(4, true).unwrap();
    assert!(again.weights == whole.weights && again.last == whole.last);
    assert_eq!(again.chosen, whole.chosen);
}

/// Would catch a run that goes on from another run's state.
#[test]
fn a_checkpoint_of_another_run_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("run.checkpoint");
    let images = load("shapes10", Split::Train, 128);
    let at = |plan: Plan, resume| plan.with_checkpoint(path.clone(), resume);
    trained(&images, &at(named("standard", 1, ""), false), &mut Silent).unwrap();
    let another_seed = Plan::new(method("recipe = 'standard'\nepochs = 1\neps = '0.1'"), 8, vec![]);
    for (word, other) in [
        ("seed", another_seed.unwrap()),
        ("learning rate", named("standard", 1, "[optimiser]\nname = 'adam'\nlearning_rate = 0.01")),
        ("recipe", named("fgsm-joint", 1, "")),
        ("mixup", named("standard", 1, "mixup = 1.0")),
    ] {
        let error = trained(&images, &at(other, true), &mut Silent);
        let error = error.unwrap_err().to_string();
        assert!(error.contains(word) && error.contains("--resume"), "{error}");
    }
    let normalised = Native::initial("resilience-cnn", 7, [0.5; 3], [0.5; 3]).unwrap();
    let mut context = Context { observer: &mut Silent, clock: &Stopped };
    let same = at(named("standard", 1, ""), true);
    let error = run(&mut context, &normalised, &images, &same).unwrap_err().to_string();
    assert!(error.contains("normalisation"), "{error}");
    let fewer = load("shapes10", Split::Train, 64);
    assert!(trained(&fewer, &same, &mut Silent).unwrap_err().to_string().contains("data"));
}

/// Would catch a diverged training that goes on, and weights of NaN that are evaluated.
#[test]
fn a_loss_that_is_no_number_stops_the_training() {
    let images = load("shapes10", Split::Train, 512);
    let wild = named("standard", 2, "[optimiser]\nname = 'adam'\nlearning_rate = 1e30");
    let error = trained(&images, &wild, &mut Silent).unwrap_err();
    assert!(matches!(error, EngineError::LossNotFinite { .. }), "{error}");
    assert!(error.to_string().contains("epoch 1"), "{error}");
}

/// Would catch a recipe that is planned without what it needs, or with what it cannot use.
#[test]
fn what_a_recipe_cannot_do_is_refused_by_name() {
    for (keys, others, words) in [
        ("recipe = 'distillation'", 0, &["distillation", "teacher", "--with"][..]),
        ("recipe = 'distillation'", 2, &["one other model"]),
        ("recipe = 'ensemble-at'", 0, &["ensemble-at", "--with"]),
        ("recipe = 'pgd-at'", 1, &["pgd-at", "no other model"]),
        ("recipe = 'pgd-att'", 0, &["did you mean 'pgd-at'"]),
        ("recipe = 'trades'\nsettings = { bta = 5 }", 0, &["recipe trades", "'beta'"]),
        ("recipe = 'trades'\nsettings = { beta = -1 }", 0, &["recipe trades", "from 0"]),
        ("recipe = 'pgd-at'\nnorm = 'l1'\neps = 12", 0, &["pgd-at", "l1", "linf, l2"]),
        ("recipe = 'fast-at'\nvalidation = 0", 0, &["guard", "validation"]),
        ("recipe = 'fast-at'\nselect = 'last'", 0, &["guard", "select best"]),
        ("recipe = 'trades'\npatience = 3\nselect = 'last'", 0, &["patience", "select best"]),
        ("recipe = 'trades'\npatience = 3\nvalidation = 0", 0, &["patience", "validation"]),
        ("recipe = 'standard'\nnorm = 'l1'\neps = 12", 0, &["norm", "validation 0"]),
    ] {
        let others = (0..others).map(|_| other()).collect();
        let error = Plan::new(method(keys), 0, others).err().unwrap().to_string();
        assert!(words.iter().all(|word| error.contains(word)), "{keys}: {error}");
    }
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

/// Would catch a recipe that runs and defends nothing: a few hundred steps of each that attacks leave
/// more of the held-out images under PGD at 8/255 than a constant answer would, and one without attacks
/// on the network itself leaves less. And a recipe that nobody has said this of.
#[test]
#[ignore = "minutes: some hundred steps of every recipe"]
fn a_few_hundred_steps_defend() {
    let Some(data) = common::shared("cifar10") else { return };
    let images = load(data.to_str().unwrap(), Split::Train, 26_000);
    let mut first: Option<Rc<dyn Differentiable>> = None;
    let (mut wrong, mut all) = (Vec::new(), Vec::new());
    for spec in recipe::RECIPES {
        let floor = match spec.id {
            "standard" | "distillation" => None,
            // Its examples are partly the network's own.
            "ensemble-at" | "fgsm-joint" => Some(0.15),
            "pgd-at" | "trades" | "fast-at" | "n-fgsm" => Some(0.18),
            other => panic!("{other}: say how much of robustness it is to leave"),
        };
        let mut method = method(&format!("recipe = '{}'\nepochs = 2", spec.id));
        if spec.settings.iter().any(|setting| setting.name == "steps") {
            method.settings.push(("steps".to_owned(), "5".to_owned()));
        }
        // Teachers and sources are the network without a defence.
        let undefended = || Other {
            name: "standard".to_owned(),
            sha256: "0".to_owned(),
            model: first.clone().unwrap(),
        };
        let others = match spec.others {
            Others::None => Vec::new(),
            Others::Teacher | Others::Sources => vec![undefended()],
        };
        let plan = Plan::new(method, 0, others).unwrap();
        let model = Native::initial("resilience-cnn", 0, [0.0; 3], [1.0; 3]).unwrap();
        let mut context = Context { observer: &mut Silent, clock: &Stopped };
        let epochs = run(&mut context, &model, &images, &plan).unwrap().epochs;
        let held = epochs[1].validation.unwrap();
        if held.clean <= 0.3 || (held.pgd > floor.unwrap_or(0.14)) != floor.is_some() {
            wrong.push(spec.id);
        }
        all.push((spec.id, held));
        first = first.or_else(|| Some(Rc::new(model)));
    }
    assert!(wrong.is_empty(), "{wrong:?} of {all:#?}");
}
