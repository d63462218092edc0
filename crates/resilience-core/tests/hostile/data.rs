//! Data files that lie: cut at every length, damaged anywhere, claiming what they do not have. Each ends in
//! images or in an error that names the file, never in a panic, a hang or gigabytes of memory.

use std::io::{Cursor, Write};
use std::path::{Path, PathBuf};

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use resilience_core::dataset::{DatasetError, Images, Places, Split, find};
use resilience_core::event::Silent;
use zip::CompressionMethod;
use zip::write::{SimpleFileOptions, ZipWriter};

use super::memory::peak_of;

pub fn golden(name: &str) -> Vec<u8> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/data");
    std::fs::read(folder.join(name)).unwrap()
}

/// A folder in which a file is written again and again.
struct Bench {
    folder: tempfile::TempDir,
}

impl Bench {
    fn new(files: &[(&str, &[u8])]) -> Self {
        let bench = Self { folder: tempfile::tempdir().unwrap() };
        for (name, bytes) in files {
            bench.write(name, bytes);
        }
        bench
    }

    fn write(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, bytes).unwrap();
        path
    }

    fn read(&self, name: &str) -> Result<Images, DatasetError> {
        let path = self.folder.path().join(name);
        let places = Places::default();
        let result = find(Some(&path.to_string_lossy()), &places, &mut Silent)
            .and_then(|source| source.load(Split::Test, None, &mut Silent));
        if let Err(error) = &result {
            let folder = self.folder.path().to_string_lossy();
            assert!(error.to_string().contains(&*folder), "no file is named: {error}");
        }
        result
    }
}

const LEVELS: &str = "path = 'levels.safetensors'\nrange = '0-255'";

/// One honest file of each form: what is damaged, what is read, and everything.
fn honest() -> Vec<(&'static str, &'static str, Bench)> {
    let bench = |names: &[&str]| {
        let bench = Bench::new(&[]);
        for name in names {
            bench.write(name, &golden(name));
        }
        bench
    };
    let levels = bench(&["levels.safetensors"]);
    levels.write("levels.toml", LEVELS.as_bytes());
    let idx = Bench::new(&[
        ("x.idx", &[&b"\0\0\x08\x03\0\0\0\x02\0\0\0\x02\0\0\0\x03"[..], &[9; 12]].concat()),
        ("y.idx", b"\0\0\x08\x01\0\0\0\x02\x00\x01"),
        ("idx.toml", b"path = 'x.idx'\nlabels = 'y.idx'"),
    ]);
    let picture = |name: &'static str, file: &'static str| {
        let bench = Bench::new(&[(name, &golden(file))]);
        bench.write("pictures/b/1.png", &golden("photograph.png"));
        bench
    };
    vec![
        ("x.npy", "x.npy", bench(&["x.npy", "y.npy"])),
        ("y.npy", "x.npy", bench(&["x.npy", "y.npy"])),
        ("stored.npz", "stored.npz", bench(&["stored.npz"])),
        ("packed.npz", "packed.npz", bench(&["packed.npz"])),
        ("levels.safetensors", "levels.toml", levels),
        ("x.idx", "idx.toml", idx),
        ("pictures/a/1.png", "pictures", picture("pictures/a/1.png", "photograph.png")),
        ("pictures/a/1.jpg", "pictures", picture("pictures/a/1.jpg", "photograph.jpg")),
    ]
}

/// Would catch a length that is trusted at the end of a file. A JPEG that lacks its end can still be a
/// picture to its decoder; every other form has to notice.
#[test]
fn cut_short_at_every_length() {
    for (file, read, bench) in honest() {
        bench.read(read).unwrap_or_else(|error| panic!("{file}: {error}"));
        let bytes = std::fs::read(bench.folder.path().join(file)).unwrap();
        for length in 0..bytes.len() {
            bench.write(file, &bytes[..length]);
            let result = bench.read(read);
            let lossy = match Path::new(file).extension().and_then(|ending| ending.to_str()) {
                Some("jpg") => true,
                // The last chunk says nothing but that it is the last.
                Some("png") => length + 16 > bytes.len(),
                _ => false,
            };
            assert!(lossy || result.is_err(), "{file} cut to {length} bytes was read");
        }
    }
}

