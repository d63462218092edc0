//! The shortest way to a hyperplane inside the box.

use rayon::prelude::{IndexedParallelIterator, ParallelIterator, ParallelSliceMut};
use resilience_core::threat::Norm;
use tch::{Kind, Tensor};

use crate::error::EngineError;
use crate::threads;

/// The smallest change, in `norm`, that brings each point to the hyperplane `<w, x> = <w, point> -
/// excess` without leaving [0, 1]; where the box does not reach that far, the change that comes
/// nearest to it. `points` and `w` are `[n,d]`, `excess` is `[n]`; the change is `[n,d]`, computed
/// in f64.
///
/// Every coordinate moves by `min(l v, room)` in the direction in which the excess falls, where
/// `room` is what the box leaves there and v is 1 for Linf and `|w|` for L2 (the conditions of
/// Karush, Kuhn and Tucker). What is gained, `sum |w| min(l v, room)`, is piecewise linear and
/// concave in l, so that Newton's method from the left never goes too far: it ends, exactly, in the
/// piece where `|excess|` is gained. No sorting is needed, and few rounds are.
///
/// The hyperplane of a scaled `w` and `excess` is the same, so that both are scaled to a largest
/// weight of 1 first: gradients of saturated networks are tiny, but their direction is not.
pub fn to_hyperplane(
    norm: Norm,
    points: &Tensor,
    w: &Tensor,
    excess: &Tensor,
) -> Result<Tensor, EngineError> {
    let speed: fn(f64) -> f64 = match norm {
        Norm::Linf => |_| 1.0,
        Norm::L2 => |weight| weight,
        Norm::L1 => return Err(super::no_l1("projection onto a hyperplane")),
    };
    let shape = w.size();
    let width = shape[1] as usize;
    let (points, weights, excess) = (values(points)?, values(w)?, values(excess)?);
    let mut change = vec![0.0; weights.len()];
    threads::shared(|| {
        let rows = change.par_chunks_mut(width.max(1)).zip(excess).enumerate();
        rows.for_each_init(Row::default, |row, (number, (change, excess))| {
            let here = number * width..(number + 1) * width;
            row.read(&points[here.clone()], &weights[here], excess, speed);
            row.write(change);
        });
    });
    let change = Tensor::f_from_slice(&change)?.f_view(shape.as_slice())?;
    Ok(change.f_to_device(w.device())?.f_to_kind(w.kind())?)
}

fn values(tensor: &Tensor) -> Result<Vec<f64>, EngineError> {
    Ok(Vec::try_from(tensor.f_to_kind(Kind::Double)?.f_contiguous()?.f_view([-1])?)?)
}

/// One point with its hyperplane.
#[derive(Default)]
struct Row {
    /// Weights without their signs, the largest being 1.
    size: Vec<f64>,
    /// How fast each coordinate moves.
    speed: Vec<f64>,
    /// How far each coordinate can move.
    room: Vec<f64>,
    /// Where to: 1, -1, or 0 where the weight is 0.
    direction: Vec<f64>,
    /// What has to be gained.
    wanted: f64,
}

impl Row {
    fn read(&mut self, points: &[f64], weights: &[f64], excess: f64, speed: fn(f64) -> f64) {
        let largest = weights.iter().fold(0.0_f64, |largest, w| largest.max(w.abs()));
        let scale = if largest > 0.0 { 1.0 / largest } else { 0.0 };
        self.wanted = excess.abs() * scale;
        // Against the weights where the excess is to fall.
        let towards = if excess >= 0.0 { -scale } else { scale };
        self.size.clear();
        self.size.extend(weights.iter().map(|w| w.abs() * scale));
        self.speed.clear();
        self.speed.extend(self.size.iter().map(|&size| speed(size)));
        self.direction.clear();
        self.direction.extend(weights.iter().map(|w| {
            let to = w * towards;
            if to > 0.0 {
                1.0
            } else if to < 0.0 {
                -1.0
            } else {
                0.0
            }
        }));
        self.room.clear();
        self.room.extend(
            points.iter().zip(&self.direction).map(|(x, to)| if *to > 0.0 { 1.0 - x } else { *x }),
        );
    }

    /// What is gained at length `l`, and how fast it grows there.
    fn gained(&self, l: f64) -> (f64, f64) {
        let (mut gained, mut slope) = (0.0, 0.0);
        for ((size, speed), room) in self.size.iter().zip(&self.speed).zip(&self.room) {
            let way = l * speed;
            gained += size * way.min(*room);
            slope += if way < *room { size * speed } else { 0.0 };
        }
        (gained, slope)
    }

