//! `pull` as a user meets it, against a server on this machine: what it fetches, where it puts it, and what
//! it says where that cannot be.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails right there")]

mod common;
#[path = "common/server.rs"]
mod server;

use std::fs;
use std::path::Path;

use common::{TRAIN, done, fails, resilience, run, summary};
use server::{Answer, Server, nobody};

const CONTENT: &[u8] = b"the weights of a network, as far as pull can tell";
const SHA256: &str = "2c929af80801e4a90269f925520375fa5834343879e439d3d5acd855f19b7b49";

/// A manifest of `CONTENT` under this name, with these lines more.
fn manifest(file: &str, more: &str) -> String {
    format!(
        "name = 'Net'\nfile = '{file}'\narchitecture = 'resnet20'\nmean = [0.5]\nstd = [0.5]\n\
         source = 'a paper'\ndataset = 'cifar10'\n{more}"
    )
}

/// The lines that say where `CONTENT` lies.
fn published(url: &str) -> String {
    format!("url = '{url}'\nsize = {}\nsha256 = '{SHA256}'\n", CONTENT.len())
}

fn write(at: &Path, name: &str, text: &str) {
    fs::create_dir_all(at.join(name).parent().unwrap()).unwrap();
    fs::write(at.join(name), text).unwrap();
}

/// Would catch weights that come and cannot be used, an evaluation that fetches unasked or does not say how
/// to, and a second call that asks the server again.
#[test]
fn what_is_pulled_can_be_evaluated() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    done(&format!("{TRAIN} --out trained/net.pth"), at);
    let weights = fs::read(at.join("trained/net.pth")).unwrap();
    let size = weights.len();
    let server = Server::new(vec![Answer::Content(weights.clone())]);
    let trained = fs::read_to_string(at.join("trained/net.toml")).unwrap();
    let url = format!("url = '{}/some/net.pth?raw=true'\nsize = {size}\n", server.url);
    write(at, "nets/own.toml", &(url + &trained.replace("file = \"net.pth\"\n", "")));

    let eval = "eval nets/own.toml --data shapes10 --n 40 --attack none --out run";
    fails(eval, at, 3, &["net.pth", "`resilience pull nets/own.toml` fetches it"]);
    assert!(!at.join("nets/net.pth").exists());
    let said = done("pull nets/own.toml", at);
    assert!(said.contains("fetched") && said.contains("nets/net.pth"), "{said}");
    assert_eq!(fs::read(at.join("nets/net.pth")).unwrap(), weights);
    assert_eq!(server.asked(), ["/some/net.pth?raw=true"]);
    done(eval, at);
    assert_eq!(summary(at, "run")["models"][0]["clean"]["n"], 40);
    let said = done("pull nets/own.toml", at);
    assert!(said.contains("here already, with the right SHA-256"), "{said}");

    let found = done("inspect nets/net.pth", at);
    assert!(found.contains(&format!("size = {size}\n")), "{found}");
}

/// Would catch a download that begins anew although half of it is here, or ends where the server still
/// answers, and half a file that is taken for the weights.
#[test]
fn a_broken_download_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    let server = Server::new(vec![
        Answer::Broken(CONTENT.to_vec(), 10),
        Answer::Broken(CONTENT.to_vec(), 30),
    ]);
    write(at, "net.toml", &manifest("net.pth", &published(&format!("{}/n", server.url))));
    fails("pull net.toml", at, 5, &["broke off after 30 of 49 bytes", "run again"]);
    assert_eq!(server.asked(), ["/n", "/n from 10"]);
    assert!(!at.join("net.pth").exists());
    assert_eq!(fs::read(at.join("net.pth.part")).unwrap(), &CONTENT[..30]);

    let server = Server::new(vec![Answer::Content(CONTENT.to_vec())]);
    write(at, "net.toml", &manifest("net.pth", &published(&format!("{}/n", server.url))));
    done("pull net.toml", at);
    assert_eq!(server.asked(), ["/n from 30"]);
    assert_eq!(fs::read(at.join("net.pth")).unwrap(), CONTENT);
    assert!(!at.join("net.pth.part").exists());
}

/// Would catch trust in what a server sends, and an error from which nobody learns what to put where.
#[test]
fn what_is_not_the_file_is_not_kept() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    let path = at.join("net.pth");
    let by_hand = ["'net.pth'", "49 bytes", SHA256, path.to_str().unwrap()];
    let try_with = |answer: Answer, words: &[&str]| {
        let server = Server::new(vec![answer]);
        let text = manifest("net.pth", &published(&format!("{}/n", server.url)));
        write(at, "net.toml", &text);
        fails(&format!("pull {}", at.join("net.toml").display()), at, 5, words);
        server.asked();
        assert!(!path.exists() && !at.join("net.pth.part").exists(), "{words:?}");
    };
    let mut other = CONTENT.to_vec();
    other[0] ^= 1;
    try_with(Answer::Content(other), &["has SHA-256", SHA256, "has been deleted"]);
    let longer = [CONTENT, b"!"].concat();
    try_with(Answer::Content(longer), &["the server offers 50 bytes where the file has 49"]);
    try_with(Answer::Missing, &[&by_hand[..], &["404"]].concat());

    let url = nobody();
    let text = manifest("net.pth", &published(&format!("{url}/n")));
    write(at, "net.toml", &text);
    let pull = format!("pull {}", at.join("net.toml").display());
    fails(&pull, at, 5, &[&by_hand[..], &["cannot be reached", &url]].concat());
}

