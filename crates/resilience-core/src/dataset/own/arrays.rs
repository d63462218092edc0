//! Arrays in files: `.npy`, the entries of an `.npz`, the tensors of a `.safetensors`, and IDX. Opening one
//! reads its header; its numbers are streamed, or read from where they lie.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use flate2::Crc;
use flate2::read::{DeflateDecoder, GzDecoder};
use serde::Deserialize;
use zip::{CompressionMethod, ZipArchive};

use super::{content, unreadable};
use crate::dataset::DatasetError;
use crate::format::archive;
use crate::format::{idx, npy, regular};

/// A form of file with arrays in it, told by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Container {
    Npy,
    Npz,
    Safetensors,
    Idx,
    IdxGz,
}

impl Container {
    /// That of the file's name.
    pub fn of(path: &Path) -> Option<Self> {
        let name = path.file_name()?.to_str()?.to_lowercase();
        [
            (".npy", Self::Npy),
            (".npz", Self::Npz),
            (".safetensors", Self::Safetensors),
            ("-ubyte", Self::Idx),
            (".idx", Self::Idx),
            ("-ubyte.gz", Self::IdxGz),
            (".idx.gz", Self::IdxGz),
        ]
        .into_iter()
        .find(|(ending, _)| name.ends_with(ending))
        .map(|(_, container)| container)
    }

    /// Whether it holds several arrays, by name.
    pub const fn is_archive(self) -> bool {
        matches!(self, Self::Npz | Self::Safetensors)
    }
}

/// A kind of number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Number {
    Bool,
    U8,
    I8,
    U16,
    I16,
    U32,
    I32,
    U64,
    I64,
    F16,
    Bf16,
    F32,
    F64,
}

/// Each kind with NumPy's letter and width, safetensors' name and NumPy's name.
const NUMBERS: [(Number, &str, &str, &str); 13] = [
    (Number::Bool, "b1", "BOOL", "bool"),
    (Number::U8, "u1", "U8", "uint8"),
    (Number::I8, "i1", "I8", "int8"),
    (Number::U16, "u2", "U16", "uint16"),
    (Number::I16, "i2", "I16", "int16"),
    (Number::U32, "u4", "U32", "uint32"),
    (Number::I32, "i4", "I32", "int32"),
    (Number::U64, "u8", "U64", "uint64"),
    (Number::I64, "i8", "I64", "int64"),
    (Number::F16, "f2", "F16", "float16"),
    (Number::Bf16, "bf", "BF16", "bfloat16"),
    (Number::F32, "f4", "F32", "float32"),
    (Number::F64, "f8", "F64", "float64"),
];

impl Number {
    /// Bytes that one takes.
    pub const fn size(self) -> usize {
        match self {
            Self::Bool | Self::U8 | Self::I8 => 1,
            Self::U16 | Self::I16 | Self::F16 | Self::Bf16 => 2,
            Self::U32 | Self::I32 | Self::F32 => 4,
            Self::U64 | Self::I64 | Self::F64 => 8,
        }
    }

    /// NumPy's name of it.
    pub fn name(self) -> &'static str {
        NUMBERS.iter().find(|(number, ..)| *number == self).map_or("", |(.., name)| name)
    }
}

/// An array in a file, its header read and its length held against the file's.
#[derive(Clone, Debug)]
pub(super) struct ArrayFile {
    pub path: PathBuf,
    /// What it is called there.
    pub name: String,
    pub number: Number,
    pub shape: Vec<usize>,
    place: Place,
}

/// Where an array's numbers are.
#[derive(Clone, Debug)]
enum Place {
    /// From that byte of the file on.
    Plain(u64),
    /// In an entry of an archive, behind so many bytes of header.
    Entry { start: u64, packed: u64, deflated: bool, crc: u32, header: u64 },
    /// In a compressed file, likewise.
    Gzip(u64),
}

impl ArrayFile {
    /// Reads the header of an array; `name` says which where the file holds several.
    pub fn open(path: &Path, container: Container, name: &str) -> Result<Self, DatasetError> {
        match container {
            Container::Npy => Self::npy(path, name),
            Container::Npz => Self::entry(path, name),
            Container::Safetensors => Self::tensor(path, name),
            Container::Idx => Self::idx(path, name),
            Container::IdxGz => Self::idx_gz(path, name),
        }
    }

