//! Models that answer differently each time.

use std::sync::{Mutex, MutexGuard, PoisonError};

use resilience::EngineError;
use resilience::model::{Classifier, Differentiable, Model, Pass};
use resilience_core::dataset::{Images, Split, shapes10};
use resilience_core::plan::Plan;
use resilience_core::record::Scope;
use resilience_core::threat::Norm;
use serde_json::json;
use tch::{Device, Kind, Tensor};

use super::models::convolutional;
use super::resumption::assert_resumes;
use super::{Attacked, plan, run, shapes, stage, stages};

/// libtorch has one generator for all threads: one test at a time draws from it.
pub fn alone() -> MutexGuard<'static, ()> {
    static GENERATOR: Mutex<()> = Mutex::new(());
    GENERATOR.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Would catch randomness that is not keyed, shares that are not those of the passes, and a run
/// that goes on with other random numbers.
#[test]
fn noise_repeats_itself() {
    let _alone = alone();
    let (model, images) = convolutional(12, 0.05);
    let aimed = ["pgd", "apgd-t", "fab-t", "square"];
    let mut stages = stages(12, 0.01);
    stages.retain(|stage| aimed.contains(&stage.attack.as_str()));
    let plan = Plan { block: 6, ..plan(&images, stages, 10) };
    let first = run(&plan, &model, &images);
    let shares: Vec<f64> = first.clean.iter().map(|clean| clean.right * 10.0).collect();
    assert!(shares.iter().all(|share| (share - share.round()).abs() < 1e-9), "{shares:?}");
    assert!(shares.iter().any(|share| *share > 0.0 && *share < 10.0), "no noise: {shares:?}");
    let lost = |attacked: &Attacked| attacked.outcomes.iter().filter(|o| o.right <= 0.0).count();
    let lost: Vec<usize> = first.attacks.iter().map(lost).collect();
    assert!(lost.iter().sum::<usize>() > 3, "the attacks have little to do: {lost:?}");
    assert!(first == run(&plan, &model, &images));
    assert_resumes(&plan, &model, &images, 3);
}

/// Answers class 0, and class 1 in a twentieth of the passes, whatever it is shown.
struct Fickle;

impl Fickle {
    fn answer(images: &Tensor) -> Tensor {
        let n = images.size()[0];
        let other = Tensor::rand([n], (Kind::Float, Device::Cpu)).lt(0.05).to_kind(Kind::Float);
        let logits = Tensor::zeros([n, 10], (Kind::Float, Device::Cpu));
        logits.select(1, 0).copy_(&(1.0 - &other));
        logits.select(1, 1).copy_(&other);
        logits
    }
}

impl Classifier for Fickle {
    fn logits(&self, images: &Tensor) -> Result<Tensor, EngineError> {
        Ok(Self::answer(images))
    }

    fn declared_noisy(&self) -> bool {
        true
    }
}

impl Differentiable for Fickle {
    fn pass(&self, images: &Tensor) -> Result<Pass, EngineError> {
        let images = images.detach().set_requires_grad(true);
        let nothing =
            images.flatten(1, -1).sum_dim_intlist([1].as_slice(), true, Kind::Float) * 0.0;
        let logits = Self::answer(&images) + nothing;
        Ok(Pass::new(images, logits))
    }
}

/// Would catch a lucky pass that is taken for a broken image: the more often noise or an attack
/// asks, the more of them there are, but nothing that is tried changes what the model says.
#[test]
fn a_lucky_draw_breaks_nothing() {
    let _alone = alone();
    let n = 64;
    let shapes = shapes(Split::Test, n);
    let images =
        Images::new(&shapes10::SPEC, Split::Test, shapes.bytes().unwrap().to_vec(), vec![0; n]);
    let model = Model::plain("model", Box::new(Fickle));
    let linf = (Norm::Linf, "0.1");
    let stages = vec![
        stage("noise-uniform", json!({"restarts": 20}), linf, Scope::Correct, 64),
        stage("apgd-ce", json!({"steps": 30}), linf, Scope::Survivors, 64),
        stage("square", json!({"queries": 40}), linf, Scope::Survivors, 64),
    ];
    let found = run(&plan(&images, stages, 10), &model, &images);
    let mean = |shares: Vec<f64>| shares.iter().sum::<f64>() / shares.len() as f64;
    let clean = mean(found.clean.iter().map(|clean| clean.right).collect());
    assert!((clean - 0.95).abs() < 0.03, "{clean}");
    for attacked in &found.attacks {
        let id = &attacked.record.id;
        assert_eq!(attacked.outcomes.len(), n, "{id}: an image was lost before");
        assert!(attacked.outcomes.iter().all(|o| o.right > 0.5 && o.predicted == 0), "{id}");
        let right = mean(attacked.outcomes.iter().map(|outcome| outcome.right).collect());
        assert!(right > 0.95 - 0.03, "{id}: {right}");
    }
}
