//! Zip archives, which weights, modules and arrays come in.

use std::io::{Read, Seek};

use zip::ZipArchive;
use zip::read::{ArchiveOffset, Config};
use zip::result::ZipResult;

/// Opens an archive that begins where its file begins. Where a beginning is looked for instead, that of
/// PyTorch's files is found 76 bytes too late, if their first entry's name has 30 characters: they end in a
/// record of large archives, of that size, without being large.
pub(crate) fn open<R: Read + Seek>(reader: R) -> ZipResult<ZipArchive<R>> {
    ZipArchive::with_config(Config { archive_offset: ArchiveOffset::Known(0) }, reader)
}

#[cfg(test)]
mod tests {
    use std::io::{Cursor, Write};

    use zip::ZipWriter;
    use zip::write::SimpleFileOptions;

    use super::*;

    /// An archive with one entry, which ends as PyTorch's do.
    fn archive(name: &str) -> Vec<u8> {
        let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
        let stored =
            SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
        writer.start_file(name, stored).unwrap();
        writer.write_all(b"content").unwrap();
        let bytes = writer.finish().unwrap().into_inner();
        let end = bytes.len() - 22;
        let (front, end) = bytes.split_at(end);
        let number = |at: usize| u64::from(u32::from_le_bytes(end[at..at + 4].try_into().unwrap()));
        let (size, start) = (number(12), number(16));
        let mut record = b"PK\x06\x06".to_vec();
        record.extend(44_u64.to_le_bytes());
        record.extend([30, 3, 45, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
        for value in [1, 1, size, start] {
            record.extend(value.to_le_bytes());
        }
        record.extend(b"PK\x06\x07\0\0\0\0");
        record.extend((front.len() as u64).to_le_bytes());
        record.extend(1_u32.to_le_bytes());
        assert_eq!(record.len(), 76);
        [front, &record, end].concat()
    }

    /// Would catch a file that is called damaged for the length of its name.
    #[test]
    fn names_of_any_length_are_read() {
        for length in 1..64 {
            let name = "n".repeat(length);
            let mut archive = open(Cursor::new(archive(&name))).unwrap_or_else(|error| {
                panic!("a name of {length}: {error}");
            });
            let mut content = String::new();
            archive.by_name(&name).unwrap().read_to_string(&mut content).unwrap();
            assert_eq!(content, "content");
        }
    }
}
