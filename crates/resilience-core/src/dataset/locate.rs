//! Where a data set lies: the path given, or the usual places, or else its server.

use std::io;
use std::path::{Path, PathBuf};

use etcetera::BaseStrategy;

use super::{
    Archive, DATASETS, DatasetError, DatasetSpec, FileOrigin, Images, Origin, Own, Split, own, spec,
};
use crate::download::{self, DownloadError, Remote};
use crate::event::Observer;
use crate::suggest::did_you_mean;

/// The data set that is meant where none is named.
const DEFAULT: &str = "cifar10";

/// Where to look, in this order; passed in, so that a test looks nowhere else.
#[derive(Clone, Debug, Default)]
pub struct Places {
    /// `$RESILIENCE_DATA`: a path or a name.
    pub data: Option<String>,
    /// This program's folder in the user's cache; downloads go there.
    pub cache: Option<PathBuf>,
    /// The folder under which `data` is looked for, where torchvision puts it: the working folder.
    pub here: PathBuf,
    /// `$RESILIENCE_MIRROR`: a server with the official archives, instead of their own.
    pub mirror: Option<String>,
}

impl Places {
    /// The places of the user who runs the program.
    #[must_use]
    pub fn of_user() -> Self {
        let set = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
        Self {
            data: set("RESILIENCE_DATA"),
            cache: cache_of(set),
            here: PathBuf::new(),
            mirror: set("RESILIENCE_MIRROR"),
        }
    }
}