    fn npy(path: &Path, name: &str) -> Result<Self, DatasetError> {
        let file = open(path)?;
        let length = file.metadata().map_err(unreadable(path))?.len();
        let header = header(path, name, &mut BufReader::new(file))?;
        let place = Place::Plain(header.length);
        let array = Self::with(path, name, &header, place)?;
        array.check_length(Some(length - header.length.min(length)))?;
        Ok(array)
    }

    fn entry(path: &Path, name: &str) -> Result<Self, DatasetError> {
        let mut archive = archive(path)?;
        let wanted = format!("{name}.npy");
        let mut found = None;
        for index in 0..archive.len() {
            let entry = archive.by_index_raw(index).map_err(|error| damaged(path, &error))?;
            if entry.name().is_ok_and(|name| name != wanted) {
                continue;
            }
            let deflated = match entry.compression() {
                CompressionMethod::Stored => false,
                CompressionMethod::Deflated => true,
                other => {
                    let expected = "an entry that numpy.savez or numpy.savez_compressed wrote";
                    return Err(content(path, name, expected.to_owned(), other.to_string()));
                }
            };
            let start = entry.data_start().unwrap_or_default();
            if found.is_some() || entry.encrypted() || start == 0 {
                let expected = "one readable entry of that name".to_owned();
                return Err(content(
                    path,
                    name,
                    expected,
                    "several, or an encrypted one".to_owned(),
                ));
            }
            let place = (start, entry.compressed_size(), deflated, entry.crc32());
            found = Some((place, entry.size()));
        }
        let Some(((start, packed, deflated, crc), size)) = found else {
            return Err(content(path, "arrays", format!("one called {name}"), "none".to_owned()));
        };
        let unread = Place::Entry { start, packed, deflated, crc, header: 0 };
        let header = header(path, name, &mut *unread.stream(path)?)?;
        let place = Place::Entry { start, packed, deflated, crc, header: header.length };
        let array = Self::with(path, name, &header, place)?;
        let length = if deflated { size } else { size.min(packed) };
        array.check_length(Some(length - header.length.min(length)))?;
        Ok(array)
    }

    fn tensor(path: &Path, name: &str) -> Result<Self, DatasetError> {
        let (tensors, start) = tensors(path)?;
        let Some(Tensor { dtype, shape, data_offsets: [from, to] }) = tensors.get(name) else {
            return Err(content(path, "arrays", format!("one called {name}"), "none".to_owned()));
        };
        let known = NUMBERS.iter().find(|(_, _, safetensors, _)| safetensors == dtype);
        let Some((number, ..)) = known else {
            let expected = "integers or floats of common width".to_owned();
            return Err(content(path, &format!("kind of {name}"), expected, dtype.clone()));
        };
        let length = open(path)?.metadata().map_err(unreadable(path))?.len() - start;
        if from > to || *to > length {
            let found =
                format!("bytes {from} to {to} of {length}: the file is cut short or damaged");
            return Err(content(path, name, "a place in the file".to_owned(), found));
        }
        let (path, name, shape) = (path.to_owned(), name.to_owned(), shape.clone());
        let array = Self { path, name, number: *number, shape, place: Place::Plain(start + from) };
        array.check_length(Some(to - from))?;
        Ok(array)
    }

    fn idx(path: &Path, name: &str) -> Result<Self, DatasetError> {
        let file = open(path)?;
        let length = file.metadata().map_err(unreadable(path))?.len();
        let shape = sides(path, &mut BufReader::new(file))?;
        let header = idx::length(shape.len());
        let (path, name) = (path.to_owned(), name.to_owned());
        let array = Self { path, name, number: Number::U8, shape, place: Place::Plain(header) };
        array.check_length(Some(length - header.min(length)))?;
        Ok(array)
    }

    fn idx_gz(path: &Path, name: &str) -> Result<Self, DatasetError> {
        let shape = sides(path, &mut GzDecoder::new(BufReader::new(open(path)?)))?;
        let place = Place::Gzip(idx::length(shape.len()));
        let (path, name) = (path.to_owned(), name.to_owned());
        let array = Self { path, name, number: Number::U8, shape, place };
        // How long a compressed file is shows when it is read.
        array.check_length(None)?;
        Ok(array)
    }

