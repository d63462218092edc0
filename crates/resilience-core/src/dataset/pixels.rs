//! Pixels of images: bytes or floats, in memory or where they lie.

use std::borrow::Cow;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use sha2::{Digest, Sha256};

use super::DatasetError;
use crate::format::weights::hex;

/// The pixels of one image, [c, h, w] in row-major order.
#[derive(Clone, Debug, PartialEq)]
pub enum Image<'a> {
    /// From 0 (black) to 255.
    Bytes(Cow<'a, [u8]>),
    /// From 0 (black) to 1, as they were given.
    Floats(Cow<'a, [f32]>),
}

impl Image<'_> {
    /// As bytes, for a picture to look at; floats are rounded to the nearest level.
    #[must_use]
    pub fn to_levels(&self) -> Vec<u8> {
        match self {
            Self::Bytes(bytes) => bytes.to_vec(),
            Self::Floats(floats) => {
                floats.iter().map(|level| (level.clamp(0.0, 1.0) * 255.0).round() as u8).collect()
            }
        }
    }

    /// Numbers that it has.
    pub(super) fn len(&self) -> usize {
        match self {
            Self::Bytes(bytes) => bytes.len(),
            Self::Floats(floats) => floats.len(),
        }
    }

    fn add_to(&self, hasher: &mut Sha256) {
        match self {
            Self::Bytes(bytes) => hasher.update(bytes),
            Self::Floats(floats) => {
                let bytes: Vec<u8> = floats.iter().flat_map(|level| level.to_le_bytes()).collect();
                hasher.update(bytes);
            }
        }
    }
}

/// Images that are read when they are asked for, by their place.
pub(super) trait Rows: fmt::Debug + Send + Sync {
    /// The image at that place.
    fn read(&self, row: usize) -> Result<Image<'static>, DatasetError>;

    /// The file that holds it, for messages.
    fn place(&self, row: usize) -> PathBuf;
}

/// The pixels of all images.
#[derive(Clone, Debug)]
pub(super) enum Pixels {
    /// In memory, image after image.
    Bytes(Vec<u8>),
    /// Likewise.
    Floats(Vec<f32>),
    /// Too many for the memory.
    Elsewhere(Arc<Elsewhere>),
}

/// Images that stay where they lie. Each was read once, when the checksum was computed, and must be
/// the same when it is read again.
#[derive(Debug)]
pub(super) struct Elsewhere {
    rows: Box<dyn Rows>,
    marks: Vec<Mark>,
    sha256: String,
}

/// The beginning of an image's own SHA-256.
type Mark = [u8; 8];

fn mark(image: &Image<'_>) -> Mark {
    let mut hasher = Sha256::new();
    image.add_to(&mut hasher);
    let mut mark = [0; 8];
    mark.copy_from_slice(&hasher.finalize()[..8]);
    mark
}

impl Pixels {
    /// The image of that place, of `size` numbers.
    pub fn image(&self, row: usize, size: usize) -> Result<Image<'_>, DatasetError> {
        match self {
            Self::Bytes(all) => Ok(Image::Bytes(Cow::Borrowed(&all[row * size..][..size]))),
            Self::Floats(all) => Ok(Image::Floats(Cow::Borrowed(&all[row * size..][..size]))),
            Self::Elsewhere(elsewhere) => {
                let image = elsewhere.rows.read(row)?;
                if image.len() == size && mark(&image) == elsewhere.marks[row] {
                    return Ok(image);
                }
                Err(DatasetError::Changed { path: elsewhere.rows.place(row), image: row })
            }
        }
    }

    /// SHA-256 over label and pixels of each image in turn.
    pub fn checksum(&self, labels: &[u32], width: LabelWidth) -> String {
        let size = |all: usize| (all / labels.len().max(1)).max(1);
        let mut sum = Checksum::new(width);
        match self {
            Self::Elsewhere(elsewhere) => return elsewhere.sha256.clone(),
            Self::Bytes(all) => {
                for (&label, image) in labels.iter().zip(all.chunks_exact(size(all.len()))) {
                    sum.add(label, &Image::Bytes(Cow::Borrowed(image)));
                }
            }
            Self::Floats(all) => {
                for (&label, image) in labels.iter().zip(all.chunks_exact(size(all.len()))) {
                    sum.add(label, &Image::Floats(Cow::Borrowed(image)));
                }
            }
        }
        sum.finish()
    }

    /// Forgets all but the first `n` images of `size` numbers, which are in memory.
    pub fn truncate(&mut self, n: usize, size: usize) {
        match self {
            Self::Bytes(all) => all.truncate(n * size),
            Self::Floats(all) => all.truncate(n * size),
            Self::Elsewhere(_) => unreachable!("only as many are taken in as are wanted"),
        }
    }
}

/// The checksum of images in memory, each label a byte: labels `[n]`, pixels `[n, size]`.
pub(super) fn checksum(labels: &[u8], pixels: &[u8]) -> String {
    let size = (pixels.len() / labels.len().max(1)).max(1);
    let mut sum = Checksum::new(LabelWidth::One);
    for (&label, image) in labels.iter().zip(pixels.chunks_exact(size)) {
        sum.add(u32::from(label), &Image::Bytes(Cow::Borrowed(image)));
    }
    sum.finish()
}

