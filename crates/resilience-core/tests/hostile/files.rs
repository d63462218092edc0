//! Small files of many forms, and folders in memory to put them into.

use std::io::{Cursor, Write};
use std::path::Path;

use resilience_core::dataset::Images;
use tempfile::TempDir;
use zip::write::{SimpleFileOptions, ZipWriter};

/// A PNG of 12 x 9 grey pixels.
pub const PICTURE: &[u8] = include_bytes!("../golden/data/grey.png");

/// A folder with these files; in memory, where the system has such a place.
pub fn folder(files: &[(&str, &[u8])]) -> TempDir {
    let memory = Path::new("/dev/shm");
    let place = if memory.is_dir() { memory.to_owned() } else { std::env::temp_dir() };
    let folder = TempDir::new_in(place).expect("a temporary folder can be made");
    for (name, bytes) in files {
        let path = folder.path().join(name);
        let parent = path.parent().expect("it has the folder in front");
        std::fs::create_dir_all(parent).expect("a temporary folder can be written");
        std::fs::write(path, bytes).expect("a temporary file can be written");
    }
    folder
}

/// Reads the images of one of these files; an error has to name one of them.
pub fn data(files: &[(&str, &[u8])], read: &str) -> Result<Images, String> {
    let folder = folder(files);
    let result = super::parsers::open(&folder.path().join(read));
    if let Err(error) = &result {
        let place = folder.path().to_string_lossy();
        assert!(error.contains(&*place), "no file is named: {error}");
    }
    result
}

/// A .npy file.
pub fn npy(descr: &str, shape: &str, numbers: &[u8]) -> Vec<u8> {
    let text = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}");
    let length = (text.len() as u16).to_le_bytes();
    [b"\x93NUMPY\x01\x00", &length[..], text.as_bytes(), numbers].concat()
}

/// A zip archive, its entries as they are.
pub fn zip(entries: &[(&str, &[u8])]) -> Vec<u8> {
    let options = SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
    let mut archive = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, bytes) in entries {
        archive.start_file(*name, options).expect("a name can be written");
        archive.write_all(bytes).expect("memory can be written");
    }
    archive.finish().expect("memory can be written").into_inner()
}

/// Bytes as gzip has them.
pub fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packed.write_all(bytes).expect("memory can be written");
    packed.finish().expect("memory can be written")
}
