//! CIFAR-100 in any of its real forms: the folders `cifar-100-binary` and `cifar-100-python`, and the official
//! archive of either, read without unpacking. Labels are the fine ones.
//!
//! Both forms hold the same images; whichever is read, they are compared with the known checksums of the
//! binary form's files.

mod names;

use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use self::names::FINE;
use super::archive;
use super::cifar10::NumpyBytes;
use super::{Archive, DatasetError, DatasetSpec, FileOrigin, Images, Origin, Split};
use crate::event::{Event, Observer, Unit};
use crate::format::pickle::{self, Pickle};
use crate::format::weights::hex;

/// CIFAR-100 for the registry.
pub static SPEC: DatasetSpec = DatasetSpec {
    id: "cifar100",
    title: "CIFAR-100",
    source: "Krizhevsky, Learning Multiple Layers of Features from Tiny Images, 2009; \
             https://www.cs.toronto.edu/~kriz/cifar.html",
    classes: &FINE,
    shape: [3, 32, 32],
    train: 50_000,
    test: 10_000,
    doc: "60,000 colour photographs of 32x32 pixels, 600 of each of a hundred classes; the labels are the \
          fine ones, not those of the twenty superclasses. Given as the folder cifar-100-binary or \
          cifar-100-python, the folder around it, or the official archive of either, which is read without \
          being unpacked; without any of them the binary archive (161 MiB) is downloaded into the cache \
          folder.",
    origin: Origin::Files(FileOrigin {
        recognise,
        forms: "cifar-100-binary, cifar-100-python, cifar-100-binary.tar.gz or cifar-100-python.tar.gz, itself \
                or inside of the folder",
        load,
        archives: &[Archive {
            file: "cifar-100-binary.tar.gz",
            url: "https://www.cs.toronto.edu/~kriz/cifar-100-binary.tar.gz",
            size: 168_513_733,
            sha256: "58a81ae192c23a4be8b1804d68e518ed807d710a4eb253b1f2a199162a40d8ec",
        }],
    }),
};

/// Bytes of an image: three channels of 32x32, the red one first.
const IMAGE: usize = 3 * 32 * 32;
/// A record of the binary form: coarse label, fine label, pixels.
const RECORD: usize = 2 + IMAGE;
const COARSE: u8 = 20;

const FOLDERS: [&str; 2] = ["cifar-100-binary", "cifar-100-python"];
const ARCHIVES: [&str; 2] = ["cifar-100-binary.tar.gz", "cifar-100-python.tar.gz"];

/// SHA-256 of a split's file in its binary form.
const fn official(split: Split) -> &'static str {
    match split {
        Split::Train => "f31298fc616915fa142368359df1c4ca2ae984d6915ca468b998a5ec6aeebf29",
        Split::Test => "d8b1e6b7b3bee4020055f0699b111f60b1af1e262aeb93a0b659061746f8224a",
    }
}

const fn images(split: Split) -> usize {
    match split {
        Split::Train => SPEC.train,
        Split::Test => SPEC.test,
    }
}

/// The official Python file of the training split has 155,249,918 bytes.
const MAX_PICKLE: u64 = 256 << 20;

/// The two forms of a split's file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Bin,
    Py,
}

impl Form {
    fn file(self, split: Split) -> String {
        match self {
            Self::Bin => format!("{split}.bin"),
            Self::Py => split.to_string(),
        }
    }

    /// The form and split of a file, if it has such a name.
    fn of(file: &str) -> Option<(Self, Split)> {
        let all = [Self::Bin, Self::Py].into_iter();
        let mut all = all.flat_map(|form| [(form, Split::Train), (form, Split::Test)]);
        all.find(|(form, split)| form.file(*split) == file)
    }

