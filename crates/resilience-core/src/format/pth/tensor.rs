//! A tensor as the pickle describes it, and its numbers gathered out of its storage.

use std::path::Path;

use crate::format::FormatError;
use crate::format::array::{Array, Kind};
use crate::format::pickle::{Function, Node, NodeId, Pickle};

/// A storage as a persistent id names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StorageRef {
    /// The archive's entry, or the legacy form's key.
    pub key: String,
    /// What its numbers are.
    pub kind: Kind,
    /// How many it has.
    pub count: usize,
    /// Where in it the tensor's own storage begins: old files have storages that are views.
    pub view: usize,
}

impl StorageRef {
    /// Its size; `None` beyond 64 bits.
    pub fn bytes(&self) -> Option<u64> {
        (self.count as u64).checked_mul(self.kind.size() as u64)
    }
}

/// A strided view of a storage.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TensorRef {
    pub storage: StorageRef,
    offset: usize,
    shape: Vec<usize>,
    strides: Vec<usize>,
}

/// Whether the value is a tensor or a parameter.
pub fn is_one(pickle: &Pickle<'_>, id: NodeId) -> bool {
    use Function::{RebuildParameter, RebuildTensor, RebuildTensorV2};
    matches!(
        pickle.node(id),
        Node::Call { function: RebuildTensor | RebuildTensorV2 | RebuildParameter, .. }
    )
}

impl TensorRef {
    /// Reads the arguments of the call that would rebuild the tensor.
    pub fn read(
        path: &Path,
        pickle: &Pickle<'_>,
        id: NodeId,
        name: &str,
    ) -> Result<Self, FormatError> {
        let wrong = |expected: &str, found: String| FormatError::Content {
            path: path.to_owned(),
            what: format!("tensor '{name}'"),
            expected: expected.to_owned(),
            found,
        };
        let mut id = id;
        // A parameter is a tensor with a flag; a parameter of a parameter is nonsense.
        for _ in 0..2 {
            let Node::Call { function, arguments, .. } = pickle.node(id) else { break };
            let arguments = pickle.elements(*arguments).unwrap_or_default();
            match (function, arguments) {
                (Function::RebuildParameter, [tensor, ..]) => id = *tensor,
                (
                    Function::RebuildTensor | Function::RebuildTensorV2,
                    [storage, offset, shape, strides, ..],
                ) => {
                    let storage = storage_ref(pickle, *storage)
                        .ok_or_else(|| wrong("a storage", pickle.describe(*storage)))?;
                    let offset = pickle
                        .count(*offset)
                        .ok_or_else(|| wrong("an offset", pickle.describe(*offset)))?;
                    let shape = counts(pickle, *shape)
                        .ok_or_else(|| wrong("a shape", pickle.describe(*shape)))?;
                    let strides = counts(pickle, *strides)
                        .ok_or_else(|| wrong("strides", pickle.describe(*strides)))?;
                    if shape.len() != strides.len() {
                        return Err(wrong(
                            &format!("{} strides", shape.len()),
                            strides.len().to_string(),
                        ));
                    }
                    return Ok(Self { storage, offset, shape, strides });
                }
                _ => break,
            }
        }
        Err(wrong("a tensor", pickle.describe(id)))
    }

    /// Bytes that this description itself takes.
    pub fn described(&self) -> usize {
        size_of::<Self>()
            + self.storage.key.len()
            + size_of_val(&self.shape[..])
            + size_of_val(&self.strides[..])
    }

    /// How many numbers it has; `None` beyond 64 bits.
    fn count(&self) -> Option<usize> {
        self.shape.iter().try_fold(1_usize, |n, &side| n.checked_mul(side))
    }

    /// The memory that its numbers will take; `None` beyond 64 bits.
    pub fn bytes(&self) -> Option<u64> {
        (self.count()? as u64).checked_mul(self.storage.kind.size() as u64)
    }

