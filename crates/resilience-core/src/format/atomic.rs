//! Writing a file so that it is either the old one or the whole new one, never a part.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

/// A file that could not be written; what stood there before still does.
#[derive(Debug, thiserror::Error)]
#[error("cannot write {path}: {}", remedy(.source))]
pub struct AtomicError {
    /// The file.
    pub path: PathBuf,
    /// The operating system's reason.
    pub source: io::Error,
}

fn remedy(source: &io::Error) -> String {
    match source.kind() {
        io::ErrorKind::NotFound => "its folder does not exist; create it first".to_owned(),
        io::ErrorKind::PermissionDenied => {
            "its folder is not writable; choose another place".to_owned()
        }
        io::ErrorKind::ReadOnlyFilesystem => {
            "it lies on a read-only file system; choose another place".to_owned()
        }
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            "the disk is full; make room and run again".to_owned()
        }
        io::ErrorKind::IsADirectory => "a folder of that name is in the way".to_owned(),
        _ => source.to_string(),
    }
}

/// Writes the file through `fill`: into a temporary file of the same folder, flushed to the disk,
/// then renamed into place.
pub fn write_with(
    path: &Path,
    fill: impl FnOnce(&mut BufWriter<File>) -> io::Result<()>,
) -> Result<(), AtomicError> {
    replace(path, fill).map_err(|source| AtomicError { path: path.to_owned(), source })
}

/// Writes the file with these bytes, as [`write_with`] does.
pub fn write(path: &Path, bytes: &[u8]) -> Result<(), AtomicError> {
    write_with(path, |out| out.write_all(bytes))
}

fn replace(
    path: &Path,
    contents: impl FnOnce(&mut BufWriter<File>) -> io::Result<()>,
) -> io::Result<()> {
    if path.is_dir() {
        return Err(io::ErrorKind::IsADirectory.into());
    }
    let folder = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let (file, unnamed) = temporary_in(folder)?.into_parts();
    let mut out = BufWriter::new(file);
    contents(&mut out)?;
    out.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()?;
    unnamed.persist(path).map_err(|error| error.error)?;
    sync_folder(folder);
    Ok(())
}

/// A temporary file that, once renamed, has the rights of any file that the user makes: temporary
/// files are otherwise closed to all but their owner, and would stay so.
pub(crate) fn temporary_in(folder: &Path) -> io::Result<NamedTempFile> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(".resilience-");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        // The umask takes its part from this.
        builder.permissions(std::fs::Permissions::from_mode(0o666));
    }
    builder.tempfile_in(folder)
}

/// Makes the rename itself survive a power cut, where the file system lets a folder be flushed;
/// where it does not, the file is whole all the same.
fn sync_folder(folder: &Path) {
    if let Ok(folder) = File::open(folder) {
        let _ = folder.sync_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Would catch a half-written file taking the place of a whole one, or debris left behind.
    #[test]
    fn failure_leaves_the_old_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("weights.pth");
        write(&path, b"old").unwrap();
        let error = write_with(&path, |out| {
            out.write_all(b"half of the new")?;
            Err(io::ErrorKind::StorageFull.into())
        })
        .unwrap_err();
        assert!(error.to_string().contains("disk is full"), "{error}");
        assert_eq!(std::fs::read(&path).unwrap(), b"old");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
        write(&path, b"new").unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"new");
    }

    /// Would catch an error that does not say what to do.
    #[test]
    fn errors_name_the_remedy() {
        let folder = tempfile::tempdir().unwrap();
        let missing = write(&folder.path().join("no/such/file"), b"").unwrap_err();
        assert!(missing.to_string().contains("folder does not exist"), "{missing}");
        let directory = write(folder.path(), b"").unwrap_err();
        assert!(directory.to_string().contains("in the way"), "{directory}");
    }

    /// Would catch files that only their writer may read.
    #[cfg(unix)]
    #[test]
    fn rights_are_those_of_any_new_file() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let (ours, theirs) = (folder.path().join("ours"), folder.path().join("theirs"));
        write(&ours, b"").unwrap();
        std::fs::write(&theirs, b"").unwrap();
        let mode = |path| std::fs::metadata(path).unwrap().permissions().mode();
        assert_eq!(mode(ours), mode(theirs));
    }
}
