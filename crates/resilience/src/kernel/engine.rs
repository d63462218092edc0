//! Runs a program, forwards and back, on the images that one thread has taken: for attacks, or for
//! training, where the inputs of all weights are kept and the weights have gradients as well.

use std::ops::Range;

use super::buffer::Aligned;
use super::epilogue::{Epilogue, Relu};
use super::layout::{Layout, Segment, segments};
use super::map::Map;
use super::pool::{self, Choice};
use super::program::{Back, Operation, Program, Step};
use super::sums::{Gradient, Sums};
use super::{patches, plain, winograd};

/// What a forward pass keeps for the way back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keep {
    /// Masks, which the gradient of the pixels needs.
    Masks,
    /// The inputs of all weights too, which theirs need.
    Inputs,
}

/// A program with its plan for memory. One serves all threads.
#[derive(Debug)]
pub struct Engine {
    program: Program,
    values: Layout,
    gradients: Layout,
    way: Vec<Back>,
    there: Vec<Segment>,
    back: Vec<Segment>,
}

/// What a thread needs to compute; it serves one call after the other.
#[derive(Debug, Default)]
pub struct Workspace {
    values: Vec<Aligned>,
    gradients: Vec<Aligned>,
    tiles: winograd::Scratch,
    patches: patches::Scratch,
    images: usize,
}

/// What a forward pass leaves for the way back.
#[derive(Debug)]
pub struct Tape {
    images: usize,
    /// For each slot: which values were above zero; for a pooled one also which pixel was largest.
    masks: Vec<Vec<u8>>,
    choices: Vec<Vec<[u8; 2]>>,
}

impl Engine {
    /// None where there is no way back through the program.
    pub fn new(program: Program, keep: Keep) -> Option<Self> {
        let (way, owners) = program.way_back()?;
        let mut last = vec![0; program.slots.len()];
        for (number, step) in program.steps.iter().enumerate() {
            for read in [Some(step.from), step.add].into_iter().flatten() {
                last[read] = number + 1;
            }
        }
        if keep == Keep::Inputs {
            for step in program.steps.iter().filter(|step| step.origin.is_some()) {
                last[step.from] = usize::MAX;
            }
        }
        last[program.top()] = usize::MAX;
        let lifetimes: Vec<_> = (0..program.slots.len())
            .map(|slot| (program.slots[slot].map, slot, last[slot]))
            .collect();
        let mut last = vec![0; owners.len()];
        for (number, back) in way.iter().enumerate() {
            for read in [Some(back.from), back.add].into_iter().flatten() {
                last[read] = number + 1;
            }
        }
        last[owners.len() - 1] = usize::MAX;
        let returns: Vec<_> = owners
            .iter()
            .enumerate()
            .map(|(number, &slot)| (program.slots[slot].map, number, last[number]))
            .collect();
        let map = |slot: usize| program.slots[slot].map;
        let there: Vec<Map> = program.steps.iter().map(|step| map(step.to)).collect();
        let back: Vec<Map> = way.iter().map(|back| map(program.steps[back.step].to)).collect();
        Some(Self {
            values: Layout::new(&lifetimes),
            gradients: Layout::new(&returns),
            there: segments(&there),
            back: segments(&back),
            way,
            program,
        })
    }

    /// Numbers of an image: the pixels.
    pub fn pixels(&self) -> usize {
        let map = self.map(0);
        map.pixel_count() * map.channels
    }

    fn map(&self, slot: usize) -> Map {
        self.program.slots[slot].map
    }

    /// A blank tape for so many images.
    pub fn tape(&self, images: usize) -> Tape {
        let slots = &self.program.slots;
        let mut tape = Tape {
            images,
            masks: slots
                .iter()
                .map(|slot| if slot.relu { vec![0; images * slot.map.mask()] } else { Vec::new() })
                .collect(),
            choices: vec![Vec::new(); slots.len()],
        };
        for step in &self.program.steps {
            if step.operation.pools() {
                tape.choices[step.to] = vec![[0; 2]; images * self.map(step.to).mask()];
            }
        }
        tape
    }