    fn with(
        path: &Path,
        name: &str,
        header: &npy::Header,
        place: Place,
    ) -> Result<Self, DatasetError> {
        let (order, code) = match header.descr.split_at_checked(1) {
            Some((order @ ("<" | ">" | "|" | "="), code)) => (order, code),
            _ => ("<", &header.descr[..]),
        };
        let known =
            NUMBERS.iter().find(|(number, letter, ..)| *letter == code && *number != Number::Bf16);
        let what = format!("kind of {name}");
        let Some(&(number, ..)) = known else {
            let expected = "integers or floats of common width".to_owned();
            return Err(content(path, &what, expected, format!("'{}'", header.descr)));
        };
        if order == ">" && number.size() > 1 {
            let expected =
                format!("the lowest byte first: save it with .astype(numpy.{})", number.name());
            return Err(content(path, &what, expected, "the highest byte first".to_owned()));
        }
        if header.fortran_order && header.shape.len() > 1 {
            let expected =
                "the last index to run fastest: save numpy.ascontiguousarray of it".to_owned();
            let found = "Fortran's order".to_owned();
            return Err(content(path, &format!("order of {name}"), expected, found));
        }
        let (path, name, shape) = (path.to_owned(), name.to_owned(), header.shape.clone());
        Ok(Self { path, name, number, shape, place })
    }

    /// Its numbers have to fill what there is, where that is known.
    fn check_length(&self, found: Option<u64>) -> Result<(), DatasetError> {
        let sides = self.shape.iter().map(|&side| side as u64);
        let numbers = sides.chain([self.number.size() as u64]).try_fold(1, u64::checked_mul);
        let expected = numbers.filter(|&bytes| i64::try_from(bytes).is_ok());
        match (expected, found) {
            (Some(_), None) => Ok(()),
            (Some(expected), Some(found)) if found == expected => Ok(()),
            (expected, found) => Err(content(
                &self.path,
                &format!("{} of shape {:?}", self.name, self.shape),
                expected.map_or_else(
                    || "a shape that a file can hold".to_owned(),
                    |bytes| format!("{bytes} bytes of {}", self.number.name()),
                ),
                found.map_or_else(|| "another one".to_owned(), |bytes| format!("{bytes} bytes")),
            )),
        }
    }

    /// Its numbers from the first on. Where all of them are read, up to the end, a checksum that the
    /// file has of them is compared.
    pub fn stream(&self) -> Result<Box<dyn Read>, DatasetError> {
        let mut reader = self.place.stream(&self.path)?;
        let header = match self.place {
            Place::Plain(_) => 0,
            Place::Entry { header, .. } | Place::Gzip(header) => header,
        };
        io::copy(&mut (&mut reader).take(header), &mut io::sink())
            .map_err(unreadable(&self.path))?;
        Ok(reader)
    }

    /// Whether nothing follows its numbers in the stream of them.
    pub const fn ends(&self) -> bool {
        matches!(self.place, Place::Entry { .. } | Place::Gzip(_))
    }

    /// Where in the file its numbers lie as they are; none where they are compressed.
    pub const fn offset(&self) -> Option<u64> {
        match self.place {
            Place::Plain(offset) => Some(offset),
            Place::Entry { start, header, deflated: false, .. } => Some(start + header),
            Place::Entry { .. } | Place::Gzip(_) => None,
        }
    }
}

impl Place {
    /// From the array's first byte on; of an entry or a compressed file, from that of its header.
    fn stream(&self, path: &Path) -> Result<Box<dyn Read>, DatasetError> {
        let mut file = open(path)?;
        Ok(match *self {
            Self::Plain(offset) => {
                file.seek(SeekFrom::Start(offset)).map_err(unreadable(path))?;
                Box::new(BufReader::with_capacity(1 << 18, file))
            }
            Self::Gzip(_) => Box::new(GzDecoder::new(BufReader::with_capacity(1 << 18, file))),
            Self::Entry { start, packed, deflated, crc, .. } => {
                file.seek(SeekFrom::Start(start)).map_err(unreadable(path))?;
                let bytes = BufReader::with_capacity(1 << 18, file).take(packed);
                let crc = (crc, Crc::new());
                if deflated {
                    Box::new(Checked { inner: DeflateDecoder::new(bytes), crc })
                } else {
                    Box::new(Checked { inner: bytes, crc })
                }
            }
        })
    }
}

/// Compares the checksum of an archive's entry when its end is reached.
struct Checked<R> {
    inner: R,
    crc: (u32, Crc),
}

