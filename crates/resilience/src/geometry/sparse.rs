//! Steps that change few numbers of an image at once, where the steepest direction changes one.

use resilience_core::threat::Threat;
use tch::{Kind, Tensor};

use super::measure::larger;
use super::nearest::Change;
use crate::error::EngineError;
use crate::host::{self, Number};

/// Where a sparse step starts and where it may end.
pub struct SparseStep<'a> {
    /// The ball.
    pub threat: Threat,
    /// Its centres, `[n,c,h,w]`.
    pub origins: &'a Tensor,
    /// Where the step starts, likewise.
    pub current: &'a Tensor,
    /// Its length in L1, for each row.
    pub lengths: &'a [f64],
    /// How many numbers of an image it changes, for each row.
    pub kept: &'a [usize],
}

/// The images after a step along the largest entries of a gradient, all by as much, projected onto the
/// ball and the box: computed in f64, row by row on the host, on all threads. Entries as large as the
/// last that is kept are kept too; those of 0 move nothing.
pub fn ascend_sparsely(from: &SparseStep, gradient: &Tensor) -> Result<Tensor, EngineError> {
    if from.current.kind() == Kind::Double {
        return in_rows::<f64>(from, gradient);
    }
    in_rows::<f32>(from, gradient)
}

fn in_rows<T: Number>(from: &SparseStep, gradient: &Tensor) -> Result<Tensor, EngineError> {
    let eps = from.threat.eps().value();
    let images = [from.current, from.origins, gradient];
    host::by_rows(images, |row: &mut Row, number, [x, x0, gradient]: [&[T]; 3], points| {
        let least = row.least(gradient, from.kept[number]);
        let moves = |g: f64| g.abs() >= least && g != 0.0;
        let moving = gradient.iter().filter(|&&g| moves(g.into())).count();
        let way = from.lengths[number] / (moving as f64 + FINITE);
        let ends = x.iter().zip(gradient).map(|(&x, &g)| {
            let g: f64 = g.into();
            if moves(g) { x.into() + way.copysign(g) } else { x.into() }
        });
        let changes = ends.zip(x0).map(|(end, &x0)| end - x0.into());
        row.change.read(x0, changes);
        row.change.write(eps, x0, points);
    })
}

/// Keeps a step along nothing finite. It is the reference's, because what numbers keep of a step there
/// and back counts as a change ([`super::changed`]).
const FINITE: f64 = 1e-10;

/// What a thread keeps from row to row.
#[derive(Default)]
struct Row {
    sizes: Vec<f64>,
    change: Change,
}

impl Row {
    /// The size of the gradient's entry that `kept - 1` others are at least as large as.
    fn least<T: Number>(&mut self, gradient: &[T], kept: usize) -> f64 {
        self.sizes.clear();
        // What is no number is not large.
        self.sizes.extend(gradient.iter().map(|&g| larger(0.0, g.into().abs())));
        let place = kept.clamp(1, gradient.len()) - 1;
        *self.sizes.select_nth_unstable_by(place, |a, b| b.total_cmp(a)).1
    }
}

/// How many of an image's numbers such a share of them is: the largest entries down to the share's
/// quantile, which lies between two of them, and one at least.
#[must_use]
pub fn kept(share: f64, numbers: usize) -> usize {
    (share * numbers.saturating_sub(1) as f64).floor() as usize + 1
}

/// The gradient without what would only push numbers out of the box that are at its border already.
pub fn inwards(images: &Tensor, gradient: &Tensor) -> Result<Tensor, EngineError> {
    let at_floor = images.f_le(0.0)?.f_logical_and(&gradient.f_lt(0.0)?)?;
    let at_ceiling = images.f_ge(1.0)?.f_logical_and(&gradient.f_gt(0.0)?)?;
    Ok(gradient.f_masked_fill(&at_floor.f_logical_or(&at_ceiling)?, 0.0)?)
}

