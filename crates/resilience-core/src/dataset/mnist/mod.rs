//! MNIST and Fashion-MNIST: four IDX files each, plain or compressed, as they are published and as torchvision
//! puts them (`MNIST/raw`, `FashionMNIST/raw`). The files of the two have the same names; which they are
//! their checksums say, and where these are unknown the name of their folder.

use std::io::Read;
use std::path::{Path, PathBuf};

use flate2::read::GzDecoder;
use sha2::{Digest, Sha256};

use super::{Archive, DatasetError, DatasetSpec, FileOrigin, Images, Origin, Split};
use crate::event::{Event, Observer, Unit};
use crate::format::idx;
use crate::format::weights::hex;

/// MNIST for the registry.
pub static DIGITS: DatasetSpec = DatasetSpec {
    id: "mnist",
    title: "MNIST",
    source: "LeCun, Bottou, Bengio and Haffner, Gradient-Based Learning Applied to Document Recognition, 1998; \
             http://yann.lecun.com/exdb/mnist/",
    classes: &["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"],
    shape: [1, 28, 28],
    train: 60_000,
    test: 10_000,
    doc: "70,000 handwritten digits, grey, of 28x28 pixels. Given as the folder with its four IDX files, \
          plain or compressed (train-images-idx3-ubyte.gz and so on), or the folder around it; without them \
          the four files (11 MiB) are downloaded into the cache folder. Networks for CIFAR-10 do not take \
          images of this shape.",
    origin: Origin::Files(FileOrigin {
        recognise: |path| recognise(&DIGITS_FILES, path),
        forms: "MNIST/raw or mnist with train-images-idx3-ubyte and so on, plain or .gz",
        load: |path, split, observer| load(&DIGITS, &DIGITS_FILES, path, split, observer),
        archives: &[
            Archive {
                file: "mnist/train-images-idx3-ubyte.gz",
                url: "https://storage.googleapis.com/cvdf-datasets/mnist/train-images-idx3-ubyte.gz",
                size: 9_912_422,
                sha256: "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
            },
            Archive {
                file: "mnist/train-labels-idx1-ubyte.gz",
                url: "https://storage.googleapis.com/cvdf-datasets/mnist/train-labels-idx1-ubyte.gz",
                size: 28_881,
                sha256: "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
            },
            Archive {
                file: "mnist/t10k-images-idx3-ubyte.gz",
                url: "https://storage.googleapis.com/cvdf-datasets/mnist/t10k-images-idx3-ubyte.gz",
                size: 1_648_877,
                sha256: "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
            },
            Archive {
                file: "mnist/t10k-labels-idx1-ubyte.gz",
                url: "https://storage.googleapis.com/cvdf-datasets/mnist/t10k-labels-idx1-ubyte.gz",
                size: 4_542,
                sha256: "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
            },
        ],
    }),
};

