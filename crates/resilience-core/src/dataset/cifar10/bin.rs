//! The binary form: records of one byte of label and 3,072 of pixels.

use std::path::Path;

use super::{CLASSES, IMAGE};
use crate::dataset::DatasetError;

/// Reads as many records as there are places, which must be all of them.
pub fn parse(
    path: &Path,
    bytes: &[u8],
    labels: &mut [u8],
    pixels: &mut [u8],
) -> Result<(), DatasetError> {
    const RECORD: usize = 1 + IMAGE;
    let expected = labels.len() * RECORD;
    if bytes.len() != expected {
        return Err(DatasetError::Size {
            path: path.to_owned(),
            expected: expected as u64,
            found: bytes.len() as u64,
        });
    }
    let places = labels.iter_mut().zip(pixels.chunks_exact_mut(IMAGE));
    for (index, (record, (label, image))) in bytes.chunks_exact(RECORD).zip(places).enumerate() {
        if record[0] >= CLASSES {
            return Err(DatasetError::Record {
                path: path.to_owned(),
                record: index,
                offset: (index * RECORD) as u64,
                expected: "a label from 0 to 9".to_owned(),
                found: record[0].to_string(),
            });
        }
        *label = record[0];
        image.copy_from_slice(&record[1..]);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Would catch a label or pixel in the wrong place, and an error at the wrong record.
    #[test]
    fn records() {
        let mut bytes: Vec<u8> = (0..3 * 3073).map(|i| (i % 256) as u8).collect();
        (bytes[0], bytes[3073], bytes[6146]) = (9, 0, 4);
        let (mut labels, mut pixels) = (vec![0; 3], vec![0; 3 * IMAGE]);
        parse(Path::new("b"), &bytes, &mut labels, &mut pixels).unwrap();
        assert_eq!(labels, [9, 0, 4]);
        assert_eq!(pixels[IMAGE..2 * IMAGE], bytes[3074..6146]);
        bytes[6146] = 10;
        let error = parse(Path::new("b"), &bytes, &mut labels, &mut pixels).unwrap_err();
        assert!(matches!(error, DatasetError::Record { record: 2, offset: 6146, .. }), "{error}");
        let error = parse(Path::new("b"), &bytes[1..], &mut labels, &mut pixels).unwrap_err();
        assert!(matches!(error, DatasetError::Size { expected: 9219, found: 9218, .. }));
    }
}
