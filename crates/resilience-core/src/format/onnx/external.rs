//! Tensors in files beside the model.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::path::{Component, Path, PathBuf};

use super::{OnnxError, proto};

/// The folder of a model, and what was read there.
pub(super) struct Beside {
    folder: PathBuf,
    files: BTreeMap<String, Known>,
}

/// A file that was read from.
struct Known {
    path: PathBuf,
    length: u64,
    /// Bytes that tensors took from it, shared ones each time.
    taken: u64,
}

impl Beside {
    /// What lies beside the model `path`.
    pub fn new(path: &Path) -> Self {
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
        Self { folder: folder.unwrap_or(Path::new(".")).to_owned(), files: BTreeMap::new() }
    }

    /// The files that were read, as the model names them and where they are, in order.
    pub fn files(&self) -> impl Iterator<Item = (&str, &Path)> {
        self.files.iter().map(|(name, known)| (name.as_str(), known.path.as_path()))
    }

    /// The bytes of a tensor, of which there have to be `expected`.
    pub fn read(&mut self, tensor: &proto::Tensor, expected: u64) -> Result<Vec<u8>, OnnxError> {
        let entry = |key: &str| {
            tensor.external.iter().find(|entry| entry.key == key).map(|entry| entry.value.as_str())
        };
        let wrong = |what: &'static str, expected: String, found: String| OnnxError::Tensor {
            name: tensor.name.clone(),
            what,
            expected,
            found,
        };
        let number = |key: &'static str, default: u64| match entry(key) {
            None => Ok(default),
            Some(text) => text
                .parse::<u64>()
                .map_err(|_| wrong(key, "a whole number of bytes".to_owned(), format!("'{text}'"))),
        };
        let file = entry("location").unwrap_or_default();
        let (offset, length) = (number("offset", 0)?, number("length", expected)?);
        if length != expected {
            return Err(wrong("length", expected.to_string(), length.to_string()));
        }
        let refused = |source| {
            let (name, file) = (tensor.name.clone(), file.to_owned());
            OnnxError::External { name, file, source }
        };
        let known = self.find(file, &tensor.name)?.map_err(refused)?;
        if offset.checked_add(length).is_none_or(|end| end > known.length) {
            let expected = format!("{length} bytes from offset {offset} in '{file}'");
            return Err(wrong("content", expected, format!("a file of {} bytes", known.length)));
        }
        known.taken += length;
        let allowed = known.length.saturating_mul(8).saturating_add(16 << 20);
        if known.taken > allowed {
            let what = format!("bytes that tensors take from '{file}'");
            return Err(OnnxError::TooLarge { what, allowed, found: known.taken });
        }
        bytes(&known.path, offset, length).map_err(refused)
    }

    /// A file by the model's name for it; one outside the folder is none of ours.
    fn find(&mut self, file: &str, tensor: &str) -> Result<io::Result<&mut Known>, OnnxError> {
        let outside = || OnnxError::Outside { name: tensor.to_owned(), file: file.to_owned() };
        let inside = |part: Component<'_>| matches!(part, Component::Normal(_) | Component::CurDir);
        // A path of another system is told apart by its separator or drive.
        let foreign = file.contains('\\') || file.contains(':');
        if file.is_empty() || foreign || !Path::new(file).components().all(inside) {
            return Err(outside());
        }
        if !self.files.contains_key(file) {
            let found = self.open(file);
            let known = match found {
                Ok(known) => known,
                Err(error) => return Ok(Err(error)),
            };
            let Some(known) = known else { return Err(outside()) };
            self.files.insert(file.to_owned(), known);
        }
        Ok(self.files.get_mut(file).ok_or_else(|| io::ErrorKind::NotFound.into()))
    }

    /// Looks a file up; none where a link leads out of the folder, or to what is no file.
    fn open(&self, file: &str) -> io::Result<Option<Known>> {
        let folder = self.folder.canonicalize()?;
        let path = folder.join(file).canonicalize()?;
        let about = path.metadata()?;
        let ours = path.starts_with(&folder) && about.is_file();
        Ok(ours.then_some(Known { path, length: about.len(), taken: 0 }))
    }
}

fn bytes(path: &Path, offset: u64, length: u64) -> io::Result<Vec<u8>> {
    let mut file = File::open(path)?;
    file.seek(SeekFrom::Start(offset))?;
    let mut bytes = vec![0; length as usize];
    file.read_exact(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn tensor(entries: &[(&str, &str)]) -> proto::Tensor {
        let entry = |&(key, value): &(&str, &str)| proto::Entry {
            key: key.to_owned(),
            value: value.to_owned(),
        };
        let external = entries.iter().map(entry).collect();
        proto::Tensor { name: "w".to_owned(), external, ..Default::default() }
    }

    /// Would catch a file outside the model's folder being read, or more than the file has.
    #[test]
    fn only_what_lies_beside_is_read() {
        let all = tempfile::tempdir().unwrap();
        let folder = all.path().join("model");
        fs::create_dir_all(folder.join("in")).unwrap();
        fs::write(folder.join("in/w.bin"), [1, 2, 3, 4, 5, 6]).unwrap();
        fs::write(all.path().join("secret"), [7; 6]).unwrap();
        #[cfg(unix)]
        std::os::unix::fs::symlink("../secret", folder.join("link")).unwrap();
        let mut beside = Beside::new(&folder.join("x.onnx"));
        let mut read = |entries: &[(&str, &str)], expected| {
            beside.read(&tensor(entries), expected).map_err(|error| error.to_string())
        };
        let good = [("location", "in/w.bin"), ("offset", "2"), ("length", "3")];
        assert_eq!(read(&good, 3).unwrap(), [3, 4, 5]);
        let secret = all.path().join("secret");
        for (entries, expected, expect) in [
            (vec![("location", "../secret")], 6, "not in the model's folder"),
            (vec![("location", "in/../../secret")], 6, "not in the model's folder"),
            (vec![("location", secret.to_str().unwrap())], 6, "not in the model's folder"),
            (vec![("location", "..\\secret")], 6, "not in the model's folder"),
            (vec![("location", "C:secret")], 6, "not in the model's folder"),
            (vec![("location", "in")], 6, "not in the model's folder"),
            (vec![], 6, "not in the model's folder"),
            (vec![("location", "none.bin")], 6, "cannot be read"),
            (vec![("location", "in/w.bin")], 7, "found a file of 6 bytes"),
            (vec![("location", "in/w.bin"), ("offset", "x")], 6, "whole number"),
            (vec![("location", "in/w.bin"), ("length", "5")], 6, "expected 6, found 5"),
            (vec![("location", "in/w.bin"), ("offset", "18446744073709551615")], 6, "found a file"),
        ] {
            let error = read(&entries, expected).unwrap_err();
            assert!(error.contains("'w'") && error.contains(expect), "{entries:?}: {error}");
        }
        #[cfg(unix)]
        assert!(read(&[("location", "link")], 6).unwrap_err().contains("not in the model's"));
    }

    /// Would catch a file that many tensors claim, each whole, filling the memory.
    #[test]
    fn what_is_taken_of_a_file_is_bounded() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("w.bin"), vec![0; 1 << 20]).unwrap();
        let mut beside = Beside::new(&folder.path().join("x.onnx"));
        let mut whole = || beside.read(&tensor(&[("location", "w.bin")]), 1 << 20);
        let last = (0..100).find_map(|_| whole().err());
        assert!(matches!(last, Some(OnnxError::TooLarge { .. })), "{last:?}");
    }
}
