//! A step to a hyperplane inside the box.

mod greedy;
mod newton;

use resilience_core::threat::Norm;
use tch::{Kind, Tensor};

use super::measure::larger;
use crate::error::EngineError;
use crate::host::{self, LANES, Number};

/// Where a step to a hyperplane starts, and how it goes.
pub struct Approach<'a> {
    /// The norm that the ways are shortest in.
    pub norm: Norm,
    /// Where the search began, `[n,c,h,w]`.
    pub origins: &'a Tensor,
    /// Where it stands, likewise.
    pub current: &'a Tensor,
    /// Largest weight of the way from the origins.
    pub alpha_max: f64,
    /// How far to go, in ways to the hyperplane.
    pub eta: f64,
}

/// A step to the hyperplanes `excess + <w, . - current> = 0`, where `w` is `[n,c,h,w]` and `excess`
/// is `[n]`. With the shortest ways d and d0 there from a point x and its origin x0, and a =
/// min(`|d| / (|d| + |d0|)`, `alpha_max`): `clip((1 - a)(x + eta d) + a (x0 + eta d0))`, computed in
/// f64, on the host and on all threads.
///
/// The shortest way is the smallest change, in `norm`, that brings a point to the hyperplane without
/// leaving [0, 1]; where the box does not reach that far, the change that comes nearest to it. Every
/// coordinate moves in the direction in which the excess falls: for Linf and L2 all at a time, as far
/// as `newton` says, for L1 one after the other, the one of the largest weight first (`greedy`).
///
/// The hyperplane of a scaled `w` and `excess` is the same, so that both are scaled to a largest
/// weight of 1 first: gradients of saturated networks are tiny, but their direction is not.
pub fn approach(from: &Approach, w: &Tensor, excess: &Tensor) -> Result<Tensor, EngineError> {
    let measure = match from.norm {
        Norm::Linf => &LINF,
        Norm::L2 => &L2,
        Norm::L1 => &L1,
    };
    let excess = Vec::<f64>::try_from(excess.f_to_kind(Kind::Double)?)?;
    if from.current.kind() == Kind::Double {
        return in_rows::<f64>(from, measure, w, &excess);
    }
    in_rows::<f32>(from, measure, w, &excess)
}

fn in_rows<T: Number>(
    from: &Approach,
    measure: &Measure,
    w: &Tensor,
    excess: &[f64],
) -> Result<Tensor, EngineError> {
    let (images, alpha_max, eta) = ([from.current, from.origins, w], from.alpha_max, from.eta);
    host::by_rows(images, |row: &mut Row, number, [x, x0, w]: [&[T]; 3], next| {
        let weights = &mut row.weights;
        weights.read(w);
        let back = |sum, [x, x0, w]: [T; 3]| sum + w.into() * (x0.into() - x.into());
        let back: f64 = host::in_lanes([x, x0, w], back).into_iter().sum();
        let (excess, excess0) = (excess[number], excess[number] + back);
        weights.way(measure, (x, w), excess, &mut row.way);
        weights.way(measure, (x0, w), excess0, &mut row.way0);
        let length = (measure.length)(&row.way).max(SHORT);
        let length0 = (measure.length)(&row.way0).max(SHORT);
        let share = (length / (length + length0)).min(alpha_max);
        let (eta, eta0) = (eta * towards(excess), eta * towards(excess0));
        let starts = x.iter().zip(x0).zip(w);
        let ways = row.way.iter().zip(&row.way0);
        for (next, (((&x, &x0), &w), (way, way0))) in next.iter_mut().zip(starts.zip(ways)) {
            let (x, x0, w): (f64, f64, f64) = (x.into(), x0.into(), w.into());
            let sign = f64::from(u8::from(w > 0.0)) - f64::from(u8::from(w < 0.0));
            let (end, end0) = (x + eta * sign * way, x0 + eta0 * sign * way0);
            *next = T::nearest((end + (end0 - end) * share).clamp(0.0, 1.0));
        }
    })
}

/// No way counts as shorter, so that their share is a number where both are 0.
const SHORT: f64 = 1e-8;

/// Along the weights or against them, so that the excess falls.
const fn towards(excess: f64) -> f64 {
    if excess >= 0.0 { -1.0 } else { 1.0 }
}

/// What depends on the norm, for whole rows.
struct Measure {
    /// How far each coordinate moves, given the sizes of the weights, what is to be gained and, in its
    /// place, the room that the box leaves; the last one is to work in.
    way: fn(&[f64], f64, &mut [f64], &mut Vec<u32>),
    /// The length of a way, given how far each coordinate moves.
    length: fn(&[f64]) -> f64,
}