/// Would catch a panic, or an endless loop, on damage anywhere.
#[test]
fn damaged_anywhere() {
    let mut rng = ChaCha8Rng::seed_from_u64(0);
    for (file, read, bench) in honest() {
        let bytes = std::fs::read(bench.folder.path().join(file)).unwrap();
        for at in 0..bytes.len().min(2500) {
            let mut damaged = bytes.clone();
            damaged[at] = rng.next_u32() as u8;
            let other = rng.next_u32() as usize % bytes.len();
            damaged[other] = rng.next_u32() as u8;
            bench.write(file, &damaged);
            let _ = bench.read(read);
        }
    }
}

/// Would catch pixels that were damaged in an archive and are evaluated all the same.
#[test]
fn damaged_pixels_of_an_archive_are_noticed() {
    let bytes = golden("stored.npz");
    let bench = Bench::new(&[]);
    let at = bytes.windows(2).position(|pair| pair == b"\x93N").unwrap() + 200;
    let mut damaged = bytes;
    damaged[at] ^= 1;
    bench.write("stored.npz", &damaged);
    let error = bench.read("stored.npz").unwrap_err().to_string();
    assert!(error.contains("checksum") || error.contains("from"), "{error}");
}

/// The header of an .npy file.
fn header(descr: &str, shape: &str) -> Vec<u8> {
    let text = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}");
    let length = (text.len() as u16).to_le_bytes();
    [b"\x93NUMPY\x01\x00", &length[..], text.as_bytes()].concat()
}

/// Would catch memory being taken for what a header only claims.
#[test]
fn huge_shapes_are_refused() {
    let bench = Bench::new(&[("y.npy", &[&header("|u1", "(2,)")[..], &[0, 1]].concat())]);
    for shape in [
        "(99999999999, 3, 32, 32)",
        "(4294967296, 4294967296, 4294967296, 3)",
        "(18446744073709551615, 3, 2, 2)",
        "(2, 3, 999999999, 999999999)",
        "(2, 3, 0, 4)",
        "(0, 3, 4, 4)",
        "(2,)",
        "()",
    ] {
        bench.write("x.npy", &[&header("|u1", shape)[..], &[7; 48]].concat());
        assert!(bench.read("x.npy").is_err(), "{shape}");
    }
    for shape in ["(99999999999,)", "(18446744073709551615,)", "(2, 99999999)"] {
        bench.write("x.npy", &[&header("|u1", "(2, 3, 2, 4)")[..], &[7; 48]].concat());
        bench.write("y.npy", &[&header("<i8", shape)[..], &[0; 16]].concat());
        assert!(bench.read("x.npy").is_err(), "{shape}");
    }
    for [rows, side] in [[u32::MAX, 1 << 14], [2, u32::MAX], [1 << 30, 28]] {
        let sides = [rows, side, side].map(u32::to_be_bytes).concat();
        let bytes = [&b"\0\0\x08\x03"[..], &sides, &[7; 48]].concat();
        let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        packed.write_all(&bytes).unwrap();
        bench.write("x.idx", &bytes);
        bench.write("x.idx.gz", &packed.finish().unwrap());
        bench.write("y.idx", b"\0\0\x08\x01\0\0\0\x02\x00\x01");
        for file in ["x.idx", "x.idx.gz"] {
            bench.write("idx.toml", format!("path = '{file}'\nlabels = 'y.idx'").as_bytes());
            assert!(bench.read("idx.toml").is_err(), "{rows} {side} {file}");
        }
    }
}

