//! Files that have an end. A manifest, or a folder that somebody packed, may name a device or a pipe: reading
//! one of those ends never, or with the memory.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

/// Opens a regular file.
pub(crate) fn open(path: &Path) -> io::Result<File> {
    // Before it is opened: opening a pipe waits for somebody who writes into it.
    if std::fs::metadata(path)?.is_file() {
        return File::open(path);
    }
    Err(io::Error::new(io::ErrorKind::InvalidInput, "it is not a regular file"))
}

/// Reads a regular file of at most `most` bytes.
pub(crate) fn read(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    let file = open(path)?;
    let length = file.metadata()?.len();
    let too_long = || {
        let reason = format!("it has more than the {most} bytes that such a file may have");
        Err(io::Error::new(io::ErrorKind::FileTooLarge, reason))
    };
    if length > most {
        return too_long();
    }
    let mut bytes = Vec::new();
    bytes.try_reserve_exact(length as usize)?;
    // A file may grow while it is read, and some that the system makes up say that they are empty.
    file.take(most.saturating_add(1)).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > most { too_long() } else { Ok(bytes) }
}

/// The same as text.
pub(crate) fn read_text(path: &Path, most: u64) -> io::Result<String> {
    let invalid = |_| io::Error::new(io::ErrorKind::InvalidData, "it is not text in UTF-8");
    String::from_utf8(read(path, most)?).map_err(invalid)
}

/// What a person writes by hand, or a list of classes with it.
pub(crate) const TEXT: u64 = 4 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    /// Would catch a device that is read for ever, and a limit that is off by one.
    #[test]
    fn what_has_no_end_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        std::fs::write(&path, "abc").unwrap();
        assert_eq!(read_text(&path, 3).unwrap(), "abc");
        assert_eq!(read(&path, 2).unwrap_err().kind(), io::ErrorKind::FileTooLarge);
        std::fs::write(&path, [0xff]).unwrap();
        assert_eq!(read_text(&path, 3).unwrap_err().kind(), io::ErrorKind::InvalidData);
        for path in [folder.path(), Path::new("/dev/zero")] {
            assert!(read(path, u64::MAX).is_err(), "{}", path.display());
        }
    }
}
