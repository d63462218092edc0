//! The walk of one image: what it asks for next, and what it makes of the answer.

use resilience_core::threat::Norm;
use tch::Tensor;

use crate::error::EngineError;
use crate::geometry;

/// The most directions that a step takes, as in the references.
pub const MOST_SAMPLES: u32 = 10_000;
/// The clean image is blended with noise in so many parts.
const BLENDS: u32 = 50;
/// How far away the boundary is felt in the first step.
const FIRST_DELTA: f64 = 0.1;
/// Keep divisions by a distance and by a length finite. They are the reference's.
const TINY_DELTA: f64 = 1e-8;
const TINY_LENGTH: f64 = 1e-12;

/// What a walk needs to know.
#[derive(Clone, Copy, Debug)]
pub struct Run {
    /// The norm to be near in.
    pub norm: Norm,
    /// Directions of the first step.
    pub samples: u32,
    /// How far from the boundary directions are asked for, as a share of the distance.
    pub probe: f64,
}

/// Where a walk's random numbers come from.
pub trait Draws: Send {
    /// An image of noise, uniform in [0, 1).
    fn image(&mut self, numbers: &mut [f64]);

    /// A direction, of any length, as directions are drawn in the norm.
    fn direction(&mut self, numbers: &mut [f64]);
}

/// Where the walk of one image stands. Its points are in f64, whatever the model computes in.
pub struct Walk {
    run: Run,
    draws: Box<dyn Draws>,
    origin: Vec<f64>,
    /// A misclassified point, which it goes back from.
    far: Vec<f64>,
    /// The last misclassified point at the boundary; empty before there is one.
    point: Vec<f64>,
    /// How far away that is.
    distance: f64,
    heading: Vec<f64>,
    asked: Vec<f64>,
    /// Steps that are behind it.
    steps: u32,
    phase: Phase,
}

/// What it is about.
enum Phase {
    /// Looks for noise that is misclassified.
    Seek,
    /// Blends the clean image with what was found, by so many parts.
    Blend { part: u32 },
    /// Looks for the boundary on the way back, between these shares of it.
    Return { low: f64, high: f64 },
    /// Feels for the direction in which the misclassified side lies.
    Feel(Felt),
    /// Tries a step of that length.
    Stride { length: f64 },
}

/// What the directions of a step have shown.
struct Felt {
    left: u32,
    delta: f64,
    samples: f64,
    /// Sum of 1 for every misclassified point and -1 for every other one.
    balance: f64,
    /// Sum of the changes, in units of delta.
    changes: Vec<f64>,
    /// The same with these signs.
    signed: Vec<f64>,
}

impl Walk {
    /// Has to find a misclassified point first.
    #[must_use]
    pub fn new(run: Run, origin: Vec<f64>, draws: Box<dyn Draws>) -> Self {
        let empty = vec![0.0; origin.len()];
        Self {
            run,
            draws,
            far: empty.clone(),
            point: Vec::new(),
            distance: 0.0,
            heading: empty.clone(),
            asked: empty,
            steps: 0,
            phase: Phase::Seek,
            origin,
        }
    }

    /// Begins at a point that is misclassified.
    pub fn begin_at(
        run: Run,
        origin: Vec<f64>,
        start: Vec<f64>,
        draws: Box<dyn Draws>,
    ) -> Result<Self, EngineError> {
        let mut walk = Self::new(run, origin, draws);
        walk.far = start;
        walk.go_back()?;
        Ok(walk)
    }

    /// The last misclassified point at the boundary, and how far away that is.
    #[must_use]
    pub fn point(&self) -> Option<(&[f64], f64)> {
        (!self.point.is_empty()).then_some((&self.point, self.distance))
    }

    /// The point that it asks for.
    #[must_use]
    pub fn asked(&self) -> &[f64] {
        &self.asked
    }

    /// Makes up its mind what to ask for.
    pub fn ask(&mut self) {
        let Self { asked, origin, far, point, heading, .. } = self;
        match &self.phase {
            Phase::Seek => self.draws.image(asked),
            Phase::Blend { part } => {
                let share = f64::from(*part) / f64::from(BLENDS);
                geometry::part_way(Norm::L2, [origin, far], share, asked);
            }
            Phase::Return { low, high } => {
                geometry::part_way(self.run.norm, [origin, far], f64::midpoint(*low, *high), asked);
            }
            Phase::Feel(felt) => {
                self.draws.direction(asked);
                let length = asked.iter().map(|number| number * number).sum::<f64>().sqrt();
                let scale = felt.delta / (length + TINY_LENGTH);
                go(asked, point, scale);
            }
            Phase::Stride { length } => {
                asked.copy_from_slice(heading);
                go(asked, point, *length);
            }
        }
    }