    /// The length at which enough is gained; infinite where that is nowhere.
    fn length(&self) -> f64 {
        let mut l = 0.0;
        loop {
            let (gained, slope) = self.gained(l);
            let missing = self.wanted - gained;
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

    fn write(&self, change: &mut [f64]) {
        let l = self.length();
        let ways = self.speed.iter().zip(&self.room).zip(&self.direction);
        for (change, ((speed, room), direction)) in change.iter_mut().zip(ways) {
            // A coordinate that does not move has no way, even of infinite length.
            let way = if *speed > 0.0 { (l * speed).min(*room) } else { 0.0 };
            *change = way * direction;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(values: &[f64], width: i64) -> Tensor {
        Tensor::from_slice(values).view([-1, width])
    }

    fn values(tensor: &Tensor) -> Vec<f64> {
        Vec::try_from(tensor.contiguous().view([-1])).unwrap()
    }

    /// Would catch a wrong way in cases that can be done by head: free, at the wall, unreachable,
    /// already there, and a weight of 0.
    #[test]
    fn simple_planes_are_reached_by_the_shortest_way() {
        let points = rows(&[0.5, 0.5, 0.5, 0.9, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5], 2);
        let w = rows(&[3.0, 4.0, 1.0, -1.0, 1.0, 1.0, 1.0, 1.0, 0.0, 2.0], 2);
        let excess = Tensor::from_slice(&[0.5, 0.5, -9.0, 0.0, 0.4]);
        let linf = values(&to_hyperplane(Norm::Linf, &points, &w, &excess).unwrap());
        let d = 0.5 / 7.0;
        // In the second row x1 may rise by 0.1 only, so that x0 falls by 0.4.
        let expected = [-d, -d, -0.4, 0.1, 0.5, 0.5, 0.0, 0.0, 0.0, -0.2];
        for (a, b) in linf.iter().zip(expected) {
            assert!((a - b).abs() < 1e-12, "{linf:?}");
        }
        let l2 = values(&to_hyperplane(Norm::L2, &points, &w, &excess).unwrap());
        let expected = [-0.06, -0.08, -0.4, 0.1, 0.5, 0.5, 0.0, 0.0, 0.0, -0.2];
        for (a, b) in l2.iter().zip(expected) {
            assert!((a - b).abs() < 1e-12, "{l2:?}");
        }
    }

    /// Would catch a change that misses the plane, leaves the box, or depends on the scale of w.
    #[test]
    fn the_plane_is_met_inside_the_box_at_any_scale() {
        let numbers = Tensor::arange(60 * 12, (Kind::Double, tch::Device::Cpu));
        let points = ((&numbers * 1.7).sin() * 0.5 + 0.5).view([60, 12]);
        let w = (&numbers * 0.37 + 0.1).cos().view([60, 12]);
        let excess = Tensor::linspace(-1.0, 1.0, 60, (Kind::Double, tch::Device::Cpu));
        for norm in [Norm::Linf, Norm::L2] {
            let change = to_hyperplane(norm, &points, &w, &excess).unwrap();
            let moved = &points + &change;
            assert!(moved.min().double_value(&[]) >= 0.0 && moved.max().double_value(&[]) <= 1.0);
            let gained = -(&change * &w).sum_dim_intlist([1].as_slice(), false, Kind::Double);
            let apart = (gained - &excess).abs().max().double_value(&[]);
            assert!(apart < 1e-12, "{norm}: {apart}");
            let tiny = to_hyperplane(norm, &points, &(&w * 1e-20), &(&excess * 1e-20)).unwrap();
            assert!((tiny - change).abs().max().double_value(&[]) < 1e-12, "{norm}");
        }
    }

    /// Would catch a search that never ends where a network's logits or gradients are no numbers.
    #[test]
    fn what_is_no_number_ends_too() {
        let points = rows(&[0.5; 8], 2);
        let nan = f64::NAN;
        let w = rows(&[nan, 1.0, 1.0, 2.0, nan, nan, f64::INFINITY, 1.0], 2);
        let excess = Tensor::from_slice(&[0.1, nan, 0.1, 0.1]);
        for norm in [Norm::Linf, Norm::L2] {
            let change = values(&to_hyperplane(norm, &points, &w, &excess).unwrap());
            assert_eq!(change.len(), 8, "{norm}: {change:?}");
        }
    }
}
