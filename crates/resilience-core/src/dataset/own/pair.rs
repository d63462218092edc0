//! An array of images and one of their labels. Shape, kind and range of the numbers are held against what an
//! image can be: a wrong guess is an error that says what was found, never a wrong number.

use std::borrow::Cow;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use super::arrays::{ArrayFile, Number};
use super::picture::Preprocess;
use super::{How, content, labels, unreadable};
use crate::dataset::locate::check_enough;
use crate::dataset::pixels::{Image, Intake, Keep, Rows};
use crate::dataset::{DatasetError, Images, Split};
use crate::event::{Event, Observer, Unit};

/// Pixels that stay in memory; more are read from their file when they are asked for.
pub(super) const HELD: u64 = 256 << 20;
/// Pixels that stay in memory where they cannot be read from the middle of a compressed file.
const PACKED: u64 = 2 << 30;

/// The order of an image's numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Layout {
    /// One channel after the other: [n, c, h, w].
    Nchw,
    /// The channels of a pixel side by side: [n, h, w, c].
    Nhwc,
}

/// What black and white are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Range {
    /// From 0 to 1.
    One,
    /// From 0 to 255.
    Levels,
}

/// Images and labels, opened.
#[derive(Clone, Debug)]
pub(super) struct Pair {
    pub x: ArrayFile,
    pub y: ArrayFile,
}

impl Pair {
    /// Reads all labels and the first `n` images, or all.
    pub fn load(
        &self,
        how: &How,
        ((name, split), n): ((String, Split), Option<usize>),
        observer: &mut dyn Observer,
    ) -> Result<Images, DatasetError> {
        if how.preprocess != Preprocess::default() {
            let reason = "resize, crop and channels are for folders of pictures: leave them out, or write the \
                          array as the model is to see it";
            let path = self.x.path.clone();
            return Err(DatasetError::Manifest { path, reason: reason.to_owned() });
        }
        let coding = Coding::of(&self.x, how)?;
        let all = self.x.shape[0];
        let mut truth = labels::read(&self.y, all)?;
        let classes = how.classes.titles(&self.y.path, truth.iter().copied().max())?;
        check_enough(&name, split, all, n)?;
        let n = n.unwrap_or(all);
        truth.truncate(n);
        let keep = self.keep(&coding, n)?;
        let task = format!("reading {name} ({split})");
        observer.event(Event::Started { task, total: Some(n as u64), unit: Unit::Images });
        let mut intake = Intake::new(classes.len(), keep);
        let mut seen = Seen::default();
        let mut reader = self.x.stream()?;
        let mut bytes = Vec::new();
        for (row, &label) in truth.iter().enumerate() {
            if row.is_multiple_of(256) {
                if observer.cancelled() {
                    return Err(DatasetError::Cancelled(self.x.path.clone()));
                }
                observer.event(Event::Advanced { done: row as u64, detail: String::new() });
            }
            next(&mut *reader, coding.bytes(), &mut bytes).map_err(unreadable(&self.x.path))?;
            seen.look(&coding, row, &bytes);
            intake.take(label, &coding.image(&bytes));
        }
        if n == all {
            labels::end(&mut *reader, &self.x)?;
        }
        observer.event(Event::Finished);
        seen.check(&coding, &self.x)?;
        let shape = coding.shape;
        let pixels = intake.finish(|| Box::new(Elsewhere::new(&self.x, coding)));
        Ok(Images::of((name, split), classes, shape, pixels, truth))
    }

