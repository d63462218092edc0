//! A tensor of a file as an array.

use std::borrow::Cow;

use half::{bf16, f16};

use super::OnnxError;
use super::external::Beside;
use super::proto;
use crate::format::array::{Array, ArrayData, Kind};

/// Dimensions that a tensor may have.
const RANK: usize = 16;

/// Reads a tensor, from the file or from the one beside it where it lies.
pub(super) fn read(tensor: &proto::Tensor, beside: &mut Beside) -> Result<Array, OnnxError> {
    let wrong = |what: &'static str, expected: String, found: String| OnnxError::Tensor {
        name: tensor.name.clone(),
        what,
        expected,
        found,
    };
    if tensor.sides.len() > RANK {
        let found = tensor.sides.len().to_string();
        return Err(wrong("dimensions", format!("at most {RANK}"), found));
    }
    let Some(element) = Element::find(tensor.element) else {
        let expected = "float, double, float16, bfloat16, bool or an integer".to_owned();
        return Err(wrong("kind of number", expected, name(tensor.element)));
    };
    let shape: Option<Vec<usize>> =
        tensor.sides.iter().map(|&side| usize::try_from(side).ok()).collect();
    let bytes = shape.as_ref().and_then(|shape| {
        shape.iter().try_fold(element.size(), |bytes, &side| bytes.checked_mul(side))
    });
    let (Some(shape), Some(bytes)) = (shape, bytes) else {
        let expected = "sides of 0 or more that memory could hold".to_owned();
        return Err(wrong("shape", expected, format!("{:?}", tensor.sides)));
    };
    let (count, bytes) = (bytes / element.size(), bytes as u64);
    let data = match &tensor.raw {
        _ if tensor.location == EXTERNAL => element.decode(&beside.read(tensor, bytes)?),
        Some(raw) if raw.len() as u64 == bytes => element.decode(raw),
        Some(raw) => {
            let expected = format!("{bytes} for {:?} {}", shape, name(tensor.element));
            return Err(wrong("bytes", expected, raw.len().to_string()));
        }
        None => element.typed(tensor),
    };
    let data = data.ok_or_else(|| {
        let expected = "unsigned numbers below 2^63".to_owned();
        wrong("content", expected, "a larger one".to_owned())
    })?;
    let found = data.len();
    Array::new(shape.clone(), data)
        .ok_or_else(|| wrong("numbers", format!("{count} for {shape:?}"), found.to_string()))
}

/// The value of `data_location` for a tensor in another file.
const EXTERNAL: i32 = 1;

/// The kind of number that a `data_type` stands for, where it is one of ours as it is.
pub(super) fn kind(element: i32) -> Option<Kind> {
    match Element::find(element)? {
        Element::Kind(kind) => Some(kind),
        _ => None,
    }
}

/// How the numbers of a tensor lie in a file.
#[derive(Clone, Copy)]
enum Element {
    /// As one of ours.
    Kind(Kind),
    /// Unsigned, of so many bytes: they become the next wider signed ones that hold them.
    U16,
    U32,
    U64,
}

impl Element {
    fn find(element: i32) -> Option<Self> {
        Some(match element {
            1 => Self::Kind(Kind::F32),
            2 => Self::Kind(Kind::U8),
            3 => Self::Kind(Kind::I8),
            4 => Self::U16,
            5 => Self::Kind(Kind::I16),
            6 => Self::Kind(Kind::I32),
            7 => Self::Kind(Kind::I64),
            9 => Self::Kind(Kind::Bool),
            10 => Self::Kind(Kind::F16),
            11 => Self::Kind(Kind::F64),
            12 => Self::U32,
            13 => Self::U64,
            16 => Self::Kind(Kind::BF16),
            _ => return None,
        })
    }

    const fn size(self) -> usize {
        match self {
            Self::Kind(kind) => kind.size(),
            Self::U16 => 2,
            Self::U32 => 4,
            Self::U64 => 8,
        }
    }

    /// Numbers that lie back to back; none where one is too large for ours.
    fn decode(self, bytes: &[u8]) -> Option<ArrayData> {
        Some(match self {
            Self::Kind(kind) => kind.decode(bytes),
            Self::U16 => {
                let numbers = bytes.as_chunks().0.iter().map(|&b| u16::from_le_bytes(b).into());
                ArrayData::I32(numbers.collect())
            }
            Self::U32 => {
                let numbers = bytes.as_chunks().0.iter().map(|&b| u32::from_le_bytes(b).into());
                ArrayData::I64(numbers.collect())
            }
            Self::U64 => {
                let numbers = bytes.as_chunks().0.iter().map(|&b| u64::from_le_bytes(b));
                ArrayData::I64(numbers.map(|n| i64::try_from(n).ok()).collect::<Option<_>>()?)
            }
        })
    }

    /// Numbers in the list that the format has for their kind; small ones lie in wider integers, halves
    /// as their bits.
    fn typed(self, tensor: &proto::Tensor) -> Option<ArrayData> {
        let ints = || tensor.ints.iter();
        Some(match self {
            Self::Kind(kind) => match kind {
                Kind::F32 => ArrayData::F32(tensor.floats.clone()),
                Kind::F64 => ArrayData::F64(tensor.doubles.clone()),
                Kind::I64 => ArrayData::I64(tensor.longs.clone()),
                Kind::I32 => ArrayData::I32(tensor.ints.clone()),
                Kind::I16 => ArrayData::I16(ints().map(|&n| n as i16).collect()),
                Kind::I8 => ArrayData::I8(ints().map(|&n| n as i8).collect()),
                Kind::U8 => ArrayData::U8(ints().map(|&n| n as u8).collect()),
                Kind::Bool => ArrayData::Bool(ints().map(|&n| n != 0).collect()),
                Kind::F16 => ArrayData::F16(ints().map(|&n| f16::from_bits(n as u16)).collect()),
                Kind::BF16 => ArrayData::BF16(ints().map(|&n| bf16::from_bits(n as u16)).collect()),
            },
            Self::U16 => ArrayData::I32(tensor.ints.clone()),
            Self::U32 | Self::U64 => {
                let numbers = tensor.unsigned.iter().map(|&n| i64::try_from(n).ok());
                ArrayData::I64(numbers.collect::<Option<_>>()?)
            }
        })
    }
}