/// An archive with these entries.
fn archive(entries: &[(&str, &[u8])]) -> Vec<u8> {
    let mut archive = ZipWriter::new(Cursor::new(Vec::new()));
    let options = SimpleFileOptions::default().compression_method(CompressionMethod::Deflated);
    for (name, bytes) in entries {
        archive.start_file(*name, options).unwrap();
        archive.write_all(bytes).unwrap();
    }
    archive.finish().unwrap().into_inner()
}

/// Would catch an entry whose name leads out of the archive, one that unpacks to more than it says, and one
/// that says more than memory has.
#[test]
fn hostile_archives() {
    let x = [&header("|u1", "(2, 3, 2, 4)")[..], &[7; 48]].concat();
    let y = [&header("|u1", "(2,)")[..], &[0, 1]].concat();
    let bench = Bench::new(&[]);
    bench.write("good.npz", &archive(&[("x.npy", &x), ("y.npy", &y)]));
    bench.read("good.npz").unwrap();
    for names in [["../x.npy", "../y.npy"], ["/x.npy", "/y.npy"], ["x.npy/../x.npy", "y.npy"]] {
        bench.write("bad.npz", &archive(&[(names[0], &x), (names[1], &y)]));
        let error = bench.read("bad.npz").unwrap_err().to_string();
        assert!(error.contains("one called x_test or x"), "{error}");
    }
    // Zeros in plenty behind the numbers.
    let bomb = [&x[..], &vec![0; 64 << 20]].concat();
    bench.write("bomb.npz", &archive(&[("x.npy", &bomb), ("y.npy", &y)]));
    let error = bench.read("bomb.npz").unwrap_err().to_string();
    assert!(error.contains("48 bytes of uint8"), "{error}");
    // As many images as it says, each of nothing: only those that are wanted are held.
    let many = [&header("|u1", "(20000, 3, 32, 32)")[..], &vec![7; 20_000 * 3072]].concat();
    let labels = [&header("|u1", "(20000,)")[..], &vec![1; 20_000]].concat();
    let path = bench.write("many.npz", &archive(&[("x.npy", &many), ("y.npy", &labels)]));
    assert!(std::fs::metadata(&path).unwrap().len() < 1 << 20);
    let source = find(Some(&path.to_string_lossy()), &Places::default(), &mut Silent).unwrap();
    assert_eq!(source.load(Split::Test, Some(10), &mut Silent).unwrap().len(), 10);
    // Two entries of a name: which of them counts?
    let mut twice = archive(&[("x.npy", &x), ("z.npy", &x), ("y.npy", &y)]);
    for at in 0..twice.len() - 5 {
        if twice[at..at + 5] == *b"z.npy" {
            twice[at] = b'x';
        }
    }
    bench.write("twice.npz", &twice);
    let _ = bench.read("twice.npz");
}