    /// What of the pixels stays in memory.
    fn keep(&self, coding: &Coding, n: usize) -> Result<Keep, DatasetError> {
        let (keep, width) =
            if coding.number == Number::U8 { (Keep::Bytes, 1) } else { (Keep::Floats, 4) };
        let size = coding.shape.iter().product::<usize>() as u64;
        let wanted = size.saturating_mul(n as u64).saturating_mul(width);
        match self.x.offset() {
            Some(_) if wanted > HELD => Ok(Keep::Nothing),
            None if wanted > PACKED => Err(DatasetError::TooLarge {
                path: self.x.path.clone(),
                what: format!("{n} images of {}", self.x.name),
                wanted,
                allowed: PACKED,
                remedy: "compressed arrays are held in memory; store it uncompressed (numpy.savez, or .npy), \
                         where images are read as they are needed, or ask for fewer with --n",
            }),
            _ => Ok(keep),
        }
    }
}

/// Reads the next image, for which memory is taken as its bytes come: an archive may claim what it has not.
fn next(reader: &mut dyn Read, size: usize, bytes: &mut Vec<u8>) -> io::Result<()> {
    bytes.clear();
    match reader.take(size as u64).read_to_end(bytes)? {
        read if read == size => Ok(()),
        _ => Err(io::ErrorKind::UnexpectedEof.into()),
    }
}

/// How an array's numbers are pixels.
#[derive(Clone, Copy, Debug)]
struct Coding {
    number: Number,
    layout: Layout,
    range: Range,
    /// Whether the range was said, and not found.
    said: bool,
    /// Channels, height, width.
    shape: [usize; 3],
}

impl Coding {
    fn of(x: &ArrayFile, how: &How) -> Result<Self, DatasetError> {
        let wrong = |what: &str, expected: String, found: String| {
            Err(content(&x.path, &format!("{what} of {}", x.name), expected, found))
        };
        let usual = match x.number {
            Number::U8 => Range::Levels,
            Number::F32 | Number::F64 => Range::One,
            other => {
                let expected =
                    "uint8 from 0 to 255, or float32 from 0 to 1: convert it with .astype";
                return wrong("kind", expected.to_owned(), other.name().to_owned());
            }
        };
        let colours = |channels: usize| channels == 1 || channels == 3;
        let (layout, shape) = match (&x.shape[..], how.layout) {
            (&[_, h, w], None | Some(_)) => (Layout::Nchw, [1, h, w]),
            (&[_, c, h, w], Some(Layout::Nchw)) if colours(c) => (Layout::Nchw, [c, h, w]),
            (&[_, h, w, c], Some(Layout::Nhwc)) if colours(c) => (Layout::Nhwc, [c, h, w]),
            (&[_, c, h, w], None) if colours(c) && !colours(w) => (Layout::Nchw, [c, h, w]),
            (&[_, h, w, c], None) if colours(c) && !colours(h) => (Layout::Nhwc, [c, h, w]),
            (&[_, a, _, b], None) if colours(a) && colours(b) => {
                let expected =
                    "layout = \"NCHW\" or \"NHWC\" in a data manifest, as both are possible";
                return wrong("shape", expected.to_owned(), format!("{:?}", x.shape));
            }
            (_, said) => {
                let expected = match said {
                    Some(Layout::Nchw) => {
                        "[n, c, h, w] as layout = \"NCHW\" says, with c of 1 or 3"
                    }
                    Some(Layout::Nhwc) => {
                        "[n, h, w, c] as layout = \"NHWC\" says, with c of 1 or 3"
                    }
                    None => "[n, c, h, w] or [n, h, w, c] with c of 1 or 3, or grey [n, h, w]",
                };
                return wrong("shape", expected.to_owned(), format!("{:?}", x.shape));
            }
        };
        if shape.contains(&0) || shape.iter().any(|&side| side > 1 << 14) {
            let expected = "sides from 1 to 16384".to_owned();
            return wrong("shape", expected, format!("{:?}", x.shape));
        }
        let (range, said) = (how.range.unwrap_or(usual), how.range.is_some());
        Ok(Self { number: x.number, layout, range, said, shape })
    }

    /// Bytes that an image takes in the file.
    fn bytes(&self) -> usize {
        self.shape.iter().product::<usize>() * self.number.size()
    }