/// The format's name for a `data_type`.
fn name(element: i32) -> String {
    const NAMES: [&str; 24] = [
        "undefined",
        "float",
        "uint8",
        "int8",
        "uint16",
        "int16",
        "int32",
        "int64",
        "string",
        "bool",
        "float16",
        "double",
        "uint32",
        "uint64",
        "complex64",
        "complex128",
        "bfloat16",
        "float8e4m3fn",
        "float8e4m3fnuz",
        "float8e5m2",
        "float8e5m2fnuz",
        "uint4",
        "int4",
        "float4e2m1",
    ];
    let known = usize::try_from(element).ok().and_then(|place| NAMES.get(place));
    known
        .map_or_else(|| Cow::from(format!("data type {element}")), |&name| name.into())
        .into_owned()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn read(tensor: &proto::Tensor) -> Result<Array, String> {
        super::read(tensor, &mut Beside::new(Path::new("x.onnx"))).map_err(|e| e.to_string())
    }

    fn tensor(element: i32, sides: &[i64]) -> proto::Tensor {
        proto::Tensor { name: "w".to_owned(), element, sides: sides.to_vec(), ..Default::default() }
    }

    /// Would catch a kind that is read out of another list than exporters write it into.
    #[test]
    fn numbers_in_lists_are_those_of_raw_bytes() {
        let bits = |n: f32| i32::from(f16::from_f32(n).to_bits());
        let brain = |n: f32| i32::from(bf16::from_f32(n).to_bits());
        let cases = [
            (1, proto::Tensor { floats: vec![1.5, -2.0], ..tensor(1, &[2]) }, vec![1.5, -2.0]),
            (2, proto::Tensor { ints: vec![1, 255], ..tensor(2, &[2]) }, vec![1.0, 255.0]),
            (3, proto::Tensor { ints: vec![1, -3], ..tensor(3, &[2]) }, vec![1.0, -3.0]),
            (4, proto::Tensor { ints: vec![1, 65535], ..tensor(4, &[2]) }, vec![1.0, 65535.0]),
            (6, proto::Tensor { ints: vec![1, -70000], ..tensor(6, &[2]) }, vec![1.0, -70000.0]),
            (7, proto::Tensor { longs: vec![1, -3], ..tensor(7, &[2]) }, vec![1.0, -3.0]),
            (9, proto::Tensor { ints: vec![1, 0], ..tensor(9, &[2]) }, vec![1.0, 0.0]),
            (
                10,
                proto::Tensor { ints: vec![bits(1.0), bits(-0.5)], ..tensor(10, &[2]) },
                vec![1.0, -0.5],
            ),
            (11, proto::Tensor { doubles: vec![1.0, 0.1], ..tensor(11, &[2]) }, vec![1.0, 0.1]),
            (12, proto::Tensor { unsigned: vec![1, 7], ..tensor(12, &[2]) }, vec![1.0, 7.0]),
            (
                16,
                proto::Tensor { ints: vec![brain(1.0), brain(-3.0)], ..tensor(16, &[2]) },
                vec![1.0, -3.0],
            ),
        ];
        for (element, typed, expected) in cases {
            let found = read(&typed).unwrap();
            assert_eq!(found.to_f64(), expected, "{element}");
            if let Some(kind) = kind(element) {
                assert_eq!(found.data().kind(), kind);
                let raw = Some(found.data().to_le_bytes().into());
                assert_eq!(read(&proto::Tensor { raw, ..tensor(element, &[2]) }).unwrap(), found);
            }
        }
    }

    /// Would catch a head being believed that its content does not bear out.
    #[test]
    fn heads_that_lie_are_refused() {
        let raw = Some(vec![0; 8].into());
        for (tensor, expect) in [
            (proto::Tensor { raw: raw.clone(), ..tensor(1, &[3]) }, "expected 12 for [3] float"),
            (proto::Tensor { raw: raw.clone(), ..tensor(1, &[1 << 40, 1 << 40]) }, "shape"),
            (proto::Tensor { raw: raw.clone(), ..tensor(1, &[1 << 62]) }, "shape"),
            (proto::Tensor { raw: raw.clone(), ..tensor(1, &[1 << 60]) }, "bytes"),
            (proto::Tensor { raw: raw.clone(), ..tensor(1, &[-1]) }, "sides of 0 or more"),
            (proto::Tensor { raw: raw.clone(), ..tensor(8, &[1]) }, "found string"),
            (proto::Tensor { raw: raw.clone(), ..tensor(99, &[1]) }, "data type 99"),
            (proto::Tensor { raw, ..tensor(1, &[1; 20]) }, "at most 16"),
            (proto::Tensor { floats: vec![1.0], ..tensor(1, &[2]) }, "expected 2 for [2], found 1"),
            (proto::Tensor { unsigned: vec![u64::MAX], ..tensor(13, &[1]) }, "below 2^63"),
        ] {
            let error = read(&tensor).unwrap_err();
            assert!(error.contains("'w'") && error.contains(expect), "{error}");
        }
    }
}
