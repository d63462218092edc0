//! The zip form: `<name>/data.pkl`, `<name>/data/<key>`, `<name>/byteorder`.

use std::io::{Cursor, Read};
use std::path::Path;

use zip::ZipArchive;
use zip::result::ZipError;

use super::search::Found;
use super::tensor;
use crate::format::FormatError;
use crate::format::array::StateDict;
use crate::format::pickle;

type Archive<'a> = ZipArchive<Cursor<&'a [u8]>>;

pub fn read(path: &Path, bytes: &[u8]) -> Result<(StateDict, Found), FormatError> {
    let mut archive = ZipArchive::new(Cursor::new(bytes))
        .map_err(|error| broken(path, "the directory at the end", &error))?;
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
    if archive.index_for_name(&format!("{root}constants.pkl")).is_some() {
        return Err(FormatError::Content {
            path: path.to_owned(),
            what: "archive".to_owned(),
            expected: "a state dict, as torch.save(model.state_dict(), path) writes it".to_owned(),
            found: "a TorchScript module".to_owned(),
        });
    }
    let big_endian = match entry(path, &mut archive, &format!("{root}byteorder"), 16) {
        Ok(order) => order.starts_with(b"big"),
        Err(Missing::Absent) => false,
        Err(Missing::Broken(error)) => return Err(error),
    };
    let part = format!("{root}data.pkl");
    let pickled = entry(path, &mut archive, &part, super::allowance(bytes.len() as u64)).map_err(
        |missing| match missing {
            Missing::Absent => absent(path, &part),
            Missing::Broken(error) => error,
        },
    )?;
    let (tree, _) = pickle::parse(&pickled).map_err(|source| FormatError::Pickle {
        path: path.to_owned(),
        part,
        source,
    })?;
    super::build(path, bytes.len() as u64, &tree, |storage| {
        let part = format!("{root}data/{}", storage.key);
        let expected = storage.bytes().unwrap_or(u64::MAX);
        let mut content =
            entry(path, &mut archive, &part, expected).map_err(|missing| match missing {
                Missing::Absent => absent(path, &part),
                Missing::Broken(error) => error,
            })?;
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
    })
}

/// The folder that the pickle lies in, with its slash.
fn root(archive: &Archive<'_>) -> Option<String> {
    archive.file_names().flatten().find_map(|name| {
        let root = name.strip_suffix("data.pkl")?;
        let folder = root.is_empty() || (root.ends_with('/') && root.matches('/').count() == 1);
        folder.then(|| root.to_owned())
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

fn broken(path: &Path, part: &str, error: &impl ToString) -> FormatError {
    FormatError::Archive { path: path.to_owned(), part: part.to_owned(), reason: error.to_string() }
}

fn absent(path: &Path, part: &str) -> FormatError {
    broken(path, part, &"the archive has no such entry")
}
