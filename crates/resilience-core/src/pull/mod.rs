//! The weights of a manifest: fetched where they are not there yet, and never put over another file.

mod error;

use std::fmt::Write as _;
use std::fs;
use std::io::ErrorKind;
use std::path::Path;

pub use self::error::PullError;
use crate::download::{self, DownloadError, Remote};
use crate::event::Observer;
use crate::format::FormatError;
use crate::format::weights::sha256_file;
use crate::manifest::Manifest;
use crate::report::count;

/// Where the weights of a manifest are.
#[derive(Clone, Copy, Debug)]
pub enum Weights<'a> {
    /// At the path that was looked at, with the right checksum where the manifest has one.
    Here,
    /// On a server, and nothing at that path.
    Away(Remote<'a>),
}

/// Looks whether the weights lie at `path`. Another file there is an error, and so is none where the manifest
/// does not say where to fetch it.
pub fn look<'a>(manifest: &'a Manifest, path: &Path) -> Result<Weights<'a>, PullError> {
    match fs::metadata(path) {
        Ok(there) => check(manifest, path, &there).map(|()| Weights::Here),
        Err(error) if error.kind() == ErrorKind::NotFound => {
            remote(manifest, path).map(Weights::Away)
        }
        Err(source) => Err(FormatError::Read { path: path.to_owned(), source }.into()),
    }
}

/// Fetches the weights into `path`, unless they lie there already.
pub fn fetch(
    manifest: &Manifest,
    path: &Path,
    observer: &mut dyn Observer,
) -> Result<(), PullError> {
    let Weights::Away(remote) = look(manifest, path)? else { return Ok(()) };
    download::fetch(&remote, path, observer).map_err(|error| match error {
        DownloadError::Unreachable { url, reason } => PullError::Unreachable {
            model: manifest.name.clone(),
            url,
            reason,
            wanted: wanted(manifest),
            path: path.to_owned(),
        },
        other => PullError::Download(other),
    })
}

/// An error unless what is there is the file that the manifest describes.
fn check(manifest: &Manifest, path: &Path, there: &fs::Metadata) -> Result<(), PullError> {
    let another = |found: String| PullError::Another {
        path: path.to_owned(),
        model: manifest.name.clone(),
        found,
        wanted: wanted(manifest),
    };
    if !there.is_file() {
        return Err(another("is no file".to_owned()));
    }
    if manifest.size.is_some_and(|size| size != there.len()) {
        return Err(another(format!("has {} bytes", count(there.len()))));
    }
    let Some(expected) = &manifest.sha256 else { return Ok(()) };
    let found = sha256_file(path)?;
    if found == *expected { Ok(()) } else { Err(another(format!("has SHA-256 {found}"))) }
}

fn remote<'a>(manifest: &'a Manifest, path: &Path) -> Result<Remote<'a>, PullError> {
    let (Some(url), Some(size), Some(sha256)) = (&manifest.url, manifest.size, &manifest.sha256)
    else {
        return Err(PullError::NoAddress {
            model: manifest.name.clone(),
            origin: manifest.source.clone(),
            wanted: wanted(manifest),
            path: path.to_owned(),
        });
    };
    let name = manifest.file.file_name().and_then(|name| name.to_str()).unwrap_or(&manifest.name);
    Ok(Remote { name, url, size, sha256 })
}

/// The file for a person who is to find it.
fn wanted(manifest: &Manifest) -> String {
    let name = manifest.file.file_name().unwrap_or(manifest.file.as_os_str()).to_string_lossy();
    let mut text = format!("the file '{name}'");
    let size = manifest.size.map(|size| format!("{} bytes", count(size)));
    let sha256 = manifest.sha256.as_ref().map(|sha256| format!("SHA-256 {sha256}"));
    let known: Vec<_> = size.into_iter().chain(sha256).collect();
    if !known.is_empty() {
        let _ = write!(text, " ({})", known.join(", "));
    }
    text
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;
    use crate::event::Silent;
    use crate::format::weights::sha256;

    const CONTENT: &[u8] = b"weights";

    /// The manifest of those weights at this address, as it stands in `folder`.
    fn manifest(folder: &Path, url: Option<&str>) -> Manifest {
        let published = url.map(|url| format!("url = '{url}'\n")).unwrap_or_default();
        let text = format!(
            "name = 'Net'\nfile = 'net.pth'\n{published}size = {}\nsha256 = '{}'\n\
             architecture = 'resnet32'\nmean = [0.5]\nstd = [0.5]\nsource = 'a paper'\n",
            CONTENT.len(),
            sha256(CONTENT)
        );
        Manifest::parse(&folder.join("net.toml"), &text).unwrap()
    }

    /// Would catch a file that is taken for the weights because of its name or its length, and one that is
    /// replaced. Nobody is asked for what is here: the address is none.
    #[test]
    fn what_is_there_is_checked_and_left() {
        let folder = tempfile::tempdir().unwrap();
        let manifest = manifest(folder.path(), Some("http://127.0.0.1:9/net.pth"));
        assert!(matches!(look(&manifest, &manifest.file).unwrap(), Weights::Away(_)));
        fs::write(&manifest.file, CONTENT).unwrap();
        fetch(&manifest, &manifest.file, &mut Silent).unwrap();
        for (other, says) in
            [(&b"others!"[..], "has SHA-256"), (b"longer than they are", "has 20 bytes")]
        {
            fs::write(&manifest.file, other).unwrap();
            let error = fetch(&manifest, &manifest.file, &mut Silent).unwrap_err();
            assert!(matches!(error, PullError::Another { .. }), "{error}");
            let text = error.to_string();
            assert!(
                text.contains(says) && text.contains("expected the file 'net.pth' (7 bytes"),
                "{text}"
            );
            assert_eq!(fs::read(&manifest.file).unwrap(), other);
        }
        let error = look(&manifest, folder.path()).unwrap_err();
        assert!(error.to_string().contains("is no file"), "{error}");
    }

    /// Would catch a machine without a network being told less than it takes to bring the file there by hand.
    #[test]
    fn what_to_do_by_hand_is_said() {
        let folder = tempfile::tempdir().unwrap();
        let refused = {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            format!("http://{}/a.pth", listener.local_addr().unwrap())
        };
        let away = manifest(folder.path(), Some(&refused));
        let error = fetch(&away, &away.file, &mut Silent).unwrap_err();
        assert!(matches!(error, PullError::Unreachable { .. }), "{error}");
        let nowhere = manifest(folder.path(), None);
        let none = fetch(&nowhere, &nowhere.file, &mut Silent).unwrap_err();
        assert!(matches!(none, PullError::NoAddress { .. }), "{none}");
        for (text, says) in
            [(error.to_string(), refused.as_str()), (none.to_string(), "from: a paper")]
        {
            let path = away.file.display().to_string();
            for word in [says, "7 bytes", &sha256(CONTENT), "'net.pth'", &path] {
                assert!(text.contains(word), "'{word}' is not in: {text}");
            }
        }
    }
}
