//! A picture file as an image of the shape that a model takes.

use std::borrow::Cow;
use std::io::BufReader;
use std::path::Path;

use image::{ColorType, DynamicImage, ImageDecoder, ImageFormat, ImageReader, Limits};

use super::resample::Picture;
use super::{content, unreadable};
use crate::dataset::DatasetError;
use crate::dataset::pixels::Image;
use crate::format::regular;

/// Endings of the files that are read.
pub(super) const ENDINGS: [&str; 3] = ["png", "jpg", "jpeg"];

/// Sides that a picture may have; a file of a few bytes may claim billions of pixels.
const MAX_SIDE: u32 = 1 << 15;
/// Bytes that its pixels may take in colour.
const MAX_BYTES: u64 = 512 << 20;
/// Bytes that its decoder may take for what lies beside the pixels: a colour profile of some kilobytes may
/// unpack to all memory.
const MAX_BESIDE: u64 = 16 << 20;

/// What is done to each picture, in this order, as torchvision's `Resize` and `CenterCrop` do it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Preprocess {
    pub resize: Option<Resize>,
    /// Height and width of the part in the middle.
    pub crop: Option<[usize; 2]>,
    /// Channels of the image: 3, or 1 for grey.
    pub channels: usize,
}

impl Default for Preprocess {
    fn default() -> Self {
        Self { resize: None, crop: None, channels: 3 }
    }
}

/// To which sides a picture is resized.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Resize {
    /// The shorter one to so many pixels, the other in proportion.
    Shorter(usize),
    /// Height and width.
    To([usize; 2]),
}

/// An image and its shape: channels, height, width.
pub(super) type Shaped = (Image<'static>, [usize; 3]);

/// Decodes a picture and brings it into shape.
pub(super) fn read(path: &Path, preprocess: Preprocess) -> Result<Shaped, DatasetError> {
    let mut picture = decoded(path, preprocess.channels)?;
    match preprocess.resize {
        Some(Resize::To(sides)) => picture = picture.resized(sides),
        Some(Resize::Shorter(side)) => {
            let (h, w) = (picture.height, picture.width);
            let other = |long: usize, short: usize| side.saturating_mul(long) / short;
            let sides = if h <= w { [side, other(w, h)] } else { [other(h, w), side] };
            if sides.iter().any(|&side| side > MAX_SIDE as usize) {
                let expected = format!("sides of at most {MAX_SIDE} after resizing");
                return Err(content(path, "picture", expected, format!("{sides:?}")));
            }
            picture = picture.resized(sides);
        }
        None => {}
    }
    if let Some(crop) = preprocess.crop {
        if crop[0] > picture.height || crop[1] > picture.width {
            let expected = format!(
                "at least {} x {} pixels to crop from; write resize = too",
                crop[0], crop[1]
            );
            let found = format!("{} x {}", picture.height, picture.width);
            return Err(content(path, "picture", expected, found));
        }
        picture = picture.cropped(crop);
    }
    let Picture { height, width, channels, pixels } = picture;
    let mut planes = vec![0; pixels.len()];
    for (place, &level) in pixels.iter().enumerate() {
        planes[place % channels * height * width + place / channels] = level;
    }
    Ok((Image::Bytes(Cow::Owned(planes)), [channels, height, width]))
}

fn decoded(path: &Path, channels: usize) -> Result<Picture, DatasetError> {
    let file = BufReader::new(regular::open(path).map_err(unreadable(path))?);
    let mut reader = ImageReader::new(file).with_guessed_format().map_err(unreadable(path))?;
    let broken = |reason: String| DatasetError::Picture { path: path.to_owned(), reason };
    if !matches!(reader.format(), Some(ImageFormat::Png | ImageFormat::Jpeg)) {
        return Err(broken("it does not begin as a PNG or a JPEG does".to_owned()));
    }
    let mut limits = Limits::default();
    limits.max_image_width = Some(MAX_SIDE);
    limits.max_image_height = Some(MAX_SIDE);
    limits.max_alloc = Some(MAX_BESIDE);
    reader.limits(limits);
    let decoder = reader.into_decoder().map_err(|error| broken(error.to_string()))?;
    // Before anything is decoded: an image of one level has three times as many bytes in colour.
    let (width, height) = decoder.dimensions();
    if u64::from(width) * u64::from(height) * 3 > MAX_BYTES {
        let most = MAX_BYTES / 3;
        return Err(broken(format!("it has {width} x {height} pixels, and {most} are the most")));
    }
    if !matches!(
        decoder.color_type(),
        ColorType::L8 | ColorType::La8 | ColorType::Rgb8 | ColorType::Rgba8
    ) {
        return Err(broken(
            "it has more than 8 bits a channel, which an image of 256 levels would lose".to_owned(),
        ));
    }
    let decoded = DynamicImage::from_decoder(decoder).map_err(|error| broken(error.to_string()))?;
    let (height, width) = (decoded.height() as usize, decoded.width() as usize);
    let pixels = match (channels, decoded) {
        (1, DynamicImage::ImageLuma8(grey)) => grey.into_raw(),
        (1, DynamicImage::ImageLumaA8(grey)) => {
            grey.into_raw().chunks_exact(2).map(|pixel| pixel[0]).collect()
        }
        (1, colour) => {
            colour.into_rgb8().as_raw().as_chunks().0.iter().map(|&pixel| grey(pixel)).collect()
        }
        (_, any) => any.into_rgb8().into_raw(),
    };
    Ok(Picture { height, width, channels, pixels })
}

/// The grey of a colour, as Pillow's conversion to `L` has it.
fn grey([red, green, blue]: [u8; 3]) -> u8 {
    let [red, green, blue] = [red, green, blue].map(u32::from);
    ((red * 19_595 + green * 38_470 + blue * 7_471 + 0x8000) >> 16) as u8
}