    /// An image out of its bytes.
    fn image(&self, bytes: &[u8]) -> Image<'static> {
        match (self.number, self.range) {
            (Number::U8, Range::Levels) => {
                Image::Bytes(Cow::Owned(self.planes(bytes.iter().copied())))
            }
            (Number::U8, Range::One) => {
                Image::Bytes(Cow::Owned(self.planes(bytes.iter().map(|&level| level.min(1) * 255))))
            }
            (_, range) => {
                let scaled = self.values(bytes).map(|value| match range {
                    Range::One => value as f32,
                    Range::Levels => value as f32 / 255.0,
                });
                Image::Floats(Cow::Owned(self.planes(scaled)))
            }
        }
    }

    /// The numbers in the order of the file.
    fn values<'a>(&self, bytes: &'a [u8]) -> Box<dyn Iterator<Item = f64> + 'a> {
        match self.number {
            Number::F32 => {
                let numbers = bytes.as_chunks().0.iter();
                Box::new(numbers.map(|&bytes| f64::from(f32::from_le_bytes(bytes))))
            }
            Number::F64 => {
                Box::new(bytes.as_chunks().0.iter().map(|&bytes| f64::from_le_bytes(bytes)))
            }
            _ => Box::new(bytes.iter().map(|&byte| f64::from(byte))),
        }
    }

    /// The numbers with one channel after the other.
    fn planes<T: Copy + Default>(&self, numbers: impl Iterator<Item = T>) -> Vec<T> {
        let [c, h, w] = self.shape;
        if self.layout == Layout::Nchw || c == 1 {
            return numbers.collect();
        }
        let mut planes = vec![T::default(); c * h * w];
        for (place, number) in numbers.enumerate() {
            planes[place % c * h * w + place / c] = number;
        }
        planes
    }
}

/// What the numbers of the images that were read are like.
#[derive(Debug)]
struct Seen {
    least: f64,
    most: f64,
    /// The first image with a number that is none.
    broken: Option<usize>,
    images: usize,
}

impl Default for Seen {
    fn default() -> Self {
        Self { least: f64::INFINITY, most: f64::NEG_INFINITY, broken: None, images: 0 }
    }
}

impl Seen {
    fn look(&mut self, coding: &Coding, row: usize, bytes: &[u8]) {
        self.images += 1;
        if coding.number == Number::U8 {
            for &byte in bytes {
                self.least = self.least.min(f64::from(byte));
                self.most = self.most.max(f64::from(byte));
            }
            return;
        }
        for value in coding.values(bytes) {
            if !value.is_finite() {
                self.broken.get_or_insert(row);
            }
            self.least = self.least.min(value);
            self.most = self.most.max(value);
        }
    }

    /// Whether they can be pixels of the range that was said, or is usual.
    fn check(&self, coding: &Coding, x: &ArrayFile) -> Result<(), DatasetError> {
        let wrong = |expected: &str, found: String| {
            Err(content(&x.path, &format!("numbers of {}", x.name), expected.to_owned(), found))
        };
        if let Some(row) = self.broken {
            return wrong("finite numbers", format!("NaN or infinity in image {row}"));
        }
        if self.images == 0 {
            return Ok(());
        }
        let found = format!("{} from {} to {}", coding.number.name(), self.least, self.most);
        let limit = if coding.range == Range::One { 1.0 } else { 255.0 };
        if self.least < 0.0 && self.most <= 10.0 {
            return wrong(
                "pixels before normalisation, which the program does inside the model: save them from 0 to 1",
                found,
            );
        }
        if self.least < 0.0 || self.most > limit {
            return wrong(
                match coding.range {
                    Range::One => {
                        "from 0 to 1; where white is 255, write range = \"0-255\" in a data manifest"
                    }
                    Range::Levels => "from 0 to 255",
                },
                found,
            );
        }
        match (coding.number, coding.range, coding.said) {
            (Number::U8, Range::Levels, false) if self.most <= 1.0 => wrong(
                "from 0 to 255; write range = \"0-255\" in a data manifest if it is that black, \"0-1\" if 1 is \
                 white",
                found,
            ),
            (Number::F32 | Number::F64, Range::Levels, _) if self.most <= 1.0 => wrong(
                "from 0 to 255, as range = \"0-255\" says; write \"0-1\" where 1 is white",
                found,
            ),
            (Number::F32 | Number::F64, Range::One, false) if self.most <= 1.001 / 255.0 => wrong(
                "from 0 to 1; were they divided by 255 twice? Write range = \"0-1\" in a data manifest if it \
                 is that black",
                found,
            ),
            _ => Ok(()),
        }
    }
}

