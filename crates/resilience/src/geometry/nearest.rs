//! Points of an L1 ball inside the box.

use tch::{Kind, Tensor};

use super::measure::larger;
use crate::error::EngineError;
use crate::host::{self, LANES, Number};

/// The nearest points, in the Euclidean sense, that lie both within `eps` of their origin in L1 and in
/// [0, 1]: all of `[n,c,h,w]`. Exact, computed in f64 row by row on the host, on all threads, and
/// rounded towards the origins, so that no point leaves its ball.
pub fn nearest(images: &Tensor, origins: &Tensor, eps: f64) -> Result<Tensor, EngineError> {
    nearest_each(images, origins, &vec![eps; images.size()[0] as usize])
}

/// The same with a radius for each row.
pub fn nearest_each(
    images: &Tensor,
    origins: &Tensor,
    radii: &[f64],
) -> Result<Tensor, EngineError> {
    if images.kind() == Kind::Double {
        return nearest_of::<f64>(images, origins, radii);
    }
    nearest_of::<f32>(images, origins, radii)
}

fn nearest_of<T: Number>(
    images: &Tensor,
    origins: &Tensor,
    radii: &[f64],
) -> Result<Tensor, EngineError> {
    let images = [images, origins];
    host::by_rows(images, |row: &mut Change, number, [images, origins]: [&[T]; 2], points| {
        row.read(origins, images.iter().zip(origins).map(|(&x, &x0)| x.into() - x0.into()));
        row.write(radii[number], origins, points);
    })
}

/// The points that lie so far from their origins, in L1, in the direction of `ways`, cut off at the
/// box.
pub fn along(origins: &Tensor, ways: &Tensor, lengths: &[f64]) -> Result<Tensor, EngineError> {
    if origins.kind() == Kind::Double {
        return along_of::<f64>(origins, ways, lengths);
    }
    along_of::<f32>(origins, ways, lengths)
}

fn along_of<T: Number>(
    origins: &Tensor,
    ways: &Tensor,
    lengths: &[f64],
) -> Result<Tensor, EngineError> {
    host::by_rows([origins, ways], |(), row, [origins, way]: [&[T]; 2], points| {
        let whole: f64 =
            host::in_lanes([way], |sum, [way]| sum + way.into().abs()).into_iter().sum();
        let scale = lengths[row] / (whole + super::TINY);
        for (point, (&origin, &way)) in points.iter_mut().zip(origins.iter().zip(way)) {
            let end: f64 = origin.into() + scale * way.into();
            *point = T::inwards(end.clamp(0.0, 1.0), origin);
        }
    })
}

/// A change of an image, and what its nearest change in ball and box is. Vectors are filled up with
/// zeros to whole lanes.
///
/// With so much `room` for each number in the direction of its change, the nearest change is
/// `min(max(|change| - t, 0), room)` with the sign of the change, where t is 0 if that is short enough
/// and else such that its length is eps (the conditions of Karush, Kuhn and Tucker). The length falls
/// with t, and is piecewise linear; Newton's method finds the piece and ends in it exactly. Where a
/// step of it would leave the bracket that holds t, or the one before did not halve that, the bracket
/// is halved instead.
#[derive(Default)]
pub(super) struct Change {
    size: Vec<f64>,
    room: Vec<f64>,
    positive: Vec<bool>,
}

impl Change {
    /// Takes the changes of an image whose origin is `origins`.
    pub(super) fn read<T: Number>(&mut self, origins: &[T], changes: impl Iterator<Item = f64>) {
        self.size.clear();
        self.room.clear();
        self.positive.clear();
        for (change, &origin) in changes.zip(origins) {
            let (positive, origin): (bool, f64) = (change > 0.0, origin.into());
            self.positive.push(positive);
            // What is no number, or infinite, is no change.
            self.size.push(if change.is_finite() { change.abs() } else { 0.0 });
            self.room.push(if positive { 1.0 - origin } else { origin });
        }
        let whole = self.size.len().next_multiple_of(LANES);
        self.size.resize(whole, 0.0);
        self.room.resize(whole, 0.0);
    }

