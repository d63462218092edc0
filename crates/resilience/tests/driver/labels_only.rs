//! A run of an attack that sees labels alone.

use resilience::EngineError;
use resilience::model::{Classifier, Differentiable, Model, Pass};
use resilience_core::dataset::Split;
use resilience_core::record::Scope;
use resilience_core::threat::Norm;
use serde_json::json;
use tch::{Device, Kind, Tensor};

use super::{plan, run, shapes, stage};

/// Takes everything for the first class.
struct Constant;

impl Classifier for Constant {
    fn logits(&self, images: &Tensor) -> Result<Tensor, EngineError> {
        let first = Tensor::zeros([images.size()[0], 10], (Kind::Float, Device::Cpu));
        let _ = first.narrow(1, 0, 1).fill_(3.0);
        Ok(first)
    }
}

impl Differentiable for Constant {
    fn pass(&self, _: &Tensor) -> Result<Pass, EngineError> {
        panic!("nobody needs a gradient");
    }
}

/// Would catch a run that fails where no noise is misclassified, a gradient that is asked for, noise that
/// is recorded as the image that came closest, and queries that are not counted.
#[test]
fn where_there_is_no_start_the_clean_image_stays() {
    let images = shapes(Split::Test, 40);
    let stages = [Norm::Linf, Norm::L2].map(|norm| {
        let settings = json!({"queries": 30, "restarts": 2});
        stage("hopskipjump", settings, (norm, "0.05"), Scope::Correct, 40)
    });
    let model = Model::plain("constant", Box::new(Constant));
    let found = run(&plan(&images, stages.into(), 1), &model, &images);
    let right = found.clean.iter().filter(|clean| clean.label == 0).count();
    assert!(right > 1 && found.finished);
    for attacked in found.attacks {
        assert_eq!(attacked.outcomes.len(), right);
        for outcome in attacked.outcomes {
            let kept = (outcome.right, outcome.predicted, outcome.distance);
            assert_eq!(kept, (1.0, 0, 0.0));
            // At the end the reference is asked once about an image that nothing came near.
            assert_eq!(outcome.forwards, 2 * 30 + 1);
        }
    }
}
