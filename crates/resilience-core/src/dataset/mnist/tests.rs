use std::io::Write;

use super::*;
use crate::dataset::{Places, find};
use crate::event::Silent;

/// The two test files with made-up content.
fn files(labels: &[u8]) -> [Vec<u8>; 2] {
    let n = DIGITS.test as u32;
    let head = |kind: u8, sides: &[u32]| -> Vec<u8> {
        let sides = sides.iter().flat_map(|side| side.to_be_bytes());
        [0, 0, 8, kind].into_iter().chain(sides).collect()
    };
    let mut images = head(3, &[n, 28, 28]);
    images.extend((0..n as usize * 784).map(|i| (i % 251) as u8));
    let labels = [head(1, &[n]), labels.to_vec()].concat();
    [images, labels]
}

fn labels() -> Vec<u8> {
    (0..DIGITS.test).map(|i| (i % 10) as u8).collect()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut out = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    out.write_all(bytes).unwrap();
    out.finish().unwrap()
}

fn write(folder: &Path, ending: &str, files: &[Vec<u8>; 2]) {
    std::fs::create_dir_all(folder).unwrap();
    for (name, bytes) in NAMES[2..].iter().zip(files) {
        std::fs::write(folder.join(format!("{name}{ending}")), bytes).unwrap();
    }
}

fn open(path: &Path) -> Result<Images, DatasetError> {
    let source = find(Some(path.to_str().unwrap()), &Places::default(), &mut Silent)?;
    source.load(Split::Test, Some(100), &mut Silent)
}

/// Would catch another image from a compressed file than from a plain one, made-up images under the official
/// name, and the files of one data set taken for the other's.
#[test]
fn plain_and_compressed_files() {
    let folder = tempfile::tempdir().unwrap();
    let plain = files(&labels());
    write(&folder.path().join("MNIST/raw"), "", &plain);
    let images = open(folder.path()).unwrap();
    assert_eq!((images.len(), images.shape(), images.name()), (100, [1, 28, 28], "mnist"));
    assert_eq!(images.record().name, "mnist-altered");
    assert_eq!(images.bytes().unwrap()[..784], plain[0][16..800]);
    assert_eq!(images.labels()[..3], [0, 1, 2]);
    let packed = tempfile::tempdir().unwrap();
    write(packed.path(), ".gz", &plain.each_ref().map(|bytes| gzip(bytes)));
    assert_eq!(open(packed.path()).unwrap().record(), images.record());
    let fashion = tempfile::tempdir().unwrap();
    write(&fashion.path().join("FashionMNIST/raw"), "", &plain);
    assert_eq!(open(fashion.path()).unwrap().name(), "fashionmnist");
    assert_eq!(open(&fashion.path().join("FashionMNIST")).unwrap().name(), "fashionmnist");
}

/// Would catch a file that is cut, padded, of another shape or damaged being read, and a compressed one that
/// unpacks without end.
#[test]
fn broken_files_are_named() {
    let [images, truth] = files(&labels());
    let mut wide = images.clone();
    wide[15] = 27;
    let mut other = labels();
    other[77] = 10;
    let mut magic = images.clone();
    magic[2] = 0x0d;
    for (ending, broken, expect) in [
        ("", [images[..images.len() - 1].to_vec(), truth.clone()], "cut short"),
        ("", [[&images[..], b"x"].concat(), truth.clone()], "not that file"),
        ("", [Vec::new(), truth.clone()], "empty"),
        ("", [wide, truth.clone()], "[10000, 28, 27]"),
        ("", [magic, truth.clone()], "kind 0d"),
        ("", [images.clone(), files(&other)[1].clone()], "record 77 at byte 85"),
        ("", [images.clone(), truth[..9].to_vec()], "t10k-labels-idx1-ubyte has 9 bytes"),
        (".gz", [gzip(&vec![0; 64 << 20]), gzip(&truth)], "t10k-images-idx3-ubyte.gz has"),
        (".gz", [gzip(&images[..500]), gzip(&truth)], "has 500 bytes"),
        (".gz", [gzip(&images)[..9000].to_vec(), gzip(&truth)], "cut short or damaged"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        write(folder.path(), ending, &broken);
        let error = open(folder.path()).unwrap_err().to_string();
        assert!(error.contains(expect) && error.contains("t10k"), "{expect}: {error}");
    }
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "", &[images, truth]);
    std::fs::remove_file(folder.path().join(NAMES[3])).unwrap();
    assert!(matches!(open(folder.path()), Err(DatasetError::Missing { .. })));
}
