//! FGSM against torchattacks (float64) and ART (float32), in both conventions of labels.

use resilience::attack::{self, Request, Rows};
use resilience::model::{Classifier, Oracle};
use resilience::rng::Key;
use resilience::settings::Settings;
use resilience_core::threat::{Norm, Threat};
use tch::{Kind, Tensor};

use super::attack_network::{Small, classes, flat, weights};
use super::{assert_close, fixture, formula, numbers};

/// The network of the case: zeros make the gradient exactly 0 in the last column of every image.
fn network(kind: Kind) -> Small {
    let weight = weights(4002, &[10, 4, 8, 8], 0.25);
    let _ = weight.narrow(3, 6, 2).zero_();
    Small::with_head(weight.view([10, 256]), weights(4003, &[10], 0.125), kind)
}

/// Would catch another loss, sign, clip or scale, a pixel moved at a zero gradient, and the two
/// conventions of labels taken for each other.
#[test]
fn both_conventions_agree_with_the_libraries() {
    let expected = fixture("fgsm/fgsm.json");
    let threat = Threat::new(Norm::Linf, "0.1".parse().unwrap()).unwrap();
    let spec = attack::find("fgsm").unwrap();
    let settings = Settings::resolve(spec.id, spec.settings, &[]).unwrap();
    let attack = spec.plan(&Request { threat, classes: 10, settings: &settings }).unwrap().attack;
    for (library, kind, tolerance) in
        [("torchattacks", Kind::Double, 1e-12), ("art", Kind::Float, 1e-6)]
    {
        let model = network(kind);
        let oracle = Oracle::new(&model, 128, 1, None);
        let images = formula::images(4004, [6, 3, 8, 8]).to_kind(kind);
        let predicted = model.logits(&images).unwrap().argmax(1, false);
        let given = Tensor::from_slice(&classes(&expected["labels"]));
        for (convention, labels) in [("true", given), ("predicted", predicted)] {
            let rows = Rows {
                images: images.shallow_clone(),
                labels,
                targets: None,
                indices: (0..6).collect(),
                key: Key::new(0, spec.id, 0),
                round: 0,
            };
            let adversarial = attack.start(&rows).unwrap().step(&oracle).unwrap().images;
            let at = format!("{library}, {convention} labels");
            let theirs = &expected[library][convention];
            assert_close(&at, &flat(&adversarial), &numbers(&theirs["images"]), tolerance);
            let after = model.logits(&adversarial).unwrap().argmax(1, false);
            assert_close(&at, &flat(&after), &numbers(&theirs["after"]), 0.0);
        }
    }
}
