//! CIFAR-10 in its real forms, and on the way to it.

#![expect(clippy::unwrap_used, reason = "a helper that fails fails its test")]

mod common;

use std::path::{Path, PathBuf};

use resilience_core::dataset::{DatasetError, Images, Places, Split, find};
use resilience_core::event::{Event, Observer, Silent};

/// Keeps what was told.
#[derive(Default)]
struct Heard(Vec<String>);

impl Observer for Heard {
    fn event(&mut self, event: Event) {
        if let Event::Notice(text) = event {
            self.0.push(text);
        }
    }
}

fn load(path: &Path, split: Split) -> Result<Images, DatasetError> {
    let places = Places::default();
    find(Some(&path.to_string_lossy()), &places, &mut Silent)?.load(split, None, &mut Silent)
}

/// A folder of the binary form with the files given.
fn folder(files: &[(&str, &[u8])]) -> (tempfile::TempDir, PathBuf) {
    let parent = tempfile::tempdir().unwrap();
    let path = parent.path().join("cifar-10-batches-bin");
    std::fs::create_dir(&path).unwrap();
    for (name, bytes) in files {
        std::fs::write(path.join(name), bytes).unwrap();
    }
    (parent, path)
}

/// Ten thousand made-up images with as many of each class.
fn made_up() -> Vec<u8> {
    let pattern: Vec<u8> = (0..4096).map(|i| (i % 251) as u8).collect();
    (0..10_000).flat_map(|i| [&[(i % 10) as u8], &pattern[i % 1000..][..3072]].concat()).collect()
}

/// Would catch the real images being read in another order, or their checksum being another than
/// `sha256sum` prints; and any alarm on the real data.
#[test]
fn real_images() {
    let Some(path) = common::shared("cifar10") else { return };
    let mut heard = Heard::default();
    let source = find(Some(&path.to_string_lossy()), &Places::default(), &mut heard).unwrap();
    let test = source.load(Split::Test, None, &mut heard).unwrap();
    assert_eq!(test.labels()[..10], [3, 8, 8, 0, 6, 6, 1, 6, 3, 1]);
    assert_eq!(
        test.record().sha256,
        "8e2eb146ae340b09e24670f29cabc6326dba54da8789dab6768acf480273f65b"
    );
    let train = source.load(Split::Train, None, &mut heard).unwrap();
    assert_eq!((train.len(), train.labels()[0]), (50_000, 6));
    assert_eq!(
        train.record().sha256,
        "a0181da372c0d63a5920fdbea2ec3f83ecbc552d378218e1cb473cf634941a3b"
    );
    let first = source.load(Split::Train, Some(3), &mut heard).unwrap();
    assert_eq!((first.len(), first.labels()), (3, &train.labels()[..3]));
    assert_eq!(first.bytes().unwrap(), &train.bytes().unwrap()[..3 * 3072]);
    assert_eq!(heard.0, [""; 0]);
}

/// Would catch training images passing for test images.
#[test]
fn a_batch_under_another_name_is_refused() {
    let Some(path) = common::shared("cifar10/cifar-10-batches-bin/data_batch_2.bin") else {
        return;
    };
    let (_parent, path) = folder(&[("test_batch.bin", &std::fs::read(path).unwrap())]);
    let error = load(&path, Split::Test).unwrap_err().to_string();
    assert!(error.contains("those of data_batch_2"), "{error}");
}

/// Would catch other images passing silently under CIFAR-10's name, and changed labels at all.
#[test]
fn foreign_images_are_told() {
    let mut bytes = made_up();
    let (_parent, path) = folder(&[("test_batch.bin", &bytes)]);
    let mut heard = Heard::default();
    let source = find(Some(&path.to_string_lossy()), &Places::default(), &mut heard).unwrap();
    let images = source.load(Split::Test, None, &mut heard).unwrap();
    assert_eq!((images.len(), images.notices()), (10_000, &heard.0[..]));
    assert_eq!(images.record().name, "cifar10-altered");
    assert!(heard.0[0].contains("does not hold CIFAR-10's official images"), "{}", heard.0[0]);
    bytes[3073 * 5] = 6;
    std::fs::write(path.join("test_batch.bin"), &bytes).unwrap();
    let error = load(&path, Split::Test).unwrap_err().to_string();
    assert!(error.contains("999 of class 5"), "{error}");
}

/// Would catch an error that does not name the file, the record, what was expected and found.
#[test]
fn broken_files_are_named() {
    let mut bytes = made_up();
    for (content, expect) in [
        (&bytes[..0], "test_batch.bin has 0 bytes, expected 30730000: it is empty"),
        (&bytes[..30_729_999], "has 30729999 bytes, expected 30730000: it is cut short"),
        (&[&bytes[..], b"x"].concat(), "has 30730001 bytes, expected 30730000: it is not that"),
    ] {
        let (_parent, path) = folder(&[("test_batch.bin", content)]);
        let error = load(&path, Split::Test).unwrap_err().to_string();
        assert!(error.contains(expect), "{error}");
    }
    bytes[3073 * 77] = 11;
    let (parent, path) = folder(&[("test_batch.bin", &bytes)]);
    let error = load(parent.path(), Split::Test).unwrap_err().to_string();
    for expect in ["test_batch.bin", "record 77 at byte 236621", "from 0 to 9", "found 11"] {
        assert!(error.contains(expect), "{error}");
    }
    let error = load(&path, Split::Train).unwrap_err();
    assert!(matches!(error, DatasetError::Missing { .. }), "{error}");
    std::fs::remove_file(path.join("test_batch.bin")).unwrap();
    let error = load(parent.path(), Split::Test).unwrap_err();
    assert!(matches!(error, DatasetError::Missing { .. }), "{error}");
}

/// Would catch an archive that is read only in part, or taken for whole when it is cut short.
#[test]
fn archive() {
    let bytes = made_up();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("cifar-10-binary.tar.gz");
    let packed = pack(&[("cifar-10-batches-bin/test_batch.bin", &bytes)]);
    std::fs::write(&path, &packed).unwrap();
    let images = load(&path, Split::Test).unwrap();
    assert_eq!(images.bytes().unwrap()[3072..6144], bytes[3074..6146]);
    assert_eq!(load(folder.path(), Split::Test).unwrap(), images);
    assert!(matches!(load(&path, Split::Train), Err(DatasetError::Missing { .. })));
    for length in [0, 1, 5, 18, 100, packed.len() / 2, packed.len() - 9, packed.len() - 1] {
        std::fs::write(&path, &packed[..length]).unwrap();
        let error = load(&path, Split::Test).unwrap_err().to_string();
        assert!(error.contains("cifar-10-binary.tar.gz"), "{error}");
        assert!(error.contains("cut short") || error.contains("empty"), "{length}: {error}");
    }
    let mut damaged = packed.clone();
    let at = packed.len() - 6;
    damaged[at] ^= 1;
    std::fs::write(&path, &damaged).unwrap();
    let error = load(&path, Split::Test).unwrap_err();
    assert!(matches!(error, DatasetError::Archive { .. }), "{error}");
}

fn gzip() -> flate2::write::GzEncoder<Vec<u8>> {
    flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast())
}

fn pack(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut builder = tar::Builder::new(gzip());
    for (name, bytes) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        builder.append_data(&mut header, name, *bytes).unwrap();
    }
    builder.into_inner().unwrap().finish().unwrap()
}
