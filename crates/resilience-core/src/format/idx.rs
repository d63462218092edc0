//! The IDX form of MNIST and its kin: a magic number with kind and number of sides, the sides, the
//! numbers; the highest byte first.

use std::io::{self, Read};

/// Reads the sides of an array of bytes, the only kind that images and their labels have; the reader then
/// stands at the numbers. An error says what is wrong.
pub fn header(reader: &mut dyn Read) -> Result<Vec<usize>, String> {
    let mut magic = [0; 4];
    fill(reader, &mut magic)?;
    let [0, 0, kind, sides] = magic else {
        return Err(format!("expected the beginning of an IDX file, found {magic:02x?}"));
    };
    if kind != 8 {
        return Err(format!("expected bytes (kind 08), found numbers of kind {kind:02x}"));
    }
    if !(1..=4).contains(&sides) {
        return Err(format!("expected 1 to 4 sides, found {sides}"));
    }
    (0..sides)
        .map(|_| {
            let mut side = [0; 4];
            fill(reader, &mut side)?;
            Ok(u32::from_be_bytes(side) as usize)
        })
        .collect()
}

/// Bytes before the numbers of an array of so many sides.
#[must_use]
pub const fn length(sides: usize) -> u64 {
    4 + 4 * sides as u64
}

fn fill(reader: &mut dyn Read, bytes: &mut [u8]) -> Result<(), String> {
    reader.read_exact(bytes).map_err(|error| match error.kind() {
        io::ErrorKind::UnexpectedEof => "its header is cut short".to_owned(),
        _ => error.to_string(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Would catch sides in the wrong order of bytes, and a file of another kind that is read.
    #[test]
    fn headers() {
        let mnist = b"\0\0\x08\x03\0\0\x27\x10\0\0\0\x1c\0\0\0\x1c";
        assert_eq!(header(&mut &mnist[..]), Ok(vec![10_000, 28, 28]));
        assert_eq!(length(3), mnist.len() as u64);
        for length in 0..mnist.len() {
            assert!(header(&mut &mnist[..length]).is_err());
        }
        for (place, value) in [(0, 1), (1, 1), (2, 0x0d), (3, 0), (3, 5)] {
            let mut other = *mnist;
            other[place] = value;
            assert!(header(&mut &other[..]).is_err());
        }
    }
}