/// Would catch memory being taken for an image that an archive only claims to have: two of sixteen thousand
/// pixels a side, in a file of some hundred bytes.
#[test]
fn claims_of_an_archive_cost_nothing() {
    for (descr, size) in [("|u1", 1), ("<f4", 4), ("<f8", 8)] {
        let x = [&header(descr, "(1, 3, 16384, 16384)")[..], &[7; 48]].concat();
        let y = [&header("|u1", "(1,)")[..], &[0]].concat();
        let claimed = (x.len() - 48 + 3 * 16_384 * 16_384 * size) as u64;
        for method in [CompressionMethod::Stored, CompressionMethod::Deflated] {
            let mut packed = ZipWriter::new(Cursor::new(Vec::new()));
            let options = SimpleFileOptions::default().compression_method(method);
            for (name, bytes) in [("y.npy", &y), ("x.npy", &x)] {
                packed.start_file(name, options).unwrap();
                packed.write_all(bytes).unwrap();
            }
            let mut packed = packed.finish().unwrap().into_inner();
            // The directory at the end says how long the second entry is.
            let at = packed.windows(4).rposition(|mark| mark == b"PK\x01\x02").unwrap();
            let said = u32::try_from(claimed).unwrap_or(u32::MAX - 1).to_le_bytes();
            packed[at + 24..at + 28].copy_from_slice(&said);
            if method == CompressionMethod::Stored {
                packed[at + 20..at + 24].copy_from_slice(&said);
            }
            let bench = Bench::new(&[("lies.npz", &packed)]);
            let (result, peak) = peak_of(|| bench.read("lies.npz"));
            assert!(result.is_err() && peak < 4 << 20, "{descr} {method}: {peak}");
        }
    }
    let sides = [1_u32, 16_384, 16_384].map(u32::to_be_bytes).concat();
    let bytes = [&b"\0\0\x08\x03"[..], &sides, &[7; 48]].concat();
    let bench = Bench::new(&[("x.idx.gz", &super::files::gzip(&bytes))]);
    bench.write("y.idx", b"\0\0\x08\x01\0\0\0\x01\x00");
    bench.write("idx.toml", b"path = 'x.idx.gz'\nlabels = 'y.idx'");
    let (result, peak) = peak_of(|| bench.read("idx.toml"));
    assert!(result.is_err() && peak < 4 << 20, "{peak}");
}

/// Would catch a tensor whose place is not in the file, or whose header never ends.
#[test]
fn hostile_safetensors() {
    let file = |header: &str, rest: usize| {
        [&(header.len() as u64).to_le_bytes()[..], header.as_bytes(), &vec![7; rest]].concat()
    };
    let header = |x: &str| {
        format!(
            "{{\"x\": {x}, \"y\": {{\"dtype\": \"U8\", \"shape\": [2], \"data_offsets\": [48, 50]}}}}"
        )
    };
    let bench = Bench::new(&[]);
    let good = r#"{"dtype": "U8", "shape": [2, 3, 2, 4], "data_offsets": [0, 48]}"#;
    bench.write("a.safetensors", &file(&header(good), 50));
    bench.read("a.safetensors").unwrap();
    for bad in [
        r#"{"dtype": "U8", "shape": [2, 3, 2, 4], "data_offsets": [48, 0]}"#,
        r#"{"dtype": "U8", "shape": [2, 3, 2, 4], "data_offsets": [0, 47]}"#,
        r#"{"dtype": "U8", "shape": [2, 3, 2, 4], "data_offsets": [9223372036854775807, 9223372036854775855]}"#,
        r#"{"dtype": "U8", "shape": [2, 3, 2, 4], "data_offsets": [18446744073709551615, 18446744073709551615]}"#,
        r#"{"dtype": "U8", "shape": [2, 3, 2], "data_offsets": [0, 48]}"#,
        r#"{"dtype": "F8_E4M3", "shape": [2, 3, 2, 4], "data_offsets": [0, 48]}"#,
        r#"{"dtype": "U8", "shape": [18446744073709551615, 3, 2, 4], "data_offsets": [0, 48]}"#,
        r#"{"dtype": "U8", "shape": [-2, 3, 2, 4], "data_offsets": [0, 48]}"#,
        r#"{"shape": [2, 3, 2, 4], "data_offsets": [0, 48]}"#,
        "3",
    ] {
        bench.write("a.safetensors", &file(&header(bad), 50));
        assert!(bench.read("a.safetensors").is_err(), "{bad}");
    }
    for bytes in [
        &u64::MAX.to_le_bytes()[..],
        &(1_u64 << 62).to_le_bytes(),
        b"\x04\0\0\0\0\0\0\0{{{{",
        &[&200_000_u64.to_le_bytes()[..], &vec![b'['; 200_000]].concat(),
        &[&(20_u64 << 20).to_le_bytes()[..], &vec![b' '; 20 << 20]].concat(),
    ] {
        bench.write("a.safetensors", bytes);
        assert!(bench.read("a.safetensors").is_err());
    }
}
