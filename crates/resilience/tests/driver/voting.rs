//! A majority vote, which has no gradient: what attacks find, and what counts.

use resilience::EngineError;
use resilience::model::{Classifier, Differentiable, Ensemble, Model, Pass};
use resilience_core::dataset::{Images, Split, shapes10};
use resilience_core::record::Scope;
use resilience_core::threat::Norm;
use resilience_core::view::View;
use resilience_core::vote::Vote;
use serde_json::json;
use tch::{Device, Kind, Tensor};

use super::{Attacked, plan, run, stage};

const CPU: (Kind, Device) = (Kind::Float, Device::Cpu);

/// Sees class 1 in an image whose mean is so far above that of the test's images, class 0 in the
/// others, and is so sure of it.
#[derive(Clone, Copy)]
struct Turns {
    at: f64,
    slope: f64,
}

impl Turns {
    fn answer(self, images: &Tensor) -> Tensor {
        let bright = (images - 128.0 / 255.0).flatten(1, -1);
        let bright = bright.mean_dim([1_i64].as_slice(), true, Kind::Float);
        let second = (bright - self.at) * self.slope;
        let others = Tensor::full([images.size()[0], 8], -9.0, CPU);
        Tensor::cat(&[&second * 0.0, second, others], 1)
    }
}

impl Classifier for Turns {
    fn logits(&self, images: &Tensor) -> Result<Tensor, EngineError> {
        Ok(self.answer(images))
    }
}

impl Differentiable for Turns {
    fn pass(&self, images: &Tensor) -> Result<Pass, EngineError> {
        let images = images.detach().set_requires_grad(true);
        let logits = self.answer(&images);
        Ok(Pass::new(images, logits))
    }

    fn form(&self, view: View) -> Result<Option<Box<dyn Differentiable>>, EngineError> {
        Ok((view == View::Folded).then(|| Box::new(*self) as Box<dyn Differentiable>))
    }
}

/// A majority of models, as attacks look at another form of it or at the vote itself.
fn majority(members: &[Turns], view: View) -> Model {
    let members = members.iter().map(|member| Box::new(*member) as Box<_>).collect();
    let mut model = Model::plain("model", Box::new(Ensemble::new(Vote::Majority, members)));
    model.look_at(view).unwrap();
    model
}

/// Grey images, all of class 0.
fn grey(n: usize) -> Images {
    Images::new(&shapes10::SPEC, Split::Test, vec![128; n * 3072], vec![0; n])
}

/// Two members that are easily turned, and one that is not and is surer than both.
const TURNED: [Turns; 3] = [
    Turns { at: 0.01, slope: 20.0 },
    Turns { at: 0.012, slope: 20.0 },
    Turns { at: 0.5, slope: 400.0 },
];

/// Two members that hardly hold, and one that is turned at once and is surer than both.
const OUTSHOUTED: [Turns; 3] = [
    Turns { at: 0.035, slope: 2.0 },
    Turns { at: 0.035, slope: 2.0 },
    Turns { at: 0.001, slope: 4000.0 },
];

const LINF: (Norm, &str) = (Norm::Linf, "0.02");

/// What a mean of probabilities says to images this much brighter.
fn mean_says(members: &[Turns], brighter: f64) -> i64 {
    let members = members.iter().map(|member| Box::new(*member) as Box<_>).collect();
    let mean = Ensemble::new(Vote::Probabilities, members);
    let image = Tensor::full([1, 3, 32, 32], 128.0 / 255.0 + brighter, CPU);
    mean.logits(&image).unwrap().argmax(1, false).int64_value(&[0])
}

/// Would catch an attack that stands still on vote counts, and one that takes an image for lost only
/// where the mean probability has turned, which here it never does: in another form of the ensemble,
/// at the vote itself, and in the stage that finishes a run.
#[test]
fn gradients_lead_to_where_the_vote_turns() {
    assert_eq!(mean_says(&TURNED, 0.02), 0, "the mean holds in all of the ball");
    let images = grey(6);
    let few = json!({"steps": 20});
    for view in [View::Folded, View::Reference] {
        let model = majority(&TURNED, view);
        for (attack, scope) in [
            ("pgd", Scope::Survivors),
            ("apgd-ce", Scope::Survivors),
            ("apgd-t", Scope::Survivors),
            ("apgd-t", Scope::Closest),
        ] {
            let stage = stage(attack, few.clone(), LINF, scope, 6);
            let found = run(&plan(&images, vec![stage], 1), &model, &images);
            let outcomes = &found.attacks[0].outcomes;
            assert_eq!(outcomes.len(), 6, "{attack} {view:?}");
            for outcome in outcomes {
                assert!(outcome.right <= 0.0 && outcome.predicted == 1, "{attack}: {outcome:?}");
                // Two votes against one, and what the mean adds.
                assert!((-1.0..-0.5).contains(&outcome.margin), "{attack}: {outcome:?}");
                assert!(outcome.step < 20, "{attack}: not only the last iterate: {outcome:?}");
            }
        }
    }
}

/// Would catch an image that is counted as lost because the mean probability has turned, though most
/// members still hold.
#[test]
fn only_the_vote_loses_an_image() {
    assert_eq!(mean_says(&OUTSHOUTED, 0.02), 1, "the mean turns");
    let images = grey(6);
    let model = majority(&OUTSHOUTED, View::Folded);
    let stages = vec![
        stage("apgd-ce", json!({"steps": 12}), LINF, Scope::Survivors, 6),
        stage("square", json!({"queries": 60}), LINF, Scope::Survivors, 6),
        stage("apgd-t", json!({"steps": 12}), LINF, Scope::Closest, 6),
    ];
    let found = run(&plan(&images, stages, 1), &model, &images);
    for Attacked { record, outcomes, .. } in &found.attacks {
        assert!(outcomes.iter().all(|o| o.right > 0.5), "{}: {outcomes:?}", record.id);
    }
    // What came closest has turned the one member.
    let closest = found.attacks[0].outcomes.iter().map(|outcome| outcome.margin);
    assert!(closest.clone().all(|margin| margin < 1.5), "{:?}", closest.collect::<Vec<_>>());
}

/// Would catch an attack without gradients that is shown the mean probability: it turns the vote
/// without it.
#[test]
fn square_sees_the_vote() {
    let images = grey(4);
    let model = majority(&TURNED, View::Folded);
    let stage = stage("square", json!({"queries": 400}), LINF, Scope::Survivors, 4);
    let found = run(&plan(&images, vec![stage], 1), &model, &images);
    assert!(found.attacks[0].outcomes.iter().all(|outcome| outcome.right <= 0.0));
}
