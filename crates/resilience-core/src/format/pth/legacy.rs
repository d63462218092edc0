//! The form before PyTorch 1.6: pickles of a magic number, a version, the writing machine, the
//! object and the storages' keys, then each storage with its count.

use std::collections::HashMap;
use std::path::Path;

use super::search::Found;
use super::tensor::{self, StorageRef};
use crate::format::FormatError;
use crate::format::array::StateDict;
use crate::format::pickle::{self, Node, Pickle};

const MAGIC: i128 = 0x1950_a86a_20f9_469c_fc6c;
const VERSION: i64 = 1001;

/// Whether the file begins with a pickle of the magic number, as far as it goes.
pub fn starts_like_one(bytes: &[u8]) -> bool {
    // From protocol 4 on with a frame in front. In protocols 0 and 1 not even PyTorch reads its own
    // files.
    let number = [&[0x8a, 10], &MAGIC.to_le_bytes()[..10]].concat();
    let begins = |head: &[u8], expected: &[u8]| {
        let length = head.len().min(expected.len());
        length > 0 && head[..length] == expected[..length]
    };
    match bytes {
        [0x80, 2 | 3, number_bytes @ ..] => begins(number_bytes, &number),
        [0x80, 4 | 5, 0x95, frame @ ..] => begins(frame.get(8..).unwrap_or_default(), &number),
        _ => false,
    }
}

pub fn read(path: &Path, bytes: &[u8]) -> Result<(StateDict, Found), FormatError> {
    let mut at = 0;
    let magic = next(path, bytes, &mut at, "magic number")?;
    if !matches!(magic.node(magic.root()), Node::Wide(MAGIC)) {
        return Err(content(path, "magic number", "that of PyTorch", &magic));
    }
    let version = next(path, bytes, &mut at, "version")?;
    if *version.node(version.root()) != Node::Int(VERSION) {
        return Err(content(path, "version", "the integer 1001", &version));
    }
    let machine = next(path, bytes, &mut at, "description of the machine")?;
    let little = machine.get(machine.root(), "little_endian");
    let big_endian = little.is_some_and(|id| *machine.node(id) == Node::Bool(false));
    let object = next(path, bytes, &mut at, "object")?;
    let keys = next(path, bytes, &mut at, "list of storages")?;
    let listed = keys.elements(keys.root());
    let listed = listed.ok_or_else(|| content(path, "list of storages", "a list", &keys))?;
    let order: Vec<&str> = listed.iter().filter_map(|&key| keys.text(key)).collect();
    if order.len() != listed.len() {
        return Err(content(path, "list of storages", "texts", &keys));
    }
    let places = storages(path, bytes, at, &order, &object)?;
    super::build(path, bytes.len() as u64, &object, |storage| {
        let Some(&(start, size, count)) = places.get(storage.key.as_str()) else {
            return Err(FormatError::Content {
                path: path.to_owned(),
                what: format!("storage '{}'", storage.key),
                expected: "a key of the file's list of storages".to_owned(),
                found: "none".to_owned(),
            });
        };
        if size != storage.kind.size() || count != storage.count as u64 {
            return Err(FormatError::Content {
                path: path.to_owned(),
                what: format!("storage '{}' at byte {start}", storage.key),
                expected: format!("{} numbers of {} bytes", storage.count, storage.kind.size()),
                found: format!("{count} numbers of {size} bytes"),
            });
        }
        let mut content = bytes[start..start + size * storage.count].to_vec();
        if big_endian {
            tensor::swap(storage.kind, &mut content);
        }
        Ok(content)
    })
}

/// Where each storage's numbers begin, how wide one is and how many there are.
type Places<'a> = HashMap<&'a str, (usize, usize, u64)>;

/// Walks the storages at the end. Their widths stand only in the object's references to them.
fn storages<'a>(
    path: &Path,
    bytes: &[u8],
    mut at: usize,
    order: &[&'a str],
    object: &Pickle<'_>,
) -> Result<Places<'a>, FormatError> {
    let widths: HashMap<String, usize> = object
        .storages()
        .filter_map(|id| tensor::storage_ref(object, id))
        .map(|StorageRef { key, kind, .. }| (key, kind.size()))
        .collect();
    let mut places = HashMap::new();
    for &key in order {
        let part = || format!("storage '{key}'");
        let Some(&size) = widths.get(key) else {
            return Err(FormatError::Content {
                path: path.to_owned(),
                what: part(),
                expected: "a tensor that uses it".to_owned(),
                found: "none".to_owned(),
            });
        };
        let left = &bytes[at..];
        let Some((count, numbers)) = left.split_first_chunk::<8>() else {
            return Err(truncated(path, part(), at, 8, left.len()));
        };
        let count = u64::from_le_bytes(*count);
        let length = count.checked_mul(size as u64).filter(|&n| n <= numbers.len() as u64);
        let Some(length) = length else {
            let expected = count.saturating_mul(size as u64);
            return Err(truncated(path, part(), at + 8, expected, numbers.len()));
        };
        places.insert(key, (at + 8, size, count));
        at += 8 + length as usize;
    }
    Ok(places)
}

fn next<'a>(
    path: &Path,
    bytes: &'a [u8],
    at: &mut usize,
    part: &str,
) -> Result<Pickle<'a>, FormatError> {
    let (tree, length) = pickle::parse(&bytes[*at..]).map_err(|source| FormatError::Pickle {
        path: path.to_owned(),
        part: format!("{part} at byte {at}"),
        source,
    })?;
    *at += length;
    Ok(tree)
}

fn content(path: &Path, what: &str, expected: &str, found: &Pickle<'_>) -> FormatError {
    FormatError::Content {
        path: path.to_owned(),
        what: what.to_owned(),
        expected: expected.to_owned(),
        found: found.describe(found.root()),
    }
}

fn truncated(path: &Path, part: String, at: usize, expected: u64, found: usize) -> FormatError {
    FormatError::Truncated {
        path: path.to_owned(),
        part,
        offset: at as u64,
        expected,
        found: found as u64,
    }
}