#[cfg(test)]
mod tests {
    use super::super::project;
    use super::*;
    use resilience_core::threat::Norm;
    use tch::Device;

    fn line(values: &[f64]) -> Tensor {
        Tensor::from_slice(values).view([-1, 1, 1, 6])
    }

    fn step(gradient: &Tensor, current: &Tensor, lengths: &[f64], kept: &[usize]) -> Tensor {
        let threat = Threat::new(Norm::L1, "0.3".parse().unwrap()).unwrap();
        let origins = current.full_like(0.5);
        let from = SparseStep { threat, origins: &origins, current, lengths, kept };
        ascend_sparsely(&from, gradient).unwrap()
    }

    /// Would catch a step along other entries than the largest, of another length, or by their size,
    /// and rows that get each other's numbers.
    #[test]
    fn the_largest_entries_move_by_as_much() {
        let gradient = line(&[3.0, -9.0, 1.0, 0.0, 2.0, 5.0, 0.1, 0.2, -0.3, 0.0, 0.0, 0.0]);
        let current = line(&[0.5; 12]);
        let found = step(&gradient, &current, &[0.2, 0.3], &[2, 1]);
        let expected = line(&[0.5, 0.4, 0.5, 0.5, 0.5, 0.6, 0.5, 0.5, 0.2, 0.5, 0.5, 0.5]);
        assert!((found - expected).abs().max().double_value(&[]) < 1e-10);
    }

    /// Would catch entries of 0 that move where more are kept than there are others, and a NaN that
    /// takes a place.
    #[test]
    fn what_is_nothing_does_not_move() {
        let gradient = line(&[0.0, -0.0, 1.0, 0.0, f64::NAN, -2.0]);
        let found = step(&gradient, &line(&[0.5; 6]), &[0.2], &[5]);
        let expected = line(&[0.5, 0.5, 0.6, 0.5, 0.5, 0.4]);
        assert!((found - expected).abs().max().double_value(&[]) < 1e-10);
        let still = step(&gradient.zeros_like(), &line(&[0.5; 6]), &[0.2], &[1]);
        assert_eq!(still, line(&[0.5; 6]));
    }

    /// Would catch a step that is not projected as others are.
    #[test]
    fn a_sparse_step_ends_at_the_nearest_point() {
        let wave = |speed: f64| {
            (Tensor::arange(12, (Kind::Double, Device::Cpu)) * speed).sin().view([2, 1, 1, 6])
        };
        let (current, gradient) = (wave(0.7) * 0.2 + 0.5, wave(1.9));
        let found = step(&gradient, &current, &[0.9, 0.9], &[6, 6]);
        let threat = Threat::new(Norm::L1, "0.3".parse().unwrap()).unwrap();
        let moved: Tensor = &current + gradient.sign() * 0.15;
        let expected = project(threat, &moved, &current.full_like(0.5)).unwrap();
        assert!((found - expected).abs().max().double_value(&[]) < 1e-10);
    }

    /// Would catch another number of entries than a quantile of interpolated ranks leaves.
    #[test]
    fn a_share_is_what_its_quantile_leaves() {
        assert_eq!([0.01, 0.0, 1.0].map(|share| kept(share, 3072)), [31, 1, 3072]);
        assert_eq!([0.01, 0.5].map(|share| kept(share, 192)), [2, 96]);
        assert_eq!(kept(0.3, 1), 1);
    }

    /// Would catch a way out of the box that takes the place of one that leads somewhere.
    #[test]
    fn ways_out_of_the_box_are_left_out() {
        let images = line(&[0.0, 0.0, 1.0, 1.0, 0.5, 0.5]);
        let gradient = line(&[-1.0, 1.0, -1.0, 1.0, -1.0, 1.0]);
        let expected = line(&[0.0, 1.0, -1.0, 0.0, -1.0, 1.0]);
        assert_eq!(inwards(&images, &gradient).unwrap(), expected);
    }
}