    /// Copies its numbers, in row-major order, out of the storage's little-endian bytes.
    pub fn gather(&self, path: &Path, name: &str, storage: &[u8]) -> Result<Array, FormatError> {
        let size = self.storage.kind.size();
        let outside = || FormatError::Content {
            path: path.to_owned(),
            what: format!("tensor '{name}'"),
            expected: format!("a view inside of its storage of {} numbers", storage.len() / size),
            found: format!(
                "offset {}, shape {:?}, strides {:?}",
                self.offset, self.shape, self.strides
            ),
        };
        let count = self.count().ok_or_else(outside)?;
        if count == 0 {
            return Array::new(self.shape.clone(), self.storage.kind.decode(&[]))
                .ok_or_else(outside);
        }
        let first = self.offset.checked_add(self.storage.view).ok_or_else(outside)?;
        let last =
            self.shape.iter().zip(&self.strides).try_fold(first, |at, (side, stride)| {
                at.checked_add((side - 1).checked_mul(*stride)?)
            });
        if last.is_none_or(|last| last >= storage.len() / size) {
            return Err(outside());
        }
        let bytes = if self.is_contiguous() {
            storage[first * size..(first + count) * size].to_vec()
        } else {
            self.gather_strided(storage, first, count)
        };
        Array::new(self.shape.clone(), self.storage.kind.decode(&bytes)).ok_or_else(outside)
    }

    fn is_contiguous(&self) -> bool {
        let mut expected = 1;
        self.shape.iter().zip(&self.strides).rev().all(|(&side, &stride)| {
            let fits = side == 1 || stride == expected;
            expected *= side;
            fits
        })
    }

    fn gather_strided(&self, storage: &[u8], first: usize, count: usize) -> Vec<u8> {
        let size = self.storage.kind.size();
        let mut bytes = Vec::with_capacity(count * size);
        let mut index = vec![0; self.shape.len()];
        let mut at = first;
        for _ in 0..count {
            bytes.extend_from_slice(&storage[at * size..(at + 1) * size]);
            for dimension in (0..self.shape.len()).rev() {
                index[dimension] += 1;
                at += self.strides[dimension];
                if index[dimension] < self.shape[dimension] {
                    break;
                }
                at -= self.strides[dimension] * self.shape[dimension];
                index[dimension] = 0;
            }
        }
        bytes
    }
}

/// `('storage', torch.FloatStorage, key, location, count[, view])`.
pub fn storage_ref(pickle: &Pickle<'_>, id: NodeId) -> Option<StorageRef> {
    let Node::Persistent(id) = pickle.node(id) else { return None };
    let [tag, class, key, _location, count, view @ ..] = pickle.elements(*id)? else {
        return None;
    };
    if pickle.text(*tag) != Some("storage") {
        return None;
    }
    let Node::Function(class) = pickle.node(*class) else { return None };
    let view = match view {
        [] => 0,
        [view, ..] => match pickle.node(*view) {
            Node::None => 0,
            // Key of the view, offset in the root, count of the view.
            _ => pickle.count(*pickle.elements(*view)?.get(1)?)?,
        },
    };
    Some(StorageRef {
        key: pickle.text(*key)?.to_owned(),
        kind: kind(*class)?,
        count: pickle.count(*count)?,
        view,
    })
}

const fn kind(class: Function) -> Option<Kind> {
    Some(match class {
        Function::DoubleStorage => Kind::F64,
        Function::FloatStorage => Kind::F32,
        Function::HalfStorage => Kind::F16,
        Function::BFloat16Storage => Kind::BF16,
        Function::LongStorage => Kind::I64,
        Function::IntStorage => Kind::I32,
        Function::ShortStorage => Kind::I16,
        Function::CharStorage => Kind::I8,
        Function::ByteStorage => Kind::U8,
        Function::BoolStorage => Kind::Bool,
        _ => return None,
    })
}

/// A tuple of counts, or a `torch.Size` of one.
fn counts(pickle: &Pickle<'_>, id: NodeId) -> Option<Vec<usize>> {
    let elements = match pickle.node(id) {
        Node::Call { function: Function::Size, arguments, .. } => {
            pickle.elements(*pickle.elements(*arguments)?.first()?)?
        }
        _ => pickle.elements(id)?,
    };
    // PyTorch itself has at most 64 dimensions.
    if elements.len() > 64 {
        return None;
    }
    elements.iter().map(|&element| pickle.count(element)).collect()
}

/// Turns a storage of a big-endian machine into a little-endian one.
pub fn swap(kind: Kind, bytes: &mut [u8]) {
    for number in bytes.chunks_exact_mut(kind.size()) {
        number.reverse();
    }
}
