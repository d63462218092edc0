//! An engine on all threads: shares images among them.

use std::sync::Mutex;

use rayon::prelude::{
    IndexedParallelIterator, IntoParallelRefIterator, ParallelIterator, ParallelSliceMut,
};

use super::engine::{Engine, Keep, Tape, Workspace};
use super::program::Program;
use crate::threads::shared;

/// Images that a thread takes at once; more do not make a product faster.
const MOST: usize = 32;

/// An engine, and the number of threads that it shares images among.
#[derive(Debug)]
pub struct Team {
    engine: Engine,
    threads: usize,
    spaces: Mutex<Vec<Workspace>>,
}

/// What a forward pass leaves for its gradient.
#[derive(Debug)]
pub struct Run {
    /// A tape for each group of images, in order.
    tapes: Vec<Tape>,
    share: usize,
}

impl Team {
    /// None where the machine lacks the instructions, or the program has no way back.
    #[must_use]
    pub fn new(program: Program, threads: u32) -> Option<Self> {
        let engine = super::available().then(|| Engine::new(program, Keep::Masks)).flatten()?;
        Some(Self { engine, threads: threads.max(1) as usize, spaces: Mutex::default() })
    }

    /// Pixels, `[n, h, w, c]` flat, to logits `[n, classes]`, flat.
    pub fn logits(&self, pixels: &[f32], classes: usize) -> Vec<f32> {
        let (n, share) = self.shares(pixels);
        let mut logits = vec![0.0; n * classes];
        shared(|| {
            let groups = logits.par_chunks_mut(share * classes).enumerate();
            groups.for_each(|(group, logits)| {
                let pixels = part(pixels, group, share * self.engine.pixels());
                self.with_space(|space| self.engine.forward(space, pixels, logits, None));
            });
        });
        logits
    }

    /// The same, ready for [`Team::gradient`].
    pub fn run(&self, pixels: &[f32], classes: usize) -> (Vec<f32>, Run) {
        let (n, share) = self.shares(pixels);
        let mut logits = vec![0.0; n * classes];
        let tapes = shared(|| {
            let groups = logits.par_chunks_mut(share * classes).enumerate();
            groups
                .map(|(group, logits)| {
                    let pixels = part(pixels, group, share * self.engine.pixels());
                    let mut tape = self.engine.tape(logits.len() / classes);
                    self.with_space(|space| {
                        self.engine.forward(space, pixels, logits, Some(&mut tape));
                    });
                    tape
                })
                .collect()
        });
        (logits, Run { tapes, share })
    }

    /// The gradient of the pixels, `[n, h, w, c]` flat, from that of the logits, `[n, classes]` flat.
    pub fn gradient(&self, run: &Run, logits: &[f32], classes: usize) -> Vec<f32> {
        let size = self.engine.pixels();
        let mut pixels = vec![0.0; logits.len() / classes * size];
        shared(|| {
            let groups = pixels.par_chunks_mut(run.share * size).zip(run.tapes.par_iter());
            groups.enumerate().for_each(|(group, (pixels, tape))| {
                let logits = part(logits, group, run.share * classes);
                self.with_space(|space| {
                    self.engine.backward(space, tape, logits, None, Some(pixels));
                });
            });
        });
        pixels
    }

    /// The number of images, and how many of them make a group: as even a split as there is into
    /// groups that are not too large, the same number for every thread.
    fn shares(&self, pixels: &[f32]) -> (usize, usize) {
        let n = pixels.len() / self.engine.pixels();
        let rounds = n.div_ceil(self.threads * MOST).max(1);
        (n, n.div_ceil(self.threads * rounds).max(1))
    }

    /// Lends a workspace, which is kept for the next call.
    fn with_space(&self, work: impl FnOnce(&mut Workspace)) {
        let mut space = self.lock().pop().unwrap_or_default();
        work(&mut space);
        self.lock().push(space);
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Workspace>> {
        self.spaces.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

/// The part of a slice that belongs to a group.
pub(super) fn part(all: &[f32], group: usize, size: usize) -> &[f32] {
    &all[group * size..all.len().min((group + 1) * size)]
}
