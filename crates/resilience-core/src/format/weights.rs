//! Weights files of any form, told apart by what they contain.

use std::fmt::Write as _;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use sha2::{Digest, Sha256};

use super::array::StateDict;
use super::checkpoint::Checkpoint;
use super::{FormatError, pth, regular, safetensors};

/// Reads the weights in a PyTorch file (both forms) or a safetensors file. Nothing in the file is
/// executed.
pub fn read_weights(path: &Path) -> Result<StateDict, FormatError> {
    parse_weights(path, &read_bytes(path)?)
}

/// The same, with the file's SHA-256, which must be `expected` where that is given; it is compared
/// before anything is parsed.
pub fn read_checked(
    path: &Path,
    expected: Option<&str>,
) -> Result<(StateDict, String), FormatError> {
    let bytes = read_bytes(path)?;
    let found = sha256(&bytes);
    check_sha256(path, expected, &found)?;
    Ok((parse_weights(path, &bytes)?, found))
}

/// Whether a file has the SHA-256 that it is expected to have.
pub(super) fn check_sha256(
    path: &Path,
    expected: Option<&str>,
    found: &str,
) -> Result<(), FormatError> {
    match expected {
        Some(expected) if !expected.eq_ignore_ascii_case(found) => Err(FormatError::Checksum {
            path: path.to_owned(),
            expected: expected.to_owned(),
            found: found.to_owned(),
        }),
        _ => Ok(()),
    }
}

/// Reads the weights with all that is known of how they lay in the file, and its SHA-256.
pub fn read_checkpoint(path: &Path) -> Result<(Checkpoint, String), FormatError> {
    let bytes = read_bytes(path)?;
    Ok((parse_checkpoint(path, &bytes)?, sha256(&bytes)))
}

/// Reads weights out of a file's content; `path` is for messages.
pub fn parse_weights(path: &Path, bytes: &[u8]) -> Result<StateDict, FormatError> {
    Ok(parse_checkpoint(path, bytes)?.state)
}

/// The same, with all that is known of how they lay in it.
pub fn parse_checkpoint(path: &Path, bytes: &[u8]) -> Result<Checkpoint, FormatError> {
    if bytes.is_empty() {
        Err(FormatError::Empty { path: path.to_owned() })
    } else if pth::is_zip(bytes) || pth::is_legacy(bytes) {
        pth::read(path, bytes)
    } else if safetensors::is_one(bytes) {
        safetensors::read(path, bytes)
    } else {
        Err(FormatError::UnknownForm { path: path.to_owned(), found: beginning(bytes) })
    }
}

/// SHA-256 of a file as lower-case hexadecimal.
pub fn sha256_file(path: &Path) -> Result<String, FormatError> {
    let hash = || -> io::Result<String> {
        let mut file = File::open(path)?;
        let mut hasher = Sha256::new();
        let mut block = vec![0; 1 << 20];
        loop {
            match file.read(&mut block)? {
                0 => return Ok(hex(&hasher.finalize())),
                count => hasher.update(&block[..count]),
            }
        }
    };
    hash().map_err(|source| FormatError::Read { path: path.to_owned(), source })
}

/// SHA-256 of these bytes as lower-case hexadecimal.
#[must_use]
pub fn sha256(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

pub(crate) fn hex(digest: &[u8]) -> String {
    digest.iter().fold(String::with_capacity(64), |mut text, byte| {
        // Writing into a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn read_bytes(path: &Path) -> Result<Vec<u8>, FormatError> {
    regular::read(path, u64::MAX)
        .map_err(|source| FormatError::Read { path: path.to_owned(), source })
}

/// The first bytes, or what they are known to mean.
fn beginning(bytes: &[u8]) -> String {
    const KNOWN: [(&[u8], &str); 6] = [
        (b"\x1f\x8b", "gzip's mark"),
        (b"\x89HDF", "HDF5's mark (a Keras model?)"),
        (b"<", "'<' (a web page instead of the file?)"),
        (b"version https://git-lfs", "a Git LFS pointer: run 'git lfs pull'"),
        (
            b"\x08",
            "what may be ONNX's mark (name it .onnx, or say format = \"onnx\" in its manifest)",
        ),
        (b"\x80", "a pickle that PyTorch did not write"),
    ];
    let known = KNOWN.iter().find(|(mark, _)| bytes.starts_with(mark));
    known.map_or_else(
        || format!("the bytes {:02x?}", &bytes[..bytes.len().min(8)]),
        |(_, meaning)| (*meaning).to_owned(),
    )
}
