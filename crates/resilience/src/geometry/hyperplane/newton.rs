//! The shortest ways in Linf and L2, on which all coordinates move at a time.

use crate::host::LANES;

/// How far each coordinate moves on the shortest way that gains `wanted`, written over the room that
/// it has: `min(l v, room)`, where v, a function of the weight's size, is 1 for Linf and the size for
/// L2 (the conditions of Karush, Kuhn and Tucker); all that there is where that is not enough. A
/// coordinate of v = 0 stays.
///
/// What is gained, `sum |w| min(l v, room)`, is piecewise linear and concave in l, so that Newton's
/// method from the left never goes too far: it ends, exactly, in the piece where `wanted` is gained. No
/// sorting is needed, and few rounds are.
pub(super) fn shortest(
    sizes: &[f64],
    speed: impl Fn(f64) -> f64 + Copy,
    wanted: f64,
    way: &mut [f64],
) {
    let l = length(sizes, speed, wanted, way);
    for (way, &size) in way.iter_mut().zip(sizes) {
        // A coordinate that does not move has no way, even of infinite length.
        let speed = speed(size);
        *way = if speed > 0.0 { smaller(l * speed, *way) } else { 0.0 };
    }
}

/// The length at which `wanted` is gained, with so much room; infinite where that is nowhere.
fn length(sizes: &[f64], speed: impl Fn(f64) -> f64 + Copy, wanted: f64, room: &[f64]) -> f64 {
    let mut l = 0.0;
    loop {
        let (gained, slope) = gained(sizes, speed, room, l);
        let missing = wanted - gained;
        // Of a gradient that is no number nothing can be gained; it would never be enough.
        if missing <= 0.0 || missing.is_nan() {
            return l;
        }
        if slope <= 0.0 {
            return f64::INFINITY;
        }
        let next = l + missing / slope;
        // No float lies between: as near as can be.
        if next <= l {
            return l;
        }
        l = next;
    }
}

/// What is gained at length `l`, and how fast it grows there.
fn gained(sizes: &[f64], speed: impl Fn(f64) -> f64, room: &[f64], l: f64) -> (f64, f64) {
    let (mut gained, mut slope) = ([0.0; LANES], [0.0; LANES]);
    let [sizes, rooms] = [sizes, room].map(|numbers| numbers.as_chunks::<LANES>().0);
    for (sizes, rooms) in sizes.iter().zip(rooms) {
        let sums = gained.iter_mut().zip(&mut slope);
        for ((gained, slope), (&size, &room)) in sums.zip(sizes.iter().zip(rooms)) {
            let speed = speed(size);
            let way = l * speed;
            *gained += size * smaller(way, room);
            *slope += if way < room { size * speed } else { 0.0 };
        }
    }
    (gained.into_iter().sum(), slope.into_iter().sum())
}

/// The smaller one; the second where one is no number.
fn smaller(a: f64, b: f64) -> f64 {
    if a < b { a } else { b }
}
