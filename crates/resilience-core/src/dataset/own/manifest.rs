//! The data manifest: where images lie and how they are to be read, where the path alone does not say enough.
//!
//! ```toml
//! path = "val"                 # beside this manifest: a folder of pictures, or a file of arrays
//! name = "imagenet-val"        # optional; in reports and records
//! split = "test"               # optional; refused where images of the other are asked for
//! labels = "val.txt"           # optional; of a folder a list of `file class`, of an array the file of labels
//! classes = 1000               # optional; or a list of names, a file of them, or a known data set's id
//! x = "images"                 # optional; the arrays' names in an archive
//! y = "labels"
//! layout = "NHWC"              # optional; or "NCHW"
//! range = "0-255"              # optional; or "0-1"
//! resize = 256                 # optional, pictures only; the shorter side, or [height, width]
//! crop = 224                   # optional, pictures only; from the middle, or [height, width]
//! channels = 3                 # optional, pictures only; 1 for grey
//! ```
//!
//! Instead of `path` there may be `train` and `test`, each a path.

use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::picture::{Preprocess, Resize};
use super::{Classes, How, Layout, Own, Parts, Place, Range, name_of, taken, unreadable};
use crate::dataset::{DatasetError, Split};
use crate::format::regular;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    path: Option<PathBuf>,
    train: Option<PathBuf>,
    test: Option<PathBuf>,
    name: Option<String>,
    split: Option<String>,
    labels: Option<PathBuf>,
    classes: Option<RawClasses>,
    x: Option<String>,
    y: Option<String>,
    layout: Option<String>,
    range: Option<String>,
    resize: Option<Sides>,
    crop: Option<Sides>,
    channels: Option<usize>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum RawClasses {
    Count(i64),
    Names(Vec<String>),
    Named(String),
}

#[derive(Clone, Copy, Deserialize)]
#[serde(untagged)]
enum Sides {
    One(usize),
    Two([usize; 2]),
}

/// Reads and checks a manifest; the images are not touched yet.
pub(super) fn read(path: &Path) -> Result<Own, DatasetError> {
    let wrong = |reason: String| DatasetError::Manifest { path: path.to_owned(), reason };
    let text = regular::read_text(path, regular::TEXT).map_err(unreadable(path))?;
    let raw: Raw = toml::from_str(&text).map_err(|error| wrong(error.to_string()))?;
    let folder = path.parent().unwrap_or(Path::new(""));
    let preprocess = preprocess(&raw).map_err(&wrong)?;
    let layout =
        word(raw.layout.as_deref(), "layout", &[("NCHW", Layout::Nchw), ("NHWC", Layout::Nhwc)]);
    let range =
        word(raw.range.as_deref(), "range", &[("0-1", Range::One), ("0-255", Range::Levels)]);
    let splits = [("train", Split::Train), ("test", Split::Test)];
    let split = word(raw.split.as_deref(), "split", &splits).map_err(&wrong)?;
    let labels = raw.labels.as_ref().map(|file| folder.join(file));
    let place = |images: &Path| Place { images: folder.join(images), labels: None };
    let parts = match (&raw.path, &raw.train, &raw.test) {
        (Some(images), None, None) => Parts::One(Place { labels, ..place(images) }, split),
        (None, Some(train), Some(test)) if labels.is_none() && split.is_none() => {
            Parts::Two { train: place(train), test: place(test) }
        }
        _ => {
            let reason = "it must have path (perhaps with labels and split), or train and test";
            return Err(wrong(reason.to_owned()));
        }
    };
    let classes = match &raw.classes {
        None => Classes::Met,
        Some(RawClasses::Count(count)) => Classes::count(path, *count)?,
        Some(RawClasses::Names(names)) => Classes::names(path, names)?,
        Some(RawClasses::Named(name)) => Classes::named(path, name)?,
    };
    let name = match raw.name {
        None => name_of(path),
        Some(name) if taken(&name) => {
            return Err(wrong(format!(
                "name = '{name}' is that of a data set whose images the program knows; give it another \
                 (classes = '{name}' says that its classes are those)"
            )));
        }
        Some(name)
            if name.trim().is_empty() || name.len() > 100 || name.contains(char::is_control) =>
        {
            return Err(wrong("name must have 1 to 100 printable characters".to_owned()));
        }
        Some(name) => name,
    };
    let (layout, range) = (layout.map_err(&wrong)?, range.map_err(&wrong)?);
    let how = How { x: raw.x, y: raw.y, layout, range, classes, preprocess };
    Ok(Own { name, path: path.to_owned(), parts, how })
}

/// One of some words.
fn word<T: Copy>(
    said: Option<&str>,
    field: &str,
    known: &[(&str, T)],
) -> Result<Option<T>, String> {
    let Some(said) = said else { return Ok(None) };
    let found = known.iter().find(|(word, _)| word.eq_ignore_ascii_case(said));
    found.map(|&(_, value)| Some(value)).ok_or_else(|| {
        let known: Vec<_> = known.iter().map(|(word, _)| format!("\"{word}\"")).collect();
        format!("{field} = \"{said}\" is none of {}", known.join(", "))
    })
}

fn preprocess(raw: &Raw) -> Result<Preprocess, String> {
    let good = |side: usize| (1..=1 << 13).contains(&side);
    let sides = |sides: Option<Sides>, field: &str| match sides {
        None => Ok(None),
        Some(Sides::One(side)) if good(side) => Ok(Some(Sides::One(side))),
        Some(Sides::Two([h, w])) if good(h) && good(w) => Ok(Some(Sides::Two([h, w]))),
        Some(_) => Err(format!("{field}: expected sides from 1 to {}", 1 << 13)),
    };
    let channels = raw.channels.unwrap_or(3);
    if channels != 1 && channels != 3 {
        return Err(format!("channels: expected 1 or 3, found {channels}"));
    }
    Ok(Preprocess {
        resize: sides(raw.resize, "resize")?.map(|sides| match sides {
            Sides::One(side) => Resize::Shorter(side),
            Sides::Two(sides) => Resize::To(sides),
        }),
        crop: sides(raw.crop, "crop")?.map(|sides| match sides {
            Sides::One(side) => [side; 2],
            Sides::Two(sides) => sides,
        }),
        channels,
    })
}
