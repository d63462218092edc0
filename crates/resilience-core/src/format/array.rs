//! An array of numbers with its shape, as it lies in a file.

use half::{bf16, f16};

/// Numbers of one kind in row-major order, with their shape.
#[derive(Clone, Debug, PartialEq)]
pub struct Array {
    shape: Vec<usize>,
    data: ArrayData,
}

/// The numbers of an [`Array`], one variant a kind.
#[derive(Clone, Debug, PartialEq)]
#[expect(missing_docs, reason = "each variant is named after its kind of number")]
pub enum ArrayData {
    F64(Vec<f64>),
    F32(Vec<f32>),
    F16(Vec<f16>),
    BF16(Vec<bf16>),
    I64(Vec<i64>),
    I32(Vec<i32>),
    I16(Vec<i16>),
    I8(Vec<i8>),
    U8(Vec<u8>),
    Bool(Vec<bool>),
}

/// Calls `$body` with the vector of whichever variant `$data` is.
macro_rules! each {
    ($data:expr, $values:ident => $body:expr) => {
        match $data {
            ArrayData::F64($values) => $body,
            ArrayData::F32($values) => $body,
            ArrayData::F16($values) => $body,
            ArrayData::BF16($values) => $body,
            ArrayData::I64($values) => $body,
            ArrayData::I32($values) => $body,
            ArrayData::I16($values) => $body,
            ArrayData::I8($values) => $body,
            ArrayData::U8($values) => $body,
            ArrayData::Bool($values) => $body,
        }
    };
}

/// A kind of number in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "each variant is named after its kind of number")]
pub enum Kind {
    F64,
    F32,
    F16,
    BF16,
    I64,
    I32,
    I16,
    I8,
    U8,
    Bool,
}

impl Kind {
    /// As PyTorch calls it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::F64 => "float64",
            Self::F32 => "float32",
            Self::F16 => "float16",
            Self::BF16 => "bfloat16",
            Self::I64 => "int64",
            Self::I32 => "int32",
            Self::I16 => "int16",
            Self::I8 => "int8",
            Self::U8 => "uint8",
            Self::Bool => "bool",
        }
    }

    /// Bytes that one number takes.
    #[must_use]
    pub const fn size(self) -> usize {
        match self {
            Self::F64 | Self::I64 => 8,
            Self::F32 | Self::I32 => 4,
            Self::F16 | Self::BF16 | Self::I16 => 2,
            Self::I8 | Self::U8 | Self::Bool => 1,
        }
    }

    /// Reads numbers of this kind, which lie back to back as little-endian bytes; a rest shorter
    /// than one number is left out.
    #[must_use]
    pub fn decode(self, bytes: &[u8]) -> ArrayData {
        match self {
            Self::F64 => ArrayData::F64(numbers(bytes, f64::from_le_bytes)),
            Self::F32 => ArrayData::F32(numbers(bytes, f32::from_le_bytes)),
            Self::F16 => ArrayData::F16(numbers(bytes, f16::from_le_bytes)),
            Self::BF16 => ArrayData::BF16(numbers(bytes, bf16::from_le_bytes)),
            Self::I64 => ArrayData::I64(numbers(bytes, i64::from_le_bytes)),
            Self::I32 => ArrayData::I32(numbers(bytes, i32::from_le_bytes)),
            Self::I16 => ArrayData::I16(numbers(bytes, i16::from_le_bytes)),
            Self::I8 => ArrayData::I8(numbers(bytes, i8::from_le_bytes)),
            Self::U8 => ArrayData::U8(bytes.to_vec()),
            Self::Bool => ArrayData::Bool(bytes.iter().map(|&byte| byte != 0).collect()),
        }
    }
}

fn numbers<const N: usize, T>(bytes: &[u8], from: impl Fn([u8; N]) -> T) -> Vec<T> {
    bytes.as_chunks().0.iter().map(|&chunk| from(chunk)).collect()
}

