//! The array of labels: whole numbers from 0 on, one for each image.

use std::io::Read;

use super::arrays::{ArrayFile, Number};
use super::{content, unreadable};
use crate::dataset::DatasetError;

/// Labels are read whole, so that the number of classes does not depend on how many images are wanted.
const MOST: usize = 1 << 27;

/// Reads the labels of `images` images: all of them.
pub(super) fn read(y: &ArrayFile, images: usize) -> Result<Vec<u32>, DatasetError> {
    let wrong = |what: &str, expected: String, found: String| {
        Err(content(&y.path, &format!("{what} of {}", y.name), expected, found))
    };
    match y.shape[..] {
        [n] | [n, 1] if n == images => {}
        [n, k] if n == images && k > 1 => {
            let expected = format!("one whole number for each image, [{n}]; save y.argmax(1)");
            return wrong("shape", expected, format!("{:?}: one-hot rows, or logits", y.shape));
        }
        _ => {
            let expected = format!("[{images}], one label for each image");
            return wrong("shape", expected, format!("{:?}", y.shape));
        }
    }
    if images > MOST {
        return wrong("shape", format!("at most {MOST} labels"), images.to_string());
    }
    if matches!(y.number, Number::Bool | Number::F16 | Number::Bf16 | Number::F32 | Number::F64) {
        let expected = "whole numbers: save y.astype(numpy.int64)".to_owned();
        return wrong("kind", expected, y.number.name().to_owned());
    }
    let size = y.number.size();
    let mut labels = Vec::new();
    let mut reader = y.stream()?;
    // In pieces, so that a file that claims more than it has costs no more than it has.
    let mut piece = vec![0; size << 12];
    while labels.len() < images {
        let wanted = (images - labels.len()).min(1 << 12) * size;
        reader.read_exact(&mut piece[..wanted]).map_err(unreadable(&y.path))?;
        for bytes in piece[..wanted].chunks_exact(size) {
            let value = value(y.number, bytes);
            let Some(label) = u32::try_from(value).ok() else {
                let what = format!("label {}", labels.len());
                return wrong(&what, "a class from 0 on".to_owned(), value.to_string());
            };
            labels.push(label);
        }
    }
    end(&mut *reader, y)?;
    Ok(labels)
}

/// Reads to the end, where a checksum is compared and nothing more may come.
pub(super) fn end(reader: &mut dyn Read, array: &ArrayFile) -> Result<(), DatasetError> {
    // In a plain file other arrays may follow, and its length was compared already.
    if !array.ends() {
        return Ok(());
    }
    let more = reader.read(&mut [0; 16]).map_err(unreadable(&array.path))?;
    if more == 0 {
        return Ok(());
    }
    let (what, shape) =
        (format!("length of {}", array.name), format!("the end after {:?}", array.shape));
    Err(content(&array.path, &what, shape, "more numbers".to_owned()))
}

/// A whole number of up to eight bytes, the lowest first.
fn value(number: Number, bytes: &[u8]) -> i128 {
    let mut wide = [0; 16];
    wide[..bytes.len()].copy_from_slice(bytes);
    let value = i128::from_le_bytes(wide);
    let signed = matches!(number, Number::I8 | Number::I16 | Number::I32 | Number::I64);
    let bits = 8 * bytes.len() as u32;
    if signed && value >> (bits - 1) == 1 { value - (1 << bits) } else { value }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Would catch a negative label that is taken for a large one, and a large one for a negative.
    #[test]
    fn signs() {
        assert_eq!(value(Number::I8, &[0xff]), -1);
        assert_eq!(value(Number::U8, &[0xff]), 255);
        assert_eq!(value(Number::I64, &(-5_i64).to_le_bytes()), -5);
        assert_eq!(value(Number::U64, &u64::MAX.to_le_bytes()), i128::from(u64::MAX));
        assert_eq!(value(Number::I32, &300_i32.to_le_bytes()), 300);
    }
}
