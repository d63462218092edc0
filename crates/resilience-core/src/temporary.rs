//! Files under a temporary name, to be renamed into place once they are whole.

use std::io;
use std::path::Path;

use tempfile::NamedTempFile;

/// A new file in the folder with the rights that any new file gets there: temporary files are
/// otherwise closed to all but their owner, and would stay so after the rename.
pub fn in_folder(folder: &Path) -> io::Result<NamedTempFile> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(".resilience-");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        // The process's umask takes its share off.
        builder.permissions(std::fs::Permissions::from_mode(0o666));
    }
    builder.tempfile_in(folder)
}

/// Likewise in the folder of a path.
pub fn beside(path: &Path) -> io::Result<NamedTempFile> {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => in_folder(folder),
        _ => in_folder(Path::new(".")),
    }
}

#[cfg(all(test, unix))]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    /// Would catch a report that nobody but its maker may open.
    #[test]
    fn rights_are_those_of_any_new_file() {
        let dir = tempfile::tempdir().unwrap();
        let plain = dir.path().join("plain");
        fs::write(&plain, "").unwrap();
        let made = dir.path().join("made");
        beside(&made).unwrap().persist(&made).unwrap();
        let rights = |path| fs::metadata(path).unwrap().permissions().mode();
        assert_eq!(rights(&made), rights(&plain));
    }
}
