//! Adversarial training with projected gradient descent.
//!
//! Source: Madry et al. 2018, Towards Deep Learning Models Resistant to Adversarial Attacks; the
//! settings are those of Rice et al. 2020 (`robust_overfitting`). Loss: `CE(f(x'), y)`, where x' is
//! uniform in the ball around x, then climbs: `x' <- project(x' + step_size eps d)` with d the
//! direction in which `CE(f(x'), y)` grows fastest.
//!
//! | setting | default | range |
//! |---|---|---|
//! | steps | 10 | 1 .. 1000 |
//! | `step_size` | 0.25 of eps | above 0 .. 10 |
//! | `batch_norm` | batch | batch (as the reference, which attacks in training mode), stored |

use resilience_core::threat::Norm;

use super::inner::{self, FromUniformStart};
use super::{Others, RecipeSpec};

pub(super) static SPEC: RecipeSpec = RecipeSpec {
    id: "pgd-at",
    title: "PGD adversarial training",
    source: "Madry et al. 2018, Towards Deep Learning Models Resistant to Adversarial Attacks; \
             constants of Rice et al. 2020, Overfitting in adversarially robust deep learning",
    about: "Minimises the cross-entropy of images that PGD attacks anew in every step. The defence \
            that has stood longest, at the price of as many passes as the attack has steps. Late in \
            a long training its robustness on new images falls again (robust overfitting), which is \
            why the best epoch on held-out images is kept.",
    norms: &[Norm::Linf, Norm::L2],
    settings: &[inner::STEPS, inner::step_size(0.25), inner::BATCH],
    others: Others::None,
    guarded: false,
    make: |ingredients| {
        let steps = ingredients.settings.count("steps");
        Ok(Box::new(FromUniformStart::new(&ingredients, steps)))
    },
};