    /// Pixels, `[images, h, w, c]` flat, to logits `[images, k]` flat.
    pub fn forward(
        &self,
        space: &mut Workspace,
        pixels: &[f32],
        logits: &mut [f32],
        mut tape: Option<&mut Tape>,
    ) {
        let images = pixels.len() / self.pixels();
        space.prepare(self, images);
        let scale = self.program.scale.as_ref();
        plain::spread(&self.map(0), pixels, &mut space.values[self.values.buffer[0]], scale);
        for segment in &self.there {
            for rows in parts(images, segment.images) {
                for step in &self.program.steps[segment.steps.clone()] {
                    // SAFETY: an engine exists only where the instructions do (`super::available`).
                    #[expect(unsafe_code, reason = "the one way into code for newer processors")]
                    unsafe {
                        self.step(step, rows.clone(), space, tape.as_deref_mut());
                    }
                }
            }
        }
        let top = self.program.top();
        let (stored, wanted) = (self.map(top).channels, logits.len() / images.max(1));
        let found = &space.values[self.values.buffer[top]];
        for (logits, found) in logits.chunks_exact_mut(wanted).zip(found.chunks_exact(stored)) {
            logits.copy_from_slice(&found[..wanted]);
        }
    }

    #[target_feature(enable = "avx2,fma")]
    fn step(
        &self,
        step: &Step,
        rows: Range<usize>,
        space: &mut Workspace,
        tape: Option<&mut Tape>,
    ) {
        let (map, slot) = (self.map(step.from), self.program.slots[step.to]);
        let place = self.values.buffer[step.to];
        let mut out = std::mem::take(&mut space.values[place]);
        let value = |slot: usize| {
            &space.values[self.values.buffer[slot]][rows.start * self.map(slot).size()..]
        };
        let from = (&map, value(step.from));
        let to = &mut out[rows.start * slot.map.size()..];
        let images = rows.len();
        let mut choices: &mut [[u8; 2]] = &mut [];
        let relu = match tape {
            _ if !slot.relu => Relu::No,
            None => Relu::Cut,
            Some(tape) => {
                choices = tape.choices[step.to]
                    .get_mut(rows.start * slot.map.mask()..)
                    .unwrap_or(&mut []);
                Relu::Forward(&mut tape.masks[step.to][rows.start * slot.map.mask()..])
            }
        };
        let add = step.add.map(value);
        let mut epilogue = Epilogue { map: slot.map, bias: None, add, relu, to };
        match &step.operation {
            Operation::Winograd { forward, bias, .. } => {
                epilogue.bias = Some(bias);
                forward.convolve(images, from, &mut epilogue, &mut space.tiles);
            }
            Operation::Patches { kernels, bias, pooled } => {
                epilogue.bias = Some(bias);
                let pool = (*pooled, choices);
                kernels.convolve(images, from, &mut epilogue, pool, &mut space.patches);
            }
            Operation::Linear { forward, bias, .. } => {
                epilogue.bias = Some(bias);
                plain::features(
                    forward,
                    images,
                    from.1,
                    &mut epilogue,
                    &mut space.patches.products,
                );
            }
            Operation::Affine { scale, bias } => {
                epilogue.bias = Some(bias);
                plain::scale(scale, images, from, &mut epilogue);
            }
            Operation::Subsample(before) => {
                plain::subsample(images, from, *before, (&slot.map, epilogue.to));
            }
            Operation::MaxPool => pool::max_pool(images, from, &mut epilogue, choices),
            Operation::Average => plain::average(images, from, epilogue.to),
            Operation::Flatten => plain::flatten(images, from, epilogue.to),
        }
        space.values[place] = out;
    }

    /// Sums for all steps, of zeros.
    pub fn sums(&self) -> Vec<Sums> {
        self.program.steps.iter().map(Sums::new).collect()
    }

    /// The gradients that such sums are; zeros are left.
    pub fn finish(&self, sums: &mut [Sums]) -> Vec<Gradient> {
        let steps = self.program.steps.iter().zip(sums);
        steps.filter_map(|(step, sums)| sums.finish(step)).collect()
    }

    /// The gradient of the logits, `[images, k]` flat, to that of the pixels, `[images, h, w, c]`
    /// flat, where it is wanted; that of the weights is added to `sums`, where there are some. The
    /// space is to be as [`Engine::forward`] left it.
    pub fn backward(
        &self,
        space: &mut Workspace,
        tape: &Tape,
        gradient: &[f32],
        mut sums: Option<&mut [Sums]>,
        pixels: Option<&mut [f32]>,
    ) {
        let images = tape.images;
        space.prepare(self, images);
        let stored = self.map(self.program.top()).channels;
        let known = gradient.len() / images.max(1);
        let first = &mut space.gradients[self.gradients.buffer[0]];
        for (to, from) in first.chunks_exact_mut(stored).zip(gradient.chunks_exact(known)) {
            to[..known].copy_from_slice(from);
            to[known..].fill(0.0);
        }
        for segment in &self.back {
            for rows in parts(images, segment.images) {
                for back in &self.way[segment.steps.clone()] {
                    // SAFETY: an engine exists only where the instructions do.
                    #[expect(unsafe_code, reason = "the one way into code for newer processors")]
                    unsafe {
                        let wanted = (sums.as_deref_mut(), pixels.is_some());
                        self.step_back(back, rows.clone(), space, tape, wanted);
                    }
                }
            }
        }
        let Some(pixels) = pixels else { return };
        let last = self.gradients.buffer[self.gradients.buffer.len() - 1];
        plain::gather(&self.map(0), &space.gradients[last], pixels);
        if let Some(scale) = &self.program.scale {
            plain::divide(pixels, &scale.std);
        }
    }

