//! Images and labels on their way into a model.

use resilience_core::dataset::{Image, Images};
use tch::{Kind, Tensor};

use crate::error::EngineError;
use crate::rng::{self, Key, Purpose};
use crate::rows::select;

/// Some images with their labels.
#[derive(Debug)]
pub struct Batch {
    /// `[n,c,h,w]`, f32 (f64 in golden cases) in [0, 1], channels of a pixel side by side.
    pub images: Tensor,
    /// `[n]`, i64.
    pub labels: Tensor,
}

impl Batch {
    /// Puts pixels (values in [0, 1], row by row with the channels of a pixel side by side) and
    /// labels together; `shape` is channels, height, width.
    pub fn from_pixels(
        pixels: &[f32],
        labels: &[i64],
        shape: [usize; 3],
    ) -> Result<Self, EngineError> {
        let [c, h, w] = shape.map(|side| side as i64);
        let n = labels.len() as i64;
        let images = Tensor::f_from_slice(pixels)?.f_view([n, h, w, c])?.f_permute([0, 3, 1, 2])?;
        Ok(Self { images, labels: Tensor::f_from_slice(labels)? })
    }

    /// The images numbered `rows` of a data set.
    pub fn from_images(images: &Images, rows: std::ops::Range<usize>) -> Result<Self, EngineError> {
        Self::from_rows(images, &rows.collect::<Vec<_>>())
    }

    /// The first images of a data set, as many of so many as it has.
    pub fn leading(images: &Images, n: u64) -> Result<Self, EngineError> {
        Self::from_images(images, 0..images.len().min(n as usize))
    }

    /// Those images of a data set, in that order. Bytes become floats in libtorch, as PyTorch makes them;
    /// what is floats already stays as it is.
    pub fn from_rows(images: &Images, rows: &[usize]) -> Result<Self, EngineError> {
        let [c, h, w] = images.shape();
        let shape = [rows.len() as i64, c as i64, h as i64, w as i64];
        let (mut bytes, mut floats) = (Vec::new(), Vec::new());
        for &row in rows {
            match images.image(row)? {
                Image::Bytes(image) => bytes.extend_from_slice(&image),
                Image::Floats(image) => floats.extend_from_slice(&image),
            }
        }
        let pixels = if floats.is_empty() {
            let planes = Tensor::f_from_slice(&bytes)?.f_view(shape)?;
            let pixels = crate::layout::channels_last(&planes)?.f_to_kind(Kind::Float)?;
            pixels.f_div_scalar(255.0)?
        } else {
            crate::layout::channels_last(&Tensor::f_from_slice(&floats)?.f_view(shape)?)?
        };
        let labels: Vec<i64> = rows.iter().map(|&row| i64::from(images.labels()[row])).collect();
        Ok(Self { images: pixels, labels: Tensor::f_from_slice(&labels)? })
    }

    /// So many images of that shape (channels, height, width) whose pixels are random, always the
    /// same ones, with the classes in turn: to measure times with where there are no others.
    pub fn random(n: u64, [c, h, w]: [i64; 3], classes: i64) -> Result<Self, EngineError> {
        let key = Key::new(0, "random images", 0);
        let mut pixels = vec![0.0; (n as i64 * c * h * w) as usize];
        for (index, image) in (0..n).zip(pixels.chunks_mut((c * h * w) as usize)) {
            rng::fill_uniform(&mut key.stream(Purpose::Draw, index), image);
        }
        for pixel in &mut pixels {
            *pixel = f32::midpoint(*pixel, 1.0);
        }
        let labels: Vec<i64> = (0..n as i64).map(|index| index % classes).collect();
        Self::from_pixels(&pixels, &labels, [c, h, w].map(|side| side as usize))
    }

    /// Its first images, from the beginning again where it has fewer.
    pub fn first(&self, n: u64) -> Result<Self, EngineError> {
        let rows: Vec<i64> = (0..n as i64).map(|row| row % self.labels.size()[0]).collect();
        let rows = Tensor::f_from_slice(&rows)?;
        Ok(Self { images: select(&self.images, &rows)?, labels: select(&self.labels, &rows)? })
    }
}
