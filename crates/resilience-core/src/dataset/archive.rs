//! The official archives, read as a stream: nothing is unpacked onto the disk, so that no name in
//! the archive can lead anywhere.

use std::cell::Cell;
use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::Path;
use std::rc::Rc;

use flate2::read::GzDecoder;

use super::DatasetError;

/// The official archives unpack to some 185 million bytes.
const MAX_UNPACKED: u64 = 512 << 20;

/// A file in an archive, at whose content the reader stands.
pub(super) struct Entry<'a> {
    /// Its name with folders.
    pub name: &'a Path,
    /// Whether it is a file, and no link or folder.
    pub is_file: bool,
    /// Bytes that it is said to have.
    pub size: u64,
    content: &'a mut dyn Read,
    broken: &'a dyn Fn(io::Error) -> DatasetError,
}

impl Entry<'_> {
    /// Its content.
    pub fn read(&mut self) -> Result<Vec<u8>, DatasetError> {
        let mut bytes = Vec::new();
        self.content.read_to_end(&mut bytes).map_err(self.broken)?;
        Ok(bytes)
    }

    /// Its name without folders.
    pub fn file(&self) -> Option<&str> {
        self.name.file_name().and_then(|file| file.to_str())
    }
}

/// Shows every entry of the archive to `take`, in the order of the archive.
pub(super) fn each(
    path: &Path,
    take: &mut dyn FnMut(&mut Entry<'_>) -> Result<(), DatasetError>,
) -> Result<(), DatasetError> {
    let failed = |source| DatasetError::Read { path: path.to_owned(), source };
    let file = File::open(path).map_err(failed)?;
    let size = file.metadata().map_err(failed)?.len();
    if size == 0 {
        return Err(DatasetError::Size { path: path.to_owned(), expected: u64::MAX, found: 0 });
    }
    let consumed = Rc::new(Cell::new(0));
    let counted =
        Counted { inner: BufReader::with_capacity(1 << 20, file), at: Rc::clone(&consumed) };
    let unpacked = Bounded { inner: GzDecoder::new(counted), left: MAX_UNPACKED };
    let broken = |source: io::Error| DatasetError::Archive {
        path: path.to_owned(),
        offset: consumed.get(),
        size,
        reason: source.to_string(),
    };
    let mut archive = tar::Archive::new(unpacked);
    // Raw: names of more than a hundred bytes have entries of their own, which the reader would take into
    // memory however long they are. No file of ours has such a name.
    for entry in archive.entries().map_err(broken)?.raw(true) {
        let mut entry = entry.map_err(broken)?;
        let name = entry.path().map_err(broken)?.into_owned();
        let (is_file, size) = (entry.header().entry_type().is_file(), entry.size());
        let content: &mut dyn Read = &mut entry;
        take(&mut Entry { name: &name, is_file, size, content, broken: &broken })?;
    }
    // The checksum of the whole stream is compared when its end is reached.
    io::copy(&mut archive.into_inner(), &mut io::sink()).map_err(broken)?;
    Ok(())
}

/// Tells how far the file has been read.
struct Counted<R> {
    inner: R,
    at: Rc<Cell<u64>>,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.at.set(self.at.get() + count as u64);
        Ok(count)
    }
}

/// Fails, rather than fill the memory, where a small file unpacks to a huge one.
struct Bounded<R> {
    inner: R,
    left: u64,
}

impl<R: Read> Read for Bounded<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.left = self.left.checked_sub(count as u64).ok_or_else(|| {
            io::Error::other(format!("it unpacks to more than {MAX_UNPACKED} bytes"))
        })?;
        Ok(count)
    }
}
