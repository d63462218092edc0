//! The folder that TensorBoard watches, and the names of event files in it.

use std::ffi::OsStr;
use std::io;
use std::path::{Path, PathBuf};

use super::TrainingLogError;

/// Every event file's name begins like this; TensorBoard looks for `tfevents`.
const PREFIX: &str = "events.out.tfevents.";

/// Stands where other programs name their host, so that ours are known by it. A name of a machine
/// would be nobody's business where the files are passed on.
const OURS: &str = "resilience";

/// Makes the folder if need be, and finds this program's event files in it.
pub(super) fn prepare(folder: &Path) -> Result<Vec<PathBuf>, TrainingLogError> {
    let failed = |source| TrainingLogError::Folder { path: folder.to_owned(), source };
    std::fs::create_dir_all(folder).map_err(failed)?;
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        if is_ours(&entry.file_name()) {
            found.push(entry.path());
        }
    }
    Ok(found)
}

/// A name that nothing in the folder has:
/// `events.out.tfevents.<seconds since 1970>.resilience.<process>.<number>`. TensorBoard reads files
/// in the order of their names.
pub(super) fn free_name(folder: &Path, wall_time: f64) -> PathBuf {
    let (seconds, process) = (wall_time as u64, std::process::id());
    let name = |number: u64| format!("{PREFIX}{seconds:010}.{OURS}.{process}.{number}");
    let mut number = 0;
    while folder.join(name(number)).exists() {
        number += 1;
    }
    folder.join(name(number))
}

/// Removes these files; one that is gone already is as good.
pub(super) fn remove(files: &[PathBuf]) -> Result<(), TrainingLogError> {
    for path in files {
        match std::fs::remove_file(path) {
            Err(source) if source.kind() != io::ErrorKind::NotFound => {
                return Err(TrainingLogError::Remove { path: path.clone(), source });
            }
            _ => {}
        }
    }
    Ok(())
}

fn is_ours(name: &OsStr) -> bool {
    let parts = name.to_str().and_then(|name| name.strip_prefix(PREFIX));
    let parts: Vec<&str> = parts.into_iter().flat_map(|parts| parts.split('.')).collect();
    let number = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    matches!(parts[..], [seconds, OURS, process, place]
        if number(seconds) && number(process) && number(place))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Would catch the removal of a file that another program wrote.
    #[test]
    fn only_our_own_names_are_ours() {
        let folder = tempfile::tempdir().unwrap();
        let ours = free_name(folder.path(), 1.7e9);
        assert!(is_ours(ours.file_name().unwrap()));
        for other in [
            "events.out.tfevents.1700000000.myhost.12.0",
            "events.out.tfevents.1700000000.resilience.12.0.profile",
            "events.out.tfevents.1700000000.resilience..0",
            "events.out.tfevents.1700000000.resilience.12",
            "resilience",
            "log.jsonl",
        ] {
            assert!(!is_ours(OsStr::new(other)), "{other}");
        }
    }

    /// Would catch a name that is taken, which would lose the curve of a run just resumed.
    #[test]
    fn a_name_is_not_given_twice() {
        let folder = tempfile::tempdir().unwrap();
        let first = free_name(folder.path(), 1.7e9);
        std::fs::write(&first, b"").unwrap();
        assert_ne!(free_name(folder.path(), 1.7e9), first);
    }

    /// Would catch a failed removal that is passed over, or that does not say which file it was.
    #[test]
    fn what_cannot_be_removed_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = free_name(folder.path(), 1.7e9);
        std::fs::create_dir(&path).unwrap();
        let error = remove(&[folder.path().join("gone"), path.clone()]).unwrap_err();
        assert!(error.to_string().contains(&path.display().to_string()), "{error}");
    }
}
