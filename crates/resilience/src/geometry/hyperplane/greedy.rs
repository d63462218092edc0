//! The shortest way in L1, on which coordinates move one after the other.

/// How far each coordinate moves on the shortest way that gains `wanted`, written over the room that
/// it has: those of the largest weights as far as there is room, then one as far as is needed; all that
/// have a weight where that is not enough. Of equal weights the first one goes first.
///
/// The one that is needed in part is found by halving: the half of the coordinates with the larger
/// weights either gains enough, and the others stay, or is used up, and the others go on.
pub(super) fn shortest(sizes: &[f64], wanted: f64, way: &mut [f64], order: &mut Vec<u32>) {
    order.clear();
    order.extend((0..way.len() as u32).filter(|&place| sizes[place as usize] > 0.0));
    for (way, &size) in way.iter_mut().zip(sizes) {
        // A coordinate without weight stays, and so does one whose weight is no number.
        *way = if size > 0.0 { *way } else { 0.0 };
    }
    // Of an excess that is no number nothing is known.
    if wanted.is_nan() {
        way.fill(0.0);
        return;
    }
    let (mut missing, mut left) = (wanted, order.as_mut_slice());
    while !left.is_empty() {
        let middle = left.len() / 2;
        left.select_nth_unstable_by(middle, |&a, &b| {
            sizes[b as usize].total_cmp(&sizes[a as usize]).then(a.cmp(&b))
        });
        let (first, rest) = left.split_at_mut(middle + 1);
        let gain = |place: u32| sizes[place as usize] * way[place as usize];
        let before: f64 = first[..middle].iter().map(|&place| gain(place)).sum();
        let last = first[middle];
        if before >= missing {
            for &place in first[middle..].iter().chain(&*rest) {
                way[place as usize] = 0.0;
            }
            left = &mut first[..middle];
        } else if before + gain(last) >= missing {
            for &place in &*rest {
                way[place as usize] = 0.0;
            }
            way[last as usize] = (missing - before) / sizes[last as usize];
            return;
        } else {
            missing -= before + gain(last);
            left = rest;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Would catch a coordinate that moves before one of a larger weight, or too far: against going
    /// through all of them in order, for whatever is to be gained.
    #[test]
    fn larger_weights_go_first() {
        let sizes: Vec<f64> = (0..40).map(|i| (f64::from(i) * 1.3).sin().abs()).collect();
        let sizes: Vec<f64> =
            sizes.iter().enumerate().map(|(i, &s)| if i % 7 == 3 { 0.0 } else { s }).collect();
        let room: Vec<f64> = (0..40).map(|i| (f64::from(i) * 0.7).cos().max(0.0)).collect();
        let mut order: Vec<usize> = (0..40).filter(|&place| sizes[place] > 0.0).collect();
        order.sort_by(|&a, &b| sizes[b].total_cmp(&sizes[a]));
        let all: f64 = order.iter().map(|&place| sizes[place] * room[place]).sum();
        for share in [0.0, 1e-6, 0.2, 0.5, 0.9, 1.0, 2.0] {
            let mut missing = share * all;
            let mut expected = vec![0.0; 40];
            for &place in &order {
                expected[place] = room[place].min(missing / sizes[place]);
                missing -= expected[place] * sizes[place];
            }
            let mut found = room.clone();
            shortest(&sizes, share * all, &mut found, &mut Vec::new());
            for (found, expected) in found.iter().zip(&expected) {
                assert!((found - expected).abs() < 1e-12, "{share}: {found}, not {expected}");
            }
        }
    }
}
