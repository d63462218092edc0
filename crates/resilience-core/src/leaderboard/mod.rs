//! Where a result stands: robust accuracies that others have published, and the place of ours among
//! them.
//!
//! The claims are files, `leaderboard/<dataset>/<threat>/<id>.toml`, built into the program.
//! [`published`] reads them, [`boards`] selects, groups and ranks them, [`place`] finds where a result
//! would stand, and [`effort`] says whether it was attacked as the published ones were.

mod board;
mod claim;
mod effort;
mod error;
mod filter;
mod percent;
mod place;
mod read;

pub use self::board::{Board, Row};
pub use self::claim::{Claim, ThreatModel};
pub use self::effort::{Effort, Ran, effort};
pub use self::error::LeaderboardError;
pub use self::filter::{Filter, boards};
pub use self::percent::Percent;
pub use self::place::{Neighbour, Place, Target, place};
pub use self::read::{parse, published};

/// Radii that differ by no more than this share count as the same. Some networks were made and attacked
/// at 0.031 instead of 8/255, and stand in the same table of `RobustBench`.
const NEAR: f64 = 0.02;

/// Whether two radii count as the same.
fn near(a: f64, b: f64) -> bool {
    (a - b).abs() <= NEAR * a.max(b)
}
