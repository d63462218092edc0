//! The gradients of a program's weights: sums over images, and the numbers of a state dict that they
//! become.

use rayon::prelude::{IndexedParallelIterator, ParallelIterator, ParallelSliceMut};

use super::buffer::Aligned;
use super::map::Map;
use super::outer::{self, Rows};
use super::pool::Choice;
use super::program::{Operation, Origin, Step};
use super::{patches, winograd};

/// Numbers that a thread adds up at once.
const PIECE: usize = 16 * 1024;

/// What is summed up for one step.
#[derive(Debug)]
pub struct Sums {
    weight: Aligned,
    bias: Aligned,
}

/// The gradient of a step's weights, in the order of a state dict.
#[derive(Debug)]
pub struct Gradient {
    /// The prefix of their names there.
    pub name: String,
    /// `[out, in, size, size]` or `[out, in]`, flat.
    pub weight: Vec<f32>,
    /// `[out]`
    pub bias: Vec<f32>,
}

impl Sums {
    /// Zero for a step; of no numbers where it has no weights.
    pub fn new(step: &Step) -> Self {
        let (weight, bias) = match &step.operation {
            Operation::Winograd { forward, bias, .. } => (forward.sums(), bias.len()),
            Operation::Patches { kernels, bias, .. } => (kernels.sums(), bias.len()),
            Operation::Linear { forward, bias, .. } => (forward.rows() * bias.len(), bias.len()),
            _ => (0, 0),
        };
        Self { weight: Aligned::zeros(weight), bias: Aligned::zeros(bias) }
    }

    /// Adds what some images contribute: `from` are the inputs of the step, `gradient` is that of its
    /// outputs, which a pool has chosen from as `choice` says.
    #[inline]
    #[target_feature(enable = "avx2,fma")]
    pub fn add(
        &mut self,
        step: &Step,
        images: usize,
        from: (&Map, &[f32]),
        gradient: (&Map, &[f32]),
        choice: Choice,
        (tiles, patches): (&mut winograd::Scratch, &mut patches::Scratch),
    ) {
        let (map, numbers) = gradient;
        match &step.operation {
            Operation::Winograd { forward, .. } => {
                forward.add_gradient(images, from, gradient, &mut self.weight, tiles);
            }
            Operation::Patches { kernels, pooled, .. } => {
                let gradient = patches::Gradient::new(*pooled, gradient, choice);
                kernels.add_gradient(images, from, &gradient, &mut self.weight, patches);
            }
            Operation::Linear { .. } => {
                let rows = |map: &Map| (map.channels, map.channels);
                let (stride, width) = rows(map);
                let left = Rows { numbers, stride, width };
                let (stride, width) = rows(from.0);
                let right = Rows { numbers: from.1, stride, width };
                outer::add(images, left, right, &mut self.weight, &mut patches.panel);
            }
            _ => return,
        }
        for image in 0..images {
            for y in 0..map.height {
                let row = &numbers[image * map.size() + map.at(y, 0)..];
                let row = Rows { numbers: row, stride: map.channels, width: map.channels };
                outer::add_rows(map.width, row, &mut self.bias);
            }
        }
    }

    /// Adds others of the same step, and leaves zeros there.
    pub fn absorb(&mut self, other: &mut Self) {
        for (to, from) in [(&mut self.weight, &mut other.weight), (&mut self.bias, &mut other.bias)]
        {
            to.par_chunks_mut(PIECE).zip(from.par_chunks_mut(PIECE)).for_each(|(to, from)| {
                for (to, from) in to.iter_mut().zip(from) {
                    *to += std::mem::take(from);
                }
            });
        }
    }

    /// The gradient that the sums are, in the order of a state dict; zeros are left.
    pub fn finish(&mut self, step: &Step) -> Option<Gradient> {
        let Origin { name, channels: [inputs, outputs], .. } = step.origin.as_ref()?;
        let (inputs, outputs, sums) = (*inputs, *outputs, &*self.weight);
        let length = step.length(inputs);
        let places = step.places();
        let mut weight = vec![0.0; outputs * length];
        weight.par_chunks_mut(length.max(1)).enumerate().for_each(|(output, row)| {
            step.gradient(sums, output, &places, row);
        });
        let bias = self.bias[..outputs].to_vec();
        self.weight.fill(0.0);
        self.bias.fill(0.0);
        Some(Gradient { name: name.clone(), weight, bias })
    }
}

impl Step {
    /// Weights of one output.
    fn length(&self, inputs: usize) -> usize {
        match &self.operation {
            Operation::Winograd { .. } => 9 * inputs,
            Operation::Patches { kernels, .. } => kernels.pixels() * inputs,
            _ => inputs,
        }
    }

    /// The places of a fully connected layer's features in the state dict.
    fn places(&self) -> Vec<usize> {
        match (&self.operation, &self.origin) {
            (Operation::Linear { forward, .. }, Some(origin)) => origin.places(forward.rows()),
            _ => Vec::new(),
        }
    }

    /// The gradient of one output's weights.
    fn gradient(&self, sums: &[f32], output: usize, places: &[usize], row: &mut [f32]) {
        match &self.operation {
            Operation::Winograd { forward, .. } => {
                for (input, kernel) in row.chunks_exact_mut(9).enumerate() {
                    kernel.copy_from_slice(&forward.kernel(sums, input, output));
                }
            }
            Operation::Patches { kernels, .. } => {
                for (input, kernel) in row.chunks_exact_mut(kernels.pixels()).enumerate() {
                    for (pixel, number) in kernel.iter_mut().enumerate() {
                        *number = kernels.number(sums, (pixel, input), output);
                    }
                }
            }
            Operation::Linear { forward, .. } => {
                let (outputs, features) = (forward.columns(), forward.rows());
                for (feature, &place) in places.iter().enumerate() {
                    if let Some(number) = row.get_mut(place) {
                        *number = sums[outer::place(outputs, features, output, feature)];
                    }
                }
            }
            _ => {}
        }
    }
}