const LINF: Measure = Measure {
    way: |sizes, wanted, way, _| {
        newton::shortest(sizes, |size| f64::from(u8::from(size > 0.0)), wanted, way);
    },
    length: |way| {
        host::in_lanes([way], |most, [way]| larger(most, way)).into_iter().fold(0.0, larger)
    },
};

const L2: Measure = Measure {
    way: |sizes, wanted, way, _| newton::shortest(sizes, |size| size, wanted, way),
    length: |way| {
        host::in_lanes([way], |sum, [way]| sum + way * way).into_iter().sum::<f64>().sqrt()
    },
};

const L1: Measure = Measure {
    way: greedy::shortest,
    length: |way| host::in_lanes([way], |sum, [way]| sum + way).into_iter().sum(),
};

/// What a thread keeps from row to row.
#[derive(Default)]
struct Row {
    weights: Weights,
    /// How far each coordinate moves from the point.
    way: Vec<f64>,
    /// And from its origin.
    way0: Vec<f64>,
}

/// The weights of a hyperplane. Vectors are filled up with zeros to whole lanes.
#[derive(Default)]
struct Weights {
    /// Without their signs, the largest being 1.
    size: Vec<f64>,
    /// What they were multiplied by.
    scale: f64,
    /// To work in.
    order: Vec<u32>,
}

impl Weights {
    fn read<T: Number>(&mut self, w: &[T]) {
        let most = host::in_lanes([w], |most, [w]| larger(most, w.into().abs()));
        let largest = most.into_iter().fold(0.0, larger);
        self.scale = if largest > 0.0 { 1.0 / largest } else { 0.0 };
        self.size.clear();
        self.size.extend(w.iter().map(|&w| w.into().abs() * self.scale));
        self.size.resize(w.len().next_multiple_of(LANES), 0.0);
    }

