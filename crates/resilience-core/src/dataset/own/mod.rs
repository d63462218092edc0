//! Images that are the user's own: arrays of images and labels, folders of pictures, or what a data manifest
//! ([`manifest`]) says of them. What is not said is read off the files where it is plain from them, and
//! asked for where it is not; what is said is held against the files.

mod arrays;
mod classes;
mod folder;
mod labels;
mod manifest;
mod pair;
mod picture;
mod resample;

use std::path::{Path, PathBuf};

use self::arrays::{ArrayFile, Container};
use self::classes::Classes;
use self::pair::{Layout, Pair, Range};
use self::picture::Preprocess;
use super::{ALTERED, DatasetError, Images, Split, spec};
use crate::event::Observer;

/// What is looked for, in words.
pub(super) const FORMS: &str = "arrays x and y in a .npz or .safetensors, x.npy beside y.npy, a folder with a \
                                folder of JPEG or PNG files for each class, or a data manifest (.toml)";

/// Images of the user's own, found, not yet read.
#[derive(Clone, Debug)]
pub(super) struct Own {
    name: String,
    /// What was given, for messages.
    path: PathBuf,
    parts: Parts,
    how: How,
}

/// Where images lie.
#[derive(Clone, Debug)]
enum Parts {
    /// All in one place: of that split, or of whichever is asked for.
    One(Place, Option<Split>),
    /// Those to train on, and others to test on.
    Two { train: Place, test: Place },
}

/// A file with images, and perhaps another one with their labels.
#[derive(Clone, Debug)]
struct Place {
    images: PathBuf,
    labels: Option<PathBuf>,
}

/// How images are to be read; what is not said is found out, or there is one usual way.
#[derive(Clone, Debug, Default)]
struct How {
    /// Name of the images' array.
    x: Option<String>,
    /// Name of the labels' array.
    y: Option<String>,
    layout: Option<Layout>,
    range: Option<Range>,
    classes: Classes,
    preprocess: Preprocess,
}

/// What a file or folder holds, by its name.
enum Form {
    Arrays(Container),
    Folder,
}

impl Own {
    /// The images at a path, where it holds any.
    pub fn at(path: &Path) -> Result<Option<Self>, DatasetError> {
        let ending = path.extension().and_then(|ending| ending.to_str()).unwrap_or_default();
        if ending.eq_ignore_ascii_case("toml") && path.is_file() {
            return manifest::read(path).map(Some);
        }
        let place = |images: PathBuf| Place { images, labels: None };
        let parts = if path.is_dir() {
            let inside = path.join("x.npy");
            if inside.is_file() {
                Parts::One(place(inside), None)
            } else if let Some((train, test)) = folder::splits(path) {
                Parts::Two { train: place(train), test: place(test) }
            } else if folder::has_classes(path) {
                Parts::One(place(path.to_owned()), None)
            } else {
                return Ok(None);
            }
        } else if matches!(
            Container::of(path),
            Some(Container::Npy | Container::Npz | Container::Safetensors)
        ) {
            Parts::One(place(path.to_owned()), None)
        } else {
            return Ok(None);
        };
        Ok(Some(Self { name: name_of(path), path: path.to_owned(), parts, how: How::default() }))
    }

    /// What it is called in records.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The path that was given.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// An error unless there are images to train on and others to test on.
    pub fn check_both_splits(&self) -> Result<(), DatasetError> {
        let both = match &self.parts {
            Parts::Two { .. } => true,
            Parts::One(place, None) => match Container::of(&place.images) {
                Some(container) if !place.images.is_dir() => {
                    let names = arrays::names(&place.images, container)?;
                    ["x_train", "x_test"].iter().all(|wanted| names.iter().any(|n| n == wanted))
                }
                _ => false,
            },
            Parts::One(_, Some(_)) => false,
        };
        if both {
            return Ok(());
        }
        let (path, has) = (self.path.clone(), "images of one split only");
        Err(DatasetError::OneSplit {
            path,
            has,
            wanted: "images to train on and others to test on",
        })
    }

    /// Reads a split: its first `n` images, or all, and of arrays all labels.
    pub fn load(
        &self,
        split: Split,
        n: Option<usize>,
        observer: &mut dyn Observer,
    ) -> Result<Images, DatasetError> {
        let place = self.place(split)?;
        let named = (self.name.clone(), split);
        match form(&place.images)? {
            Form::Folder => folder::load(
                &place.images,
                place.labels.as_deref(),
                &self.how,
                (named, n),
                observer,
            ),
            Form::Arrays(container) => {
                let pair = self.pair(place, container, split)?;
                pair.load(&self.how, (named, n), observer)
            }
        }
    }

