//! Distances of nearest adversarial examples.

use crate::summary::{Bin, Correct, CurvePoint, DistanceSummary, NearestSummary};
use crate::threat::Norm;

/// Half of 360 right images lie within this median; of ten nothing was found.
pub fn distances(median: f64) -> DistanceSummary {
    let attack = |stage, id: &str, times: f64, nearest| NearestSummary {
        stage,
        id: id.to_owned(),
        settings: serde_json::json!({"steps": 100}),
        found: 350,
        median: Some(median * times),
        nearest,
        passes: 40_000,
        seconds: 12.0,
    };
    let range = |part: u32| median * f64::from(part) / 5.0;
    DistanceSummary {
        norm: Norm::Linf,
        clean: Correct::of(360, 400),
        right: 360,
        found: 350,
        quartiles: [Some(median * 0.5), Some(median), Some(median * 1.5)],
        attacks: vec![attack(2, "fmn", 1.0, 300), attack(3, "fab-t", 1.1, 50)],
        points: (1..=10)
            .map(|part| CurvePoint {
                eps: range(part),
                adversarial: Correct::of(360 - 35 * u64::from(part), 400),
            })
            .collect(),
        bins: (0..10)
            .map(|part| Bin { low: range(part), high: range(part + 1), images: 34 })
            .collect(),
        beyond: 10,
    }
}
