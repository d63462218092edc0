//! FGSM against torchattacks (float64) and ART (float32), in both conventions of labels; and against ART
//! (float64) in the rest of what it does.

use resilience::attack::fgsm::{OneStep, Run};
use resilience::attack::{self, Request, Rows, State};
use resilience::geometry;
use resilience::loss::{self, Objective};
use resilience::model::{Classifier, Oracle};
use resilience::rng::Key;
use resilience::settings::Settings;
use resilience_core::threat::{Norm, Threat};
use tch::{Kind, Tensor};

use super::attack_network::{Small, classes, flat, images, rows, threat, weights};
use super::{assert_close, fixture, formula, numbers};

/// The network of the case: zeros make the gradient exactly 0 in the last column of every image.
fn network(kind: Kind) -> Small {
    let weight = weights(4002, &[10, 4, 8, 8], 0.25);
    let _ = weight.narrow(3, 6, 2).zero_();
    Small::with_head(weight.view([10, 256]), weights(4003, &[10], 0.125), kind)
}

/// Would catch another loss, sign, clip or scale, a pixel moved at a zero gradient, the two conventions of
/// labels taken for each other, and defaults that are anything but the plain step, to the bit.
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
        let clean = formula::images(4004, [6, 3, 8, 8]).to_kind(kind);
        let predicted = model.logits(&clean).unwrap().argmax(1, false);
        let given = Tensor::from_slice(&classes(&expected["labels"]));
        for (convention, labels) in [("true", given), ("predicted", predicted)] {
            let rows = Rows {
                images: clean.shallow_clone(),
                labels,
                targets: None,
                indices: (0..6).collect(),
                key: Key::new(0, spec.id, 0),
                round: 0,
            };
            let adversarial = attack.start(&rows).unwrap().step(&oracle).unwrap().images;
            let ascent = oracle
                .ascent(&clean, &|logits, span| {
                    loss::cross_entropies(logits, &span.of(&rows.labels)?)
                })
                .unwrap();
            let plain = geometry::steepest_step(threat, &clean, &ascent.gradient).unwrap();
            assert_eq!(adversarial, plain);
            let at = format!("{library}, {convention} labels");
            let theirs = &expected[library][convention];
            assert_close(&at, &flat(&adversarial), &numbers(&theirs["images"]), tolerance);
            let after = model.logits(&adversarial).unwrap().argmax(1, false);
            assert_close(&at, &flat(&after), &numbers(&theirs["after"]), 0.0);
        }
    }
}

/// Would catch another direction in a norm, a target that is climbed away from, a step from the clean image
/// that should begin elsewhere, a change that is not shortened, or otherwise, and parts of a step of
/// other lengths or in another order.
#[test]
fn all_that_art_does_is_done() {
    let expected = fixture("fgsm-art/fgsm-art.json");
    for recorded in expected["norms"].as_array().unwrap() {
        let model = Small::new(8);
        let oracle = Oracle::new(&model, 128, 1, None);
        let radii = recorded["radii"].as_u64().unwrap() as u32;
        for case in recorded["cases"].as_array().unwrap() {
            let [targeted, random, minimal] =
                ["targeted", "random", "minimal"].map(|key| case[key].as_bool().unwrap());
            let aim = if targeted { &recorded["targets"] } else { &serde_json::Value::Null };
            let rows = rows(&model, 8, recorded, aim);
            let objective =
                if targeted { Objective::CrossEntropyTargeted } else { Objective::CrossEntropy };
            let run =
                Run { threat: threat(recorded), radii: if minimal { radii } else { 1 }, objective };
            let start = random.then(|| images(&recorded["start"], 8));
            let mut state = OneStep::begin(run, &rows, start);
            // ART leaves an image at the first part of the step that breaks it.
            let mut left = rows.images.shallow_clone();
            let mut open = rows.labels.ones_like().to_kind(Kind::Bool);
            for _ in 0..run.radii {
                let found = state.step(&oracle).unwrap().images;
                left = found.where_self(&open.view([-1, 1, 1, 1]), &left);
                let after = model.logits(&left).unwrap().argmax(1, false);
                open = match &rows.targets {
                    Some(targets) => after.not_equal_tensor(targets),
                    None => after.eq_tensor(&rows.labels),
                };
            }
            let at = format!("{}, {targeted} {random} {minimal}", recorded["norm"]);
            assert_close(&at, &flat(&left), &numbers(&case["images"]), 1e-12);
            let after = model.logits(&left).unwrap().argmax(1, false);
            assert_close(&at, &flat(&after), &numbers(&case["after"]), 0.0);
        }
    }
}