impl ArrayData {
    /// How many numbers there are.
    #[must_use]
    pub fn len(&self) -> usize {
        each!(self, values => values.len())
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The kind of the numbers.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        match self {
            Self::F64(_) => Kind::F64,
            Self::F32(_) => Kind::F32,
            Self::F16(_) => Kind::F16,
            Self::BF16(_) => Kind::BF16,
            Self::I64(_) => Kind::I64,
            Self::I32(_) => Kind::I32,
            Self::I16(_) => Kind::I16,
            Self::I8(_) => Kind::I8,
            Self::U8(_) => Kind::U8,
            Self::Bool(_) => Kind::Bool,
        }
    }

    /// The numbers back to back as little-endian bytes.
    #[must_use]
    pub fn to_le_bytes(&self) -> Vec<u8> {
        match self {
            Self::F64(values) => bytes(values, f64::to_le_bytes),
            Self::F32(values) => bytes(values, f32::to_le_bytes),
            Self::F16(values) => bytes(values, f16::to_le_bytes),
            Self::BF16(values) => bytes(values, bf16::to_le_bytes),
            Self::I64(values) => bytes(values, i64::to_le_bytes),
            Self::I32(values) => bytes(values, i32::to_le_bytes),
            Self::I16(values) => bytes(values, i16::to_le_bytes),
            Self::I8(values) => bytes(values, i8::to_le_bytes),
            Self::U8(values) => values.clone(),
            Self::Bool(values) => values.iter().map(|&v| u8::from(v)).collect(),
        }
    }
}

fn bytes<const N: usize, T: Copy>(values: &[T], to: impl Fn(T) -> [u8; N]) -> Vec<u8> {
    values.iter().flat_map(|&value| to(value)).collect()
}

impl Array {
    /// An array of `shape`; `None` unless the shape holds exactly the numbers given. A scalar has
    /// the empty shape.
    #[must_use]
    pub fn new(shape: Vec<usize>, data: ArrayData) -> Option<Self> {
        let count = shape.iter().try_fold(1_usize, |n, &side| n.checked_mul(side));
        (count == Some(data.len())).then_some(Self { shape, data })
    }

    /// Length of each dimension, outermost first; empty for a scalar.
    #[must_use]
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// The numbers in row-major order.
    #[must_use]
    pub const fn data(&self) -> &ArrayData {
        &self.data
    }

    /// The numbers as `f64`, which holds every kind but the largest `i64` exactly.
    #[must_use]
    pub fn to_f64(&self) -> Vec<f64> {
        match &self.data {
            ArrayData::F64(values) => values.clone(),
            ArrayData::F32(values) => values.iter().map(|&v| f64::from(v)).collect(),
            ArrayData::F16(values) => values.iter().map(|&v| f64::from(v)).collect(),
            ArrayData::BF16(values) => values.iter().map(|&v| f64::from(v)).collect(),
            ArrayData::I64(values) => values.iter().map(|&v| v as f64).collect(),
            ArrayData::I32(values) => values.iter().map(|&v| f64::from(v)).collect(),
            ArrayData::I16(values) => values.iter().map(|&v| f64::from(v)).collect(),
            ArrayData::I8(values) => values.iter().map(|&v| f64::from(v)).collect(),
            ArrayData::U8(values) => values.iter().map(|&v| f64::from(v)).collect(),
            ArrayData::Bool(values) => values.iter().map(|&v| f64::from(u8::from(v))).collect(),
        }
    }

    /// The numbers as `f32`, rounded to nearest where they are finer.
    #[must_use]
    pub fn to_f32(&self) -> Vec<f32> {
        match &self.data {
            ArrayData::F32(values) => values.clone(),
            ArrayData::F16(values) => values.iter().map(|v| v.to_f32()).collect(),
            ArrayData::BF16(values) => values.iter().map(|v| v.to_f32()).collect(),
            _ => self.to_f64().into_iter().map(|v| v as f32).collect(),
        }
    }
}