/// Images in the middle of a file.
#[derive(Debug)]
struct Elsewhere {
    path: PathBuf,
    file: Mutex<Option<File>>,
    offset: u64,
    coding: Coding,
}

impl Elsewhere {
    fn new(x: &ArrayFile, coding: Coding) -> Self {
        let offset = x.offset().unwrap_or_default();
        Self { path: x.path.clone(), file: Mutex::new(None), offset, coding }
    }
}

impl Rows for Elsewhere {
    fn read(&self, row: usize) -> Result<Image<'static>, DatasetError> {
        let failed = unreadable(&self.path);
        let mut bytes = vec![0; self.coding.bytes()];
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        let file = match &mut *file {
            Some(file) => file,
            none => none.insert(File::open(&self.path).map_err(&failed)?),
        };
        let start = self.offset + row as u64 * bytes.len() as u64;
        file.seek(SeekFrom::Start(start)).map_err(&failed)?;
        file.read_exact(&mut bytes).map_err(&failed)?;
        Ok(self.coding.image(&bytes))
    }

    fn place(&self, _: usize) -> PathBuf {
        self.path.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn coding(number: Number, layout: Layout, range: Range) -> Coding {
        Coding { number, layout, range, said: true, shape: [3, 1, 2] }
    }

    /// Would catch channels that are mixed up, and floats that are rounded on the way.
    #[test]
    fn numbers_become_planes() {
        let bytes = [1, 2, 3, 4, 5, 6];
        let hwc = coding(Number::U8, Layout::Nhwc, Range::Levels).image(&bytes);
        assert_eq!(hwc, Image::Bytes(vec![1, 4, 2, 5, 3, 6].into()));
        let chw = coding(Number::U8, Layout::Nchw, Range::Levels).image(&bytes);
        assert_eq!(chw, Image::Bytes(bytes.to_vec().into()));
        let odd = [0.1_f32, 0.2, 0.3, 1.0, 0.0, 0.123_456_79];
        let floats: Vec<u8> = odd.iter().flat_map(|level| level.to_le_bytes()).collect();
        let kept = coding(Number::F32, Layout::Nchw, Range::One).image(&floats);
        assert_eq!(kept, Image::Floats(odd.to_vec().into()));
    }

    /// Would catch levels that reach the model as other floats than the bytes they were made of.
    #[test]
    fn levels_are_the_same_whatever_they_were_saved_as() {
        for level in 0..=255_u8 {
            let byte = f32::from(level) / 255.0;
            let one = |number, range, bytes: &[u8]| {
                let coding = Coding { shape: [1, 1, 1], ..coding(number, Layout::Nchw, range) };
                match coding.image(bytes) {
                    Image::Floats(floats) => floats[0],
                    Image::Bytes(_) => unreachable!("floats stay floats"),
                }
            };
            let double = f64::from(level) / 255.0;
            assert_eq!(
                one(Number::F64, Range::One, &double.to_le_bytes()).to_bits(),
                byte.to_bits()
            );
            let whole = f32::from(level).to_le_bytes();
            assert_eq!(one(Number::F32, Range::Levels, &whole).to_bits(), byte.to_bits());
        }
    }
}
