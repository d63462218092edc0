//! Labelled images in memory.

use std::fmt;
use std::str::FromStr;

use sha2::{Digest, Sha256};

use super::{DatasetError, DatasetSpec};
use crate::format::weights::hex;
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

/// Images of one split in file order, each with its class.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Images {
    name: &'static str,
    split: Split,
    classes: &'static [&'static str],
    shape: [usize; 3],
    pixels: Vec<u8>,
    labels: Vec<u8>,
    notices: Vec<String>,
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
    pub fn new(spec: &'static DatasetSpec, split: Split, pixels: Vec<u8>, labels: Vec<u8>) -> Self {
        let size: usize = spec.shape.iter().product();
        assert_eq!(pixels.len(), labels.len() * size, "every label has its image");
        assert!(
            labels.iter().all(|&label| usize::from(label) < spec.classes.len()),
            "every label is a class"
        );
        let DatasetSpec { id: name, classes, shape, .. } = *spec;
        Self { name, split, classes, shape, pixels, labels, notices: Vec::new() }
    }

    /// Marks the images as not the official ones, with the reason in whole sentences. Their
    /// records then have another name ([`ALTERED`]).
    #[must_use]
    pub fn altered(mut self, notice: String) -> Self {
        self.notices.push(notice);
        self
    }

    /// What a reader must know before any figure on these images; empty where they are the
    /// official ones.
    #[must_use]
    pub fn notices(&self) -> &[String] {
        &self.notices
    }

    /// Id of the data set, official or altered.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// Which part of it.
    #[must_use]
    pub const fn split(&self) -> Split {
        self.split
    }

    /// Names of the classes, by label.
    #[must_use]
    pub const fn classes(&self) -> &'static [&'static str] {
        self.classes
    }

    /// Channels, height, width.
    #[must_use]
    pub const fn shape(&self) -> [usize; 3] {
        self.shape
    }

    /// Bytes that one image takes: channels times height times width.
    #[must_use]
    pub fn image_size(&self) -> usize {
        self.shape.iter().product()
    }

    /// [n, c, h, w] in row-major order, 0 to 255.
    #[must_use]
    pub fn pixels(&self) -> &[u8] {
        &self.pixels
    }

    /// `[n]`, each below the number of classes.
    #[must_use]
    pub fn labels(&self) -> &[u8] {
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
    pub fn first(mut self, n: usize) -> Self {
        let n = n.min(self.len());
        self.labels.truncate(n);
        self.pixels.truncate(n * self.image_size());
        self
    }

    /// What a result says about the data it is over. The checksum is over label (one byte) and
    /// pixels of each image in turn, which is the byte order of CIFAR-10's binary form: for its
    /// test split it is what `sha256sum test_batch.bin` prints, for its training split what
    /// `cat data_batch_*.bin | sha256sum` does, whatever form the data was read from.
    #[must_use]
    pub fn record(&self) -> DatasetRecord {
        let altered = if self.notices.is_empty() { "" } else { ALTERED };
        DatasetRecord {
            name: format!("{}{altered}", self.name),
            split: self.split.name().to_owned(),
            n: self.len() as u64,
            sha256: checksum(&self.labels, &self.pixels),
            classes: self.classes.iter().map(|&class| class.to_owned()).collect(),
        }
    }
}

/// SHA-256 over label and pixels of each image in turn.
pub(super) fn checksum(labels: &[u8], pixels: &[u8]) -> String {
    let mut hasher = Sha256::new();
    let size = pixels.len() / labels.len().max(1);
    for (label, image) in labels.iter().zip(pixels.chunks_exact(size.max(1))) {
        hasher.update([*label]);
        hasher.update(image);
    }
    hex(&hasher.finalize())
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
        assert_eq!(first.pixels(), &pixels[..2 * 3072]);
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
