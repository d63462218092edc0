//! One process at a time in a run's folder.

use std::fs::{File, TryLockError};
use std::path::Path;

use crate::error::CliError;

const LOCK: &str = ".lock";

/// Keeps other processes out of the folder, which is made where it is missing, until what it gives is
/// dropped.
pub fn claim(folder: &Path) -> Result<File, CliError> {
    let io = |doing| {
        let path = folder.to_owned();
        move |source| CliError::Io { doing, path, source }
    };
    std::fs::create_dir_all(folder).map_err(io("create folder"))?;
    let file = File::create(folder.join(LOCK)).map_err(io("create a lock in"))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(CliError::Busy { path: folder.to_owned() }),
        Err(TryLockError::Error(source)) => Err(io("lock")(source)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Would catch two tasks in one folder, where a scheduler takes one for dead that is not, and a folder
    /// that stays closed afterwards.
    #[test]
    fn a_folder_is_one_process_at_a_time() {
        let folder = tempfile::tempdir().unwrap();
        let run = folder.path().join("shard-1");
        let claimed = claim(&run).unwrap();
        assert!(matches!(claim(&run), Err(CliError::Busy { path }) if path == run));
        drop(claimed);
        claim(&run).unwrap();
    }
}
