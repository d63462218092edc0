//! Models and attacks that fail: the error says of what.

use resilience::EngineError;
use resilience::batch::Batch;
use resilience::model::{Classifier, Differentiable, Model, Pass};
use resilience_core::dataset::Split;
use resilience_core::event::Silent;
use resilience_core::record::Scope;
use resilience_core::threat::Norm;
use serde_json::json;
use tch::Tensor;

use super::models::Nearest;
use super::{go_on, plan, shapes, stage};

/// The linear model, which has no answer for some images.
struct Blind {
    sees: Nearest,
    /// Which image it does not see, `[c,h,w]`, and how far from it there is no answer.
    at: Tensor,
    from: f64,
    to: f64,
}

impl Blind {
    fn blinded(&self, images: &Tensor, logits: &Tensor) -> Tensor {
        let far = (images.detach() - &self.at).abs().amax([1, 2, 3], false);
        let blind = far.ge(self.from).logical_and(&far.le(self.to)).unsqueeze(1);
        logits.masked_fill(&blind, f64::NAN)
    }
}

impl Classifier for Blind {
    fn logits(&self, images: &Tensor) -> Result<Tensor, EngineError> {
        Ok(self.blinded(images, &self.sees.logits(images)?))
    }
}

impl Differentiable for Blind {
    fn pass(&self, images: &Tensor) -> Result<Pass, EngineError> {
        let images = images.detach().set_requires_grad(true);
        let logits = self.sees.forward(&images);
        let logits = self.blinded(&images, &logits);
        Ok(Pass::new(images, logits))
    }
}

/// Would catch NaN that is counted as an answer or as a broken image, that stops nothing, or whose
/// image is named wrongly, clean and in the middle of every attack.
#[test]
fn what_is_no_number_stops_the_run_by_name() {
    let images = shapes(Split::Test, 60);
    let right: Vec<u64> = {
        let batch = Batch::from_images(&images, 0..60).unwrap();
        let predicted = Nearest::new().logits(&batch.images).unwrap().argmax(1, false);
        let right = predicted.eq_tensor(&batch.labels).nonzero().squeeze_dim(1);
        Vec::<i64>::try_from(right).unwrap().into_iter().map(|index| index as u64).collect()
    };
    // In the middle of a block, behind images that leave.
    let blind = right[right.len() / 2];
    let pixels = Batch::from_rows(&images, &[blind as usize]).unwrap().images.get(0);
    let few = json!({"steps": 3, "targets": 2, "queries": 3, "restarts": 2, "samples": 4});
    for (attack, names) in [
        ("fgsm", &[][..]),
        ("pgd", &["steps", "restarts"]),
        ("apgd-ce", &["steps"]),
        ("apgd-t", &["steps", "targets"]),
        ("fab", &["steps"]),
        ("fab-t", &["steps", "targets"]),
        ("square", &["queries"]),
        ("spsa", &["steps", "samples"]),
        ("noise-uniform", &["restarts"]),
    ] {
        for (from, to) in [(0.0, 0.0), (1e-4, 0.05)] {
            let model = Blind { sees: Nearest::new(), at: pixels.copy(), from, to };
            let settings = names.iter().map(|&name| (name.to_owned(), few[name].clone()));
            let settings = serde_json::Value::Object(settings.collect());
            let linf = (Norm::Linf, "0.01");
            let plan = plan(&images, vec![stage(attack, settings, linf, Scope::Correct, 60)], 1);
            let model = Model::plain("blind", Box::new(model));
            let dir = tempfile::tempdir().unwrap();
            let error = go_on(dir.path(), &plan, &model, &images, &mut Silent).unwrap_err();
            let named = matches!(&error, EngineError::LogitsNotFinite { model, index }
                if model == "blind" && *index == blind);
            assert!(named, "{attack}, blind from {from}: {error}, not {blind}");
        }
    }
}