impl<R: Read> Read for Checked<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.crc.1.update(&buffer[..count]);
        if count == 0 && !buffer.is_empty() && self.crc.1.sum() != self.crc.0 {
            return Err(io::Error::other("its checksum is another: the archive is damaged"));
        }
        Ok(count)
    }
}

/// The names of the arrays in an archive.
pub(super) fn names(path: &Path, container: Container) -> Result<Vec<String>, DatasetError> {
    let mut names: Vec<String> = match container {
        Container::Npz => {
            let archive = archive(path)?;
            let names = archive.file_names().filter_map(Result::ok);
            names.filter_map(|name| Some(name.strip_suffix(".npy")?.to_owned())).collect()
        }
        Container::Safetensors => tensors(path)?.0.into_keys().collect(),
        _ => Vec::new(),
    };
    names.sort();
    Ok(names)
}

/// The file of labels that belongs to one of images: `y.npy` to `x.npy`, `y_test.npy` to `x_test.npy`,
/// `…-labels-idx1-ubyte` to `…-images-idx3-ubyte`.
pub(super) fn beside(images: &Path) -> Result<PathBuf, DatasetError> {
    let name = images.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let other = if name.starts_with('x') {
        name.replacen('x', "y", 1)
    } else {
        name.replace("images", "labels").replace("idx3", "idx1")
    };
    let labels = images.with_file_name(&other);
    if other != name && labels.is_file() {
        return Ok(labels);
    }
    let expected = if other == name { "y.npy".to_owned() } else { other };
    Err(content(
        images,
        "labels",
        format!("a file {expected} beside it, or labels = in a data manifest"),
        "none".to_owned(),
    ))
}

fn open(path: &Path) -> Result<File, DatasetError> {
    regular::open(path).map_err(unreadable(path))
}

fn archive(path: &Path) -> Result<ZipArchive<BufReader<File>>, DatasetError> {
    archive::open(BufReader::new(open(path)?)).map_err(|error| damaged(path, &error))
}

fn damaged(path: &Path, error: &zip::result::ZipError) -> DatasetError {
    let found = format!("{error}; it is cut short or damaged, or no .npz");
    content(path, "archive", "one that NumPy wrote".to_owned(), found)
}

fn header(path: &Path, name: &str, reader: &mut dyn Read) -> Result<npy::Header, DatasetError> {
    let wrong = |error: npy::NpyError| {
        content(path, &format!("header of {name}"), error.expected.to_owned(), error.found)
    };
    npy::header(reader).map_err(wrong)
}

fn sides(path: &Path, reader: &mut dyn Read) -> Result<Vec<usize>, DatasetError> {
    idx::header(reader)
        .map_err(|found| content(path, "header", "that of an IDX file of bytes".to_owned(), found))
}

/// A tensor as the header of a safetensors file has it.
#[derive(Deserialize)]
struct Tensor {
    dtype: String,
    shape: Vec<usize>,
    data_offsets: [u64; 2],
}

/// A header of a thousand tensors has some hundred thousand bytes.
const MAX_HEADER: u64 = 16 << 20;

/// The tensors of a safetensors file, and where their numbers begin. The file is not read whole, as the
/// crate for this form would have it.
fn tensors(path: &Path) -> Result<(HashMap<String, Tensor>, u64), DatasetError> {
    let wrong =
        |found: String| content(path, "header", "that of a safetensors file".to_owned(), found);
    let mut reader = BufReader::new(open(path)?);
    let mut length = [0; 8];
    reader.read_exact(&mut length).map_err(|_| wrong("its end".to_owned()))?;
    let length = u64::from_le_bytes(length);
    if length > MAX_HEADER {
        return Err(wrong(format!("a length of {length} bytes")));
    }
    let mut text = Vec::new();
    reader.take(length).read_to_end(&mut text).map_err(unreadable(path))?;
    if text.len() as u64 != length {
        return Err(wrong("its end: the file is cut short".to_owned()));
    }
    let mut fields: HashMap<String, serde_json::Value> =
        serde_json::from_slice(&text).map_err(|error| wrong(error.to_string()))?;
    fields.remove("__metadata__");
    let tensors = fields.into_iter().map(|(name, value)| {
        let tensor =
            serde_json::from_value(value).map_err(|error| wrong(format!("{name}: {error}")))?;
        Ok((name, tensor))
    });
    Ok((tensors.collect::<Result<_, DatasetError>>()?, 8 + length))
}
