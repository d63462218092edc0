//! The search for the weight between margin and distance, of one image.

use super::Run;

/// The largest constant that is tried.
pub(super) const LARGEST: f64 = 1e10;

/// The part of the loss that a tenth of the steps has to take off.
const PROGRESS: f64 = 1e-4;

/// So many constants let the last one be the smallest that has led to a success once more.
const REPEATED: u32 = 10;

/// Where the search of one image stands.
#[derive(Clone, Copy, Debug)]
pub(super) struct Constant {
    value: f64,
    too_small: f64,
    large_enough: f64, // infinite as long as none was
    tried: u32,        // constants before this one
    taken: u32,        // steps with this one
    found: bool,       // whether one of them reached what is asked for
    last_loss: f64,    // at the last look at how it falls
}

impl Constant {
    /// Before the first step.
    pub fn new(run: Run) -> Self {
        let mut first = Self {
            value: run.initial_const,
            too_small: 0.0,
            large_enough: f64::INFINITY,
            tried: 0,
            taken: 0,
            found: false,
            last_loss: f64::INFINITY,
        };
        first.choose(run, run.initial_const);
        first
    }

    /// The constant.
    pub const fn value(&self) -> f64 {
        self.value
    }

    /// Steps that were taken with it.
    pub fn taken(&self) -> i32 {
        i32::try_from(self.taken).unwrap_or(i32::MAX)
    }

    /// Is told of a step's squared distance, and by how much it missed the margin that is asked for.
    /// Gives whether the image begins anew with another constant.
    pub fn step(&mut self, run: Run, away: f64, miss: f64) -> bool {
        self.found |= miss <= 0.0;
        let stalled = self.taken.is_multiple_of(run.steps.div_ceil(10)) && {
            let loss = self.value * miss + away;
            // What is no number has stalled too.
            let falls = loss <= (1.0 - PROGRESS) * self.last_loss;
            self.last_loss = loss;
            !falls
        };
        self.taken += 1;
        if !stalled && self.taken < run.steps {
            return false;
        }
        if self.found {
            self.large_enough = self.value;
        } else {
            self.too_small = self.value;
        }
        let next = if self.large_enough.is_finite() {
            f64::midpoint(self.too_small, self.large_enough)
        } else {
            10.0 * self.value
        };
        self.tried += 1;
        (self.taken, self.found, self.last_loss) = (0, false, f64::INFINITY);
        self.choose(run, next);
        true
    }

    fn choose(&mut self, run: Run, value: f64) {
        let last = self.tried + 1 == run.search_steps && run.search_steps >= REPEATED;
        self.value = if last { self.large_enough } else { value }.min(LARGEST);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(search_steps: u32) -> Run {
        Run { search_steps, steps: 3, step_size: 0.01, confidence: 0.0, initial_const: 0.5 }
    }

    /// The constants that are tried where those from `enough` on are large enough.
    fn tried(run: Run, enough: f64) -> Vec<f64> {
        let mut constant = Constant::new(run);
        (0..run.search_steps)
            .map(|_| {
                let value = constant.value();
                let mut steps = 1;
                while !constant.step(run, value / f64::from(steps), f64::from(value < enough)) {
                    steps += 1;
                }
                assert_eq!(steps, run.steps);
                value
            })
            .collect()
    }

    /// Would catch a constant that grows or is halved otherwise, a last one that is not repeated where
    /// there are many, or is where there are few.
    #[test]
    fn constants_close_in_on_the_smallest_that_is_large_enough() {
        assert_eq!(tried(run(5), 30.0), [0.5, 5.0, 50.0, 27.5, 38.75]);
        assert_eq!(tried(run(3), 0.1), [0.5, 0.25, 0.125]);
        let ten = tried(run(10), 30.0);
        assert!(ten[9] >= 30.0 && ten[..9].contains(&ten[9]), "{ten:?}");
        assert!(tried(run(20), f64::INFINITY).iter().all(|value| *value <= LARGEST));
    }

    /// Would catch an image that is not let go on when its loss stands still or is no number, that goes on
    /// although it falls, and what it found that is forgotten.
    #[test]
    fn who_stalls_goes_on() {
        let run = Run { steps: 30, ..run(9) };
        let mut constant = Constant::new(run);
        let losses = [9.0, 9.0, 9.0, 8.0, 8.0, 8.0, 8.0];
        let steps: Vec<bool> = losses.iter().map(|&loss| constant.step(run, loss, 0.0)).collect();
        assert_eq!(steps, [false, false, false, false, false, false, true]);
        assert!((constant.value() - 0.25).abs() < 1e-12);
        assert!(constant.step(run, f64::NAN, f64::NAN));
        assert!((constant.value() - 0.375).abs() < 1e-12);
    }
}