/// Would catch a file of the user's that is overwritten, a manifest that writes where it likes, and a mistake
/// that is found only when something has come. The server is not there: nobody may ask it.
#[test]
fn nothing_is_overwritten_and_nothing_leaves_the_folder() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    let address = published("http://127.0.0.1:9/net.pth");
    write(at, "net.toml", &manifest("net.pth", &address));
    write(at, "net.pth", "something of the user's");
    let words =
        ["net.pth is not the file of 'Net'", "23 bytes", "--out", "nothing was overwritten"];
    fails("pull net.toml", at, 3, &words);
    assert_eq!(fs::read(at.join("net.pth")).unwrap(), b"something of the user's");

    for (file, more, word) in [
        ("../net.pth", address.as_str(), "inside the manifest's folder"),
        ("/tmp/net.pth", &address, "inside the manifest's folder"),
        ("b.pth", &address.replace("http:", "file:"), "url: expected"),
        ("b.pth", "url = 'https://a.org/b.pth'\n", "nothing is fetched without it"),
        ("b.pth", "", "no url; they are from: a paper"),
    ] {
        write(at, "in/b.toml", &manifest(file, more));
        fails("pull in/b.toml", at, 3, &[word]);
    }
    let unnamed = manifest("x", &address.replace("/net.pth", "/..")).replace("file = 'x'\n", "");
    write(at, "in/b.toml", &unnamed);
    fails("pull in/b.toml", at, 3, &["does not end in a plain one"]);
    fails("pull net.pth", at, 2, &["no manifest"]);
    fails("pull resnet2c", at, 2, &["did you mean 'resnet2b'"]);
    fails("pull", at, 2, &["MODEL"]);

    // What is wrong with the second is found before the first is fetched.
    write(at, "a.toml", &manifest("a.pth", &address));
    fails("pull a.toml in/b.toml", at, 3, &["plain one"]);
    fails("pull a.toml", at, 5, &["http://127.0.0.1:9/net.pth"]);
}

/// Would catch a member that is left out, or fetched again though it is here, and weights in another folder
/// than the one that was named.
#[test]
fn all_members_of_an_ensemble_are_pulled() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    let server =
        Server::new(vec![Answer::Content(CONTENT.to_vec()), Answer::Content(CONTENT.to_vec())]);
    let member = |name: &str| {
        manifest(&format!("{name}.pth"), &published(&format!("{}/{name}", server.url)))
    };
    write(at, "nets/a.toml", &member("a"));
    write(at, "nets/b.toml", &member("b"));
    let ensemble = "name = 'Both'\nmembers = ['nets/a.toml', 'nets/b.toml']\nvote = 'logits'\nsource = 'a test'\n";
    write(at, "all.toml", ensemble);
    fs::write(at.join("nets/a.pth"), CONTENT).unwrap();
    let said = done("pull all.toml", at);
    assert_eq!(
        (said.matches("here already").count(), said.matches("fetched").count()),
        (1, 1),
        "{said}"
    );
    fs::remove_file(at.join("nets/a.pth")).unwrap();
    let output = run("pull all.toml nets/a.toml --out else/where", at);
    let (said, notes) =
        (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
    assert!(!output.status.success() && said.contains("else/where/a.pth"), "{said}{notes}");
    assert!(notes.contains("RESILIENCE_MODELS to else/where") && notes.contains("/b "), "{notes}");
    assert_eq!(server.asked(), ["/b", "/a"]);
    for file in ["nets/b.pth", "else/where/a.pth"] {
        assert_eq!(fs::read(at.join(file)).unwrap(), CONTENT, "{file}");
    }
    assert!(!at.join("else/where/b.pth").exists());
}

/// Would catch a known model of which nobody says where it comes from or goes to, and an evaluation of one
/// that does not say how it is had. No network is needed: the way to it leads over a proxy that is not there.
#[test]
fn known_models_go_into_the_cache() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    let mut command = resilience(&["pull", "resnet2b"], at);
    for name in ["ALL_PROXY", "HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy"] {
        command.env(name, "http://127.0.0.1:9");
    }
    let output = command.env_remove("NO_PROXY").env_remove("no_proxy").output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(5), "{said}");
    let place = "cache/resilience/models/resnet2b.pth";
    let sha256 = "ef824b47175668e924d7fd409b5ef7e239012b8f0c31fefa66c643efda1eb05b";
    for word in ["https://raw.githubusercontent.com/", "453,823 bytes", sha256, place] {
        assert!(said.contains(word), "'{word}' is not in: {said}");
    }
    fails(
        "eval resnet2b --out r",
        at,
        3,
        &["`resilience pull resnet2b` fetches it", "RESILIENCE_MODELS"],
    );
    write(at, place, "another");
    fails("pull resnet2b", at, 3, &["is not the file of 'ResNet-2B", place]);
    assert!(done("list models", at).contains("resilience pull NAME"));
    assert!(
        done("explain resnet32-standard", at)
            .contains("`resilience pull resnet32-standard` fetches them")
    );
}