    fn check_size(self, path: &Path, split: Split, found: u64) -> Result<(), DatasetError> {
        let (expected, fits) = match self {
            Self::Bin => {
                let expected = (images(split) * RECORD) as u64;
                (expected, found == expected)
            }
            Self::Py => (MAX_PICKLE, found > 0 && found <= MAX_PICKLE),
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
        let ours =
            name.contains("cifar-100") && [".tar.gz", ".tgz"].iter().any(|end| name.ends_with(end));
        return ours.then(|| path.to_owned());
    }
    let folders = [path.to_owned(), path.join(FOLDERS[0]), path.join(FOLDERS[1])];
    if let Some(folder) = folders.iter().find(|folder| form(folder).is_some()) {
        return Some(folder.clone());
    }
    let archive = ARCHIVES.map(|file| path.join(file)).into_iter().find(|file| file.is_file());
    // An empty folder of the right name is the data set with its files missing.
    let named = || {
        let named = |folder: &PathBuf| FOLDERS.iter().any(|name| folder.ends_with(name));
        folders.into_iter().find(|folder| folder.is_dir() && named(folder))
    };
    archive.or_else(named)
}

/// The form of the files in a folder, if it has any. Files called `train` and `test` may be anybody's.
fn form(folder: &Path) -> Option<Form> {
    let has = |file: &str| folder.join(file).is_file();
    if ["fine_label_names.txt", "coarse_label_names.txt"].iter().any(|file| has(file))
        || folder.ends_with(FOLDERS[0])
    {
        return (has("train.bin") || has("test.bin")).then_some(Form::Bin);
    }
    (has("meta") || folder.ends_with(FOLDERS[1]))
        .then_some(Form::Py)
        .filter(|_| has("train") || has("test"))
}

fn load(path: &Path, split: Split, observer: &mut dyn Observer) -> Result<Images, DatasetError> {
    let total = Some(images(split) as u64);
    let task = format!("{} {split}", SPEC.title);
    observer.event(Event::Started { task, total, unit: Unit::Images });
    let (file, records) = if path.is_file() { unpack(path, split)? } else { read(path, split)? };
    if observer.cancelled() {
        return Err(DatasetError::Cancelled(file));
    }
    observer.event(Event::Finished);
    let found = hex(&Sha256::digest(&records));
    let other = if split == Split::Train { Split::Test } else { Split::Train };
    if found == official(other) {
        let (expected, found) =
            (format!("those of the {split} split"), format!("those of {other}"));
        return Err(DatasetError::Content {
            path: file,
            what: "images".to_owned(),
            expected,
            found,
        });
    }
    let (labels, pixels) = split_up(&file, &records)?;
    check_balance(&file, split, &labels)?;
    let images = Images::new(&SPEC, split, pixels, labels);
    if found == official(split) {
        return Ok(images);
    }
    let notice = format!(
        "{} does not hold CIFAR-100's official images or labels (its SHA-256 is another), although the form is \
         right. Figures on it cannot be compared with published ones. If this was not intended, fetch the data \
         set again.",
        file.display()
    );
    observer.event(Event::Notice(notice.clone()));
    Ok(images.altered(notice))
}

/// The records of a split in a folder, and the file that they are from.
fn read(folder: &Path, split: Split) -> Result<(PathBuf, Vec<u8>), DatasetError> {
    let form = form(folder).unwrap_or(Form::Bin);
    let path = folder.join(form.file(split));
    let failed = |source: std::io::Error| match source.kind() {
        std::io::ErrorKind::NotFound => missing(path.clone()),
        _ => DatasetError::Read { path: path.clone(), source },
    };
    form.check_size(&path, split, std::fs::metadata(&path).map_err(failed)?.len())?;
    let bytes = std::fs::read(&path).map_err(failed)?;
    let records = if form == Form::Bin { bytes } else { unpickled(&path, images(split), &bytes)? };
    Ok((path, records))
}

/// Likewise out of an official archive.
fn unpack(path: &Path, split: Split) -> Result<(PathBuf, Vec<u8>), DatasetError> {
    let mut found: Option<(PathBuf, Vec<u8>)> = None;
    archive::each(path, &mut |entry| {
        let Some((form, _)) = entry.file().and_then(Form::of).filter(|(_, of)| *of == split) else {
            return Ok(());
        };
        if !entry.is_file || found.is_some() {
            let found = if entry.is_file { "a second one" } else { "a link or folder" };
            return Err(DatasetError::Content {
                path: path.to_owned(),
                what: format!("entry {}", entry.name.display()),
                expected: "one file of that name".to_owned(),
                found: found.to_owned(),
            });
        }
        let place = path.join(entry.name);
        form.check_size(&place, split, entry.size)?;
        let bytes = entry.read()?;
        let records =
            if form == Form::Bin { bytes } else { unpickled(&place, images(split), &bytes)? };
        found = Some((place, records));
        Ok(())
    })?;
    found.ok_or_else(|| missing(path.join(Form::Bin.file(split))))
}

/// Fine labels and pixels of `n` images out of a file's content, which is of the binary form where the name at
/// the end of `path` is; the official files have 50,000 and 10,000.
pub fn parse_batch(
    path: &Path,
    bytes: &[u8],
    n: usize,
) -> Result<(Vec<u32>, Vec<u8>), DatasetError> {
    let name = path.file_name().and_then(|file| file.to_str()).and_then(Form::of);
    let (form, _) = name.ok_or_else(|| missing(path.to_owned()))?;
    if form == Form::Py {
        return split_up(path, &unpickled(path, n, bytes)?);
    }
    if bytes.len() != n * RECORD {
        let (expected, found) = ((n * RECORD) as u64, bytes.len() as u64);
        return Err(DatasetError::Size { path: path.to_owned(), expected, found });
    }
    split_up(path, bytes)
}

/// The Python form as records of the binary one.
fn unpickled(path: &Path, n: usize, bytes: &[u8]) -> Result<Vec<u8>, DatasetError> {
    let (tree, _) = pickle::parse(bytes)
        .map_err(|source| DatasetError::Pickle { path: path.to_owned(), source })?;
    let content = |what: &str, expected: String, found: String| DatasetError::Content {
        path: path.to_owned(),
        what: what.to_owned(),
        expected,
        found,
    };
    let coarse = labels(path, &tree, "coarse_labels", n)?;
    let fine = labels(path, &tree, "fine_labels", n)?;
    let root = tree.root();
    let data = tree.get(root, "data").ok_or_else(|| {
        content("pickle", "a dictionary with 'data'".to_owned(), tree.describe(root))
    })?;
    let array = NumpyBytes::read(&tree, data)
        .ok_or_else(|| content("data", "a NumPy array of uint8".to_owned(), tree.describe(data)))?;
    if array.shape != [n, IMAGE] || array.bytes.len() != n * IMAGE || array.column_major {
        let order = if array.column_major { " in Fortran's order" } else { "" };
        let found = format!("shape {:?}{order} in {} bytes", array.shape, array.bytes.len());
        return Err(content("data", format!("shape [{n}, {IMAGE}]"), found));
    }
    let mut records = Vec::with_capacity(n * RECORD);
    for ((coarse, fine), image) in coarse.into_iter().zip(fine).zip(array.bytes.chunks_exact(IMAGE))
    {
        records.extend([coarse, fine]);
        records.extend_from_slice(image);
    }
    Ok(records)
}

fn labels(path: &Path, tree: &Pickle<'_>, key: &str, n: usize) -> Result<Vec<u8>, DatasetError> {
    let listed = tree.get(tree.root(), key);
    let elements = listed.and_then(|id| tree.elements(id)).unwrap_or_default();
    let values = elements.iter().map(|&id| u8::try_from(tree.count(id)?).ok());
    match values.collect::<Option<Vec<u8>>>() {
        Some(labels) if labels.len() == n => Ok(labels),
        _ => Err(DatasetError::Content {
            path: path.to_owned(),
            what: key.to_owned(),
            expected: format!("a list of {n} small numbers"),
            found: listed.map_or_else(|| "nothing".to_owned(), |id| tree.describe(id)),
        }),
    }
}

/// Fine labels and pixels out of records, each checked.
fn split_up(path: &Path, records: &[u8]) -> Result<(Vec<u32>, Vec<u8>), DatasetError> {
    let n = records.len() / RECORD;
    let (mut labels, mut pixels) = (Vec::with_capacity(n), Vec::with_capacity(n * IMAGE));
    for (index, record) in records.chunks_exact(RECORD).enumerate() {
        let (coarse, fine) = (record[0], record[1]);
        if coarse >= COARSE || usize::from(fine) >= FINE.len() {
            return Err(DatasetError::Record {
                path: path.to_owned(),
                record: index,
                offset: (index * RECORD) as u64,
                expected: "a coarse label from 0 to 19 and a fine one from 0 to 99".to_owned(),
                found: format!("{coarse} and {fine}"),
            });
        }
        labels.push(u32::from(fine));
        pixels.extend_from_slice(&record[2..]);
    }
    Ok((labels, pixels))
}

/// Every class has as many images as every other.
fn check_balance(path: &Path, split: Split, labels: &[u32]) -> Result<(), DatasetError> {
    let mut counts = [0; FINE.len()];
    for &label in labels {
        counts[label as usize] += 1;
    }
    let expected = labels.len() / FINE.len();
    let wrong = counts.into_iter().enumerate().find(|(_, count)| *count != expected);
    wrong.map_or(Ok(()), |(class, count)| {
        Err(DatasetError::Content {
            path: path.to_owned(),
            what: format!("labels of the {split} split"),
            expected: format!("{expected} images of each class"),
            found: format!("{count} of class {class}: labels were changed or images replaced"),
        })
    })
}

fn missing(path: PathBuf) -> DatasetError {
    DatasetError::Missing { path, expected: "train and test (with .bin in the binary form)" }
}