    /// Takes the answer: whether the model takes the point for another class than the label.
    pub fn hear(&mut self, other: bool) -> Result<(), EngineError> {
        match &mut self.phase {
            Phase::Seek if other => {
                self.far.copy_from_slice(&self.asked);
                self.phase = Phase::Blend { part: 1 };
            }
            Phase::Seek => {}
            Phase::Blend { .. } if other => {
                self.far.copy_from_slice(&self.asked);
                self.go_back()?;
            }
            // All of its parts are the noise itself.
            Phase::Blend { part } if *part + 1 == BLENDS => self.go_back()?,
            Phase::Blend { part } => *part += 1,
            Phase::Return { low, high } => {
                let middle = f64::midpoint(*low, *high);
                *(if other { high } else { low }) = middle;
                self.look_around()?;
            }
            Phase::Feel(felt) => {
                felt.take(other, &self.asked, &self.point);
                if felt.left == 0 {
                    self.heading = felt.heading(self.run.norm)?;
                    let length = self.distance / f64::from(self.steps + 1).sqrt();
                    self.phase = Phase::Stride { length };
                }
            }
            Phase::Stride { .. } if other => {
                self.far.copy_from_slice(&self.asked);
                self.steps += 1;
                self.go_back()?;
            }
            Phase::Stride { length } => *length /= 2.0,
        }
        Ok(())
    }

    /// Sets out for the boundary, back from the far point.
    fn go_back(&mut self) -> Result<(), EngineError> {
        self.phase = Phase::Return { low: 0.0, high: 1.0 };
        self.look_around()
    }

    /// On its way back: stays where the boundary is near enough, and begins a step there.
    fn look_around(&mut self) -> Result<(), EngineError> {
        let Phase::Return { low, high } = self.phase else { return Ok(()) };
        let (run, d) = (self.run, self.origin.len());
        let middle = f64::midpoint(low, high);
        let apart = low < middle && middle < high;
        if apart && high - low > run.probe * geometry::finest_share(run.norm, d) {
            return Ok(());
        }
        self.point.resize(d, 0.0);
        geometry::part_way(run.norm, [&self.origin, &self.far], high, &mut self.point);
        let distance = geometry::distance(run.norm, &line(&self.point)?, &line(&self.origin)?)?;
        self.distance = distance.f_double_value(&[0])?;
        let samples = f64::from(run.samples) * f64::from(self.steps + 1).sqrt();
        let samples = (samples as u32).min(MOST_SAMPLES);
        let delta = match self.steps {
            0 => FIRST_DELTA,
            _ => run.probe * self.distance,
        };
        self.phase = Phase::Feel(Felt {
            left: samples,
            delta,
            samples: samples.into(),
            balance: 0.0,
            changes: vec![0.0; d],
            signed: vec![0.0; d],
        });
        Ok(())
    }
}

impl Felt {
    fn take(&mut self, other: bool, asked: &[f64], point: &[f64]) {
        let sign = if other { 1.0 } else { -1.0 };
        let sums = self.changes.iter_mut().zip(&mut self.signed);
        for ((changes, signed), (asked, point)) in sums.zip(asked.iter().zip(point)) {
            let change = (asked - point) / (self.delta + TINY_DELTA);
            *changes += change;
            *signed += sign * change;
        }
        self.balance += sign;
        self.left -= 1;
    }

    /// The direction of length 1 in which the misclassified side seems to lie.
    fn heading(&self, norm: Norm) -> Result<Vec<f64>, EngineError> {
        let mean = self.balance / self.samples;
        // Where all answers are alike their mean would leave nothing.
        let mean = if mean.abs() < 1.0 { mean } else { 0.0 };
        let sums = self.signed.iter().zip(&self.changes);
        let gradient: Vec<f64> =
            sums.map(|(signed, changes)| (signed - mean * changes) / self.samples).collect();
        let heading = geometry::steepest_direction(norm, &line(&gradient)?)?;
        Ok(Vec::try_from(heading.f_view([-1])?)?)
    }
}

/// Makes a direction the point so far along it, inside the box.
fn go(direction: &mut [f64], from: &[f64], length: f64) {
    for (number, from) in direction.iter_mut().zip(from) {
        *number = (from + length * *number).clamp(0.0, 1.0);
    }
}

/// As an image of one line, `[1,1,1,d]`.
fn line(numbers: &[f64]) -> Result<Tensor, EngineError> {
    Ok(Tensor::f_from_slice(numbers)?.f_view([1, 1, 1, -1])?)
}