    /// The origins with the nearest change of length `eps` or less.
    pub(super) fn write<T: Number>(&self, eps: f64, origins: &[T], points: &mut [T]) {
        let threshold = self.threshold(eps);
        let changes = self.size.iter().zip(&self.room).zip(&self.positive);
        for (point, (&origin, ((&size, &room), &positive))) in
            points.iter_mut().zip(origins.iter().zip(changes))
        {
            let way = within(size - threshold, room);
            let end = if positive { origin.into() + way } else { origin.into() - way };
            *point = T::inwards(end.clamp(0.0, 1.0), origin);
        }
    }

    /// What has to be taken off each change so that `eps` is left of all.
    fn threshold(&self, eps: f64) -> f64 {
        let (mut low, mut high) = (0.0, self.size.iter().copied().fold(0.0, larger));
        let (mut t, mut width) = (0.0, f64::INFINITY);
        loop {
            let (length, falling) = self.length(t);
            let excess = length - eps;
            if t <= 0.0 && excess <= 0.0 {
                return 0.0;
            }
            let newton = t + excess / falling;
            // In the right piece the step is exact.
            if excess.abs() <= eps * ROUNDING {
                return if newton.is_finite() { newton } else { t };
            }
            if excess > 0.0 {
                low = t;
            } else {
                high = t;
            }
            let halved = high - low <= 0.5 * width;
            width = high - low;
            let within = low < newton && newton < high;
            t = if halved && within { newton } else { f64::midpoint(low, high) };
            // No float lies between: as near as can be, and within the ball.
            if t <= low || t >= high {
                return high;
            }
        }
    }

    /// The length that is left at threshold t, and how many changes get smaller as it grows.
    fn length(&self, t: f64) -> (f64, f64) {
        let (mut length, mut falling) = ([0.0; LANES], [0.0; LANES]);
        let [sizes, rooms] = [&self.size, &self.room].map(|all| all.as_chunks::<LANES>().0);
        for (sizes, rooms) in sizes.iter().zip(rooms) {
            let sums = length.iter_mut().zip(&mut falling);
            for ((length, falling), (size, &room)) in sums.zip(sizes.iter().zip(rooms)) {
                let left = size - t;
                *length += within(left, room);
                *falling += if left > 0.0 && left <= room { 1.0 } else { 0.0 };
            }
        }
        (length.into_iter().sum(), falling.into_iter().sum())
    }
}

/// Of eps, what the length may be off: rounding, with room for one more exact step.
const ROUNDING: f64 = 1e-11;

