//! Where the file of a model can be fetched, and what holds for it.

use std::path::{Component, Path, PathBuf};

use ureq::http::Uri;

/// A file larger than this is none that the program could read.
const MAX_SIZE: u64 = 64 << 30;

/// Longer addresses are refused by servers.
const MAX_URL: usize = 2000;

/// What a manifest says of its file.
pub(super) struct Stated<'a> {
    pub file: Option<&'a Path>,
    pub url: Option<&'a str>,
    pub sha256: Option<&'a str>,
    pub size: Option<u64>,
}

/// A field that does not hold: its name, what should stand there, and what does.
pub(super) type Wrong = (&'static str, &'static str, String);

/// The file's name, which without being stated is the last part of the address. What can be fetched has a
/// size and a checksum, and a name that leads nowhere but into the manifest's folder.
pub(super) fn file(stated: &Stated<'_>) -> Result<PathBuf, Wrong> {
    let none = || "none".to_owned();
    if stated.file.is_some_and(|file| file.as_os_str().is_empty()) {
        return Err(("file", "the path of the weights", "''".to_owned()));
    }
    if let Some(size) = stated.size {
        if !(1..=MAX_SIZE).contains(&size) {
            return Err(("size", "the file's bytes, from 1 to 64 GiB", size.to_string()));
        }
        if stated.sha256.is_none() {
            return Err(("sha256", "that of the file whose size is stated", none()));
        }
    }
    let Some(url) = stated.url else {
        let missing = || ("file", "the path of the weights (or their url)", none());
        return stated.file.map(Path::to_owned).ok_or_else(missing);
    };
    let Some(address) = address(url) else {
        let expected = "an address as https://host/path (or http://), without a user's name";
        return Err(("url", expected, format!("'{url}'")));
    };
    if stated.sha256.is_none() {
        return Err(("sha256", "that of the file at url: nothing is fetched without it", none()));
    }
    if stated.size.is_none() {
        return Err((
            "size",
            "the bytes of the file at url: nothing is fetched without it",
            none(),
        ));
    }
    match stated.file {
        Some(file) if stays_inside(file) => Ok(file.to_owned()),
        Some(file) => {
            let expected = "a path inside the manifest's folder, because what is fetched from url is put there";
            Err(("file", expected, format!("'{}'", file.display())))
        }
        None => last(&address).map(PathBuf::from).ok_or_else(|| {
            let expected = "the name that the file at url is to have, because the url does not end in a plain one";
            ("file", expected, none())
        }),
    }
}

/// The parts of an address that a file can be fetched from.
fn address(url: &str) -> Option<Uri> {
    let plain = url.len() <= MAX_URL && url.chars().all(|c| c.is_ascii_graphic());
    let uri: Uri = url.parse().ok().filter(|_| plain)?;
    let web = matches!(uri.scheme_str(), Some("http" | "https"));
    let host =
        uri.authority().filter(|part| !part.host().is_empty() && !part.as_str().contains('@'));
    (web && host.is_some()).then_some(uri)
}

/// The last part of the address's path, where it can only be the name of a file.
fn last(address: &Uri) -> Option<&str> {
    let name = address.path().rsplit('/').next()?;
    let plain = |c: char| c.is_ascii_alphanumeric() || "._+-".contains(c);
    (name.starts_with(|c: char| c.is_ascii_alphanumeric()) && name.chars().all(plain))
        .then_some(name)
}

/// Whether a path leads to a plain file in the folder that it is put behind, on every operating system.
fn stays_inside(file: &Path) -> bool {
    let text = file.to_string_lossy();
    let plain = |part: Component<'_>| match part {
        // Hidden files are those of programs, never weights.
        Component::Normal(name) => !name.to_string_lossy().starts_with('.'),
        _ => false,
    };
    file.components().all(plain) && !text.ends_with('/') && !text.contains(['\\', ':', '\0'])
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHA256: &str = "ab";

    fn found(name: Option<&str>, url: &str) -> Result<PathBuf, Wrong> {
        let file_name = name.map(Path::new);
        file(&Stated { file: file_name, url: Some(url), sha256: Some(SHA256), size: Some(1) })
    }

    /// Would catch a name that is taken from a query, or guessed from an address that has none.
    #[test]
    fn the_name_is_the_end_of_the_path() {
        for (url, name) in [
            ("https://a.org/b/c.pth", "c.pth"),
            ("http://127.0.0.1:80/c-1_2+x.onnx?raw=true/evil.sh", "c-1_2+x.onnx"),
            ("HTTPS://a.org/c.pth#part", "c.pth"),
        ] {
            assert_eq!(found(None, url).unwrap(), Path::new(name), "{url}");
        }
        for url in [
            "https://a.org/",
            "https://a.org",
            "https://a.org/b/..",
            "https://a.org/.part",
            "https://a.org/%2e%2e%2fx.pth",
            "https://a.org/a%20b.pth",
            "https://a.org/a:b.pth",
        ] {
            let (field, expected, _) = found(None, url).unwrap_err();
            assert!(field == "file" && expected.contains("plain"), "{url}: {expected}");
            assert_eq!(found(Some("x.pth"), url).unwrap(), Path::new("x.pth"), "{url}");
        }
    }

    /// Would catch a manifest by somebody else that writes where it likes.
    #[test]
    fn what_is_fetched_stays_in_the_folder() {
        assert_eq!(found(Some("in/x.pth"), "https://a.org/y").unwrap(), Path::new("in/x.pth"));
        for name in [
            "../x",
            "a/../../x",
            "/etc/x",
            "./../x",
            "..",
            ".",
            "x/",
            "..\\x",
            "C:x",
            "a\0b",
            ".bashrc",
            "a/.git/x",
        ] {
            let wrong = found(Some(name), "https://a.org/x.pth").unwrap_err();
            assert_eq!(wrong.0, "file", "{name}: {wrong:?}");
        }
    }

    /// Would catch what is no address of a file on a server being handed to the downloader.
    #[test]
    fn addresses_are_of_the_web() {
        let long = format!("https://a.org/{}", "x".repeat(MAX_URL));
        for url in [
            "",
            "x.pth",
            "/x.pth",
            "a.org/x.pth",
            "file:///etc/passwd",
            "ftp://a.org/x",
            "https:///x",
            "https://me:secret@a.org/x",
            "https://a.org/x y",
            "https://a.org/x\ny",
            "http://",
            &long,
        ] {
            assert_eq!(found(Some("x.pth"), url).unwrap_err().0, "url", "{url}");
        }
    }

    /// Would catch a file that could be fetched and not checked, and a size that cannot be.
    #[test]
    fn size_and_checksum_go_with_an_address() {
        let url = Some("https://a.org/x.pth");
        let wrong = |url, sha256, size| {
            let file_name = Some(Path::new("x.pth"));
            file(&Stated { file: file_name, url, sha256, size }).err().map(|wrong| wrong.0)
        };
        assert_eq!(wrong(url, None, Some(1)), Some("sha256"));
        assert_eq!(wrong(url, Some(SHA256), None), Some("size"));
        assert_eq!(wrong(url, Some(SHA256), Some(0)), Some("size"));
        assert_eq!(wrong(url, Some(SHA256), Some(MAX_SIZE + 1)), Some("size"));
        assert_eq!(wrong(None, None, Some(1)), Some("sha256"));
        assert_eq!(wrong(None, Some(SHA256), Some(1)), None);
        assert_eq!(wrong(None, None, None), None);
        let nothing = Stated { file: None, url: None, sha256: None, size: None };
        assert_eq!(file(&nothing).unwrap_err().0, "file");
    }
}
