//! A round that begins in a larger ball and ends in its own.

use resilience_core::threat::{Eps, Threat};
use tch::Tensor;

use super::iterate::{Iterate, Run, Start};
use crate::attack::{Candidates, Rows, State};
use crate::error::EngineError;
use crate::geometry;
use crate::model::Oracle;

/// The balls of a round in order, with the steps in each: 30 % of them, rounded up, at three times the
/// radius, as many at twice, and the rest at the radius itself.
pub(super) fn balls(threat: Threat, steps: u32) -> Result<[(Threat, u32); 3], EngineError> {
    let part = u32::try_from((u64::from(steps) * 3).div_ceil(10)).unwrap_or(u32::MAX);
    let second = part.min(steps - part);
    let larger = |times: f64| {
        let eps = Eps::new(times * threat.eps().value());
        eps.and_then(|eps| Threat::new(threat.norm(), eps)).map_err(|error| EngineError::Input {
            what: "radius",
            expected: format!("one that can be had {times} times"),
            found: error.to_string(),
        })
    };
    Ok([(larger(3.0)?, part), (larger(2.0)?, second), (threat, steps - part - second)])
}

/// Where such a round stands: each ball is entered at the point in it that is nearest to the best of
/// the ball before.
pub struct Shrinking {
    inner: Iterate,
    run: Run,
    left: std::array::IntoIter<(Threat, u32), 2>,
}

impl Shrinking {
    /// Begins with these random numbers. `run` is that of the last ball.
    pub fn begin(run: Run, rows: &Rows, noise: &Tensor) -> Result<Self, EngineError> {
        let run = Run { start: Start::Found, ..run };
        let [(threat, steps), second, last] = balls(run.threat, run.steps)?;
        let start = geometry::border_start(threat, &rows.images, noise)?;
        let inner = Iterate::begin(Run { threat, steps, ..run }, rows, start)?;
        Ok(Self { inner, run, left: [second, last].into_iter() })
    }

    /// The best loss of each row so far in the ball that the round is in, `[n]`.
    pub const fn best_loss(&self) -> &Tensor {
        self.inner.best_loss()
    }
}

impl State for Shrinking {
    fn step(&mut self, oracle: &Oracle) -> Result<Candidates, EngineError> {
        if self.inner.finished()
            && let Some((threat, steps)) = self.left.next()
        {
            self.inner = self.inner.go_on(Run { threat, steps, ..self.run })?;
        }
        self.inner.step(oracle)
    }

    fn reach(&self) -> f64 {
        self.inner.threat().eps().value() / self.run.threat.eps().value()
    }

    fn tensors(&mut self) -> Vec<&mut Tensor> {
        self.inner.tensors()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use resilience_core::threat::Norm;

    /// Would catch steps that get lost or are made up, and other radii.
    #[test]
    fn every_step_is_made_in_one_of_the_balls() {
        let threat = Threat::new(Norm::L1, "12".parse().unwrap()).unwrap();
        for (steps, expected) in [
            (100, [30, 30, 40]),
            (50, [15, 15, 20]),
            (7, [3, 3, 1]),
            (4, [2, 2, 0]),
            (2, [1, 1, 0]),
            (1, [1, 0, 0]),
        ] {
            let balls = balls(threat, steps).unwrap();
            assert_eq!(balls.map(|(_, steps)| steps), expected);
            let radii = balls.map(|(threat, _)| threat.eps().value() as u32);
            assert_eq!(radii, [36, 24, 12]);
        }
    }
}
