//! What every recipe promises: its settings, its norms, and where its attack may go.

use std::rc::Rc;

use resilience::EngineError;
use resilience::batch::Batch;
use resilience::geometry;
use resilience::model::{Differentiable, Learner, Native};
use resilience::recipe::{Ingredients, Keyed, Others, RECIPES, Recipe, RecipeSpec, Step};
use resilience::settings::Range;
use resilience_core::threat::{Norm, Threat};
use tch::Tensor;

use super::threat;

fn network(seed: u64) -> Native {
    Native::initial("resilience-cnn", seed, [0.0; 3], [1.0; 3]).unwrap()
}

fn planned(
    spec: &'static RecipeSpec,
    threat: Threat,
    given: &[(String, String)],
) -> Result<Box<dyn Recipe>, EngineError> {
    let others = match spec.others {
        Others::None => Vec::new(),
        Others::Teacher | Others::Sources => vec![Rc::new(network(1)) as Rc<dyn Differentiable>],
    };
    spec.plan(Ingredients { threat, settings: &spec.resolve(given).unwrap(), others })
}

/// Would catch a norm that a recipe claims or denies wrongly, and a setting that it reads under another
/// name or kind (it panics), or whose default is outside its own range.
#[test]
fn every_norm_and_setting_is_as_it_is_listed() {
    for spec in RECIPES {
        for norm in Norm::ALL {
            let known = spec.norms.is_empty() || spec.norms.contains(&norm);
            assert_eq!(
                planned(spec, threat(norm, "0.1"), &[]).is_ok(),
                known,
                "{} {norm}",
                spec.id
            );
        }
        for setting in spec.settings {
            let values = match setting.value {
                Range::Count(default, low, high) => [default, low, high].map(|v| v.to_string()),
                Range::Real(default, low, high) => [default, low, high].map(|v| v.to_string()),
                Range::Choice(words) => [0, 0, words.len() - 1].map(|at| words[at].to_owned()),
            };
            for value in values {
                let given = [(setting.name.to_owned(), value.clone())];
                let recipe = planned(spec, threat(Norm::Linf, "0.1"), &given);
                assert!(recipe.is_ok(), "{} {} {value}", spec.id, setting.name);
            }
        }
    }
}

/// Would catch an attack that leaves its ball or the box, or that depends on the gradients that it is
/// made for: in L2 and Linf. What `n-fgsm` does not project goes as far as noise and step reach.
#[test]
fn attacked_images_stay_where_they_may() {
    let model = network(0);
    let batch = Batch::random(6, [3, 32, 32], 10).unwrap();
    for spec in RECIPES {
        for (norm, eps) in [(Norm::Linf, "8/255"), (Norm::L2, "0.5")] {
            let allowed = threat(norm, eps);
            let recipe = planned(spec, allowed, &[]).unwrap();
            let attacked = |number| -> Tensor {
                let draws = Keyed::new(0, 1, (0..6).collect());
                let mut learner = Learner::new(&model).unwrap();
                let Batch { images, labels } = &batch;
                let take = |lesson: &resilience::model::Lesson| {
                    let (targets, draws) = (labels, &draws);
                    recipe.attacked(&Step { lesson, images, labels, targets, draws, number })
                };
                learner.learn(take).unwrap()
            };
            for number in 0..2 {
                let what = format!("{} {norm}, step {number}", spec.id);
                let found = attacked(number);
                assert!(found == attacked(number), "{what}: the same again");
                let most = if spec.id == "n-fgsm" { 3.0 } else { 1.0 } * allowed.eps().value();
                for (distance, inside) in geometry::reach(norm, &found, &batch.images).unwrap() {
                    assert!(inside && distance <= most + geometry::TOLERANCE, "{what}: {distance}");
                    let moved = distance > 0.2 * allowed.eps().value();
                    assert_eq!(moved, spec.adversarial(), "{what}: {distance}");
                }
            }
        }
    }
}
