//! Fast adversarial training: one step from a random start.
//!
//! Source: Wong et al. 2020, Fast is better than free. Loss: `CE(f(x'), y)` with
//! `x' = project(x0 + step_size eps d)`, x0 uniform in the ball around x and d the direction in which
//! `CE(f(x0), y)` grows fastest.
//!
//! | setting | default | range |
//! |---|---|---|
//! | `step_size` | 1.25 of eps | above 0 .. 10 |
//! | `batch_norm` | batch | batch, stored |
//!
//! The guard of the reference (stop where PGD on the first training batch finds a fifth more than an
//! epoch before) is the loop's here: it looks at held-out images, and the best epoch is kept.

use resilience_core::threat::Norm;

use super::inner::{self, FromUniformStart};
use super::{Others, RecipeSpec};

pub(super) static SPEC: RecipeSpec = RecipeSpec {
    id: "fast-at",
    title: "Fast adversarial training",
    source: "Wong et al. 2020, Fast is better than free: Revisiting adversarial training",
    about: "Minimises the cross-entropy of images attacked by a single step from a random start: \
            nearly as cheap as FGSM. Its weak point is catastrophic overfitting: within an epoch the \
            network can learn to defeat the single step and loses all robustness to several. The \
            loop watches for that on held-out images and stops (guard), keeping the best epoch.",
    norms: &[Norm::Linf, Norm::L2],
    settings: &[inner::step_size(1.25), inner::BATCH],
    others: Others::None,
    guarded: true,
    make: |ingredients| Ok(Box::new(FromUniformStart::new(&ingredients, 1))),
};
