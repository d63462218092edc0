//! Images and parameters as plain numbers on the host, without copies where libtorch has them so.

use std::marker::PhantomData;
use std::ops::Deref;

use rayon::prelude::{IndexedParallelIterator, ParallelIterator, ParallelSliceMut};
use tch::kind::Element;
use tch::{Device, Tensor};

use crate::error::EngineError;
use crate::threads;

/// So many numbers are added up side by side, each to a sum of its own: a single sum would have to
/// wait for itself at every number.
pub const LANES: usize = 8;

/// What the numbers of images may be.
pub trait Number: Element + Copy + Into<f64> + Send + Sync {
    /// The nearest such number.
    fn nearest(value: f64) -> Self;

    /// The nearest such number that is no farther from `origin` than the value is.
    fn inwards(value: f64, origin: Self) -> Self;
}

impl Number for f32 {
    fn nearest(value: f64) -> Self {
        value as Self
    }

    fn inwards(value: f64, origin: Self) -> Self {
        let (near, far) = (value as Self, (value - f64::from(origin)).abs());
        if (f64::from(near) - f64::from(origin)).abs() <= far {
            return near;
        }
        if near > origin { near.next_down() } else { near.next_up() }
    }
}

impl Number for f64 {
    fn nearest(value: f64) -> Self {
        value
    }

    fn inwards(value: f64, _: Self) -> Self {
        value
    }
}

/// The numbers of images, pixel by pixel with the channels side by side: `[n,h,w,c]`, flat.
#[derive(Debug)]
pub struct Pixels<T = f32> {
    tensor: Tensor,
    number: PhantomData<T>,
}

impl<T: Number> Pixels<T> {
    /// Those of `[n,c,h,w]`, shared with the tensor where they lie so already.
    pub fn of(images: &Tensor) -> Result<Self, EngineError> {
        let tensor = images.f_detach()?.f_permute([0, 2, 3, 1])?.f_contiguous()?;
        let tensor = tensor.f_to_device(Device::Cpu)?.f_to_kind(T::KIND)?;
        Ok(Self { tensor, number: PhantomData })
    }
}

impl Pixels<f32> {
    /// The images `[n,c,h,w]` that such numbers are, in the shape of others.
    pub fn tensor(numbers: &[f32], like: &Tensor) -> Result<Tensor, EngineError> {
        let [n, c, h, w] = [0, 1, 2, 3].map(|dim| like.size()[dim]);
        Ok(Tensor::f_from_slice(numbers)?.f_view([n, h, w, c])?.f_permute([0, 3, 1, 2])?)
    }
}

/// The numbers of a tensor in the order of memory, to be changed: one on the host, of numbers of that
/// kind, as many from its first to its last as it has.
#[expect(unsafe_code, reason = "the numbers of a tensor, which nothing else gives as a slice")]
pub fn numbers_mut<T: Element>(tensor: &mut Tensor) -> Result<&mut [T], EngineError> {
    let (size, stride) = (tensor.size(), tensor.stride());
    let last: i64 = size.iter().zip(stride).map(|(size, stride)| (size - 1) * stride).sum();
    let dense = tensor.numel() == 0 || last + 1 == tensor.numel() as i64;
    if tensor.kind() != T::KIND || tensor.device() != Device::Cpu || !dense {
        return Err(EngineError::Input {
            what: "tensor",
            expected: format!("{:?} on the host, without gaps", T::KIND),
            found: format!("{tensor:?}"),
        });
    }
    if tensor.numel() == 0 {
        return Ok(&mut []);
    }
    // SAFETY: so many numbers of that kind lie there (those of a new tensor are any bits, which is a
    // number too), and live as long as the tensor. Nothing in the engine looks at a tensor by another
    // handle while its numbers are changed.
    Ok(unsafe { std::slice::from_raw_parts_mut(tensor.data_ptr().cast(), tensor.numel()) })
}

impl<T: Number> Deref for Pixels<T> {
    type Target = [T];

    #[expect(unsafe_code, reason = "the numbers of a tensor, which nothing else gives as a slice")]
    fn deref(&self) -> &[T] {
        if self.tensor.numel() == 0 {
            return &[];
        }
        // SAFETY: the tensor is contiguous, of this kind and on the host, and lives as long as the
        // slice. Nothing in the engine changes images in place while somebody looks at their numbers.
        unsafe { std::slice::from_raw_parts(self.tensor.data_ptr().cast(), self.tensor.numel()) }
    }
}

/// Images `[n,c,h,w]` like the first of `images`, computed row by row on all threads: `write` is
/// given a space that is kept for some rows, the number of the row, what the row holds in each of
/// `images`, and what it has to fill, all of it.
pub fn by_rows<T: Number, S: Default, const N: usize>(
    images: [&Tensor; N],
    write: impl Fn(&mut S, usize, [&[T]; N], &mut [T]) + Sync,
) -> Result<Tensor, EngineError> {
    let like = images[0];
    if let Some(other) = images.iter().find(|other| other.size() != like.size()) {
        return Err(EngineError::Input {
            what: "images",
            expected: format!("those of one size, {:?}", like.size()),
            found: format!("{:?}", other.size()),
        });
    }
    let [n, c, h, w] = [0, 1, 2, 3].map(|dim| like.size()[dim]);
    let size = ((c * h * w) as usize).max(1);
    let pixels = images.into_iter().map(Pixels::of).collect::<Result<Vec<_>, _>>()?;
    let from: [&[T]; N] = std::array::from_fn(|place| &*pixels[place]);
    // Written where it stays, instead of copied there.
    let mut found = Tensor::f_empty([n, h, w, c], (T::KIND, Device::Cpu))?;
    let to = numbers_mut::<T>(&mut found)?;
    threads::shared(|| {
        to.par_chunks_mut(size).enumerate().for_each_init(S::default, |space, (row, to)| {
            let from = from.map(|numbers| &numbers[row * size..(row + 1) * size]);
            write(space, row, from, to);
        });
    });
    let found = found.f_permute([0, 3, 1, 2])?;
    Ok(found.f_to_device(like.device())?.f_to_kind(like.kind())?)
}

/// Adds what stands at the same place of several slices of equal length to one of [`LANES`] sums, by
/// turns; the sums begin at 0.
pub fn in_lanes<T: Number, const N: usize>(
    numbers: [&[T]; N],
    add: impl Fn(f64, [T; N]) -> f64,
) -> [f64; LANES] {
    let mut sums = [0.0; LANES];
    let parts = numbers.map(|numbers| numbers.as_chunks::<LANES>());
    for place in 0..parts[0].0.len() {
        let part = parts.map(|(chunks, _)| &chunks[place]);
        for (lane, sum) in sums.iter_mut().enumerate() {
            *sum = add(*sum, part.map(|numbers| numbers[lane]));
        }
    }
    for (lane, sum) in sums.iter_mut().enumerate().take(parts[0].1.len()) {
        *sum = add(*sum, parts.map(|(_, rest)| rest[lane]));
    }
    sums
}
