//! The line of text before the numbers of a `.npy` file (NumPy enhancement proposal 1): kind, order and
//! shape of an array. Only plain numbers are read; an array of Python objects is a pickle and refused.

use std::io::{self, Read};

/// What stands before the numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// NumPy's name of the kind of numbers: `<f4`, `|u1`.
    pub descr: String,
    /// Fortran's order: the first index runs fastest.
    pub fortran_order: bool,
    /// Sides of the array.
    pub shape: Vec<usize>,
    /// Bytes before the numbers.
    pub length: u64,
}

/// A beginning that no plain array has: what was expected, and what was found.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected {expected}, found {found}")]
pub struct NpyError {
    /// What should stand there.
    pub expected: &'static str,
    /// What stands there.
    pub found: String,
}

/// NumPy itself refuses more than 10,000 bytes of text.
const MAX_TEXT: usize = 10_000;
/// Sides that an array may have.
const MAX_SIDES: usize = 32;

/// Reads the header; the reader then stands at the numbers.
pub fn header(reader: &mut dyn Read) -> Result<Header, NpyError> {
    let mut magic = [0; 8];
    fill(reader, &mut magic)?;
    if magic[..6] != *b"\x93NUMPY" {
        let found = format!("{:02x?}", &magic[..6]);
        return Err(NpyError { expected: "the beginning of a .npy file", found });
    }
    let (length, before) = match magic[6] {
        1 => {
            let mut length = [0; 2];
            fill(reader, &mut length)?;
            (usize::from(u16::from_le_bytes(length)), 10)
        }
        2 | 3 => {
            let mut length = [0; 4];
            fill(reader, &mut length)?;
            (u32::from_le_bytes(length) as usize, 12)
        }
        other => {
            let found = format!("version {other}");
            return Err(NpyError { expected: "version 1, 2 or 3 of the .npy form", found });
        }
    };
    if length > MAX_TEXT {
        let found = format!("{length} bytes");
        return Err(NpyError { expected: "a header of at most 10,000 bytes", found });
    }
    let mut text = vec![0; length];
    fill(reader, &mut text)?;
    let text = String::from_utf8(text)
        .map_err(|_| NpyError { expected: "a header of text", found: "other bytes".to_owned() })?;
    let mut header = Text { rest: text.trim() }.header()?;
    header.length = (before + length) as u64;
    Ok(header)
}

fn fill(reader: &mut dyn Read, bytes: &mut [u8]) -> Result<(), NpyError> {
    reader.read_exact(bytes).map_err(|error| NpyError {
        expected: "a whole .npy header",
        found: match error.kind() {
            io::ErrorKind::UnexpectedEof => "its end: the file is cut short".to_owned(),
            _ => error.to_string(),
        },
    })
}

/// The text of a Python dictionary of three entries, as far as it is not read yet.
struct Text<'a> {
    rest: &'a str,
}

impl<'a> Text<'a> {
    fn header(mut self) -> Result<Header, NpyError> {
        let (mut descr, mut order, mut shape) = (None, None, None);
        self.take("{")?;
        while !self.next_is("}") {
            let key = self.quoted()?;
            self.take(":")?;
            match key {
                "descr" if descr.is_none() => descr = Some(self.descr()?),
                "fortran_order" if order.is_none() => order = Some(self.truth()?),
                "shape" if shape.is_none() => shape = Some(self.shape()?),
                other => {
                    let expected = "descr, fortran_order and shape, once each";
                    return Err(NpyError { expected, found: format!("'{}'", shortened(other)) });
                }
            }
            if !self.next_is("}") {
                self.take(",")?;
            }
        }
        self.take("}")?;
        if !self.rest.is_empty() {
            return Err(self.unexpected("nothing after the header's brace"));
        }
        match (descr, order, shape) {
            (Some(descr), Some(fortran_order), Some(shape)) => {
                Ok(Header { descr, fortran_order, shape, length: 0 })
            }
            _ => Err(self.unexpected("descr, fortran_order and shape")),
        }
    }

    /// A kind of number; a structured one is a list.
    fn descr(&mut self) -> Result<String, NpyError> {
        if self.next_is("[") {
            return Err(NpyError {
                expected: "numbers of one kind",
                found: "a structured array: save each of its fields as an array".to_owned(),
            });
        }
        let descr = self.quoted()?;
        if descr.ends_with('O') {
            return Err(NpyError {
                expected: "plain numbers",
                found:
                    "an array of Python objects, which is a pickle and never read: make it one of \
                        numbers with numpy.stack, and save that"
                        .to_owned(),
            });
        }
        Ok(descr.to_owned())
    }

