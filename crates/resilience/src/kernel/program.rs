//! A network as a list of operations on slots, put together layer by layer, and its plan for memory.

mod way_back;

use rayon::prelude::{IndexedParallelIterator, ParallelIterator, ParallelSliceMut};

use super::gemm::Panels;
use super::map::Map;
use super::patches::Patches;
use super::simd::LANES;
use super::winograd::Winograd;
use crate::layer::Window;
use crate::threads::shared;

pub use way_back::Back;

/// The values of one operation's result.
#[derive(Clone, Copy, Debug)]
pub struct Slot {
    /// How they lie in memory.
    pub map: Map,
    /// Whether they come of a ReLU, of which a mask is kept.
    pub relu: bool,
}

/// An operation: it reads one slot, and another where it adds one, and writes a new slot.
#[derive(Debug)]
pub struct Step {
    /// What it reads.
    pub from: usize,
    /// What is added to its result.
    pub add: Option<usize>,
    /// What it writes.
    pub to: usize,
    /// What it does.
    pub operation: Operation,
    /// Where its weights come from, where it has any.
    pub origin: Option<Origin>,
}

/// Where the weights of a step come from.
#[derive(Debug)]
pub struct Origin {
    /// The prefix of their names in the state dict.
    pub name: String,
    /// Features or channels in, and out.
    pub channels: [usize; 2],
    /// The image that features are the flat form of: a state dict counts them channel by channel,
    /// memory pixel by pixel.
    pub flat: Option<Map>,
}

impl Origin {
    /// The places in the state dict of so many features in memory; too large for those that only
    /// fill up.
    pub fn places(&self, features: usize) -> Vec<usize> {
        let place = |feature: usize| match self.flat {
            Some(map) => {
                let (pixel, channel) = (feature / map.channels, feature % map.channels);
                channel * map.pixel_count() + pixel
            }
            None => feature,
        };
        (0..features).map(place).collect()
    }
}

/// What is computed. Numbers for each channel are filled up to whole vectors.
#[derive(Debug)]
pub enum Operation {
    /// A 3x3 convolution with stride 1.
    Winograd {
        /// Of the values.
        forward: Winograd,
        /// Of the gradient: a convolution with the kernels turned over.
        backward: Winograd,
        /// Added to every pixel.
        bias: Vec<f32>,
    },
    /// Any other convolution.
    Patches {
        /// In both directions.
        kernels: Patches,
        /// Added to every pixel.
        bias: Vec<f32>,
        /// Where 2x2 max pooling follows, how the values lie that are pooled: they are never stored.
        pooled: Option<Map>,
    },
    /// A fully connected layer.
    Linear {
        /// `[in, out]`
        forward: Panels,
        /// `[out, in]`
        backward: Panels,
        /// Added to the features.
        bias: Vec<f32>,
    },
    /// Each channel's values times a number of its own, and another added.
    Affine {
        /// The factors.
        scale: Vec<f32>,
        /// Added to every pixel.
        bias: Vec<f32>,
    },
    /// Every second pixel, with this many zero channels before the input's.
    Subsample(usize),
    /// The largest of 2 x 2 pixels.
    MaxPool,
    /// The mean over all pixels.
    Average,
    /// The pixels without their margin.
    Flatten,
}

impl Operation {
    /// Whether it writes down which pixels it has chosen.
    pub const fn pools(&self) -> bool {
        matches!(self, Self::MaxPool | Self::Patches { pooled: Some(_), .. })
    }
}

/// A network's operations in order, and where in memory their slots and gradients lie.
#[derive(Debug, Default)]
pub struct Program {
    /// The results, the pixels first.
    pub slots: Vec<Slot>,
    /// The operations.
    pub steps: Vec<Step>,
    /// What is done to the pixels first.
    pub scale: Option<Scale>,
    top: usize,
}

/// `(x - mean) / std`, with the numbers of each pixel's channels repeated for a row of pixels.
#[derive(Debug)]
pub struct Scale {
    /// Subtracted.
    pub mean: Vec<f32>,
    /// Divides.
    pub std: Vec<f32>,
}

/// A convolution's or a fully connected layer's weights in the order of a state dict.
pub struct Weights<'a> {
    /// The prefix of their names there.
    pub name: &'a str,
    /// `[out, in, size, size]` or `[out, in]`, flat.
    pub numbers: &'a [f32],
    /// Features or channels in, and out.
    pub channels: [usize; 2],
    /// `[out]`
    pub bias: &'a [f32],
}