/// A model's parameters and buffers by name, in the order of the file.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct StateDict {
    /// Name and array, in order.
    pub entries: Vec<(String, Array)>,
}

impl StateDict {
    /// The array of that name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Array> {
        self.entries.iter().find(|(key, _)| key == name).map(|(_, array)| array)
    }

    /// The names in order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.entries.iter().map(|(name, _)| name.as_str())
    }

    /// Takes off a first part that every name has and that only says how the model was wrapped
    /// when it was saved: `module.` (data parallel), `model.`, `_orig_mod.` (compiled), as often as they
    /// come. Gives what was taken off.
    pub fn strip_wrappers(&mut self) -> String {
        const WRAPPERS: [&str; 3] = ["module.", "model.", "_orig_mod."];
        let mut taken = String::new();
        while let Some(prefix) = WRAPPERS.iter().find(|prefix| {
            !self.entries.is_empty()
                && self.names().all(|name| name.len() > prefix.len() && name.starts_with(**prefix))
        }) {
            for (name, _) in &mut self.entries {
                name.drain(..prefix.len());
            }
            taken.push_str(prefix);
        }
        taken
    }
}

impl FromIterator<(String, Array)> for StateDict {
    fn from_iter<I: IntoIterator<Item = (String, Array)>>(entries: I) -> Self {
        Self { entries: entries.into_iter().collect() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Would catch a kind whose bytes are read other than they are written.
    #[test]
    fn bytes_and_back() {
        let all = [
            ArrayData::F64(vec![1.5, -2.0]),
            ArrayData::F32(vec![1.5, f32::MIN_POSITIVE]),
            ArrayData::F16(vec![f16::from_f32(0.1)]),
            ArrayData::BF16(vec![bf16::from_f32(-3.0)]),
            ArrayData::I64(vec![i64::MIN, 7]),
            ArrayData::I32(vec![-1]),
            ArrayData::I16(vec![-300]),
            ArrayData::I8(vec![-3]),
            ArrayData::U8(vec![0, 255]),
            ArrayData::Bool(vec![true, false]),
        ];
        for data in all {
            let bytes = data.to_le_bytes();
            assert_eq!(bytes.len(), data.len() * data.kind().size());
            assert_eq!(data.kind().decode(&bytes), data);
        }
    }

    /// Would catch a shape that promises other than what is there, by overflow too.
    #[test]
    fn shape_must_hold_the_numbers() {
        assert!(Array::new(vec![2, 2], ArrayData::U8(vec![0; 3])).is_none());
        assert!(Array::new(vec![1 << 40, 1 << 40], ArrayData::U8(vec![])).is_none());
        assert!(Array::new(vec![], ArrayData::F32(vec![1.0])).is_some());
    }

    /// Would catch a prefix taken off although only some names have it.
    #[test]
    fn only_common_wrappers_are_stripped() {
        let dict = |names: &[&str]| -> StateDict {
            let one = Array::new(vec![], ArrayData::U8(vec![1])).unwrap();
            names.iter().map(|&name| (name.to_owned(), one.clone())).collect()
        };
        let mut wrapped = dict(&["module.model.a", "module.model.b.model.c"]);
        assert_eq!(wrapped.strip_wrappers(), "module.model.");
        assert_eq!(wrapped.names().collect::<Vec<_>>(), ["a", "b.model.c"]);
        let mut thrice = dict(&["_orig_mod.module.model.a"]);
        assert_eq!(thrice.strip_wrappers(), "_orig_mod.module.model.");
        assert_eq!(thrice.names().collect::<Vec<_>>(), ["a"]);
        let mut mixed = dict(&["model.a", "mean"]);
        assert_eq!(mixed.strip_wrappers(), "");
        assert_eq!(mixed.names().collect::<Vec<_>>(), ["model.a", "mean"]);
    }
}
