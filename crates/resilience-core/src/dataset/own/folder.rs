//! A folder of pictures: one folder for each class in it, or a list of files and their classes. Pictures are
//! decoded when they are asked for.

use std::collections::HashMap;
use std::path::{Component, Path, PathBuf};

use super::classes::{Class, Classes, listed};
use super::pair::HELD;
use super::picture::{self, ENDINGS, Preprocess};
use super::{How, content, unreadable};
use crate::dataset::locate::check_enough;
use crate::dataset::pixels::{Image, Intake, Keep, Rows};
use crate::dataset::{DatasetError, Images, Split};
use crate::event::{Event, Observer, Unit};
use crate::format::regular;

/// Endings of pictures that are not read; leaving them out silently would leave images out.
const FOREIGN: [&str; 7] = ["bmp", "gif", "tif", "tiff", "webp", "ppm", "avif"];
/// A list of ten million files has some hundred million bytes.
const MAX_LIST: u64 = 1 << 30;

/// Files in order with their labels, and the titles of the classes.
struct Listing {
    files: Vec<PathBuf>,
    labels: Vec<u32>,
    classes: Vec<String>,
}

/// Reads the first `n` pictures, or all. Those that fit are kept as they were decoded.
pub(super) fn load(
    folder: &Path,
    list: Option<&Path>,
    how: &How,
    ((name, split), n): ((String, Split), Option<usize>),
    observer: &mut dyn Observer,
) -> Result<Images, DatasetError> {
    let Listing { mut files, mut labels, classes } = match list {
        Some(list) => from_list(folder, list, &how.classes)?,
        None => from_folders(folder, &how.classes)?,
    };
    check_enough(&name, split, files.len(), n)?;
    files.truncate(n.unwrap_or(usize::MAX));
    labels.truncate(files.len());
    let Some(first) = files.first() else {
        return Err(content(folder, "folder", "pictures".to_owned(), "none".to_owned()));
    };
    let (_, shape) = picture::read(first, how.preprocess)?;
    let wanted = (shape.iter().product::<usize>() as u64).saturating_mul(files.len() as u64);
    let keep = if wanted > HELD { Keep::Nothing } else { Keep::Bytes };
    let task = format!("decoding {name} ({split})");
    let total = Some(files.len() as u64);
    observer.event(Event::Started { task, total, unit: Unit::Images });
    let rows = Decoded { files, preprocess: how.preprocess, shape };
    let mut intake = Intake::new(classes.len(), keep);
    for (row, &label) in labels.iter().enumerate() {
        if observer.cancelled() {
            return Err(DatasetError::Cancelled(folder.to_owned()));
        }
        intake.take(label, &rows.read(row)?);
        observer.event(Event::Advanced { done: row as u64 + 1, detail: String::new() });
    }
    observer.event(Event::Finished);
    let pixels = intake.finish(|| Box::new(rows));
    Ok(Images::of((name, split), classes, shape, pixels, labels))
}

/// Pictures that are decoded when they are asked for.
#[derive(Debug)]
struct Decoded {
    files: Vec<PathBuf>,
    preprocess: Preprocess,
    shape: [usize; 3],
}

impl Rows for Decoded {
    fn read(&self, row: usize) -> Result<Image<'static>, DatasetError> {
        let path = &self.files[row];
        let (image, shape) = picture::read(path, self.preprocess)?;
        if shape == self.shape {
            return Ok(image);
        }
        let expected = format!(
            "{:?} (channels, height, width) as in {}; write resize = and crop = in a data manifest, so that \
             all have one shape",
            self.shape,
            self.files[0].display()
        );
        Err(content(path, "picture", expected, format!("{shape:?}")))
    }

    fn place(&self, row: usize) -> PathBuf {
        self.files[row].clone()
    }
}

/// The folders with images to train on and to test on, where there are two of such names.
pub(super) fn splits(folder: &Path) -> Option<(PathBuf, PathBuf)> {
    let train = folder.join("train");
    let test =
        ["test", "val"].map(|name| folder.join(name)).into_iter().find(|f| has_classes(f))?;
    has_classes(&train).then_some((train, test))
}

/// Whether there is a folder with a picture in it.
pub(super) fn has_classes(folder: &Path) -> bool {
    let inside = |folder: &Path| {
        let entries = std::fs::read_dir(folder).into_iter().flatten();
        entries.filter_map(Result::ok).map(|entry| entry.path()).collect::<Vec<_>>()
    };
    inside(folder)
        .iter()
        .filter(|path| path.is_dir())
        .any(|class| inside(class).iter().any(|file| matches!(kind(file), Kind::Picture)))
}

enum Kind {
    Picture,
    /// A picture of a form that is not read.
    Foreign,
    Other,
}

fn kind(file: &Path) -> Kind {
    let hidden = file.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'));
    let ending = file.extension().map(|ending| ending.to_string_lossy().to_lowercase());
    match ending {
        Some(ending) if !hidden && ENDINGS.contains(&&ending[..]) => Kind::Picture,
        Some(ending) if !hidden && FOREIGN.contains(&&ending[..]) => Kind::Foreign,
        _ => Kind::Other,
    }
}