impl Weights<'_> {
    fn origin(&self, flat: Option<Map>) -> Origin {
        Origin { name: self.name.to_owned(), channels: self.channels, flat }
    }
}

impl Program {
    /// A program that takes pixels of this shape: channels, height, width.
    #[must_use]
    pub fn new([channels, height, width]: [usize; 3]) -> Self {
        let pixels = Slot { map: Map::pixels(channels, height, width), relu: false };
        Self { slots: vec![pixels], steps: Vec::new(), scale: None, top: 0 }
    }

    /// The same for pixels that are not normalised yet: with a mean and a standard deviation for each
    /// channel.
    #[must_use]
    pub fn normalising(self, mean: &[f32], std: &[f32]) -> Self {
        let width = self.slots[0].map.width;
        Self { scale: Some(Scale { mean: mean.repeat(width), std: std.repeat(width) }), ..self }
    }

    /// The newest slot, which the next layer reads.
    #[must_use]
    pub const fn top(&self) -> usize {
        self.top
    }

    /// Whether the newest slot has features, not pixels.
    #[must_use]
    pub fn is_features(&self) -> bool {
        !self.slots[self.top].map.has_margin()
    }

    /// A convolution of a slot; `add` is added to it. None where the window needs a wider margin than
    /// slots have or does not fit into the image, and where the channels are not those of the slot or
    /// the result does not lie as `add` does.
    pub fn convolution(
        &mut self,
        from: usize,
        weights: &Weights,
        window: Window,
        add: Option<usize>,
    ) -> Option<usize> {
        let Window { size, stride, padding } = window;
        let map = self.image(from)?;
        let [inputs, outputs] = weights.channels;
        let room = map.height.min(map.width) as i64 + 2 * padding;
        let possible = (0..=1).contains(&padding) && (1..=room).contains(&size) && stride > 0;
        if !possible || !(inputs == map.channels || whole(inputs) == map.channels) {
            return None;
        }
        let shrunk = |side: usize| ((side as i64 + 2 * padding - size) / stride + 1) as usize;
        let to = Map::image(outputs, shrunk(map.height), shrunk(map.width));
        if add.is_some_and(|add| self.slots[add].map != to) {
            return None;
        }
        let side = size as usize;
        let origin = weights.origin(None);
        let at = |output: usize, input: usize, y: usize, x: usize| {
            weights.numbers[((output * inputs + input) * side + y) * side + x]
        };
        let bias = filled(weights.bias);
        let vectors = map.channels.is_multiple_of(LANES);
        let operation = if (size, stride, padding) == (3, 1, 1) && vectors {
            let turned = |output, input, y, x| at(input, output, 2 - y, 2 - x);
            Operation::Winograd {
                forward: Winograd::new(inputs, outputs, at),
                backward: Winograd::new(outputs, inputs, turned),
                bias,
            }
        } else {
            let kernels = Patches::new(window, weights.channels, map.channels, at);
            Operation::Patches { kernels, bias, pooled: None }
        };
        let slot = Slot { map: to, relu: false };
        Some(self.push_weighted(from, add, slot, operation, origin))
    }

    /// A fully connected layer. None where it does not read features, or another number of them.
    pub fn linear(&mut self, weights: &Weights) -> Option<usize> {
        let from = self.slots[self.top].map;
        if from.has_margin() {
            return None;
        }
        let [inputs, outputs] = weights.channels;
        let image = self.image_behind_features();
        let pixels = image.map_or(1, |map| map.pixel_count());
        if !inputs.is_multiple_of(pixels) || whole(inputs / pixels) * pixels != from.channels {
            return None;
        }
        let origin = weights.origin(image);
        // In the order of memory first: what is packed then lies side by side.
        let stored = from.channels;
        let mut numbers = vec![0.0; outputs * stored];
        let places = origin.places(stored);
        shared(|| {
            numbers.par_chunks_exact_mut(stored).enumerate().for_each(|(output, row)| {
                let from = &weights.numbers[output * inputs..][..inputs];
                for (number, &place) in row.iter_mut().zip(&places) {
                    *number = from.get(place).copied().unwrap_or(0.0);
                }
            });
        });
        let at = |feature: usize, output: usize| {
            if output < outputs { numbers[output * stored + feature] } else { 0.0 }
        };
        let operation = Operation::Linear {
            forward: Panels::pack(from.channels, outputs, at),
            backward: Panels::pack(whole(outputs), from.channels, |o, i| at(i, o)),
            bias: filled(weights.bias),
        };
        let slot = Slot { map: Map::features(outputs), relu: false };
        Some(self.push_weighted(self.top, None, slot, operation, origin))
    }

