//! Archives of data sets: `.tar.gz`, read without being unpacked.

use std::fs;
use std::io::{self, Read, Write};
use std::path::Path;

use super::files::{folder, gzip};
use super::memory::peak_of;
use super::parsers::open;

/// What a data set's split takes when it is whole, and the archive's blocks.
const SPLIT: usize = 48 << 20;

/// A data set's archive of these bytes, read; and the memory that it took.
fn read(packed: &[u8]) -> (Result<usize, String>, usize) {
    let place = folder(&[("cifar-10-binary.tar.gz", packed)]);
    let (result, peak) = peak_of(|| open(&place.path().join("cifar-10-binary.tar.gz")));
    let left = fs::read_dir(place.path()).unwrap().count();
    assert_eq!(left, 1, "something was unpacked");
    (result.map(|images| images.len()), peak)
}

fn header(kind: tar::EntryType, size: u64) -> tar::Header {
    let mut header = tar::Header::new_gnu();
    header.set_entry_type(kind);
    header.set_mode(0o644);
    header.set_size(size);
    header
}

/// An archive with these files.
fn pack(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for (name, bytes) in files {
        let mut header = header(tar::EntryType::Regular, bytes.len() as u64);
        builder.append_data(&mut header, name, *bytes).unwrap();
    }
    gzip(&builder.into_inner().unwrap())
}

/// Ten thousand made-up images with as many of each class.
fn made_up() -> Vec<u8> {
    (0..10_000).flat_map(|i| [[(i % 10) as u8].as_slice(), &[i as u8; 3072]].concat()).collect()
}

/// Would catch a name in an archive that leads out of it, and a second batch of the same name.
#[test]
fn names_are_no_paths() {
    let bytes = made_up();
    let (result, peak) = read(&pack(&[("x/escape", b"x"), ("x/test_batch.bin", &bytes)]));
    assert_eq!(result.unwrap(), 10_000);
    assert!(peak < 2 * SPLIT, "{peak}");
    let (result, _) = read(&pack(&[("a/test_batch.bin", &bytes), ("b/test_batch.bin", &bytes)]));
    let error = result.unwrap_err();
    assert!(error.contains("a second one"), "{error}");
    for name in ["../../escape", "/tmp/escape", "x/../../escape"] {
        // `tar` itself refuses to write such names.
        let mut head = header(tar::EntryType::Regular, 1);
        head.as_gnu_mut().unwrap().name[..name.len()].copy_from_slice(name.as_bytes());
        head.set_cksum();
        let mut builder = tar::Builder::new(Vec::new());
        builder.append(&head, &b"x"[..]).unwrap();
        let (result, _) = read(&gzip(&builder.into_inner().unwrap()));
        assert!(result.unwrap_err().contains("missing"), "{name}");
        assert!(!Path::new("/tmp/escape").exists());
    }
}

/// Would catch a link, a device or a folder being taken for a batch.
#[test]
fn what_is_no_file_is_no_batch() {
    use tar::EntryType::{Block, Char, Directory, Fifo, Link, Symlink};
    for kind in [Symlink, Link, Directory, Fifo, Char, Block] {
        let mut builder = tar::Builder::new(Vec::new());
        let mut head = header(kind, 0);
        builder.append_link(&mut head, "x/test_batch.bin", "/etc/passwd").unwrap();
        let (result, _) = read(&gzip(&builder.into_inner().unwrap()));
        let error = result.unwrap_err();
        assert!(error.contains("a link or folder"), "{kind:?}: {error}");
    }
}

/// Would catch sizes that are believed: of more than the archive has, or than any number can say.
#[test]
fn sizes_that_lie_are_refused() {
    for size in [30_730_000, 1 << 40, u64::MAX >> 1, u64::MAX] {
        let mut head = header(tar::EntryType::Regular, size);
        head.set_path("x/test_batch.bin").unwrap();
        head.set_cksum();
        let bytes = [head.as_bytes(), &[7; 512][..]].concat();
        let (result, peak) = read(&gzip(&bytes));
        assert!(result.is_err(), "{size}");
        assert!(peak < SPLIT, "{size}: {peak}");
    }
}

/// Would catch an archive that unpacks without end, into memory or past the limit.
#[test]
fn bombs_are_refused() {
    let bomb = |kind, name: &str, size: u64| {
        let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        let mut head = header(kind, size);
        head.set_path(name).unwrap();
        head.set_cksum();
        packed.write_all(head.as_bytes()).unwrap();
        io::copy(&mut io::repeat(b'a').take(size), &mut packed).unwrap();
        packed.finish().unwrap()
    };
    let (result, peak) = read(&bomb(tar::EntryType::Regular, "x/bomb", 600 << 20));
    let error = result.unwrap_err();
    assert!(error.contains("unpacks to more than"), "{error}");
    assert!(peak < SPLIT, "{peak}");
    // Names and their attributes are read into memory before anybody can ask for them.
    for kind in [tar::EntryType::GNULongName, tar::EntryType::XHeader] {
        let (result, peak) = read(&bomb(kind, "x", 200 << 20));
        assert!(result.is_err() && peak < 2 * SPLIT, "{kind:?}: {peak}");
    }
}
