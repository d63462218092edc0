//! CIFAR-10 in any of its real forms: the folders `cifar-10-batches-bin` and
//! `cifar-10-batches-py`, and the official archive of either, read without unpacking.
//!
//! Every form holds the same six batches of 10,000 images; whichever is read, the images are the
//! same, byte for byte, and are compared with the known checksums of the official ones.

mod bin;
mod official;
mod py;

pub(super) use self::py::NumpyBytes;

use std::io;
use std::path::{Path, PathBuf};

use super::archive;
use super::{Archive, DatasetError, DatasetSpec, FileOrigin, Images, Origin, Split};
use crate::event::{Event, Observer, Unit};

/// CIFAR-10 for the registry.
pub static SPEC: DatasetSpec = DatasetSpec {
    id: "cifar10",
    title: "CIFAR-10",
    source: "Krizhevsky, Learning Multiple Layers of Features from Tiny Images, 2009; \
             https://www.cs.toronto.edu/~kriz/cifar.html",
    classes: &[
        "airplane",
        "automobile",
        "bird",
        "cat",
        "deer",
        "dog",
        "frog",
        "horse",
        "ship",
        "truck",
    ],
    shape: [3, 32, 32],
    train: 50_000,
    test: 10_000,
    doc: "60,000 colour photographs of 32x32 pixels, 6,000 of each of ten classes. Most published \
          robustness figures are on its 10,000 test images. Given as the folder \
          cifar-10-batches-bin or cifar-10-batches-py, the folder around it, or the official \
          archive of either, which is read without being unpacked; without any of them the binary \
          archive (162 MiB) is downloaded into the cache folder.",
    origin: Origin::Files(FileOrigin {
        recognise,
        forms: "cifar-10-batches-bin, cifar-10-batches-py, cifar-10-binary.tar.gz or \
                cifar-10-python.tar.gz, itself or inside of the folder",
        load,
        archives: &[Archive {
            file: "cifar-10-binary.tar.gz",
            url: "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz",
            size: 170_052_171,
            sha256: "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd",
        }],
    }),
};

/// Images in a batch.
const BATCH: usize = 10_000;
/// Bytes of an image: three channels of 32x32, the red one first.
const IMAGE: usize = 3 * 32 * 32;
const CLASSES: u8 = 10;

const FOLDERS: [&str; 2] = ["cifar-10-batches-bin", "cifar-10-batches-py"];
const ARCHIVES: [&str; 2] = ["cifar-10-binary.tar.gz", "cifar-10-python.tar.gz"];

/// The batches of a split in order.
const fn batches(split: Split) -> &'static [&'static str] {
    match split {
        Split::Train => {
            &["data_batch_1", "data_batch_2", "data_batch_3", "data_batch_4", "data_batch_5"]
        }
        Split::Test => &["test_batch"],
    }
}

/// The two forms of a batch, told apart by the ending of its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Bin,
    Py,
}

impl Form {
    /// The batch and the form that a file's name says, if it is one of a batch.
    fn of(file: &str) -> Option<(&'static str, Self)> {
        let (stem, form) = match file.strip_suffix(".bin") {
            Some(stem) => (stem, Self::Bin),
            None => (file, Self::Py),
        };
        let known = batches(Split::Train).iter().chain(batches(Split::Test));
        known.copied().find(|batch| *batch == stem).map(|batch| (batch, form))
    }

    fn file(self, batch: &str) -> String {
        match self {
            Self::Bin => format!("{batch}.bin"),
            Self::Py => batch.to_owned(),
        }
    }

    /// The size that a batch's file must have.
    const fn size(self) -> Size {
        match self {
            Self::Bin => Size::Exactly((BATCH * (1 + IMAGE)) as u64),
            // The official ones have 31,035,704 bytes at most; another Python writes others.
            Self::Py => Size::AtMost(64 << 20),
        }
    }

    /// Reads a batch's content into the places for its labels `[n]` and pixels [n, 3, 32, 32].
    fn parse(
        self,
        path: &Path,
        batch: &str,
        bytes: &[u8],
        labels: &mut [u8],
        pixels: &mut [u8],
    ) -> Result<(), DatasetError> {
        match self {
            Self::Bin => bin::parse(path, bytes, labels, pixels),
            Self::Py => py::parse(path, batch, bytes, labels, pixels),
        }
    }
}

enum Size {
    Exactly(u64),
    AtMost(u64),
}

impl Size {
    fn check(self, path: &Path, found: u64) -> Result<(), DatasetError> {
        let expected = match self {
            Self::Exactly(size) | Self::AtMost(size) => size,
        };
        let fits = match self {
            Self::Exactly(size) => found == size,
            Self::AtMost(size) => found <= size && found > 0,
        };
        if fits {
            Ok(())
        } else {
            Err(DatasetError::Size { path: path.to_owned(), expected, found })
        }
    }
}

fn recognise(path: &Path) -> Option<PathBuf> {
    if path.is_file() {
        let name = path.file_name()?.to_str()?;
        // That of CIFAR-100 is another's; any other name may be anything.
        let ours = !name.contains("cifar-100")
            && [".tar.gz", ".tgz"].iter().any(|ending| name.ends_with(ending));
        return ours.then(|| path.to_owned());
    }
    let folders = [path.to_owned(), path.join(FOLDERS[0]), path.join(FOLDERS[1])];
    if let Some(folder) = folders.iter().find(|folder| form(folder).is_some()) {
        return Some(folder.clone());
    }
    let archive = ARCHIVES.map(|file| path.join(file)).into_iter().find(|file| file.is_file());
    // An empty folder of the right name is the data set with its batches missing, which is a
    // better thing to say than that there is none.
    let named = || {
        folders
            .into_iter()
            .find(|folder| folder.is_dir() && FOLDERS.iter().any(|name| folder.ends_with(name)))
    };
    archive.or_else(named)
}