    /// The newest slot's channels, each times its factor and with its number added. None where it has
    /// other channels, or features.
    pub fn affine(&mut self, scale: &[f32], bias: &[f32]) -> Option<usize> {
        let map = self.vectors(self.top).filter(|map| map.channels == whole(scale.len()))?;
        let operation = Operation::Affine { scale: filled(scale), bias: filled(bias) };
        Some(self.push(self.top, Slot { map, relu: false }, operation))
    }

    /// ReLU of the newest slot. None where it is not the result of weights or of factors.
    pub fn relu(&mut self) -> Option<()> {
        let fits = |step: &&Step| {
            step.origin.is_some() || matches!(step.operation, Operation::Affine { .. })
        };
        self.steps.last().filter(fits)?;
        self.slots[self.top].relu = true;
        Some(())
    }

    /// Every second pixel of a slot, with zero channels around its own. None where those before leave
    /// no place.
    pub fn subsample(&mut self, from: usize, before: usize, channels: usize) -> Option<usize> {
        let map = self.image(from)?;
        if before > channels {
            return None;
        }
        let to = Map::image(channels, map.height.div_ceil(2), map.width.div_ceil(2));
        Some(self.push(from, Slot { map: to, relu: false }, Operation::Subsample(before)))
    }

    /// ReLU and 2x2 max pooling, within the newest step where that is possible. None where there are
    /// not two pixels on a side.
    pub fn relu_max_pool(&mut self) -> Option<usize> {
        let map = self.vectors(self.top).filter(|map| map.height.min(map.width) > 1)?;
        let to = Map::image(map.channels, map.height / 2, map.width / 2);
        let slot = Slot { map: to, relu: true };
        let whole = map.height.is_multiple_of(2) && map.width.is_multiple_of(2);
        let last = self.steps.last_mut().filter(|last| last.add.is_none() && whole);
        if let Some(Operation::Patches { pooled, .. }) = last.map(|last| &mut last.operation)
            && !self.slots[self.top].relu
        {
            *pooled = Some(map);
            self.slots[self.top] = slot;
            return Some(self.top);
        }
        Some(self.push(self.top, slot, Operation::MaxPool))
    }

    /// The mean over all pixels.
    pub fn average(&mut self) -> Option<usize> {
        let to = Map::features(self.vectors(self.top)?.channels);
        Some(self.push(self.top, Slot { map: to, relu: false }, Operation::Average))
    }

    /// The pixels as features.
    pub fn flatten(&mut self) -> Option<usize> {
        let map = self.vectors(self.top)?;
        let to = Map::features(map.channels * map.pixel_count());
        Some(self.push(self.top, Slot { map: to, relu: false }, Operation::Flatten))
    }

    /// How a slot's pixels lie. None where it has features.
    fn image(&self, slot: usize) -> Option<Map> {
        Some(self.slots[slot].map).filter(Map::has_margin)
    }

    /// The same, and None where its channels are not whole vectors: those of the input.
    fn vectors(&self, slot: usize) -> Option<Map> {
        self.image(slot).filter(|map| map.channels.is_multiple_of(LANES))
    }

    /// The image that the newest slot is the flat form of.
    fn image_behind_features(&self) -> Option<Map> {
        let step = self.steps.last()?;
        matches!(step.operation, Operation::Flatten).then(|| self.slots[step.from].map)
    }

    fn push(&mut self, from: usize, slot: Slot, operation: Operation) -> usize {
        self.slots.push(slot);
        self.top = self.slots.len() - 1;
        self.steps.push(Step { from, add: None, to: self.top, operation, origin: None });
        self.top
    }

    fn push_weighted(
        &mut self,
        from: usize,
        add: Option<usize>,
        slot: Slot,
        operation: Operation,
        origin: Origin,
    ) -> usize {
        let top = self.push(from, slot, operation);
        if let Some(step) = self.steps.last_mut() {
            (step.add, step.origin) = (add, Some(origin));
        }
        top
    }
}

/// Channels or features, filled up to whole vectors.
const fn whole(number: usize) -> usize {
    number.next_multiple_of(LANES)
}

/// Filled up with zeros to whole vectors.
fn filled(numbers: &[f32]) -> Vec<f32> {
    let mut filled = numbers.to_vec();
    filled.resize(whole(numbers.len()), 0.0);
    filled
}
