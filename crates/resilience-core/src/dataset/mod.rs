//! Data sets of labelled images, one a file, and where to find them.
//!
//! [`find`] says where a data set lies (fetching it where it lies nowhere), [`Source::load`] reads
//! a split of it. Images that are the user's own are read by what `own` knows of files.

mod archive;
pub mod cifar10;
pub mod cifar100;
mod error;
mod images;
mod locate;
pub mod mnist;
mod own;
mod pixels;
pub mod shapes10;

use std::path::{Path, PathBuf};

pub use error::DatasetError;
pub use images::{ALTERED, Images, Split};
pub use locate::{Places, Source, find};
use own::Own;
pub use pixels::Image;

use crate::event::Observer;

/// Every data set, in the order in which they are listed. Adding one is its file and a line here.
pub static DATASETS: &[&DatasetSpec] =
    &[&cifar10::SPEC, &cifar100::SPEC, &mnist::DIGITS, &mnist::FASHION, &shapes10::SPEC];

/// What is known of a data set before it is read.
#[derive(Debug)]
pub struct DatasetSpec {
    /// What arguments and files call it.
    pub id: &'static str,
    /// What people call it.
    pub title: &'static str,
    /// Who made it: publication and place.
    pub source: &'static str,
    /// Names of the classes, by label.
    pub classes: &'static [&'static str],
    /// Channels, height, width.
    pub shape: [usize; 3],
    /// Number of training images.
    pub train: usize,
    /// Number of test images.
    pub test: usize,
    /// What it is and what to know about it, in a few sentences.
    pub doc: &'static str,
    /// How its images are had.
    pub origin: Origin,
}

/// How the images of a data set are had.
#[derive(Debug)]
pub enum Origin {
    /// They lie in files.
    Files(FileOrigin),
    /// The program makes them: at most so many of the split, the first ones.
    Generated(fn(Split, Option<usize>, &mut dyn Observer) -> Result<Images, DatasetError>),
}

/// How a data set that lies in files is recognised, read and fetched.
#[derive(Debug)]
pub struct FileOrigin {
    /// The path that [`FileOrigin::load`] takes, if the data set lies at the path given or
    /// directly inside of it.
    pub recognise: fn(&Path) -> Option<PathBuf>,
    /// What is looked for, in words, for the error message.
    pub forms: &'static str,
    /// Reads a whole split, with its checks.
    pub load: fn(&Path, Split, &mut dyn Observer) -> Result<Images, DatasetError>,
    /// The official archive, or all files that make up the data set.
    pub archives: &'static [Archive],
}

/// A file that can be downloaded.
#[derive(Clone, Copy, Debug)]
pub struct Archive {
    /// What it is called in the cache folder, perhaps in a folder there.
    pub file: &'static str,
    /// Where it lies.
    pub url: &'static str,
    /// Its size in bytes.
    pub size: u64,
    /// Its SHA-256, lower-case hexadecimal.
    pub sha256: &'static str,
}

/// The data set of that id.
#[must_use]
pub fn spec(id: &str) -> Option<&'static DatasetSpec> {
    DATASETS.iter().copied().find(|spec| spec.id == id)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Would catch an entry that `list` and `explain` cannot show, or an id used twice.
    #[test]
    fn every_entry_is_complete() {
        for (index, spec) in DATASETS.iter().enumerate() {
            assert!(DATASETS[..index].iter().all(|other| other.id != spec.id), "{}", spec.id);
            assert!(spec.id.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit()));
            for text in [spec.title, spec.source, spec.doc] {
                assert!(!text.is_empty(), "{}", spec.id);
            }
            assert!(!spec.classes.is_empty() && spec.classes.len() <= 256);
            if let Origin::Files(files) = &spec.origin {
                assert!(!files.archives.is_empty() && !files.forms.is_empty());
                for archive in files.archives {
                    assert_eq!(archive.sha256.len(), 64);
                    assert!(archive.url.starts_with("https://"));
                }
            }
        }
    }
}
