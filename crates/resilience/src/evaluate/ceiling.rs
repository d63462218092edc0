//! What the machine can do: the rate of libtorch's matrix products, the yardstick for everything that
//! consists of products.

use resilience_core::context::Clock;
use tch::Kind;

use super::probe::product_seconds;
use crate::error::EngineError;

/// Sides of the matrices: a large product hides what a call costs, a small one stays in the caches
/// and is cheap where a machine is slow.
const SIDES: [i64; 4] = [192, 512, 1024, 2048];
/// How often each side is tried, the best of several products a time.
const TRIALS: usize = 3;
/// Seconds that one product in bf16 may take, at the best rate so far. On a machine without
/// instructions for it the large ones would take minutes, and be no faster.
const BUDGET: f64 = 0.2;

/// The best square product of a precision.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Ceiling {
    /// 10^9 operations a second, two for each multiplication.
    pub gflops: f64,
    /// Rows and columns of the matrices.
    pub side: i64,
}

/// The ceilings in f32 and in bf16.
pub fn ceilings(clock: &dyn Clock) -> Result<[Ceiling; 2], EngineError> {
    Ok([ceiling(clock, Kind::Float, f64::INFINITY)?, ceiling(clock, Kind::BFloat16, BUDGET)?])
}

/// Tries one side after the other, until a product would take longer than `budget` seconds.
fn ceiling(clock: &dyn Clock, kind: Kind, budget: f64) -> Result<Ceiling, EngineError> {
    let mut best = Ceiling { gflops: 0.0, side: 0 };
    for side in SIDES {
        let gflop = 2.0 * (side as f64).powi(3) / 1e9;
        if best.side > 0 && gflop / best.gflops > budget {
            break;
        }
        for _ in 0..TRIALS {
            let gflops = gflop / product_seconds(clock, kind, side)?;
            if gflops > best.gflops {
                best = Ceiling { gflops, side };
            }
        }
    }
    Ok(best)
}