    fn truth(&mut self) -> Result<bool, NpyError> {
        for (word, value) in [("True", true), ("False", false)] {
            if self.next_is(word) {
                self.take(word)?;
                return Ok(value);
            }
        }
        Err(self.unexpected("True or False"))
    }

    fn shape(&mut self) -> Result<Vec<usize>, NpyError> {
        let mut sides = Vec::new();
        self.take("(")?;
        while !self.next_is(")") {
            let digits =
                self.rest.len() - self.rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
            let side = self.rest[..digits].parse();
            let Ok(side) = side else { return Err(self.unexpected("a side of the shape")) };
            if sides.len() == MAX_SIDES {
                return Err(self.unexpected("at most 32 sides"));
            }
            sides.push(side);
            self.rest = self.rest[digits..].trim_start();
            // Python 2 writes long integers with a letter behind.
            self.rest = self.rest.strip_prefix('L').unwrap_or(self.rest).trim_start();
            if !self.next_is(")") {
                self.take(",")?;
            }
        }
        self.take(")")?;
        Ok(sides)
    }

    fn quoted(&mut self) -> Result<&'a str, NpyError> {
        let Some(quote @ ('\'' | '"')) = self.rest.chars().next() else {
            return Err(self.unexpected("a quoted word"));
        };
        let Some((word, rest)) = self.rest[1..].split_once(quote) else {
            return Err(self.unexpected("the end of a quoted word"));
        };
        self.rest = rest.trim_start();
        Ok(word)
    }

    fn next_is(&self, mark: &str) -> bool {
        self.rest.starts_with(mark)
    }

    fn take(&mut self, mark: &'static str) -> Result<(), NpyError> {
        match self.rest.strip_prefix(mark) {
            Some(rest) => {
                self.rest = rest.trim_start();
                Ok(())
            }
            None => Err(NpyError { expected: mark, found: format!("'{}'", shortened(self.rest)) }),
        }
    }

    fn unexpected(&self, expected: &'static str) -> NpyError {
        NpyError { expected, found: format!("'{}'", shortened(self.rest)) }
    }
}

fn shortened(text: &str) -> String {
    text.chars().take(40).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(text: &str) -> Vec<u8> {
        [b"\x93NUMPY\x01\x00", &(text.len() as u16).to_le_bytes()[..], text.as_bytes()].concat()
    }

    fn read(text: &str) -> Result<Header, NpyError> {
        header(&mut &file(text)[..])
    }

    /// Would catch a header as NumPy, or an old Python, writes it that is not understood.
    #[test]
    fn headers_of_numpy() {
        let found = read("{'descr': '<f4', 'fortran_order': False, 'shape': (3, 2), }          \n")
            .unwrap();
        let length =
            file("{'descr': '<f4', 'fortran_order': False, 'shape': (3, 2), }          \n").len();
        let expected = Header {
            descr: "<f4".to_owned(),
            fortran_order: false,
            shape: vec![3, 2],
            length: length as u64,
        };
        assert_eq!(found, expected);
        let old = read("{'shape': (3L,), 'fortran_order': True, \"descr\": '|u1'}").unwrap();
        assert_eq!((old.shape, old.fortran_order, old.descr), (vec![3], true, "|u1".to_owned()));
        let none = read("{'descr': '<i8', 'fortran_order': False, 'shape': ()}").unwrap();
        assert!(none.shape.is_empty());
    }

    /// Would catch a pickle that is taken for numbers, and a header that is no such text, read or
    /// panicked on.
    #[test]
    fn other_headers_are_refused() {
        let objects = read("{'descr': '|O', 'fortran_order': False, 'shape': (3,)}").unwrap_err();
        assert!(objects.to_string().contains("pickle"), "{objects}");
        for text in [
            "",
            "{",
            "{}",
            "{'descr': '<f4'}",
            "{'descr': '<f4', 'fortran_order': False, 'shape': (3,)} x",
            "{'descr': '<f4', 'fortran_order': False, 'shape': (-3,)}",
            "{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999999999999,)}",
            "{'descr': '<f4', 'fortran_order': 0, 'shape': (3,)}",
            "{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (3,)}",
            "{'descr': '<f4', 'descr': '<f4', 'shape': (3,)}",
            "{'descr: '<f4', 'fortran_order': False, 'shape': (3,)}",
            "{'descr': '<f4', 'fortran_order': False, 'shape': (3",
        ] {
            assert!(read(text).is_err(), "{text}");
        }
        let whole = file("{'descr': '<f4', 'fortran_order': False, 'shape': (3,)}");
        for length in 0..whole.len() {
            assert!(header(&mut &whole[..length]).is_err(), "cut to {length}");
        }
        let mut huge = whole;
        huge[6] = 2;
        assert!(header(&mut &huge[..]).is_err());
    }
}