/// A length cut off at 0 and at the room.
fn within(length: f64, room: f64) -> f64 {
    let longest = if length < room { length } else { room };
    if longest > 0.0 { longest } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tch::Device;

    const SHAPE: [i64; 4] = [7, 3, 4, 5];

    fn wave(speed: f64) -> Tensor {
        let line = Tensor::arange(SHAPE.iter().product::<i64>(), (Kind::Double, Device::Cpu));
        (line * speed).sin().view(SHAPE)
    }

    /// Images in the box, some of their numbers at its border, and points in and out of it. The rows
    /// lie the farther away the later they come; the first lies in its ball already.
    fn problem() -> (Tensor, Tensor) {
        let origins = (wave(0.7) * 0.7 + 0.5).clamp(0.0, 1.0);
        let far = (Tensor::arange(SHAPE[0], (Kind::Double, Device::Cpu)) - 4.0).exp();
        let points = &origins + wave(1.9) * wave(0.3).square() * far.view([-1, 1, 1, 1]);
        (origins, points)
    }

    fn row(tensor: &Tensor, row: i64) -> Vec<f64> {
        Vec::try_from(tensor.get(row).contiguous().view([-1]).to_kind(Kind::Double)).unwrap()
    }

    /// The most that a linear function grows in the ball inside the box, from its centre: numbers move
    /// to the wall in the order of their weights, until the length is used up.
    fn highest(weights: &[f64], origin: &[f64], eps: f64) -> f64 {
        let mut order: Vec<usize> = (0..weights.len()).collect();
        order.sort_by(|&a, &b| weights[b].abs().total_cmp(&weights[a].abs()));
        let (mut left, mut height) = (eps, 0.0);
        for place in order {
            let room = if weights[place] > 0.0 { 1.0 - origin[place] } else { origin[place] };
            let way = room.min(left);
            left -= way;
            height += way * weights[place].abs();
        }
        height
    }

    /// Would catch a point that is not the nearest: it lies in ball and box, and no point of them lies
    /// farther along the way from it to the one that was projected.
    #[test]
    fn no_point_of_ball_and_box_is_nearer() {
        let (origins, points) = problem();
        for eps in [1e-3, 0.05, 0.4, 3.0, 9.0] {
            let found = nearest(&points, &origins, eps).unwrap();
            for number in 0..SHAPE[0] {
                let [origin, point, found] = [&origins, &points, &found].map(|t| row(t, number));
                let length: f64 = found.iter().zip(&origin).map(|(x, x0)| (x - x0).abs()).sum();
                assert!(length <= eps * (1.0 + 1e-12), "{length} of {eps}");
                assert!(found.iter().all(|x| (0.0..=1.0).contains(x)));
                let way: Vec<f64> = point.iter().zip(&found).map(|(y, x)| y - x).collect();
                let here = way.iter().zip(found.iter().zip(&origin));
                let here: f64 = here.map(|(w, (x, x0))| w * (x - x0)).sum();
                let most = highest(&way, &origin, eps);
                assert!(most - here <= 1e-10, "row {number}, eps {eps}: {most} and {here}");
            }
        }
    }

    /// Would catch a point that is moved although it need not be, and numbers that do not come to rest
    /// at the origin's, to the bit, where nothing of their change is left.
    #[test]
    fn what_is_inside_stays_and_small_changes_vanish() {
        let (origins, points) = problem();
        let boxed = points.clamp(0.0, 1.0);
        let found = nearest(&points, &origins, 1e3).unwrap();
        assert!((found - &boxed).abs().max().double_value(&[]) < 1e-15);
        let found = nearest(&points, &origins, 0.01).unwrap();
        let moved = super::super::changed(&found, &origins).unwrap();
        assert!(moved.get(SHAPE[0] - 1).double_value(&[]) < 10.0);
    }

    /// Would catch arithmetic in f32 that carries points of many pixels out of their ball, however
    /// little: all of them move by as good as nothing.
    #[test]
    fn points_in_f32_stay_in_their_ball() {
        let line = Tensor::arange(2 * 3 * 64 * 64, (Kind::Double, Device::Cpu));
        let origins = ((&line * 0.7).sin() * 0.5 + 0.5).to_kind(Kind::Float).view([2, 3, 64, 64]);
        let ways = (&line * 1.3).cos().sign().to_kind(Kind::Float).view([2, 3, 64, 64]);
        for eps in [0.01, 1.0, 20.0] {
            let dense: Tensor = &origins + &ways * 0.1;
            for found in [
                nearest(&dense, &origins, eps).unwrap(),
                along(&origins, &ways, &[eps, eps]).unwrap(),
            ] {
                let lengths =
                    super::super::distance(resilience_core::threat::Norm::L1, &found, &origins);
                let lengths = Vec::<f64>::try_from(lengths.unwrap()).unwrap();
                assert!(lengths.iter().all(|&length| length <= eps), "{eps}: {lengths:?}");
                assert!(lengths.iter().all(|&length| length >= 0.8 * eps), "{eps}: {lengths:?}");
            }
        }
    }

    /// Would catch a search that never ends where numbers are none.
    #[test]
    fn what_is_no_number_ends_too() {
        let origins = Tensor::from_slice(&[0.5, 0.5, 0.5, 0.5]).view([1, 1, 2, 2]);
        let images = Tensor::from_slice(&[f64::NAN, f64::INFINITY, 0.9, 0.1]).view([1, 1, 2, 2]);
        let found = row(&nearest(&images, &origins, 0.2).unwrap(), 0);
        for (found, expected) in found.iter().zip([0.5, 0.5, 0.6, 0.4]) {
            assert!((found - expected).abs() < 1e-12, "{found}");
        }
    }
}
