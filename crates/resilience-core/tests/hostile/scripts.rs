//! TorchScript modules. libtorch runs what is in them: here is what it gets to see at all.

use std::fmt::Write as _;
use std::io::{Cursor, Write as _};
use std::path::Path;

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use resilience_core::format::FormatError;
use resilience_core::format::pth::{Script, parse_script};
use zip::write::{SimpleFileOptions, ZipWriter};

use super::files;
use super::memory::peak_of;
use super::seeds::seeds;

const NAME: &str = "hostile.pt";

fn read(bytes: &[u8]) -> Result<Script, FormatError> {
    let result = parse_script(Path::new(NAME), bytes.to_vec());
    if let Err(error) = &result {
        assert!(error.to_string().contains(NAME), "{error}");
    }
    result
}

/// A module as `torch.jit.save` wrote it, stored and deflated.
fn honest() -> Vec<Vec<u8>> {
    seeds("torchscript").into_iter().map(|(_, bytes)| bytes).collect()
}

/// An archive around a pickle of modules.
fn archive(pickled: &[u8]) -> Vec<u8> {
    let constants = b"\x80\x02).".as_slice();
    let entries = [("a/data.pkl", pickled), ("a/constants.pkl", constants), ("a/data/0", &[7; 64])];
    files::zip(&entries)
}

/// A tensor of four numbers in the storage 0.
fn tensor() -> Vec<u8> {
    let nested = seeds("torchscript_pickle").remove(0).1;
    let begin = nested.windows(6).position(|part| part == b"ctorch").unwrap();
    let end = nested.windows(3).position(|part| part == b"RtR").unwrap() + 3;
    nested[begin..end].to_vec()
}

/// Would catch weights that are read under other names than Python gives them, or not at all.
#[test]
fn names_are_those_of_the_state_dict() {
    for bytes in honest() {
        let script = read(&bytes).unwrap();
        let mut names: Vec<&str> = script.state.names().collect();
        names.sort_unstable();
        let expected = ["first.bias", "first.weight", "scale", "second.bias", "second.weight"];
        assert_eq!(names, expected);
        assert!(script.files > 0 && script.code > 0 && script.bytes == bytes);
    }
}

/// Would catch a file that is cut anywhere and handed on to libtorch.
#[test]
fn cut_short_at_every_length() {
    for bytes in honest() {
        for length in 0..bytes.len() {
            assert!(read(&bytes[..length]).is_err(), "cut to {length} bytes");
        }
    }
}

/// Would catch damage that is handed on to libtorch, which runs what it gets: whatever an entry's checksum can
/// show is an error here.
#[test]
fn damaged_anywhere() {
    let mut rng = ChaCha8Rng::seed_from_u64(0);
    for bytes in honest() {
        let whole = read(&bytes).unwrap();
        for at in 0..bytes.len() {
            let mut damaged = bytes.clone();
            damaged[at] = rng.next_u32() as u8;
            if let Ok(script) = read(&damaged) {
                // Dates and names of code, which have no checksum: libtorch misses the one, and reads no other.
                assert_eq!(script.state, whole.state, "{at}");
            }
        }
    }
}

/// Would catch code that unpacks to more than the file can hold.
#[test]
fn bombs_are_not_unpacked() {
    let options = SimpleFileOptions::default().compression_method(zip::CompressionMethod::Deflated);
    let mut bomb = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, content) in
        [("a/data.pkl", vec![]), ("a/constants.pkl", vec![]), ("a/code/a.py", vec![0; 256 << 20])]
    {
        bomb.start_file(name, options).unwrap();
        bomb.write_all(&content).unwrap();
    }
    let bomb = bomb.finish().unwrap().into_inner();
    let (error, peak) = peak_of(|| read(&bomb).unwrap_err().to_string());
    assert!(error.contains("more than the"), "{error}");
    assert!(peak < 4 << 20, "{peak} bytes");
}

/// Would catch modules in circles, that are shared a thousand times, or that lie in each other without end.
#[test]
fn modules_are_looked_into_once() {
    // One that is its own attribute, remembered before it is filled.
    let circle = b"\x80\x02c__torch__\nA\n)\x81q\x00}(X\x01\x00\x00\x00ah\x00ub.";
    assert!(read(&archive(circle)).unwrap().state.entries.is_empty());
    let deep = [
        b"\x80\x02".to_vec(),
        b"c__torch__\nA\n)\x81}(X\x01\x00\x00\x00a".repeat(10_000),
        b"N".to_vec(),
        b"ub".repeat(10_000),
        b".".to_vec(),
    ];
    let _ = read(&archive(&deep.concat()));
}

/// Would catch names that are put together of long parts again and again, for each of many tensors.
#[test]
fn long_names_do_not_multiply() {
    let part = "n".repeat(4000);
    let text = [b"X".as_slice(), &(part.len() as u32).to_le_bytes(), part.as_bytes()].concat();
    let mut pickled = b"\x80\x02".to_vec();
    for depth in 0..60 {
        pickled.extend(b"c__torch__\nA\n)\x81}(");
        if depth == 0 {
            pickled.extend(text.iter().chain(b"q\x00"));
        } else {
            pickled.extend(b"h\x00");
        }
    }
    pickled.extend(tensor().iter().chain(b"q\x01"));
    pickled.extend(b"h\x00h\x01".repeat(100_000));
    pickled.extend(b"ub".repeat(60));
    pickled.push(b'.');
    let bytes = archive(&pickled);
    let (result, peak) = peak_of(|| read(&bytes));
    assert!(matches!(result, Err(FormatError::TooLarge { .. })), "{:?}", result.map(|_| ()));
    assert!(peak < 64 << 20, "{peak} bytes");
}

/// Would catch another kind of file that is taken for a module, and an error that says nothing of it.
#[test]
fn other_files_are_none() {
    let mut said = String::new();
    for bytes in [
        b"".as_slice(),
        b"PK\x03\x04",
        b"\x80\x02}.",
        &files::zip(&[("a/data.pkl", b"\x80\x02}.")]),
        &archive(b"\x80\x02}."),
    ] {
        let _ = writeln!(said, "{}", read(bytes).unwrap_err());
    }
    assert_eq!(said.matches("torch.jit.save").count(), 3, "{said}");
}