/// Fashion-MNIST for the registry.
pub static FASHION: DatasetSpec = DatasetSpec {
    id: "fashionmnist",
    title: "Fashion-MNIST",
    source: "Xiao, Rasul and Vollgraf, Fashion-MNIST: a Novel Image Dataset for Benchmarking Machine Learning \
             Algorithms, 2017; https://github.com/zalandoresearch/fashion-mnist",
    classes: &[
        "T-shirt/top",
        "trouser",
        "pullover",
        "dress",
        "coat",
        "sandal",
        "shirt",
        "sneaker",
        "bag",
        "ankle boot",
    ],
    shape: [1, 28, 28],
    train: 60_000,
    test: 10_000,
    doc: "70,000 pictures of clothes, grey, of 28x28 pixels, 7,000 of each of ten classes, in the files of MNIST. \
          Given as the folder FashionMNIST/raw, fashion-mnist or fashionmnist with its four IDX files, plain or \
          compressed, or the folder around it; without them the four files (29 MiB) are downloaded into the \
          cache folder. Networks for CIFAR-10 do not take images of this shape.",
    origin: Origin::Files(FileOrigin {
        recognise: |path| recognise(&FASHION_FILES, path),
        forms: "FashionMNIST/raw or fashion-mnist with the same files",
        load: |path, split, observer| load(&FASHION, &FASHION_FILES, path, split, observer),
        archives: &[
            Archive {
                file: "fashionmnist/train-images-idx3-ubyte.gz",
                url: "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/train-images-idx3-ubyte.gz",
                size: 26_421_880,
                sha256: "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
            },
            Archive {
                file: "fashionmnist/train-labels-idx1-ubyte.gz",
                url: "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/train-labels-idx1-ubyte.gz",
                size: 29_515,
                sha256: "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
            },
            Archive {
                file: "fashionmnist/t10k-images-idx3-ubyte.gz",
                url: "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/t10k-images-idx3-ubyte.gz",
                size: 4_422_102,
                sha256: "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
            },
            Archive {
                file: "fashionmnist/t10k-labels-idx1-ubyte.gz",
                url: "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/t10k-labels-idx1-ubyte.gz",
                size: 5_148,
                sha256: "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
            },
        ],
    }),
};

/// What is known of one data set's files.
struct Files {
    /// Folders, under the one that is given, in which they may lie.
    folders: &'static [&'static str],
    /// Whether they are those of Fashion-MNIST.
    clothes: bool,
    /// SHA-256 of the four files as they are unpacked, where somebody has published them: images and labels
    /// to train on, then those to test on.
    unpacked: Option<[&'static str; 4]>,
}

const DIGITS_FILES: Files = Files {
    folders: &["mnist", "MNIST", "MNIST/raw"],
    clothes: false,
    unpacked: Some([
        "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
        "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
        "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
        "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
    ]),
};

const FASHION_FILES: Files = Files {
    folders: &["fashionmnist", "fashion-mnist", "FashionMNIST", "FashionMNIST/raw"],
    clothes: true,
    unpacked: None,
};

/// Names of the files: images and labels to train on, then those to test on.
const NAMES: [&str; 4] = [
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
];

const SIDE: usize = 28;
const CLASSES: usize = 10;

/// The file of that name in a folder, plain or compressed.
fn file(folder: &Path, name: &str) -> Option<PathBuf> {
    // Some unpackers make a dot of the hyphen before `idx`.
    let dotted = name.replace("-idx", ".idx");
    [name.to_owned(), format!("{name}.gz"), dotted.clone(), format!("{dotted}.gz")]
        .into_iter()
        .map(|name| folder.join(name))
        .find(|path| path.is_file())
}

fn recognise(files: &Files, path: &Path) -> Option<PathBuf> {
    let has_any = |folder: &Path| NAMES.iter().any(|name| file(folder, name).is_some());
    let name = path.to_string_lossy().to_lowercase();
    let fashion = name.contains("fashion");
    let mut folders: Vec<PathBuf> = files.folders.iter().map(|folder| path.join(folder)).collect();
    // The path itself is of clothes where its name says so, and of digits otherwise.
    if files.clothes == fashion {
        folders.extend([path.to_owned(), path.join("raw")]);
    }
    folders.into_iter().find(|folder| has_any(folder))
}

