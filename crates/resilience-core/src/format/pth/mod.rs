//! PyTorch's files: read in both of their forms, and written so that Python's
//! `torch.load(path, weights_only=True)` reads them.
//!
//! The newer form (since 1.6) is a zip archive with one pickle and one entry a storage; the older
//! one is a row of pickles followed by the storages. A tensor is a view of a storage: offset,
//! shape and strides.

mod legacy;
mod script;
mod search;
mod tensor;
mod write;
mod zipped;

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::path::Path;

use super::FormatError;
use super::array::{Array, StateDict};
use super::checkpoint::{Checkpoint, Form};
use super::pickle::{Node, NodeId, Pickle};
use search::Found;
use tensor::TensorRef;

pub use script::{Script, is_script_file, parse_script, read_script};
pub(super) use search::NESTS;
pub use write::{to_bytes, write};

/// Whether the file begins like a PyTorch file of the zip form.
#[must_use]
pub fn is_zip(bytes: &[u8]) -> bool {
    bytes.starts_with(b"PK\x03\x04")
}

/// Whether the file begins like one of the legacy form: a pickle of the magic number.
#[must_use]
pub fn is_legacy(bytes: &[u8]) -> bool {
    bytes.len() >= 2 && legacy::starts_like_one(bytes)
}

/// Reads the state dict out of a file's content; `path` is for messages.
pub fn read(path: &Path, bytes: &[u8]) -> Result<Checkpoint, FormatError> {
    let (form, (state, found)) = if is_zip(bytes) {
        (Form::Zip, zipped::read(path, bytes)?)
    } else {
        (Form::Legacy, legacy::read(path, bytes)?)
    };
    Ok(Checkpoint { nest: found.nest, others: found.others, ..Checkpoint::new(form, state) })
}

/// The bytes of a storage, little-endian.
type Storage = Vec<u8>;

/// Finds the state dict in the tree and builds its tensors; `storage` gives the little-endian
/// content of a storage by its key, exactly as long as asked, and is asked once a key.
fn build(
    path: &Path,
    file_size: u64,
    pickle: &Pickle<'_>,
    storage: impl FnMut(&tensor::StorageRef) -> Result<Storage, FormatError>,
) -> Result<(StateDict, Found), FormatError> {
    let found = search::state_dict(path, pickle)?;
    let entries = named(path, pickle, found.dict, allowance(file_size))?;
    Ok((gather(path, file_size, entries, storage)?, found))
}

/// Builds the named tensors out of their storages, as [`build`] does.
fn gather(
    path: &Path,
    file_size: u64,
    entries: Vec<(String, TensorRef)>,
    mut storage: impl FnMut(&tensor::StorageRef) -> Result<Storage, FormatError>,
) -> Result<StateDict, FormatError> {
    let (wanted, allowed) = (memory(&entries), allowance(file_size));
    if wanted > allowed {
        return Err(FormatError::TooLarge { path: path.to_owned(), wanted, allowed });
    }
    let mut loaded: HashMap<String, Storage> = HashMap::new();
    let mut state = StateDict::default();
    for (name, tensor) in entries {
        let key = &tensor.storage.key;
        if !loaded.contains_key(key) {
            loaded.insert(key.clone(), storage(&tensor.storage)?);
        }
        let array: Array = tensor.gather(path, &name, &loaded[key])?;
        state.entries.push((name, array));
    }
    Ok(state)
}

/// Bytes that a file of this size may fill: tied weights share a storage, and entries may be
/// compressed a little; more is a bomb.
const fn allowance(file_size: u64) -> u64 {
    file_size.saturating_mul(8).saturating_add(16 << 20)
}

/// Bytes that the tensors and the storages under them will fill.
fn memory(entries: &[(String, TensorRef)]) -> u64 {
    let storages: HashMap<_, _> =
        entries.iter().map(|(_, tensor)| (&tensor.storage.key, tensor.storage.bytes())).collect();
    let tensors = entries.iter().map(|(_, tensor)| tensor.bytes());
    tensors
        .chain(storages.into_values())
        .fold(0, |sum, bytes| sum.saturating_add(bytes.unwrap_or(u64::MAX)))
}

/// What describes tensors takes memory too: shapes, keys and parts of names are shared in a file, not here.
struct Described<'a> {
    path: &'a Path,
    wanted: u64,
    allowed: u64,
}

impl Described<'_> {
    fn add(&mut self, bytes: usize) -> Result<(), FormatError> {
        self.wanted = self.wanted.saturating_add(bytes as u64);
        let Self { path, wanted, allowed } = *self;
        if wanted > allowed {
            return Err(FormatError::TooLarge { path: path.to_owned(), wanted, allowed });
        }
        Ok(())
    }
}

/// The named tensors of the state dict; later entries of the same name replace earlier ones, as in
/// Python. What describes them may take so many bytes.
fn named(
    path: &Path,
    pickle: &Pickle<'_>,
    dict: NodeId,
    allowed: u64,
) -> Result<Vec<(String, TensorRef)>, FormatError> {
    let Node::Dict(items) = pickle.node(dict) else { return Ok(Vec::new()) };
    let mut entries: Vec<(String, TensorRef)> = Vec::new();
    let mut places: HashMap<String, usize> = HashMap::new();
    let mut memory = Described { path, wanted: 0, allowed };
    for (key, value) in items {
        let Some(name) = pickle.text(*key) else { continue };
        if !tensor::is_one(pickle, *value) {
            continue;
        }
        let tensor = TensorRef::read(path, pickle, *value, name)?;
        // Its name stands in both collections.
        memory.add(2 * name.len() + tensor.described())?;
        match places.entry(name.to_owned()) {
            Entry::Occupied(place) => {
                entries[*place.get()].1 = tensor;
            }
            Entry::Vacant(place) => {
                place.insert(entries.len());
                entries.push((name.to_owned(), tensor));
            }
        }
    }
    Ok(entries)
}