/// The form of the batches in a folder, if it has any.
fn form(folder: &Path) -> Option<Form> {
    let has = |form: Form| {
        let mut all = batches(Split::Test).iter().chain(batches(Split::Train));
        all.any(|batch| folder.join(form.file(batch)).is_file())
    };
    [Form::Bin, Form::Py].into_iter().find(|form| has(*form))
}

fn load(path: &Path, split: Split, observer: &mut dyn Observer) -> Result<Images, DatasetError> {
    let names = batches(split);
    let mut loader = Loader {
        split,
        labels: vec![0; names.len() * BATCH],
        pixels: vec![0; names.len() * BATCH * IMAGE],
        done: 0,
        foreign: Vec::new(),
        observer,
    };
    loader.observer.event(Event::Started {
        task: format!("{} {split}", SPEC.title),
        total: Some((names.len() * BATCH) as u64),
        unit: Unit::Images,
    });
    if path.is_file() {
        unpack(path, &mut loader)?;
    } else {
        let form = form(path).unwrap_or(Form::Bin);
        for batch in names {
            let file = path.join(form.file(batch));
            let bytes = read(&file, form)?;
            loader.take(&file, batch, form, &bytes)?;
        }
    }
    loader.observer.event(Event::Finished);
    loader.finish(path)
}

/// Reads an official archive without unpacking it.
fn unpack(path: &Path, loader: &mut Loader<'_>) -> Result<(), DatasetError> {
    let mut seen = Vec::new();
    archive::each(path, &mut |entry| {
        let Some((batch, form)) = entry.file().and_then(Form::of) else { return Ok(()) };
        if !entry.is_file || seen.contains(&batch) {
            return Err(DatasetError::Content {
                path: path.to_owned(),
                what: format!("entry {}", entry.name.display()),
                expected: "one file of that name".to_owned(),
                found: if seen.contains(&batch) { "a second one" } else { "a link or folder" }
                    .to_owned(),
            });
        }
        seen.push(batch);
        if !batches(loader.split).contains(&batch) {
            return Ok(());
        }
        let place = path.join(entry.name);
        form.size().check(&place, entry.size)?;
        loader.take(&place, batch, form, &entry.read()?)
    })?;
    match batches(loader.split).iter().find(|batch| !seen.contains(*batch)) {
        Some(batch) => Err(missing(path.join(batch))),
        None => Ok(()),
    }
}

/// The images of a split while its batches come in, in whatever order.
struct Loader<'a> {
    split: Split,
    labels: Vec<u8>,
    pixels: Vec<u8>,
    /// Batches that have come.
    done: usize,
    /// Files whose images are not the official ones.
    foreign: Vec<PathBuf>,
    observer: &'a mut dyn Observer,
}

impl Loader<'_> {
    /// Reads one batch into its place; `path` is for messages.
    fn take(
        &mut self,
        path: &Path,
        batch: &str,
        form: Form,
        bytes: &[u8],
    ) -> Result<(), DatasetError> {
        let Some(place) = batches(self.split).iter().position(|name| *name == batch) else {
            return Ok(());
        };
        if self.observer.cancelled() {
            return Err(DatasetError::Cancelled(path.to_owned()));
        }
        let labels = &mut self.labels[place * BATCH..][..BATCH];
        let pixels = &mut self.pixels[place * BATCH * IMAGE..][..BATCH * IMAGE];
        form.parse(path, batch, bytes, labels, pixels)?;
        if !official::is_official(path, batch, labels, pixels)? {
            self.foreign.push(path.to_owned());
        }
        self.done += 1;
        let done = (self.done * BATCH) as u64;
        self.observer.event(Event::Advanced { done, detail: String::new() });
        Ok(())
    }

    fn finish(self, path: &Path) -> Result<Images, DatasetError> {
        if !self.foreign.is_empty() {
            official::check_balance(path, self.split, &self.labels)?;
        }
        let labels = self.labels.into_iter().map(u32::from).collect();
        let images = Images::new(&SPEC, self.split, self.pixels, labels);
        if self.foreign.is_empty() {
            return Ok(images);
        }
        let notice = official::notice(&self.foreign);
        self.observer.event(Event::Notice(notice.clone()));
        Ok(images.altered(notice))
    }
}

/// Labels and pixels of a batch of `n` images out of a file's content. The last part of `path` says which
/// batch it is, and that it is of the binary form where it ends in `.bin`; of the official ones each has
/// 10,000 images.
pub fn parse_batch(
    path: &Path,
    bytes: &[u8],
    n: usize,
) -> Result<(Vec<u8>, Vec<u8>), DatasetError> {
    let name = path.file_name().and_then(|file| file.to_str()).and_then(Form::of);
    let (batch, form) = name.ok_or_else(|| missing(path.to_owned()))?;
    let (mut labels, mut pixels) = (vec![0; n], vec![0; n * IMAGE]);
    form.parse(path, batch, bytes, &mut labels, &mut pixels)?;
    Ok((labels, pixels))
}

fn read(path: &Path, form: Form) -> Result<Vec<u8>, DatasetError> {
    let failed = |source: io::Error| match source.kind() {
        io::ErrorKind::NotFound => missing(path.to_owned()),
        _ => DatasetError::Read { path: path.to_owned(), source },
    };
    form.size().check(path, std::fs::metadata(path).map_err(failed)?.len())?;
    std::fs::read(path).map_err(failed)
}

fn missing(path: PathBuf) -> DatasetError {
    DatasetError::Missing {
        path,
        expected: "data_batch_1 to data_batch_5 and test_batch (with .bin in the binary form)",
    }
}
