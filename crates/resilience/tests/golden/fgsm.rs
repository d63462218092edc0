//! FGSM against torchattacks (float64) and ART (float32), in both conventions of labels.

use std::cell::Cell;

use resilience::EngineError;
use resilience::attack::{self, Rows};
use resilience::model::{Classifier, Differentiable, Pass, Passes};
use resilience_core::threat::{Norm, Threat};
use tch::{Kind, Tensor};

use super::{assert_close, fixture, formula, numbers};

/// conv 3x3, ReLU, fully connected, with weights by formula.
struct Small {
    conv: (Tensor, Tensor),
    fc: (Tensor, Tensor),
    passes: Cell<Passes>,
}

impl Small {
    fn new(kind: Kind) -> Self {
        let tensor = |stream, shape: &[i64], scale: f64| {
            let values = formula::signed(stream, shape.iter().product::<i64>() as usize);
            (Tensor::from_slice(&values).view(shape) * scale).to_kind(kind)
        };
        let fc = tensor(4002, &[10, 4, 8, 8], 0.25);
        let _ = fc.narrow(3, 6, 2).zero_();
        Self {
            conv: (tensor(4000, &[4, 3, 3, 3], 0.5), tensor(4001, &[4], 0.125)),
            fc: (fc.view([10, 256]), tensor(4003, &[10], 0.125)),
            passes: Cell::default(),
        }
    }

    fn forward(&self, images: &Tensor) -> Tensor {
        let features = images.conv2d(&self.conv.0, Some(&self.conv.1), [1, 1], [1, 1], [1, 1], 1);
        features.relu().flatten(1, -1).linear(&self.fc.0, Some(&self.fc.1))
    }
}

impl Classifier for Small {
    fn logits(&self, images: &Tensor) -> Result<Tensor, EngineError> {
        Ok(tch::no_grad(|| self.forward(images)))
    }

    fn passes(&self) -> Passes {
        self.passes.get()
    }
}

impl Differentiable for Small {
    fn pass(&self, images: &Tensor) -> Result<Pass<'_>, EngineError> {
        let images = images.detach().set_requires_grad(true);
        let logits = self.forward(&images);
        Ok(Pass::new(images, logits, &self.passes))
    }
}

/// Would catch another loss, sign, clip or scale, a pixel moved at a zero gradient, and the two
/// conventions of labels taken for each other.
#[test]
fn both_conventions_agree_with_the_libraries() {
    let expected = fixture("fgsm/fgsm.json");
    let threat = Threat::new(Norm::Linf, "0.1".parse().unwrap()).unwrap();
    for (library, kind, tolerance) in
        [("torchattacks", Kind::Double, 1e-12), ("art", Kind::Float, 1e-6)]
    {
        let model = Small::new(kind);
        let images = formula::images(4004, [6, 3, 8, 8]).to_kind(kind);
        let predicted = model.logits(&images).unwrap().argmax(1, false);
        let given: Vec<i64> =
            numbers(&expected["labels"]).into_iter().map(|label| label as i64).collect();
        for (convention, labels) in [("true", Tensor::from_slice(&given)), ("predicted", predicted)]
        {
            let attack = attack::find("fgsm").unwrap().plan(threat).unwrap();
            let rows = Rows { images: images.shallow_clone(), labels };
            let mut state = attack.start(rows).unwrap();
            let adversarial = attack.step(&mut state, &model).unwrap();
            let at = format!("{library}, {convention} labels");
            let found = Vec::<f64>::try_from(adversarial.to_kind(Kind::Double).view([-1])).unwrap();
            let theirs = &expected[library][convention];
            assert_close(&at, &found, &numbers(&theirs["images"]), tolerance);
            let after = model.logits(&adversarial).unwrap().argmax(1, false).to_kind(Kind::Double);
            assert_close(&at, &Vec::try_from(after).unwrap(), &numbers(&theirs["after"]), 0.0);
        }
    }
}
