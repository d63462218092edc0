//! Files that name other files: what is read has an end, and lies where it may.

use std::path::Path;
use std::time::Duration;

use resilience_core::format::onnx;
use resilience_core::format::weights::{read_checked, read_weights};
use resilience_core::manifest::{Described, Manifest};
use resilience_core::method;
use resilience_core::suite;
use resilience_core::summary::Summary;

use super::files::{PICTURE, data, folder};
use super::memory::peak_of;
use super::parsers::open;

/// What a call gives, unless it does not end.
fn in_time<T: Send + 'static>(what: &str, call: impl FnOnce() -> T + Send + 'static) -> T {
    let (give, take) = std::sync::mpsc::channel();
    std::thread::spawn(move || give.send(call()));
    let result = take.recv_timeout(Duration::from_secs(60));
    result.unwrap_or_else(|_| panic!("{what} does not end"))
}

/// Would catch a device or a pipe being read for ever, or into all memory, because a manifest names it.
#[cfg(unix)]
#[test]
fn devices_and_pipes_are_no_files() {
    let places = folder(&[("all/a/1.png", PICTURE), ("a.pt", b"")]);
    let pipe = places.path().join("pipe");
    let made = std::process::Command::new("mkfifo").arg(&pipe).status();
    assert!(made.is_ok_and(|status| status.success()), "no pipe could be made");
    let pipe = pipe.display().to_string();
    for place in ["/dev/zero", &pipe] {
        let path = places.path().to_owned();
        let write = |text: String| {
            let file = path.join("hostile.toml");
            std::fs::write(&file, text).unwrap();
            file
        };
        for text in [
            format!("path = 'all'\nclasses = '{place}'"),
            format!("path = 'all'\nlabels = '{place}'"),
            format!("path = '{place}'"),
        ] {
            let file = write(text.clone());
            let error = in_time(&text, move || open(&file)).unwrap_err();
            assert!(error.contains("regular file") || error.contains("no such file"), "{error}");
        }
        let head = "mean = [0]\nstd = [1]\nsource = 'a'\nname = 'a'";
        let one = write(format!("{head}\narchitecture = 'a'\nfile = '{place}'"));
        let read = move || Manifest::read(&one).unwrap().load().map(drop);
        assert!(in_time("weights", read).is_err());
        let members = format!(
            "name = 'a'\nmembers = ['{place}', '{place}']\nvote = 'majority'\nsource = 'a'"
        );
        let all = write(members);
        assert!(in_time("members", move || Described::read(&all).map(drop)).is_err());
        let path = Path::new(place).to_owned();
        let every = move || {
            assert!(read_weights(&path).is_err() && read_checked(&path, None).is_err());
            assert!(onnx::read_checked(&path, None).is_err());
            assert!(Manifest::read(&path).is_err() && method::read(&path).is_err());
            assert!(suite::find(&path.to_string_lossy()).is_err());
            assert!(Summary::read(&path).is_err());
        };
        in_time("a reader", every);
    }
    // A folder that somebody packed may hold a pipe under a picture's name.
    std::fs::rename(&pipe, places.path().join("all/a/0.png")).unwrap();
    let all = places.path().join("all");
    let error = in_time("a picture", move || open(&all)).unwrap_err();
    assert!(error.contains("0.png"), "{error}");
}

/// Would catch a text being taken into memory whole, however long it is.
#[test]
fn long_texts_are_not_read() {
    let long = vec![b' '; 32 << 20];
    let files: [(&str, &[u8]); 4] = [
        ("all/a/1.png", PICTURE),
        ("a.toml", b"path = 'all'\nclasses = 'long.toml'"),
        ("long.toml", &long),
        ("long.txt", &long),
    ];
    let places = folder(&files);
    let long = places.path().join("long.toml");
    let ((), peak) = peak_of(|| {
        assert!(open(&long).is_err() && open(&places.path().join("a.toml")).is_err());
        assert!(Manifest::read(&long).is_err() && Described::read(&long).is_err());
        assert!(method::read(&long).is_err());
        assert!(suite::find(&long.to_string_lossy()).is_err());
    });
    assert!(peak < 1 << 20, "{peak}");
}

/// Would catch a list of pictures that leads out of its folder.
#[test]
fn lists_stay_in_their_folder() {
    for line in ["../secret.png 0", "/etc/hostname 0", "a/../../secret.png 0", ".. 0"] {
        let files: [(&str, &[u8]); 4] = [
            ("secret.png", PICTURE),
            ("all/a/1.png", PICTURE),
            ("list.txt", line.as_bytes()),
            ("a.toml", b"path = 'all'\nlabels = 'list.txt'"),
        ];
        let error = data(&files, "a.toml").unwrap_err();
        assert!(error.contains("a path inside the folder"), "{line}: {error}");
    }
}
