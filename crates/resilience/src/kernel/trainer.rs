//! An engine on all threads, for training: keeps what the gradients of weights need.

use std::sync::Mutex;

use rayon::prelude::{
    IndexedParallelIterator, IntoParallelIterator, ParallelIterator, ParallelSliceMut,
};

use super::engine::{Engine, Keep, Tape, Workspace};
use super::program::Program;
use super::sums::{Gradient, Sums};
use super::team::part;
use crate::threads::shared;

/// An engine whose weights change from step to step, and the gradients that add up in a step.
#[derive(Debug)]
pub struct Trainer {
    engine: Engine,
    threads: usize,
    spaces: Mutex<Vec<Workspace>>,
    /// For each group of images, in order.
    sums: Mutex<Vec<Vec<Sums>>>,
}

/// What a forward pass leaves for its gradients.
#[derive(Debug)]
pub struct Lap {
    /// For each group of images, in order.
    groups: Vec<(Workspace, Tape)>,
    share: usize,
}

impl Trainer {
    /// None where the machine lacks the instructions, or the program has no way back.
    #[must_use]
    pub fn new(program: Program, threads: u32) -> Option<Self> {
        let engine = super::available().then(|| Engine::new(program, Keep::Inputs)).flatten()?;
        let threads = threads.max(1) as usize;
        Some(Self { engine, threads, spaces: Mutex::default(), sums: Mutex::default() })
    }

    /// Forgets gradients that were not taken.
    pub fn forget(&mut self) {
        lock(&self.sums).clear();
    }

    /// Goes on with the same program with other weights. False where it has no way back.
    #[must_use]
    pub fn set(&mut self, program: Program) -> bool {
        let Some(engine) = Engine::new(program, Keep::Inputs) else { return false };
        self.engine = engine;
        true
    }

    /// Pixels, `[n, h, w, c]` flat, to logits `[n, classes]`, flat; ready for [`Trainer::backward`].
    pub fn forward(&self, pixels: &[f32], classes: usize) -> (Vec<f32>, Lap) {
        let n = pixels.len() / self.engine.pixels();
        // As few groups as there are threads: each has sums of its own, which are added up.
        let share = n.div_ceil(self.threads).max(1);
        let mut logits = vec![0.0; n * classes];
        let groups = shared(|| {
            let groups = logits.par_chunks_mut(share * classes).enumerate();
            groups
                .map(|(group, logits)| {
                    let pixels = part(pixels, group, share * self.engine.pixels());
                    let mut tape = self.engine.tape(logits.len() / classes);
                    let mut space = lock(&self.spaces).pop().unwrap_or_default();
                    self.engine.forward(&mut space, pixels, logits, Some(&mut tape));
                    (space, tape)
                })
                .collect()
        });
        (logits, Lap { groups, share })
    }

    /// Adds the gradient of the weights, from that of the logits, `[n, classes]` flat; gives that of
    /// the pixels, `[n, h, w, c]` flat, where it is wanted.
    pub fn backward(
        &self,
        lap: Lap,
        logits: &[f32],
        classes: usize,
        wanted: bool,
    ) -> Option<Vec<f32>> {
        let size = if wanted { self.engine.pixels() } else { 0 };
        let mut pixels = vec![0.0; logits.len() / classes * size];
        let mut parts: Vec<_> = pixels.chunks_mut((lap.share * size).max(1)).map(Some).collect();
        parts.resize_with(lap.groups.len(), || None);
        let mut sums = lock(&self.sums);
        while sums.len() < lap.groups.len() {
            sums.push(self.engine.sums());
        }
        let sums: &mut Vec<_> = &mut sums;
        let spaces: Vec<_> = shared(|| {
            let groups = lap.groups.into_par_iter().zip(parts).zip(sums).enumerate();
            groups
                .map(|(group, (((mut space, tape), pixels), sums))| {
                    let logits = part(logits, group, lap.share * classes);
                    self.engine.backward(&mut space, &tape, logits, Some(sums), pixels);
                    space
                })
                .collect()
        });
        lock(&self.spaces).extend(spaces);
        wanted.then_some(pixels)
    }

    /// The gradients that have added up since they were last taken, added in the order of the images.
    pub fn take_gradients(&self) -> Vec<Gradient> {
        let mut sums = lock(&self.sums);
        let Some((first, others)) = sums.split_first_mut() else { return Vec::new() };
        shared(|| {
            for other in others {
                for (to, from) in first.iter_mut().zip(other) {
                    to.absorb(from);
                }
            }
            self.engine.finish(first)
        })
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}
