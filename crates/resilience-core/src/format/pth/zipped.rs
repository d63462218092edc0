//! The zip form: `<name>/data.pkl`, `<name>/data/<key>`, `<name>/byteorder`.

use std::io::{Cursor, Read, Seek};
use std::path::Path;

use zip::ZipArchive;
use zip::result::ZipError;

use super::script;
use super::search::Found;
use super::tensor::{self, StorageRef};
use crate::format::array::StateDict;
use crate::format::pickle::{self, Pickle};
use crate::format::{FormatError, archive};

pub type Archive<'a> = ZipArchive<Cursor<&'a [u8]>>;

/// The archive that these bytes are.
pub fn open<'a>(path: &Path, bytes: &'a [u8]) -> Result<Archive<'a>, FormatError> {
    archive::open(Cursor::new(bytes))
        .map_err(|error| broken(path, "the directory at the end", &error))
}

pub fn read(path: &Path, bytes: &[u8]) -> Result<(StateDict, Found), FormatError> {
    let mut archive = open(path, bytes)?;
    let Some(root) = root(&archive) else {
        return Err(FormatError::Content {
            path: path.to_owned(),
            what: "archive".to_owned(),
            expected: "an entry data.pkl in one folder, as torch.save writes it".to_owned(),
            found: format!(
                "{} entries such as {}",
                archive.len(),
                archive.file_names().flatten().take(3).collect::<Vec<_>>().join(", ")
            ),
        });
    };
    if script::is_one(&archive, &root) {
        return Err(FormatError::Content {
            path: path.to_owned(),
            what: "archive".to_owned(),
            expected: "a state dict, as torch.save(model.state_dict(), path) writes it".to_owned(),
            found: "a TorchScript module (a network of its own: give the file without an architecture, or \
                    say format = \"torchscript\" in its manifest)"
                .to_owned(),
        });
    }
    let size = bytes.len() as u64;
    let big_endian = is_big_endian(path, &mut archive, &root)?;
    let part = format!("{root}data.pkl");
    let pickled = whole(path, &mut archive, &part, super::allowance(size))?;
    let tree = tree(path, part, &pickled)?;
    super::build(path, size, &tree, |one| storage(path, &mut archive, &root, one, big_endian))
}

/// Whether numbers lie with their highest byte first.
pub fn is_big_endian(
    path: &Path,
    archive: &mut Archive<'_>,
    root: &str,
) -> Result<bool, FormatError> {
    match entry(path, archive, &format!("{root}byteorder"), 16) {
        Ok(order) => Ok(order.starts_with(b"big")),
        Err(Missing::Absent) => Ok(false),
        Err(Missing::Broken(error)) => Err(error),
    }
}

/// The values in the pickle that is this part of the archive.
pub fn tree<'a>(path: &Path, part: String, pickled: &'a [u8]) -> Result<Pickle<'a>, FormatError> {
    let refused = |source| FormatError::Pickle { path: path.to_owned(), part, source };
    Ok(pickle::parse(pickled).map_err(refused)?.0)
}

/// The little-endian bytes of a storage.
pub fn storage(
    path: &Path,
    archive: &mut Archive<'_>,
    root: &str,
    storage: &StorageRef,
    big_endian: bool,
) -> Result<Vec<u8>, FormatError> {
    let part = format!("{root}data/{}", storage.key);
    let expected = storage.bytes().unwrap_or(u64::MAX);
    let mut content = whole(path, archive, &part, expected)?;
    if content.len() as u64 != expected {
        return Err(FormatError::Content {
            path: path.to_owned(),
            what: format!("entry {part}"),
            expected: format!("{expected} bytes"),
            found: content.len().to_string(),
        });
    }
    if big_endian {
        tensor::swap(storage.kind, &mut content);
    }
    Ok(content)
}

/// The folder that the pickle lies in, with its slash.
pub fn root<R: Read + Seek>(archive: &ZipArchive<R>) -> Option<String> {
    archive.file_names().flatten().find_map(|name| {
        let root = name.strip_suffix("data.pkl")?;
        let folder = root.is_empty() || (root.ends_with('/') && root.matches('/').count() == 1);
        folder.then(|| root.to_owned())
    })
}

/// One entry whole, which has to be there.
pub fn whole(
    path: &Path,
    archive: &mut Archive<'_>,
    name: &str,
    limit: u64,
) -> Result<Vec<u8>, FormatError> {
    entry(path, archive, name, limit).map_err(|missing| match missing {
        Missing::Absent => absent(path, name),
        Missing::Broken(error) => error,
    })
}

enum Missing {
    Absent,
    Broken(FormatError),
}

/// One entry whole, its checksum compared; at most `limit` bytes, however it is compressed.
fn entry(
    path: &Path,
    archive: &mut Archive<'_>,
    name: &str,
    limit: u64,
) -> Result<Vec<u8>, Missing> {
    let file = match archive.by_name(name) {
        Ok(file) => file,
        Err(ZipError::FileNotFound) => return Err(Missing::Absent),
        Err(error) => return Err(Missing::Broken(broken(path, name, &error))),
    };
    let mut content = Vec::new();
    file.take(limit.saturating_add(1))
        .read_to_end(&mut content)
        .map_err(|error| Missing::Broken(broken(path, name, &error)))?;
    if content.len() as u64 > limit {
        return Err(Missing::Broken(FormatError::Content {
            path: path.to_owned(),
            what: format!("entry {name}"),
            expected: format!("{limit} bytes or fewer"),
            found: "more".to_owned(),
        }));
    }
    Ok(content)
}

pub fn broken(path: &Path, part: &str, error: &impl ToString) -> FormatError {
    FormatError::Archive { path: path.to_owned(), part: part.to_owned(), reason: error.to_string() }
}

fn absent(path: &Path, part: &str) -> FormatError {
    broken(path, part, &"the archive has no such entry")
}