    /// Where the images of a split lie.
    fn place(&self, split: Split) -> Result<&Place, DatasetError> {
        let refused = |has, wanted| {
            let path = self.path.clone();
            Err(DatasetError::OneSplit { path, has, wanted })
        };
        match (&self.parts, split) {
            (Parts::One(_, Some(Split::Test)), Split::Train) => {
                refused("images to test on", "images to train on")
            }
            (Parts::One(_, Some(Split::Train)), Split::Test) => {
                refused("images to train on", "images to test on")
            }
            (Parts::One(place, _), _) => Ok(place),
            (Parts::Two { train, .. }, Split::Train) => Ok(train),
            (Parts::Two { test, .. }, Split::Test) => Ok(test),
        }
    }

    /// The arrays of images and labels.
    fn pair(
        &self,
        place: &Place,
        container: Container,
        split: Split,
    ) -> Result<Pair, DatasetError> {
        let path = &place.images;
        if !container.is_archive() {
            let labels = match &place.labels {
                Some(labels) => labels.clone(),
                None => arrays::beside(path)?,
            };
            let Some(other) = Container::of(&labels).filter(|other| !other.is_archive()) else {
                return Err(content(
                    &labels,
                    "labels",
                    "a .npy or IDX file".to_owned(),
                    "a file of another ending".to_owned(),
                ));
            };
            let x = ArrayFile::open(path, container, "x")?;
            return Ok(Pair { x, y: ArrayFile::open(&labels, other, "y")? });
        }
        if let Some(labels) = &place.labels {
            return Err(content(
                labels,
                "labels",
                format!("an array of {}: leave labels out, or write y = its name", path.display()),
                "a file of their own".to_owned(),
            ));
        }
        let names = arrays::names(path, container)?;
        let open = |given: &Option<String>, usual: [String; 2]| {
            let wanted = given.clone().map_or_else(|| usual.to_vec(), |name| vec![name]);
            match wanted.iter().find(|name| names.contains(name)) {
                Some(name) => ArrayFile::open(path, container, name),
                None => Err(content(
                    path,
                    "arrays",
                    format!(
                        "one called {}, or x = and y = in a data manifest",
                        wanted.join(" or ")
                    ),
                    if names.is_empty() { "none".to_owned() } else { classes::listed(&names) },
                )),
            }
        };
        let usual = |letter: &str| [format!("{letter}_{split}"), letter.to_owned()];
        Ok(Pair { x: open(&self.how.x, usual("x"))?, y: open(&self.how.y, usual("y"))? })
    }
}

fn form(path: &Path) -> Result<Form, DatasetError> {
    if path.is_dir() {
        return Ok(Form::Folder);
    }
    if !path.is_file() {
        let reason = "there is no such file or folder";
        let source = std::io::Error::new(std::io::ErrorKind::NotFound, reason);
        return Err(DatasetError::Read { path: path.to_owned(), source });
    }
    Container::of(path).map(Form::Arrays).ok_or_else(|| {
        content(
            path,
            "ending",
            ".npz, .npy, .safetensors, -ubyte or -ubyte.gz (IDX), or a folder".to_owned(),
            "another one".to_owned(),
        )
    })
}

/// What images at a path are called: as the file, but never as a data set that the program knows, whose
/// figures they would pass for.
fn name_of(path: &Path) -> String {
    let whole = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let name = if path.is_dir() { whole.file_name() } else { whole.file_stem() };
    let name = name.map_or_else(|| "images".to_owned(), |name| name.to_string_lossy().into_owned());
    if taken(&name) { format!("{name}-own") } else { name }
}

/// Whether a name is that of a data set that the program knows.
fn taken(name: &str) -> bool {
    let name = name.to_lowercase();
    spec(name.strip_suffix(ALTERED).unwrap_or(&name)).is_some()
}

fn content(path: &Path, what: &str, expected: String, found: String) -> DatasetError {
    DatasetError::Content { path: path.to_owned(), what: what.to_owned(), expected, found }
}

fn unreadable(path: &Path) -> impl Fn(std::io::Error) -> DatasetError + '_ {
    |source| DatasetError::Read { path: path.to_owned(), source }
}

#[cfg(test)]
mod tests;
