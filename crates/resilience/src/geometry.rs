//! A threat's geometry on tensors of images. With the core's `threat.rs` the only place that
//! matches on the norm.

mod back;
mod boundary;
mod direction;
mod hyperplane;
mod measure;
mod nearest;
mod projection;
mod sparse;
mod start;
mod step;
mod window;

use resilience_core::threat::Norm;

pub use self::back::{drawn_back, shortened};
pub use self::boundary::{finest_share, part_way};
pub use self::direction::{steepest_direction, steepest_step};
pub use self::hyperplane::{Approach, approach};
pub use self::measure::{changed, distance, dual_length, in_box, length, reach};
pub use self::projection::{project, project_each};
pub use self::sparse::{SparseStep, ascend_sparsely, inwards, kept};
pub use self::start::{
    Fill, at_radius, border_start, fill, gaussian_deviation, noise, normal, uniform_in_ball,
};
pub use self::step::{Momentum, ascend, ascend_with_momentum, projected_step};
pub use self::window::{fall_off, fitted, length_over, refilled};

/// How far the arithmetic of f32 may carry an image out of its ball.
pub const TOLERANCE: f64 = 1e-6;

/// Keeps divisions by a length of 0 finite, as the reference implementations do.
const TINY: f64 = 1e-12;

/// A radius within which every image of so many numbers can be turned into every other.
#[must_use]
pub fn reaches_all(norm: Norm, numbers: i64) -> f64 {
    match norm {
        Norm::Linf => 1.0,
        Norm::L2 => (numbers as f64).sqrt(),
        Norm::L1 => numbers as f64,
    }
}

/// Whether the ball limits every number of an image by itself, so that windows of pixels can be
/// set to its border independently.
#[must_use]
pub const fn limits_each_pixel(norm: Norm) -> bool {
    matches!(norm, Norm::Linf)
}

/// Whether the steepest direction changes so few numbers of an image that steps along it get nowhere,
/// and those along a few more of the largest ([`ascend_sparsely`]) take its place.
#[must_use]
pub const fn moves_sparsely(norm: Norm) -> bool {
    matches!(norm, Norm::L1)
}