/// Names in a folder, in the order of their bytes, whatever the file system gives.
fn sorted(folder: &Path) -> Result<Vec<PathBuf>, DatasetError> {
    let entries = std::fs::read_dir(folder).map_err(unreadable(folder))?;
    let entries = entries.map(|entry| entry.map(|entry| entry.path()));
    let mut paths = entries.collect::<Result<Vec<_>, _>>().map_err(unreadable(folder))?;
    paths.sort();
    Ok(paths)
}

/// A folder for each class. The first picture of every class stands before the second of any, so that the
/// first n images hold all classes.
fn from_folders(folder: &Path, classes: &Classes) -> Result<Listing, DatasetError> {
    let mut found: Vec<(String, Vec<PathBuf>)> = Vec::new();
    for class in sorted(folder)?.into_iter().filter(|path| path.is_dir()) {
        let name = class.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if name.starts_with('.') {
            continue;
        }
        let mut pictures = Vec::new();
        for file in sorted(&class)? {
            match kind(&file) {
                Kind::Picture => pictures.push(file),
                Kind::Foreign => {
                    let expected = "PNG and JPEG only: save it as PNG".to_owned();
                    return Err(content(&file, "picture", expected, "another form".to_owned()));
                }
                Kind::Other => {}
            }
        }
        found.push((name, pictures));
    }
    let (labels, titles) = match classes {
        Classes::Met => {
            let titles: Vec<String> = found.iter().map(|(name, _)| name.clone()).collect();
            ((0..found.len() as u32).collect::<Vec<_>>(), titles)
        }
        Classes::Count(count) if *count == found.len() => {
            let titles: Vec<String> = found.iter().map(|(name, _)| name.clone()).collect();
            ((0..found.len() as u32).collect(), titles)
        }
        Classes::Count(count) => {
            let expected = format!(
                "{count} folders, one for each class, or a list of classes that says which"
            );
            return Err(content(folder, "classes", expected, format!("{} folders", found.len())));
        }
        Classes::Listed(listed) => {
            let resolve = Resolve::new(listed);
            let labels = found.iter().map(|(name, _)| resolve.label(folder, "folder", name));
            (labels.collect::<Result<_, _>>()?, classes.titles(folder, None)?)
        }
    };
    let (mut files, mut truth) = (Vec::new(), Vec::new());
    for place in 0..found.iter().map(|(_, pictures)| pictures.len()).max().unwrap_or(0) {
        for ((_, pictures), &label) in found.iter().zip(&labels) {
            if let Some(file) = pictures.get(place) {
                files.push(file.clone());
                truth.push(label);
            }
        }
    }
    // A list without classes is none.
    Ok(Listing { files, labels: truth, classes: titles })
}

/// A list of files in order, a line for each: its path in the folder, then its class, by number or name.
fn from_list(folder: &Path, list: &Path, classes: &Classes) -> Result<Listing, DatasetError> {
    let text = regular::read_text(list, MAX_LIST).map_err(unreadable(list))?;
    let known = match classes {
        Classes::Listed(known) => &known[..],
        _ => &[],
    };
    let resolve = Resolve::new(known);
    let (mut files, mut labels) = (Vec::new(), Vec::new());
    for (number, line) in (1..).zip(text.lines()).map(|(number, line)| (number, line.trim())) {
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let what = format!("line {number}");
        let Some((file, class)) = line.rsplit_once([',', '\t', ' ']) else {
            let expected = "a file and its class".to_owned();
            return Err(content(list, &what, expected, format!("'{line}'")));
        };
        let (file, class) = (Path::new(file.trim()), class.trim());
        // No line leads out of the folder.
        if !file.components().all(|part| matches!(part, Component::Normal(_) | Component::CurDir)) {
            let expected = "a path inside the folder of pictures".to_owned();
            return Err(content(list, &what, expected, format!("'{}'", file.display())));
        }
        files.push(folder.join(file));
        labels.push(match class.parse() {
            Ok(label) => label,
            Err(_) => resolve.label(list, &what, class)?,
        });
    }
    let titles = classes.titles(list, labels.iter().copied().max())?;
    Ok(Listing { files, labels, classes: titles })
}

/// Finds labels by a folder's name or a title.
struct Resolve<'a> {
    labels: HashMap<&'a str, u32>,
    classes: &'a [Class],
}

impl<'a> Resolve<'a> {
    fn new(classes: &'a [Class]) -> Self {
        let titles = (0..).zip(classes).map(|(label, class)| (&class.title[..], label));
        // Last, because folders count where a title is another class's folder.
        let folders = (0..).zip(classes).map(|(label, class)| (&class.folder[..], label));
        Self { labels: titles.chain(folders).collect(), classes }
    }

    fn label(&self, path: &Path, what: &str, name: &str) -> Result<u32, DatasetError> {
        self.labels.get(name).copied().ok_or_else(|| {
            let names: Vec<String> =
                self.classes.iter().map(|class| class.folder.clone()).collect();
            let expected = if names.is_empty() {
                "a class by its number, or classes = a list in the data manifest".to_owned()
            } else {
                format!("one of the classes ({})", listed(&names))
            };
            content(path, what, expected, format!("'{name}'"))
        })
    }
}
