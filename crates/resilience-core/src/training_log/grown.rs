//! A file that grows by whole pieces.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

use super::TrainingLogError;

/// A file, open at its end.
#[derive(Debug)]
pub(super) struct Grown {
    path: PathBuf,
    file: File,
    /// Bytes that are known to be whole.
    length: u64,
}

impl Grown {
    /// Opens a file that is there.
    pub(super) fn open(path: &Path) -> Result<Self, TrainingLogError> {
        let failed = |source| TrainingLogError::Append { path: path.to_owned(), source };
        let file = OpenOptions::new().append(true).open(path).map_err(failed)?;
        let length = file.metadata().map_err(failed)?.len();
        Ok(Self { path: path.to_owned(), file, length })
    }

    /// Where it lies.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Appends a piece, past every buffer of this process. Where only a part of it finds room, that
    /// part is taken back.
    pub(super) fn append(&mut self, piece: &[u8]) -> Result<(), TrainingLogError> {
        if let Err(source) = self.file.write_all(piece) {
            // The first failure is the one to tell; cutting off a part asks for no space.
            let _ = self.file.set_len(self.length);
            return Err(TrainingLogError::Append { path: self.path.clone(), source });
        }
        self.length += piece.len() as u64;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Would catch a full disk that is passed over, or told without the file and the remedy.
    #[cfg(target_os = "linux")]
    #[test]
    fn full_disk() {
        let mut full = Grown::open(Path::new("/dev/full")).unwrap();
        let error = full.append(b"epoch").unwrap_err().to_string();
        for word in ["/dev/full", "disk is full", "resume the run", "stay valid"] {
            assert!(error.contains(word), "{error}");
        }
    }

    /// Would catch a file that is cut or begun anew when it is opened.
    #[test]
    fn grows_from_its_end() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        std::fs::write(&path, b"one ").unwrap();
        Grown::open(&path).unwrap().append(b"two").unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"one two");
    }
}
