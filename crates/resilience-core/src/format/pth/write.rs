//! Writing the zip form. The same state dict gives the same bytes.

use std::io::{Cursor, Seek, Write};
use std::path::Path;

use zip::result::ZipResult;
use zip::write::{SimpleFileOptions, ZipWriter};
use zip::{CompressionMethod, DateTime};

use crate::format::FormatError;
use crate::format::array::{Array, Kind, StateDict};
use crate::format::atomic;

/// Storages begin at multiples of this, as PyTorch lays them out, so that a file can be mapped.
const ALIGNMENT: u16 = 64;

/// Writes the state dict, atomically; in Python `torch.load(path, weights_only=True)` reads it as
/// an `OrderedDict` of tensors.
pub fn write(path: &Path, state: &StateDict) -> Result<(), FormatError> {
    Ok(atomic::write_with(path, |out| fill(out, state).map_err(std::io::Error::other))?)
}

/// What [`write()`] writes.
#[must_use]
pub fn to_bytes(state: &StateDict) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    fill(&mut bytes, state).expect("writing into memory cannot fail");
    bytes.into_inner()
}

fn fill<W: Write + Seek>(out: W, state: &StateDict) -> ZipResult<()> {
    let mut archive = ZipWriter::new(out);
    // No clock: every file is of the earliest day that the format knows.
    let options = SimpleFileOptions::default()
        .compression_method(CompressionMethod::Stored)
        .last_modified_time(DateTime::default())
        .with_alignment(ALIGNMENT);
    let mut entry = |name: &str, content: &[u8]| -> ZipResult<()> {
        let large = content.len() >= u32::MAX as usize;
        archive.start_file(format!("archive/{name}"), options.large_file(large))?;
        Ok(archive.write_all(content)?)
    };
    entry("data.pkl", &pickled(state))?;
    entry("byteorder", b"little")?;
    for (index, (_, array)) in state.entries.iter().enumerate() {
        entry(&format!("data/{index}"), &array.data().to_le_bytes())?;
    }
    entry("version", b"3\n")?;
    archive.finish()?;
    Ok(())
}

/// An `OrderedDict` of name to tensor in protocol 2, which every PyTorch reads.
fn pickled(state: &StateDict) -> Vec<u8> {
    const ORDERED_DICT: &[u8] = b"ccollections\nOrderedDict\n)R";
    let mut out = b"\x80\x02".to_vec();
    out.extend(ORDERED_DICT);
    out.push(b'(');
    for (index, (name, array)) in state.entries.iter().enumerate() {
        text(&mut out, name);
        out.extend(b"ctorch._utils\n_rebuild_tensor_v2\n((");
        text(&mut out, "storage");
        out.extend(b"ctorch\n");
        out.extend(storage(array.data().kind()).as_bytes());
        out.push(b'\n');
        text(&mut out, &index.to_string());
        text(&mut out, "cpu");
        int(&mut out, array.data().len());
        out.extend(b"tQ");
        int(&mut out, 0);
        tuple(&mut out, array.shape());
        tuple(&mut out, &strides(array));
        // requires_grad, and no backward hooks.
        out.push(0x89);
        out.extend(ORDERED_DICT);
        out.extend(b"tR");
    }
    out.extend(b"u.");
    out
}

fn text(out: &mut Vec<u8>, text: &str) {
    out.push(b'X');
    out.extend((text.len() as u32).to_le_bytes());
    out.extend(text.as_bytes());
}

/// In four bytes where it fits, else as a long one of eight.
fn int(out: &mut Vec<u8>, value: usize) {
    if let Ok(value) = i32::try_from(value) {
        out.push(b'J');
        out.extend(value.to_le_bytes());
    } else {
        out.extend([0x8a, 8]);
        out.extend((value as u64).to_le_bytes());
    }
}

fn tuple(out: &mut Vec<u8>, values: &[usize]) {
    out.push(b'(');
    for &value in values {
        int(out, value);
    }
    out.push(b't');
}

/// Row-major strides in numbers.
fn strides(array: &Array) -> Vec<usize> {
    let mut strides: Vec<usize> = array
        .shape()
        .iter()
        .rev()
        .scan(1, |stride, &side| {
            let this = *stride;
            *stride *= side.max(1);
            Some(this)
        })
        .collect();
    strides.reverse();
    strides
}

const fn storage(kind: Kind) -> &'static str {
    match kind {
        Kind::F64 => "DoubleStorage",
        Kind::F32 => "FloatStorage",
        Kind::F16 => "HalfStorage",
        Kind::BF16 => "BFloat16Storage",
        Kind::I64 => "LongStorage",
        Kind::I32 => "IntStorage",
        Kind::I16 => "ShortStorage",
        Kind::I8 => "CharStorage",
        Kind::U8 => "ByteStorage",
        Kind::Bool => "BoolStorage",
    }
}