fn load(
    spec: &'static DatasetSpec,
    files: &Files,
    folder: &Path,
    split: Split,
    observer: &mut dyn Observer,
) -> Result<Images, DatasetError> {
    let (n, first) = match split {
        Split::Train => (spec.train, 0),
        Split::Test => (spec.test, 2),
    };
    let total = Some(n as u64);
    let task = format!("{} {split}", spec.title);
    observer.event(Event::Started { task, total, unit: Unit::Images });
    let mut foreign = Vec::new();
    let mut content = |place: usize, shape: &[usize]| {
        let name = NAMES[place];
        let path = file(folder, name).ok_or_else(|| DatasetError::Missing {
            path: folder.join(format!("{name}.gz")),
            expected: "two files of images and two of labels",
        })?;
        let (numbers, official) = read(spec, files, place, &path, shape)?;
        if !official {
            foreign.push(path.display().to_string());
        }
        Ok::<_, DatasetError>((path, numbers))
    };
    let (_, pixels) = content(first, &[n, SIDE, SIDE])?;
    let (path, labels) = content(first + 1, &[n])?;
    if observer.cancelled() {
        return Err(DatasetError::Cancelled(folder.to_owned()));
    }
    observer.event(Event::Finished);
    if let Some((record, &label)) =
        labels.iter().enumerate().find(|(_, label)| usize::from(**label) >= CLASSES)
    {
        let offset = idx::length(1) + record as u64;
        let (expected, found) = ("a label from 0 to 9".to_owned(), label.to_string());
        return Err(DatasetError::Record { path, record, offset, expected, found });
    }
    let images = Images::new(spec, split, pixels, labels.into_iter().map(u32::from).collect());
    if foreign.is_empty() {
        return Ok(images);
    }
    let title = spec.title;
    let notice = match files.unpacked {
        Some(_) => format!(
            "{} is not among {title}'s official files (its SHA-256 is another), although the form is right. \
             Figures on it cannot be compared with published ones.",
            foreign.join(" and ")
        ),
        None => format!(
            "{} is not among {title}'s official files: only the compressed ones can be told by their SHA-256. \
             Give those, so that figures can be compared with published ones.",
            foreign.join(" and ")
        ),
    };
    observer.event(Event::Notice(notice.clone()));
    Ok(images.altered(notice))
}

/// The numbers of a file, and whether it is an official one.
fn read(
    spec: &DatasetSpec,
    files: &Files,
    place: usize,
    path: &Path,
    shape: &[usize],
) -> Result<(Vec<u8>, bool), DatasetError> {
    let failed = |source| DatasetError::Read { path: path.to_owned(), source };
    let length = idx::length(shape.len()) + shape.iter().product::<usize>() as u64;
    let compressed = path.extension().is_some_and(|ending| ending == "gz");
    let size = std::fs::metadata(path).map_err(failed)?.len();
    // What cannot be compressed grows by a few bytes, but not by more.
    if (!compressed && size != length) || size > length + length / 256 + 1024 {
        return Err(DatasetError::Size { path: path.to_owned(), expected: length, found: size });
    }
    let bytes = std::fs::read(path).map_err(failed)?;
    let (unpacked, official) = if compressed {
        let mut unpacked = Vec::with_capacity(length as usize);
        GzDecoder::new(&bytes[..]).take(length + 1).read_to_end(&mut unpacked).map_err(
            |error| DatasetError::Archive {
                path: path.to_owned(),
                offset: unpacked.len() as u64,
                size: length,
                reason: error.to_string(),
            },
        )?;
        let Origin::Files(FileOrigin { archives, .. }) = &spec.origin else {
            return Ok((unpacked, false));
        };
        let official =
            archives.get(place).is_some_and(|file| file.sha256 == hex(&Sha256::digest(&bytes)));
        (unpacked, official)
    } else {
        (bytes, false)
    };
    if unpacked.len() as u64 != length {
        let found = unpacked.len() as u64;
        return Err(DatasetError::Size { path: path.to_owned(), expected: length, found });
    }
    let official = official
        || files.unpacked.is_some_and(|known| known[place] == hex(&Sha256::digest(&unpacked)));
    let content = |expected: String, found: String| DatasetError::Content {
        path: path.to_owned(),
        what: "header".to_owned(),
        expected,
        found,
    };
    let found = idx::header(&mut &unpacked[..])
        .map_err(|found| content("that of an IDX file of bytes".to_owned(), found))?;
    if found != shape {
        return Err(content(format!("sides {shape:?}"), format!("{found:?}")));
    }
    let header = idx::length(shape.len()) as usize;
    Ok((unpacked[header..].to_vec(), official))
}

#[cfg(test)]
mod tests;