    /// How far each coordinate moves from `point`, on the shortest way.
    fn way<T: Number>(
        &mut self,
        measure: &Measure,
        (point, w): (&[T], &[T]),
        excess: f64,
        way: &mut Vec<f64>,
    ) {
        let towards = towards(excess);
        way.clear();
        way.extend(point.iter().zip(w).map(|(&x, &w)| {
            let (x, w): (f64, f64) = (x.into(), w.into());
            if w * towards > 0.0 { 1.0 - x } else { x }
        }));
        way.resize(self.size.len(), 0.0);
        (measure.way)(&self.size, excess.abs() * self.scale, way, &mut self.order);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tch::Device;

    /// Images of one line each.
    fn rows(values: &[f64], width: i64) -> Tensor {
        Tensor::from_slice(values).view([-1, 1, 1, width])
    }

    fn values(tensor: &Tensor) -> Vec<f64> {
        Vec::try_from(tensor.contiguous().view([-1])).unwrap()
    }

    /// The shortest change: a step as far as the plane, which the origin has no part in.
    fn change(norm: Norm, points: &Tensor, w: &Tensor, excess: &Tensor) -> Tensor {
        let from = Approach { norm, origins: points, current: points, alpha_max: 0.0, eta: 1.0 };
        approach(&from, w, excess).unwrap() - points
    }

    /// Would catch a wrong way in cases that can be done by head: free, at the wall, unreachable,
    /// already there, and a weight of 0.
    #[test]
    fn simple_planes_are_reached_by_the_shortest_way() {
        let points = rows(&[0.5, 0.5, 0.5, 0.9, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5], 2);
        let w = rows(&[3.0, 4.0, 1.0, -1.0, 1.0, 1.0, 1.0, 1.0, 0.0, 2.0], 2);
        let excess = Tensor::from_slice(&[0.5, 0.5, -9.0, 0.0, 0.4]);
        let linf = values(&change(Norm::Linf, &points, &w, &excess));
        let d = 0.5 / 7.0;
        // In the second row x1 may rise by 0.1 only, so that x0 falls by 0.4.
        let expected = [-d, -d, -0.4, 0.1, 0.5, 0.5, 0.0, 0.0, 0.0, -0.2];
        for (a, b) in linf.iter().zip(expected) {
            assert!((a - b).abs() < 1e-12, "{linf:?}");
        }
        let l2 = values(&change(Norm::L2, &points, &w, &excess));
        let expected = [-0.06, -0.08, -0.4, 0.1, 0.5, 0.5, 0.0, 0.0, 0.0, -0.2];
        for (a, b) in l2.iter().zip(expected) {
            assert!((a - b).abs() < 1e-12, "{l2:?}");
        }
        let l1 = values(&change(Norm::L1, &points, &w, &excess));
        // Of equal weights the first one moves.
        let expected = [0.0, -0.125, -0.5, 0.0, 0.5, 0.5, 0.0, 0.0, 0.0, -0.2];
        for (a, b) in l1.iter().zip(expected) {
            assert!((a - b).abs() < 1e-12, "{l1:?}");
        }
    }

    /// Would catch a change that misses the plane, that has to be cut back to the box, or depends on
    /// the scale of w.
    #[test]
    fn the_plane_is_met_inside_the_box_at_any_scale() {
        let numbers = Tensor::arange(60 * 12, (Kind::Double, Device::Cpu));
        let points = ((&numbers * 1.7).sin() * 0.5 + 0.5).view([60, 1, 1, 12]);
        let w = (&numbers * 0.37 + 0.1).cos().view([60, 1, 1, 12]);
        let excess = Tensor::linspace(-1.0, 1.0, 60, (Kind::Double, Device::Cpu));
        for norm in Norm::ALL {
            let found = change(norm, &points, &w, &excess);
            let gained = -(&found * &w).flatten(1, -1).sum_dim_intlist([1].as_slice(), false, None);
            let apart = (gained - &excess).abs().max().double_value(&[]);
            assert!(apart < 1e-12, "{norm}: {apart}");
            let tiny = change(norm, &points, &(&w * 1e-20), &(&excess * 1e-20));
            assert!((tiny - found).abs().max().double_value(&[]) < 1e-12, "{norm}");
        }
    }

    /// Would catch another mix of the two ways than the formula's, rows that get each other's
    /// numbers, channels in another order, and an f32 that is computed otherwise: weights of 0,
    /// equal weights, no excess, and a point at its origin are among the rows.
    #[test]
    fn a_step_in_one_pass_is_that_of_the_formula() {
        let wave = |speed: f64| {
            let line = Tensor::arange(6 * 3 * 4 * 5, (Kind::Double, Device::Cpu)) * speed;
            line.sin().view([6, 3, 4, 5])
        };
        let origins = (wave(0.7) * 0.6 + 0.5).clamp(0.0, 1.0);
        let current = (&origins + wave(1.3) * 0.1).clamp(0.0, 1.0);
        current.get(4).copy_(&origins.get(4));
        let w = wave(2.9);
        let _ = w.get(1).zero_();
        w.get(2).copy_(&(wave(3.1).get(2).sign() * 0.3));
        let excess = Tensor::from_slice(&[0.3, 0.2, -0.7, 0.0, -0.4, 90.0]);
        let per_row = |values: Tensor| values.view([-1, 1, 1, 1]);
        let sum = |t: Tensor| t.flatten(1, -1).sum_dim_intlist([1].as_slice(), false, None);
        let lengths = |norm, way: &Tensor| {
            per_row(super::super::length(norm, &way.flatten(1, -1)).unwrap().clamp_min(SHORT))
        };
        for norm in Norm::ALL {
            let excess0 = &excess + sum(&w * (&origins - &current));
            let (way, way0) =
                (change(norm, &current, &w, &excess), change(norm, &origins, &w, &excess0));
            let (length, length0) = (lengths(norm, &way), lengths(norm, &way0));
            for (alpha_max, eta) in [(0.1, 1.05), (1.0, 1.5)] {
                let share = (&length / (&length + &length0)).clamp_max(alpha_max);
                let (end, end0) = (&current + &way * eta, &origins + &way0 * eta);
                let expected = (&end + (&end0 - &end) * share).clamp(0.0, 1.0);
                let step = |kind| {
                    let [origins, current, w] = [&origins, &current, &w].map(|t| t.to_kind(kind));
                    let from =
                        Approach { norm, origins: &origins, current: &current, alpha_max, eta };
                    let found = approach(&from, &w, &excess.to_kind(kind)).unwrap();
                    assert_eq!(found.kind(), kind);
                    (found.to_kind(Kind::Double) - &expected).abs().max().double_value(&[])
                };
                assert!(step(Kind::Double) < 1e-12, "{norm}: {}", step(Kind::Double));
                assert!(step(Kind::Float) < 1e-5, "{norm}: {}", step(Kind::Float));
            }
        }
    }

    /// Would catch a search that never ends where a network's logits or gradients are no numbers, and
    /// images that are none because of them.
    #[test]
    fn what_is_no_number_ends_too() {
        let points = rows(&[0.5; 8], 2);
        let nan = f64::NAN;
        let w = rows(&[nan, 1.0, 1.0, 2.0, nan, nan, f64::INFINITY, 1.0], 2);
        let excess = Tensor::from_slice(&[0.1, nan, 0.1, 0.1]);
        for norm in Norm::ALL {
            let found = values(&(change(norm, &points, &w, &excess) + &points));
            assert!(found.iter().all(|x| (0.0..=1.0).contains(x)), "{norm}: {found:?}");
        }
    }
}
