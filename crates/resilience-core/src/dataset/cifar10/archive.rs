//! The official archives, read as a stream: nothing is unpacked onto the disk, so that no name in
//! the archive can lead anywhere.

use std::cell::Cell;
use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::Path;
use std::rc::Rc;

use flate2::read::GzDecoder;

use super::{Form, Loader, Size, batches, missing};
use crate::dataset::DatasetError;

/// The official archives unpack to some 185 million bytes.
const MAX_UNPACKED: u64 = 512 << 20;

pub fn load(path: &Path, loader: &mut Loader<'_>) -> Result<(), DatasetError> {
    let failed = |source| DatasetError::Read { path: path.to_owned(), source };
    let file = File::open(path).map_err(failed)?;
    let size = file.metadata().map_err(failed)?.len();
    Size::AtMost(u64::MAX).check(path, size)?;
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
    let mut seen = Vec::new();
    for entry in archive.entries().map_err(broken)? {
        let mut entry = entry.map_err(broken)?;
        let name = entry.path().map_err(broken)?.into_owned();
        let file = name.file_name().and_then(|file| file.to_str());
        let Some((batch, form)) = file.and_then(Form::of) else { continue };
        if !entry.header().entry_type().is_file() || seen.contains(&batch) {
            return Err(DatasetError::Content {
                path: path.to_owned(),
                what: format!("entry {}", name.display()),
                expected: "one file of that name".to_owned(),
                found: if seen.contains(&batch) { "a second one" } else { "a link or folder" }
                    .to_owned(),
            });
        }
        seen.push(batch);
        if !batches(loader.split).contains(&batch) {
            continue;
        }
        let place = path.join(&name);
        form.size().check(&place, entry.size())?;
        let mut bytes = Vec::new();
        entry.read_to_end(&mut bytes).map_err(broken)?;
        loader.take(&place, batch, form, &bytes)?;
    }
    // The checksum of the whole stream is compared when its end is reached.
    io::copy(&mut archive.into_inner(), &mut io::sink()).map_err(broken)?;
    match batches(loader.split).iter().find(|batch| !seen.contains(*batch)) {
        Some(batch) => Err(missing(path.join(batch))),
        None => Ok(()),
    }
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
