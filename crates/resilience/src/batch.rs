//! Images and labels on their way into a model.

use resilience_core::dataset::Images;
use tch::{Kind, Tensor};

use crate::error::EngineError;

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

    /// Those images of a data set, in that order.
    pub fn from_rows(images: &Images, rows: &[usize]) -> Result<Self, EngineError> {
        let [c, h, w] = images.shape();
        let size = c * h * w;
        let mut bytes = Vec::with_capacity(rows.len() * size);
        for &row in rows {
            bytes.extend_from_slice(&images.pixels()[row * size..][..size]);
        }
        let shape = [rows.len() as i64, c as i64, h as i64, w as i64];
        let planes = Tensor::f_from_slice(&bytes)?.f_view(shape)?;
        let pixels = crate::layout::channels_last(&planes)?.f_to_kind(Kind::Float)?;
        let labels: Vec<i64> = rows.iter().map(|&row| i64::from(images.labels()[row])).collect();
        Ok(Self { images: pixels.f_div_scalar(255.0)?, labels: Tensor::f_from_slice(&labels)? })
    }
}
