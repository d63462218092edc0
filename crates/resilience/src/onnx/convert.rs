//! Arrays of a file as tensors.

use resilience_core::format::array::{Array, ArrayData};
use tch::{Kind, Tensor};

use crate::error::EngineError;

/// The same numbers as a tensor: floats in `kind`, whatever they were stored in, others as they are.
pub fn tensor(array: &Array, kind: Kind) -> Result<Tensor, EngineError> {
    let shape: Vec<i64> = array.shape().iter().map(|&side| side as i64).collect();
    let flat = match array.data() {
        ArrayData::I64(values) => Tensor::f_from_slice(values)?,
        ArrayData::I32(values) => Tensor::f_from_slice(values)?,
        ArrayData::I16(values) => Tensor::f_from_slice(values)?,
        ArrayData::I8(values) => Tensor::f_from_slice(values)?,
        ArrayData::U8(values) => Tensor::f_from_slice(values)?,
        ArrayData::Bool(values) => Tensor::f_from_slice(values)?,
        ArrayData::F64(values) => Tensor::f_from_slice(values)?.f_to_kind(kind)?,
        ArrayData::F32(_) | ArrayData::F16(_) | ArrayData::BF16(_) => {
            Tensor::f_from_slice(&array.to_f32())?.f_to_kind(kind)?
        }
    };
    Ok(flat.f_reshape(shape)?)
}

/// What libtorch calls a `data_type`, with floats in `kind`; none for those that are not computed with.
pub fn kind_of(data_type: i64, kind: Kind) -> Option<Kind> {
    Some(match data_type {
        1 | 10 | 11 | 16 => kind,
        2 => Kind::Uint8,
        3 => Kind::Int8,
        5 => Kind::Int16,
        4 | 6 => Kind::Int,
        7 | 12 | 13 => Kind::Int64,
        9 => Kind::Bool,
        _ => return None,
    })
}

/// Whether numbers of this kind have a gradient.
pub fn is_float(kind: Kind) -> bool {
    matches!(kind, Kind::Float | Kind::Double | Kind::Half | Kind::BFloat16)
}
