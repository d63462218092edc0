//! What a search along the boundary of a class depends on the norm in.

use resilience_core::threat::Norm;

/// A point on the way from `origin` to `far`, at a share of its length: for Linf `far` with every change
/// cut off at that share of the largest one, else the share of every change.
pub fn part_way(norm: Norm, [origin, far]: [&[f64]; 2], share: f64, point: &mut [f64]) {
    let ends = origin.iter().zip(far);
    match norm {
        Norm::Linf => {
            let most = share * ends.clone().fold(0.0, |most, (x0, x)| (x - x0).abs().max(most));
            for (point, (&origin, &far)) in point.iter_mut().zip(ends) {
                *point = far.clamp(origin - most, origin + most);
            }
        }
        Norm::L2 | Norm::L1 => {
            for (point, (&origin, &far)) in point.iter_mut().zip(ends) {
                *point = (1.0 - share) * origin + share * far;
            }
        }
    }
}

/// How near to the boundary a point of so many numbers has to be so that random directions still feel it that
/// are a share of the distance long in L2: as a share of the distance, in units of theirs (Chen et al. 2020).
#[must_use]
pub fn finest_share(norm: Norm, numbers: usize) -> f64 {
    let d = numbers as f64;
    match norm {
        Norm::Linf => 1.0 / d,
        Norm::L2 | Norm::L1 => 1.0 / d.sqrt(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Would catch a way that leads elsewhere than to its ends, a share that is not that of the distance,
    /// and a way in Linf that is the straight one.
    #[test]
    fn a_point_part_way_is_at_its_share_of_the_distance() {
        let (origin, far) = ([0.5, 0.2, 0.9], [0.9, 0.1, 0.9]);
        let at = |norm, share| {
            let mut point = [0.0; 3];
            part_way(norm, [&origin, &far], share, &mut point);
            point
        };
        let assert_at = |norm, share, expected: [f64; 3]| {
            let found = at(norm, share);
            let apart = found.iter().zip(expected).map(|(a, b)| (a - b).abs());
            assert!(apart.fold(0.0, f64::max) < 1e-12, "{norm}: {found:?}");
        };
        for norm in Norm::ALL {
            assert_at(norm, 0.0, origin);
            assert_at(norm, 1.0, far);
        }
        assert_at(Norm::Linf, 0.25, [0.6, 0.1, 0.9]);
        assert_at(Norm::L2, 0.25, [0.6, 0.175, 0.9]);
    }
}
