//! CIFAR-100 in its two forms, made up: the official images lie in no repository.

#![expect(clippy::unwrap_used, reason = "a helper that fails fails its test")]

use std::path::Path;

use resilience_core::dataset::{DatasetError, Images, Places, Split, find};
use resilience_core::event::Silent;

const IMAGE: usize = 3072;

fn load(path: &Path) -> Result<Images, DatasetError> {
    let places = Places::default();
    find(Some(&path.to_string_lossy()), &places, &mut Silent)?.load(Split::Test, None, &mut Silent)
}

/// Coarse label, fine label and pixels of ten thousand images, a hundred of each class.
fn records() -> Vec<u8> {
    let pattern: Vec<u8> = (0..4096).map(|i| (i % 251) as u8).collect();
    let record =
        |i: usize| [&[(i % 20) as u8, (i % 100) as u8], &pattern[i % 1000..][..IMAGE]].concat();
    (0..10_000).flat_map(record).collect()
}

/// The same as Python 2 pickles it.
fn pickled(records: &[u8]) -> Vec<u8> {
    let records = || records.chunks_exact(2 + IMAGE);
    let mut out = b"\x80\x02}(".to_vec();
    for (key, place) in [("coarse_labels", 0), ("fine_labels", 1)] {
        out.extend([b'U', key.len() as u8]);
        out.extend(key.as_bytes());
        out.extend(b"](");
        out.extend(records().flat_map(|record| [b'K', record[place]]));
        out.push(b'e');
    }
    out.extend(
        b"U\x04datacnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85U\x01b\x87R",
    );
    out.extend(b"(K\x01M\x10\x27M\x00\x0c\x86cnumpy\ndtype\nU\x02u1K\x00K\x01\x87R\x89T");
    let pixels: Vec<u8> = records().flat_map(|record| record[2..].to_vec()).collect();
    out.extend((pixels.len() as u32).to_le_bytes());
    out.extend(pixels);
    out.extend(b"tbu.");
    out
}

fn packed(name: &str, bytes: &[u8]) -> Vec<u8> {
    let gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    let mut builder = tar::Builder::new(gzip);
    let mut header = tar::Header::new_gnu();
    header.set_size(bytes.len() as u64);
    header.set_mode(0o644);
    builder.append_data(&mut header, name, bytes).unwrap();
    builder.into_inner().unwrap().finish().unwrap()
}

/// Would catch the coarse labels being taken for the fine ones, another image from one form than from
/// another, made-up images under the official name, and CIFAR-10 being seen in CIFAR-100's files.
#[test]
fn every_form_holds_the_same_images() {
    let records = records();
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, bytes: &[u8]| {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    };
    let pickled = pickled(&records);
    write("a/cifar-100-binary/test.bin", &records);
    write("b/cifar-100-python/test", &pickled);
    write("b/cifar-100-python/meta", b"names");
    write("c/cifar-100-binary.tar.gz", &packed("cifar-100-binary/test.bin", &records));
    write("d/cifar-100-python.tar.gz", &packed("cifar-100-python/test", &pickled));
    let first = load(&folder.path().join("a")).unwrap();
    assert_eq!((first.name(), &first.record().name[..]), ("cifar100", "cifar100-altered"));
    assert_eq!((first.classes().len(), first.shape()), (100, [3, 32, 32]));
    assert_eq!((first.labels()[57], &first.classes()[57][..]), (57, "pear"));
    assert_eq!((&first.classes()[0][..], &first.classes()[99][..]), ("apple", "worm"));
    assert_eq!(first.bytes().unwrap()[IMAGE..2 * IMAGE], records[3076..6148]);
    for form in ["a/cifar-100-binary", "b", "b/cifar-100-python", "c", "d/cifar-100-python.tar.gz"]
    {
        assert_eq!(load(&folder.path().join(form)).unwrap().record(), first.record(), "{form}");
    }
}

/// Would catch a file that is cut, or whose labels were changed, being read.
#[test]
fn broken_files_are_named() {
    let mut records = records();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("cifar-100-binary");
    std::fs::create_dir(&path).unwrap();
    let error = |bytes: &[u8]| {
        std::fs::write(path.join("test.bin"), bytes).unwrap();
        load(&path).unwrap_err().to_string()
    };
    assert!(
        error(&records[1..]).contains("has 30739999 bytes, expected 30740000: it is cut short")
    );
    assert!(error(b"").contains("it is empty"));
    records[3074 * 5 + 1] = 6;
    assert!(error(&records).contains("99 of class 5"));
    records[3074 * 5 + 1] = 100;
    assert!(error(&records).contains("record 5 at byte 15370"));
    std::fs::remove_file(path.join("test.bin")).unwrap();
    assert!(matches!(load(&path), Err(DatasetError::Missing { .. })));
    let archive = folder.path().join("cifar-100-python.tar.gz");
    let whole = packed("cifar-100-python/test", &pickled(&records));
    for length in [0, 5, 1000, whole.len() / 2, whole.len() - 1] {
        std::fs::write(&archive, &whole[..length]).unwrap();
        assert!(load(&archive).is_err(), "{length}");
    }
    std::fs::write(&archive, packed("cifar-100-python/test", b"\x80\x02cos\nsystem\n.")).unwrap();
    let error = load(&archive).unwrap_err().to_string();
    assert!(error.contains("os.system"), "{error}");
}
