//! The safetensors form, read and written through the crate of its authors.

use std::collections::HashMap;
use std::path::Path;

use safetensors::tensor::{Dtype, SafeTensors, TensorView};

use super::FormatError;
use super::array::{Array, Kind, StateDict};
use super::atomic;
use super::checkpoint::{Checkpoint, Form};

/// Whether the file begins like one: the length of a header, then the header's brace.
#[must_use]
pub fn is_one(bytes: &[u8]) -> bool {
    bytes.get(8) == Some(&b'{')
        && bytes.first_chunk().is_some_and(|&length| u64::from_le_bytes(length) < 100_000_000)
}

/// Reads the tensors out of a file's content in the order in which they lie; `path` is for
/// messages.
pub fn read(path: &Path, bytes: &[u8]) -> Result<Checkpoint, FormatError> {
    let broken = |error: &safetensors::SafeTensorError| FormatError::Archive {
        path: path.to_owned(),
        part: "safetensors header".to_owned(),
        reason: error.to_string(),
    };
    let tensors = SafeTensors::deserialize(bytes).map_err(|error| broken(&error))?;
    let mut views = tensors.tensors();
    views.sort_by_key(|(_, view)| (view.data().as_ptr() as usize, view.data().len()));
    let state: StateDict = views
        .into_iter()
        .map(|(name, view)| array(path, &name, &view).map(|array| (name, array)))
        .collect::<Result<_, _>>()?;
    Ok(Checkpoint::new(Form::Safetensors, state))
}

fn array(path: &Path, name: &str, view: &TensorView<'_>) -> Result<Array, FormatError> {
    let wrong = |expected: &str, found: String| FormatError::Content {
        path: path.to_owned(),
        what: format!("tensor '{name}'"),
        expected: expected.to_owned(),
        found,
    };
    let kind = match view.dtype() {
        Dtype::F64 => Kind::F64,
        Dtype::F32 => Kind::F32,
        Dtype::F16 => Kind::F16,
        Dtype::BF16 => Kind::BF16,
        Dtype::I64 => Kind::I64,
        Dtype::I32 => Kind::I32,
        Dtype::I16 => Kind::I16,
        Dtype::I8 => Kind::I8,
        Dtype::U8 => Kind::U8,
        Dtype::BOOL => Kind::Bool,
        other => return Err(wrong("floats or integers of common width", format!("{other:?}"))),
    };
    Array::new(view.shape().to_vec(), kind.decode(view.data()))
        .ok_or_else(|| wrong("as many numbers as its shape says", format!("{:?}", view.shape())))
}

/// Writes the tensors, atomically. The form sorts them by kind and name; the same state dict gives
/// the same bytes.
pub fn write(path: &Path, state: &StateDict) -> Result<(), FormatError> {
    let bytes = to_bytes(state).map_err(|error| FormatError::Content {
        path: path.to_owned(),
        what: "state dict".to_owned(),
        expected: "tensors that the form can hold".to_owned(),
        found: error.to_string(),
    })?;
    Ok(atomic::write(path, &bytes)?)
}

/// What [`write()`] writes.
pub fn to_bytes(state: &StateDict) -> Result<Vec<u8>, safetensors::SafeTensorError> {
    let bytes: Vec<_> = state
        .entries
        .iter()
        .map(|(name, array)| (name, array, array.data().to_le_bytes()))
        .collect();
    let views = bytes
        .iter()
        .map(|(name, array, bytes)| {
            let view = TensorView::new(dtype(array.data().kind()), array.shape().to_vec(), bytes)?;
            Ok((name.as_str(), view))
        })
        .collect::<Result<Vec<_>, safetensors::SafeTensorError>>()?;
    // What readers in Python look for.
    let metadata = HashMap::from([("format".to_owned(), "pt".to_owned())]);
    safetensors::serialize(views, Some(metadata))
}

const fn dtype(kind: Kind) -> Dtype {
    match kind {
        Kind::F64 => Dtype::F64,
        Kind::F32 => Dtype::F32,
        Kind::F16 => Dtype::F16,
        Kind::BF16 => Dtype::BF16,
        Kind::I64 => Dtype::I64,
        Kind::I32 => Dtype::I32,
        Kind::I16 => Dtype::I16,
        Kind::I8 => Dtype::I8,
        Kind::U8 => Dtype::U8,
        Kind::Bool => Dtype::BOOL,
    }
}