/// Bytes that a label takes in a checksum.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LabelWidth {
    /// Up to 256 classes.
    One,
    /// More of them; the lowest byte first.
    Four,
}

impl LabelWidth {
    /// That of so many classes.
    pub const fn of(classes: usize) -> Self {
        if classes <= 256 { Self::One } else { Self::Four }
    }
}

/// A checksum while images come.
struct Checksum {
    hasher: Sha256,
    width: LabelWidth,
}

impl Checksum {
    fn new(width: LabelWidth) -> Self {
        Self { hasher: Sha256::new(), width }
    }

    fn add(&mut self, label: u32, image: &Image<'_>) {
        match self.width {
            LabelWidth::One => self.hasher.update([label as u8]),
            LabelWidth::Four => self.hasher.update(label.to_le_bytes()),
        }
        image.add_to(&mut self.hasher);
    }

    fn finish(self) -> String {
        hex(&self.hasher.finalize())
    }
}

/// Images while they come for the first time: summed up, and kept if there is room.
pub(super) struct Intake {
    sum: Checksum,
    marks: Vec<Mark>,
    kept: Option<Pixels>,
}

impl Intake {
    /// For images of so many classes; `keep` says whether they stay in memory.
    pub fn new(classes: usize, keep: Keep) -> Self {
        let kept = match keep {
            Keep::Bytes => Some(Pixels::Bytes(Vec::new())),
            Keep::Floats => Some(Pixels::Floats(Vec::new())),
            Keep::Nothing => None,
        };
        Self { sum: Checksum::new(LabelWidth::of(classes)), marks: Vec::new(), kept }
    }

    /// Takes the next image.
    pub fn take(&mut self, label: u32, image: &Image<'_>) {
        match (&mut self.kept, image) {
            (Some(Pixels::Bytes(all)), Image::Bytes(bytes)) => all.extend_from_slice(bytes),
            (Some(Pixels::Floats(all)), Image::Floats(floats)) => all.extend_from_slice(floats),
            _ => {
                self.sum.add(label, image);
                self.marks.push(mark(image));
            }
        }
    }

    /// What came; `rows` reads it again where it was not kept.
    pub fn finish(self, rows: impl FnOnce() -> Box<dyn Rows>) -> Pixels {
        self.kept.unwrap_or_else(|| {
            let (marks, sha256) = (self.marks, self.sum.finish());
            Pixels::Elsewhere(Arc::new(Elsewhere { rows: rows(), marks, sha256 }))
        })
    }
}

/// What an [`Intake`] keeps in memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Keep {
    /// All pixels, which are bytes.
    Bytes,
    /// All pixels, which are floats.
    Floats,
    /// A mark of each image, and their checksum.
    Nothing,
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Images that change after they were read so often.
    #[derive(Debug)]
    struct Fickle(std::sync::atomic::AtomicUsize);

    impl Rows for Fickle {
        fn read(&self, row: usize) -> Result<Image<'static>, DatasetError> {
            let left = self.0.fetch_sub(1, std::sync::atomic::Ordering::Relaxed);
            Ok(Image::Bytes(Cow::Owned(vec![row as u8, u8::from(left == 0)])))
        }

        fn place(&self, row: usize) -> PathBuf {
            format!("{row}.png").into()
        }
    }

    /// Would catch another checksum for images that are not kept than for the same ones in memory,
    /// and a file that changes during a run going unnoticed.
    #[test]
    fn images_elsewhere_are_the_same_images() {
        let both = [Keep::Bytes, Keep::Nothing].map(|keep| {
            let mut intake = Intake::new(10, keep);
            for row in 0..3 {
                intake.take(row, &Image::Bytes(Cow::Owned(vec![row as u8, 0])));
            }
            intake.finish(|| Box::new(Fickle(2.into())))
        });
        let sums = both.each_ref().map(|pixels| pixels.checksum(&[0, 1, 2], LabelWidth::One));
        assert_eq!(sums[0], sums[1]);
        for row in [0, 2] {
            assert_eq!(both[0].image(row, 2).unwrap(), both[1].image(row, 2).unwrap());
        }
        let error = both[1].image(1, 2).unwrap_err().to_string();
        assert!(error.contains("1.png") && error.contains("changed"), "{error}");
    }

    /// Would catch a label beyond 255 that is cut, and floats of the same bytes as other images.
    #[test]
    fn wide_labels_and_floats_have_their_own_checksum() {
        let bytes = Pixels::Bytes(vec![1, 2]);
        let sum = |label, width| bytes.checksum(&[label], width);
        assert_eq!(sum(1, LabelWidth::One), sum(257, LabelWidth::One));
        assert_ne!(sum(1, LabelWidth::of(257)), sum(257, LabelWidth::of(257)));
        let floats = |level| Pixels::Floats(vec![level; 2]).checksum(&[1], LabelWidth::One);
        assert_ne!(floats(0.5), floats(0.500_000_06));
        assert_ne!(floats(1.0 / 255.0), sum(1, LabelWidth::One));
    }
}
