//! Labelled images.

use std::fmt;
use std::str::FromStr;

use super::pixels::{Image, LabelWidth, Pixels};
use super::{DatasetError, DatasetSpec};
use crate::record::DatasetRecord;

/// A part of a data set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Split {
    /// What models are trained on.
    Train,
    /// What they are evaluated on.
    Test,
}

impl Split {
    /// The name that arguments and files use.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Train => "train",
            Self::Test => "test",
        }
    }
}

impl fmt::Display for Split {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Split {
    type Err = DatasetError;

    fn from_str(text: &str) -> Result<Self, DatasetError> {
        [Self::Train, Self::Test]
            .into_iter()
            .find(|split| split.name() == text)
            .ok_or_else(|| DatasetError::UnknownSplit(text.to_owned()))
    }
}

/// Images of one split in file order, each with its class. Their pixels are bytes or floats, in memory
/// or, where there are too many, read from their files whenever they are asked for.
#[derive(Clone, Debug)]
pub struct Images {
    name: String,
    split: Split,
    classes: Vec<String>,
    shape: [usize; 3],
    pixels: Pixels,
    labels: Vec<u32>,
    notices: Vec<String>,
    altered: bool,
}

/// The same images under the same name: the checksum tells.
impl PartialEq for Images {
    fn eq(&self, other: &Self) -> bool {
        self.shape == other.shape
            && self.notices == other.notices
            && self.labels == other.labels
            && self.record() == other.record()
    }
}

/// Ends the name, in records, of a data set whose images are not the official ones.
pub const ALTERED: &str = "-altered";

impl Images {
    /// Images of a data set: `pixels` is [n, c, h, w] in row-major order from 0 (black) to 255,
    /// `labels` is `[n]`.
    ///
    /// # Panics
    /// If pixels and labels do not fit each other or the data set: the caller made them.
    #[must_use]
    pub fn new(
        spec: &'static DatasetSpec,
        split: Split,
        pixels: Vec<u8>,
        labels: Vec<u32>,
    ) -> Self {
        let size: usize = spec.shape.iter().product();
        assert_eq!(pixels.len(), labels.len() * size, "every label has its image");
        let classes = spec.classes.iter().map(|&class| class.to_owned()).collect();
        let name = (spec.id.to_owned(), split);
        Self::of(name, classes, spec.shape, Pixels::Bytes(pixels), labels)
    }

    /// Images of a name and split, with what else there is to say of them.
    pub(super) fn of(
        (name, split): (String, Split),
        classes: Vec<String>,
        shape: [usize; 3],
        pixels: Pixels,
        labels: Vec<u32>,
    ) -> Self {
        assert!(
            labels.iter().all(|&label| (label as usize) < classes.len()),
            "every label is a class"
        );
        let notices = Vec::new();
        Self { name, split, classes, shape, pixels, labels, notices, altered: false }
    }

    /// Marks the images as not the official ones, with the reason in whole sentences. Their
    /// records then have another name ([`ALTERED`]).
    #[must_use]
    pub fn altered(mut self, notice: String) -> Self {
        self.notices.push(notice);
        self.altered = true;
        self
    }

    /// What a reader must know before any figure on these images; empty where they are the
    /// official ones.
    #[must_use]
    pub fn notices(&self) -> &[String] {
        &self.notices
    }

    /// Id of the data set, official or altered, or what the user calls theirs.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Which part of it.
    #[must_use]
    pub const fn split(&self) -> Split {
        self.split
    }

    /// Names of the classes, by label.
    #[must_use]
    pub fn classes(&self) -> &[String] {
        &self.classes
    }

    /// Channels, height, width.
    #[must_use]
    pub const fn shape(&self) -> [usize; 3] {
        self.shape
    }

    /// Numbers that one image has: channels times height times width.
    #[must_use]
    pub fn image_size(&self) -> usize {
        self.shape.iter().product()
    }

    /// The pixels of one image. Where they lie in a file they are read from it, and an error where
    /// they are not what they were when the images were loaded.
    ///
    /// # Panics
    /// If there is no image of that number.
    pub fn image(&self, row: usize) -> Result<Image<'_>, DatasetError> {
        assert!(row < self.len(), "there are {} images, {row} was asked for", self.len());
        self.pixels.image(row, self.image_size())
    }

    /// All pixels, [n, c, h, w] in row-major order, 0 to 255, where they are bytes in memory.
    #[must_use]
    pub fn bytes(&self) -> Option<&[u8]> {
        match &self.pixels {
            Pixels::Bytes(bytes) => Some(bytes),
            _ => None,
        }
    }

    /// `[n]`, each below the number of classes.
    #[must_use]
    pub fn labels(&self) -> &[u32] {
        &self.labels
    }

    /// Number of images.
    #[must_use]
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    /// The first `n` of them, or all where there are fewer.
    #[must_use]
    pub(super) fn first(mut self, n: usize) -> Self {
        if n < self.len() {
            let size = self.image_size();
            self.labels.truncate(n);
            self.pixels.truncate(n, size);
        }
        self
    }

    /// What a result says about the data it is over. The checksum is over label and pixels of each image
    /// in turn. A label is one byte, or four with the lowest first where there are more than 256
    /// classes; a pixel is one byte, or where pixels are floats its four bytes as IEEE 754 has them,
    /// again the lowest first; channels come one after the other, each row by row. That is the byte
    /// order of CIFAR-10's binary form: for its test split the checksum is what `sha256sum
    /// test_batch.bin` prints, for its training split what `cat data_batch_*.bin | sha256sum` does,
    /// whatever form the data was read from.
    #[must_use]
    pub fn record(&self) -> DatasetRecord {
        let altered = if self.altered { ALTERED } else { "" };
        DatasetRecord {
            name: format!("{}{altered}", self.name),
            split: self.split.name().to_owned(),
            n: self.len() as u64,
            sha256: self.pixels.checksum(&self.labels, LabelWidth::of(self.classes.len())),
            classes: self.classes.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dataset::cifar10;

    /// Would catch a slice whose pixels or checksum are not those of its images.
    #[test]
    fn the_first_n_are_the_first_n() {
        let pixels: Vec<u8> = (0..3 * 3072).map(|i| (i % 251) as u8).collect();
        let images = Images::new(&cifar10::SPEC, Split::Test, pixels.clone(), vec![1, 2, 9]);
        let first = images.clone().first(2);
        assert_eq!((first.len(), first.labels()), (2, &[1, 2][..]));
        assert_eq!(first.bytes(), Some(&pixels[..2 * 3072]));
        assert_eq!(images.image(1).unwrap(), Image::Bytes(pixels[3072..6144].into()));
        let other = Images::new(&cifar10::SPEC, Split::Test, pixels[..6144].into(), vec![1, 2]);
        assert_eq!(first.record(), other.record());
        assert_ne!(first.record().sha256, images.record().sha256);
        assert_eq!(images.clone().first(usize::MAX), images);
        assert!(images.first(0).is_empty());
    }

    /// Would catch figures on altered images under the official name.
    #[test]
    fn altered_images_are_recorded_as_such() {
        let pixels = vec![0; 2 * 3072];
        let images = Images::new(&cifar10::SPEC, Split::Test, pixels, vec![1, 2]);
        assert_eq!((images.notices().len(), images.record().name.as_str()), (0, "cifar10"));
        let altered = images.altered("Not the official ones.".to_owned()).first(1);
        assert_eq!(altered.notices(), ["Not the official ones."]);
        assert_eq!(
            (altered.name(), altered.record().name.as_str()),
            ("cifar10", "cifar10-altered")
        );
    }
}