/// This program's cache folder, the same one that `scripts/common.sh` keeps libtorch in:
/// `$RESILIENCE_CACHE`, or `resilience` in the user's cache.
fn cache_of(set: impl Fn(&'static str) -> Option<String>) -> Option<PathBuf> {
    if let Some(cache) = set("RESILIENCE_CACHE") {
        return Some(cache.into());
    }
    let user = match set("XDG_CACHE_HOME") {
        Some(folder) => folder.into(),
        None if cfg!(target_os = "macos") => etcetera::home_dir().ok()?.join("Library/Caches"),
        None => etcetera::choose_base_strategy().ok()?.cache_dir(),
    };
    Some(user.join("resilience"))
}

/// A data set that was found, not yet read.
#[derive(Clone, Debug)]
pub struct Source(Found);

#[derive(Clone, Debug)]
enum Found {
    /// One that the program knows; it lies nowhere where the program makes the images.
    Known(&'static DatasetSpec, Option<PathBuf>),
    /// The user's own.
    Own(Box<Own>),
}

impl Source {
    pub(super) const fn known(spec: &'static DatasetSpec, path: Option<PathBuf>) -> Self {
        Self(Found::Known(spec, path))
    }

    /// What people call it.
    #[must_use]
    pub fn title(&self) -> &str {
        match &self.0 {
            Found::Known(spec, _) => spec.title,
            Found::Own(own) => own.name(),
        }
    }

    /// The file or folder; `None` where the program makes the images.
    #[must_use]
    pub fn path(&self) -> Option<&Path> {
        match &self.0 {
            Found::Known(_, path) => path.as_deref(),
            Found::Own(own) => Some(own.path()),
        }
    }

    /// An error unless it has images to train on and others to test on.
    pub fn check_both_splits(&self) -> Result<(), DatasetError> {
        match &self.0 {
            Found::Known(..) => Ok(()),
            Found::Own(own) => own.check_both_splits(),
        }
    }

    /// Reads a split: its first `n` images, or all. Of a data set that the program knows the whole split
    /// is read and checked first; of others no more than the images that are wanted, and all labels.
    pub fn load(
        &self,
        split: Split,
        n: Option<usize>,
        observer: &mut dyn Observer,
    ) -> Result<Images, DatasetError> {
        let (spec, path) = match &self.0 {
            Found::Known(spec, path) => (spec, path),
            Found::Own(own) => return own.load(split, n, observer),
        };
        let have = match split {
            Split::Train => spec.train,
            Split::Test => spec.test,
        };
        check_enough(spec.title, split, have, n)?;
        let images = match (&spec.origin, path) {
            (Origin::Generated(make), _) => make(split, n, observer)?,
            (Origin::Files(files), Some(path)) => (files.load)(path, split, observer)?,
            (Origin::Files(files), None) => return Err(not_recognised(files, Path::new(""), "")),
        };
        Ok(images.first(n.unwrap_or(usize::MAX)))
    }
}

/// Whether there are as many images as are asked for.
pub(super) fn check_enough(
    name: &str,
    split: Split,
    have: usize,
    asked: Option<usize>,
) -> Result<(), DatasetError> {
    match asked {
        Some(asked) if asked > have => {
            let (name, split) = (name.to_owned(), split.name());
            Err(DatasetError::TooFew { name, split, have, asked })
        }
        _ => Ok(()),
    }
}

/// Finds the data set that `request` (a path or a name; `--data`) means, or by default CIFAR-10. A path
/// may hold one that the program knows, in any of its real forms, or images of the user's own: arrays, a
/// folder of pictures, or a data manifest that says where and how they lie.
/// A name is looked for in `places`, and downloaded where it lies in none of them; where that
/// cannot be either, the error is [`DatasetError::Unreachable`].
pub fn find(
    request: Option<&str>,
    places: &Places,
    observer: &mut dyn Observer,
) -> Result<Source, DatasetError> {
    let named = match request {
        Some(request) => match spec(request) {
            None => return at_path(Path::new(request), ""),
            named => named,
        },
        None => None,
    };
    let elsewhere = places.data.as_deref();
    if let Some(other) = elsewhere.and_then(spec) {
        // A name in the environment only says which data set is meant where none is named.
        return in_places(named.unwrap_or(other), places, observer);
    }
    match (named.or_else(|| spec(DEFAULT)), elsewhere) {
        (Some(made), _) if matches!(made.origin, Origin::Generated(_)) => {
            Ok(Source::known(made, None))
        }
        (_, Some(path)) => at_path(Path::new(path), "$RESILIENCE_DATA: "),
        (Some(wanted), None) => in_places(wanted, places, observer),
        (None, None) => Err(unknown(DEFAULT)),
    }
}

fn at_path(path: &Path, because: &'static str) -> Result<Source, DatasetError> {
    if !path.exists() {
        let text = path.to_string_lossy();
        if because.is_empty() && !text.contains(['/', '\\', '.']) {
            return Err(unknown(&text));
        }
        let reason = format!("{because}there is no such file or folder");
        let source = io::Error::new(io::ErrorKind::NotFound, reason);
        return Err(DatasetError::Read { path: path.to_owned(), source });
    }
    let files = || {
        DATASETS.iter().filter_map(|spec| match &spec.origin {
            Origin::Files(files) => Some((*spec, files)),
            Origin::Generated(_) => None,
        })
    };
    let found = files().find_map(|(spec, files)| Some((spec, (files.recognise)(path)?)));
    if let Some((spec, path)) = found {
        return Ok(Source::known(spec, Some(path)));
    }
    if let Some(own) = Own::at(path)? {
        return Ok(Source(Found::Own(Box::new(own))));
    }
    let forms = files().map(|(_, files)| files.forms).chain([own::FORMS]);
    let expected = forms.collect::<Vec<_>>().join("; ");
    Err(DatasetError::NotRecognised { path: path.to_owned(), because, expected })
}

fn in_places(
    spec: &'static DatasetSpec,
    places: &Places,
    observer: &mut dyn Observer,
) -> Result<Source, DatasetError> {
    let Origin::Files(files) = &spec.origin else { return Ok(Source::known(spec, None)) };
    let mut searched: Vec<PathBuf> = places.cache.iter().cloned().collect();
    searched.push(places.here.join("data"));
    // A download of several files that broke off goes on, instead of being taken for the data set.
    let broken_off = |place: &Path| {
        let here = |archive: &&Archive| place.join(archive.file).is_file();
        let n = files.archives.iter().filter(here).count();
        Some(place) == places.cache.as_deref() && n > 0 && n < files.archives.len()
    };
    let mut whole = searched.iter().filter(|place| !broken_off(place));
    if let Some(path) = whole.find_map(|place| (files.recognise)(place)) {
        return Ok(Source::known(spec, Some(path)));
    }
    for archive in files.archives {
        let Archive { file, url, size, sha256 } = *archive;
        let Some(cache) = &places.cache else { return Err(DatasetError::NoCache { url }) };
        let path = cache.join(file);
        if path.is_file() {
            continue;
        }
        let url = places.mirror.as_ref().map_or_else(
            || url.to_owned(),
            |mirror| format!("{}/{file}", mirror.trim_end_matches('/')),
        );
        match download::fetch(&Remote { name: file, url: &url, size, sha256 }, &path, observer) {
            Ok(()) => {}
            Err(DownloadError::Unreachable { url, reason }) => {
                let name = spec.title;
                return Err(DatasetError::Unreachable { name, searched, url, reason });
            }
            Err(other) => return Err(other.into()),
        }
    }
    let cache = places.cache.clone().unwrap_or_default();
    match (files.recognise)(&cache) {
        Some(path) => Ok(Source::known(spec, Some(path))),
        None => Err(not_recognised(files, &cache, "")),
    }
}

fn not_recognised(files: &FileOrigin, path: &Path, because: &'static str) -> DatasetError {
    let expected = files.forms.to_owned();
    DatasetError::NotRecognised { path: path.to_owned(), because, expected }
}

fn unknown(name: &str) -> DatasetError {
    let ids = || DATASETS.iter().map(|spec| spec.id);
    DatasetError::Unknown {
        name: name.to_owned(),
        known: ids().collect::<Vec<_>>().join(", "),
        suggestion: did_you_mean(name, ids()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Silent;

    /// A folder in which the data set seems to lie.
    fn folder() -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("cifar-10-batches-py")).unwrap();
        std::fs::write(folder.path().join("cifar-10-batches-py/test_batch"), b"x").unwrap();
        folder
    }

    fn found(request: Option<&str>, places: &Places) -> PathBuf {
        find(request, places, &mut Silent).unwrap().path().unwrap().to_owned()
    }

    /// Would catch data in another cache folder than the one that the user chose.
    #[test]
    fn the_cache_is_the_users() {
        let both = |name| match name {
            "RESILIENCE_CACHE" => Some("/ours".to_owned()),
            "XDG_CACHE_HOME" => Some("/theirs".to_owned()),
            _ => None,
        };
        assert_eq!(cache_of(both), Some("/ours".into()));
        let theirs = |name| both(name).filter(|_| name == "XDG_CACHE_HOME");
        assert_eq!(cache_of(theirs), Some(Path::new("/theirs").join("resilience")));
    }

    /// Would catch the places being looked into in another order than documented.
    #[test]
    fn order_of_places() {
        let (given, set, cache, here) = (folder(), folder(), folder(), folder());
        std::fs::create_dir(here.path().join("data")).unwrap();
        let text = |folder: &tempfile::TempDir| folder.path().to_str().unwrap().to_owned();
        let mut places = Places {
            data: Some(text(&set)),
            cache: Some(cache.path().to_owned()),
            here: here.path().to_owned(),
            mirror: Some("http://127.0.0.1:9".to_owned()),
        };
        assert!(found(Some(&text(&given)), &places).starts_with(given.path()));
        assert!(found(None, &places).starts_with(set.path()));
        assert!(found(Some("cifar10"), &places).starts_with(set.path()));
        places.data = None;
        assert!(found(Some("cifar10"), &places).starts_with(cache.path()));
        let batches = "cifar-10-batches-py";
        std::fs::rename(cache.path().join(batches), here.path().join("data").join(batches))
            .unwrap();
        assert!(found(None, &places).starts_with(here.path()));
    }

    /// Would catch a wrong path being passed over for another place, or an absent data set not
    /// being told apart from a broken one.
    #[test]
    fn failures_are_told_apart() {
        let (empty, cache) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let mut places = Places {
            data: Some(empty.path().to_str().unwrap().to_owned()),
            cache: Some(cache.path().to_owned()),
            here: empty.path().to_owned(),
            mirror: Some("http://127.0.0.1:9/".to_owned()),
        };
        let error = find(None, &places, &mut Silent).unwrap_err();
        assert!(matches!(error, DatasetError::NotRecognised { .. }), "{error}");
        assert!(error.to_string().starts_with("$RESILIENCE_DATA: "), "{error}");
        places.data = Some("cifar10".to_owned());
        let error = find(None, &places, &mut Silent).unwrap_err();
        assert!(matches!(error, DatasetError::Unreachable { .. }), "{error}");
        let error = find(Some("cifar"), &places, &mut Silent).unwrap_err().to_string();
        assert!(error.contains("known: cifar10"), "{error}");
        let error = find(Some("./cifar10"), &places, &mut Silent).unwrap_err();
        assert!(matches!(error, DatasetError::Read { .. }), "{error}");
        places.cache = None;
        let error = find(None, &places, &mut Silent).unwrap_err();
        assert!(matches!(error, DatasetError::NoCache { .. }), "{error}");
    }
}