    #[target_feature(enable = "avx2,fma")]
    fn step_back(
        &self,
        back: &Back,
        rows: Range<usize>,
        space: &mut Workspace,
        tape: &Tape,
        (sums, pixels): (Option<&mut [Sums]>, bool),
    ) {
        let step = &self.program.steps[back.step];
        let (map, slot) = (self.map(step.to), self.program.slots[step.from]);
        let place = self.gradients.buffer[back.to];
        let mut out = std::mem::take(&mut space.gradients[place]);
        let known = |number: usize, map: Map| {
            &space.gradients[self.gradients.buffer[number]][rows.start * map.size()..]
        };
        let from = (&map, known(back.from, map));
        let images = rows.len();
        let choice = tape.choice(step.to, rows.start * map.mask());
        if let Some(sums) = sums {
            let values = &space.values[self.values.buffer[step.from]];
            let values = (&slot.map, &values[rows.start * slot.map.size()..]);
            let scratch = (&mut space.tiles, &mut space.patches);
            sums[back.step].add(step, images, values, from, choice, scratch);
        }
        if step.from == 0 && !pixels {
            space.gradients[place] = out;
            return;
        }
        let to = &mut out[rows.start * slot.map.size()..];
        let add = back.add.map(|number| known(number, slot.map));
        let relu = if back.mask {
            Relu::Backward(&tape.masks[step.from][rows.start * slot.map.mask()..])
        } else {
            Relu::No
        };
        let mut epilogue = Epilogue { map: slot.map, bias: None, add, relu, to };
        match &step.operation {
            Operation::Winograd { backward, .. } => {
                backward.convolve(images, from, &mut epilogue, &mut space.tiles);
            }
            Operation::Linear { backward, .. } => {
                let products = &mut space.patches.products;
                plain::features(backward, images, from.1, &mut epilogue, products);
            }
            Operation::Patches { kernels, pooled, .. } => {
                plain::begin_sum(images, &mut epilogue);
                let sums = (&slot.map, &mut *epilogue.to);
                let gradient = patches::Gradient::new(*pooled, from, choice);
                kernels.scatter(images, &gradient, sums, &mut space.patches);
                plain::lay_mask(images, &mut epilogue);
            }
            Operation::Affine { scale, .. } => plain::scale(scale, images, from, &mut epilogue),
            Operation::Subsample(before) => {
                plain::begin_sum(images, &mut epilogue);
                plain::subsample_back(images, from, *before, (&slot.map, epilogue.to));
                plain::lay_mask(images, &mut epilogue);
            }
            Operation::MaxPool => pool::max_pool_back(images, from, choice, &mut epilogue),
            Operation::Average => plain::average_back(images, from.1, &mut epilogue),
            Operation::Flatten => plain::flatten_back(images, from.1, &mut epilogue),
        }
        space.gradients[place] = out;
    }
}

impl Tape {
    /// What a pool has chosen for a slot, from that place on; nothing where there is none.
    fn choice(&self, slot: usize, start: usize) -> Choice<'_> {
        let masks = self.masks[slot].get(start..).unwrap_or(&[]);
        Choice { masks, places: self.choices[slot].get(start..).unwrap_or(&[]) }
    }
}

impl Workspace {
    /// Has memory for so many images.
    fn prepare(&mut self, engine: &Engine, images: usize) {
        if self.images >= images && !self.values.is_empty() {
            return;
        }
        let blank = |layout: &Layout| {
            layout.maps.iter().map(|map| Aligned::zeros(images * map.size())).collect()
        };
        self.values = blank(&engine.values);
        self.gradients = blank(&engine.gradients);
        self.images = images;
    }
}

fn parts(images: usize, most: usize) -> impl Iterator<Item = Range<usize>> {
    (0..images).step_by(most).map(move |first| first..images.min(first + most))
}

#[cfg(test)]
mod tests;
