//! TorchScript: a network with its code and weights in one archive, as `torch.jit.save` writes it. Here it
//! is checked and its weights are read; its code is libtorch's to run.

use std::collections::HashSet;
use std::io::{self, BufReader, Read, Seek};
use std::path::Path;

use zip::ZipArchive;

use super::Described;
use super::tensor::{self, TensorRef};
use super::zipped::{self, Archive};
use crate::format::array::StateDict;
use crate::format::pickle::{Function, Node, NodeId, Pickle};
use crate::format::weights::{check_sha256, sha256};
use crate::format::{FormatError, archive, regular};

/// Modules within modules that are followed; real networks have a dozen.
const MAX_DEPTH: usize = 64;

/// A TorchScript file that is whole.
#[derive(Clone, Debug)]
pub struct Script {
    /// Its parameters and buffers, by the names that `state_dict()` gives them.
    pub state: StateDict,
    /// Files of code.
    pub files: usize,
    /// Characters in them.
    pub code: u64,
    /// All of the file, which libtorch loads.
    pub bytes: Vec<u8>,
}

/// Whether the file there is one; only its directory of entries is read. A file that cannot be read is none.
#[must_use]
pub fn is_script_file(path: &Path) -> bool {
    let Ok(file) = regular::open(path) else { return false };
    archive::open(BufReader::new(file)).is_ok_and(|archive| says_so(&archive))
}

fn says_so<R: Read + Seek>(archive: &ZipArchive<R>) -> bool {
    zipped::root(archive).is_some_and(|root| is_one(archive, &root))
}

/// Whether the archive whose pickle lies in the folder `root` is one.
pub(super) fn is_one<R: Read + Seek>(archive: &ZipArchive<R>, root: &str) -> bool {
    archive.index_for_name(&format!("{root}constants.pkl")).is_some()
}

/// Reads the file with its SHA-256, which must be `expected` where that is given; it is compared before
/// anything is parsed.
pub fn read_script(path: &Path, expected: Option<&str>) -> Result<(Script, String), FormatError> {
    let bytes = regular::read(path, u64::MAX)
        .map_err(|source| FormatError::Read { path: path.to_owned(), source })?;
    let found = sha256(&bytes);
    check_sha256(path, expected, &found)?;
    Ok((parse_script(path, bytes)?, found))
}

/// Reads a file's content; `path` is for messages.
pub fn parse_script(path: &Path, bytes: Vec<u8>) -> Result<Script, FormatError> {
    if bytes.is_empty() {
        return Err(FormatError::Empty { path: path.to_owned() });
    }
    if !super::is_zip(&bytes) {
        return Err(none(path, "a file that begins otherwise than an archive".to_owned()));
    }
    let size = bytes.len() as u64;
    let mut archive = zipped::open(path, &bytes)?;
    let root = zipped::root(&archive).filter(|root| is_one(&archive, root)).ok_or_else(|| {
        none(path, "an archive without the entries data.pkl and constants.pkl".to_owned())
    })?;
    let (files, code) = whole(path, size, &mut archive, &root)?;
    let big_endian = zipped::is_big_endian(path, &mut archive, &root)?;
    let part = format!("{root}data.pkl");
    let pickled = zipped::whole(path, &mut archive, &part, super::allowance(size))?;
    let tree = zipped::tree(path, part, &pickled)?;
    let memory = Described { path, wanted: 0, allowed: super::allowance(size) };
    let walk = Walk { path, pickle: &tree, seen: HashSet::new(), entries: Vec::new(), memory };
    let entries = walk.run()?;
    let state = super::gather(path, size, entries, |storage| {
        zipped::storage(path, &mut archive, &root, storage, big_endian)
    })?;
    Ok(Script { state, files, code, bytes })
}

fn none(path: &Path, found: String) -> FormatError {
    FormatError::Content {
        path: path.to_owned(),
        what: "the file".to_owned(),
        expected: "a TorchScript module, as torch.jit.save writes it".to_owned(),
        found,
    }
}

/// Unpacks every entry once, so that what libtorch gets is no bomb and has its checksums. Gives the number
/// of files of code and their characters.
fn whole(
    path: &Path,
    size: u64,
    archive: &mut Archive<'_>,
    root: &str,
) -> Result<(usize, u64), FormatError> {
    let (allowed, mut wanted) = (super::allowance(size), 0_u64);
    let (mut files, mut code) = (0, 0);
    for at in 0..archive.len() {
        let entry = archive
            .by_index(at)
            .map_err(|error| zipped::broken(path, &format!("entry {at}"), &error))?;
        let name = entry.name().map_or_else(|_| format!("entry {at}"), Into::into);
        let mut rest = entry.take((allowed - wanted).saturating_add(1));
        let found = io::copy(&mut rest, &mut io::sink())
            .map_err(|error| zipped::broken(path, &name, &error))?;
        wanted = wanted.saturating_add(found);
        if wanted > allowed {
            return Err(FormatError::TooLarge { path: path.to_owned(), wanted, allowed });
        }
        if name.starts_with(&format!("{root}code/"))
            && Path::new(&*name).extension().is_some_and(|ending| ending == "py")
        {
            (files, code) = (files + 1, code + found);
        }
    }
    Ok((files, code))
}

/// Through the modules, for tensors.
struct Walk<'a> {
    path: &'a Path,
    pickle: &'a Pickle<'a>,
    /// Modules are shared, and a hostile file may have circles of them: each is looked into once.
    seen: HashSet<NodeId>,
    entries: Vec<(String, TensorRef)>,
    memory: Described<'a>,
}

impl Walk<'_> {
    fn run(mut self) -> Result<Vec<(String, TensorRef)>, FormatError> {
        let root = self.pickle.root();
        if self.attributes(root).is_none() {
            let found = self.pickle.describe(root);
            return Err(none(self.path, found));
        }
        self.within(root, "", MAX_DEPTH)?;
        Ok(self.entries)
    }

    /// The names and values of a module.
    fn attributes(&self, id: NodeId) -> Option<&[(NodeId, NodeId)]> {
        let Node::Call { function: Function::Script, state: Some(state), .. } =
            self.pickle.node(id)
        else {
            return None;
        };
        match self.pickle.node(*state) {
            Node::Dict(attributes) => Some(attributes),
            _ => None,
        }
    }

    fn within(&mut self, id: NodeId, before: &str, depth: usize) -> Result<(), FormatError> {
        if depth == 0 || !self.seen.insert(id) {
            return Ok(());
        }
        let attributes = self.attributes(id).unwrap_or_default().to_vec();
        for (key, value) in attributes {
            let Some(key) = self.pickle.text(key) else { continue };
            if tensor::is_one(self.pickle, value) {
                let name = format!("{before}{key}");
                let tensor = TensorRef::read(self.path, self.pickle, value, &name)?;
                self.memory.add(name.len() + tensor.described())?;
                self.entries.push((name, tensor));
            } else if self.attributes(value).is_some() {
                self.within(value, &format!("{before}{key}."), depth - 1)?;
            }
        }
        Ok(())
    }
}
