//! Against a server of one thread on this machine, which answers as the real ones do and worse.

use std::io::{BufRead, BufReader};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc;

use super::*;
use crate::event::Silent;

const CONTENT: &[u8] = b"the official archive, all of it";

/// The archive at that address.
const fn archive(url: &str) -> Remote<'_> {
    Remote {
        name: "archive.tar.gz",
        url,
        size: CONTENT.len() as u64,
        sha256: "3e99017a7c44e7706524345f91b0cb84b5169efa668ee1d6820842d53accfce5",
    }
}

/// Serves as many connections as there are answers; tells the Range header of each.
fn serve(
    answers: Vec<fn(&mut TcpStream, Option<usize>)>,
) -> (String, mpsc::Receiver<Option<usize>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/archive.tar.gz", listener.local_addr().unwrap());
    let (tell, told) = mpsc::channel();
    std::thread::spawn(move || {
        for answer in answers {
            let (mut stream, _) = listener.accept().unwrap();
            let lines = BufReader::new(stream.try_clone().unwrap()).lines();
            let head: Vec<_> =
                lines.map_while(Result::ok).take_while(|line| !line.is_empty()).collect();
            let range = head.iter().find_map(|line| {
                line.to_lowercase().strip_prefix("range: bytes=")?.strip_suffix('-')?.parse().ok()
            });
            tell.send(range).unwrap();
            answer(&mut stream, range);
        }
    });
    (url, told)
}

fn send(stream: &mut TcpStream, status: &str, headers: &str, body: &[u8]) {
    let head = format!("HTTP/1.1 {status}\r\nConnection: close\r\n{headers}\r\n");
    stream.write_all(head.as_bytes()).unwrap();
    stream.write_all(body).unwrap();
}

fn whole(stream: &mut TcpStream, _: Option<usize>) {
    send(stream, "200 OK", &format!("Content-Length: {}\r\n", CONTENT.len()), CONTENT);
}

fn ranged(stream: &mut TcpStream, range: Option<usize>) {
    let (start, size) = (range.unwrap(), CONTENT.len());
    let headers = format!(
        "Content-Length: {}\r\nContent-Range: bytes {start}-{}/{size}\r\n",
        size - start,
        size - 1
    );
    send(stream, "206 Partial Content", &headers, &CONTENT[start..]);
}

fn half(stream: &mut TcpStream, _: Option<usize>) {
    let headers = format!("Content-Length: {}\r\n", CONTENT.len());
    send(stream, "200 OK", &headers, &CONTENT[..12]);
}

fn damaged(stream: &mut TcpStream, _: Option<usize>) {
    let mut content = CONTENT.to_vec();
    content[3] ^= 1;
    send(stream, "200 OK", &format!("Content-Length: {}\r\n", content.len()), &content);
}

fn nowhere(stream: &mut TcpStream, _: Option<usize>) {
    send(stream, "404 Not Found", "Content-Length: 0\r\n", b"");
}

fn portal(stream: &mut TcpStream, _: Option<usize>) {
    send(stream, "200 OK", "Content-Length: 14\r\n", b"<html>log in</");
}

fn endless_portal(stream: &mut TcpStream, _: Option<usize>) {
    send(stream, "200 OK", "", b"<html>log in</html> and so on and on");
}

fn hung(stream: &mut TcpStream, range: Option<usize>) {
    half(stream, range);
    // Held open until the other side gives up.
    let _ = stream.read(&mut [0]);
}

/// Downloads into a folder that is made on the way, where `part` lies already.
fn download(url: &str, part: &[u8]) -> (Result<(), DownloadError>, Option<Vec<u8>>, bool) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("cache/archive.tar.gz");
    if !part.is_empty() {
        fs::create_dir(folder.path().join("cache")).unwrap();
        fs::write(part_of(&path), part).unwrap();
    }
    let result = fetch(&archive(url), &path, &mut Silent);
    (result, fs::read(&path).ok(), part_of(&path).exists())
}

/// Would catch a file that is not whole or not in its place at the end.
#[test]
fn whole_at_once() {
    let (url, told) = serve(vec![whole]);
    let (result, content, part) = download(&url, b"");
    result.unwrap();
    assert_eq!((content.as_deref(), part), (Some(CONTENT), false));
    assert_eq!(told.recv().unwrap(), None);
}

/// Would catch a download that begins anew although most of it is here.
#[test]
fn resumed_from_the_part() {
    let (url, told) = serve(vec![ranged]);
    let (result, content, _) = download(&url, &CONTENT[..20]);
    result.unwrap();
    assert_eq!(content.as_deref(), Some(CONTENT));
    assert_eq!(told.recv().unwrap(), Some(20));
}

/// Would catch a connection that breaks off ending the download while the server still answers.
#[test]
fn resumed_after_a_break() {
    let (url, told) = serve(vec![half, ranged]);
    let (result, content, _) = download(&url, b"");
    result.unwrap();
    assert_eq!(content.as_deref(), Some(CONTENT));
    assert_eq!((told.recv().unwrap(), told.recv().unwrap()), (None, Some(12)));
}

/// Would catch a server that falls silent holding the download for ever.
#[test]
fn resumed_after_a_silence() {
    let (url, told) = serve(vec![hung, ranged]);
    let (result, content, _) = download(&url, b"");
    result.unwrap();
    assert_eq!(content.as_deref(), Some(CONTENT));
    assert_eq!((told.recv().unwrap(), told.recv().unwrap()), (None, Some(12)));
}

/// Would catch a part that is another file's making the download impossible.
#[test]
fn foreign_part() {
    let (url, told) = serve(vec![ranged, whole]);
    let (result, content, part) = download(&url, b"<html>log in</html>");
    result.unwrap();
    assert_eq!((content.as_deref(), part), (Some(CONTENT), false));
    assert_eq!((told.recv().unwrap(), told.recv().unwrap()), (Some(19), None));
    let (url, _told) = serve(vec![ranged, damaged]);
    let (result, content, part) = download(&url, b"<html>log in</html>");
    assert!(matches!(result, Err(DownloadError::Checksum { .. })), "{result:?}");
    assert_eq!((content, part), (None, false));
    let (url, _told) = serve(vec![whole]);
    let (result, content, part) = download(&url, &[b'x'; 2 * CONTENT.len()]);
    result.unwrap();
    assert_eq!((content.as_deref(), part), (Some(CONTENT), false));
}

/// Would catch two processes that append to one file, and a part that another has grown meanwhile being cut
/// under its feet.
#[test]
fn one_process_at_a_time() {
    let (url, _told) = serve(vec![ranged, whole]);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("archive.tar.gz");
    fs::write(part_of(&path), &CONTENT[..20]).unwrap();
    let other = OpenOptions::new().append(true).open(part_of(&path)).unwrap();
    other.lock().unwrap();
    let result = fetch(&archive(&url), &path, &mut Silent);
    assert!(matches!(result, Err(DownloadError::Busy { .. })), "{result:?}");
    assert_eq!(fs::read(part_of(&path)).unwrap(), &CONTENT[..20]);
    drop(other);
    fetch(&archive(&url), &path, &mut Silent).unwrap();
    assert_eq!(fs::read(&path).unwrap(), CONTENT);
}

/// Would catch the whole file being appended to the part by a server that knows no ranges.
#[test]
fn server_without_ranges() {
    let (url, _told) = serve(vec![whole]);
    let (result, content, _) = download(&url, &CONTENT[..20]);
    result.unwrap();
    assert_eq!(content.as_deref(), Some(CONTENT));
}

/// Would catch trust in what came; the damaged part must not stay to be resumed.
#[test]
fn wrong_checksum() {
    let (url, _told) = serve(vec![damaged]);
    let (result, content, part) = download(&url, b"");
    assert!(matches!(result, Err(DownloadError::Checksum { .. })), "{result:?}");
    assert_eq!((content, part), (None, false));
}

/// Would catch a server that is not there, has no such file, or is someone else's, being told
/// apart from a broken download: the caller may then fall back on other data.
#[test]
fn unreachable() {
    let refused = {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        format!("http://{}/archive.tar.gz", listener.local_addr().unwrap())
    };
    let (missing, _told) = serve(vec![nowhere]);
    let (stranger, _also) = serve(vec![portal]);
    let (endless, _too) = serve(vec![endless_portal]);
    for url in
        [refused.as_str(), &missing, &stranger, &endless, "http://no-such-host.invalid/archive"]
    {
        let (result, content, part) = download(url, b"");
        assert!(matches!(result, Err(DownloadError::Unreachable { .. })), "{url}: {result:?}");
        assert_eq!((content, part), (None, false));
    }
    let (result, _, part) = download(&refused, &CONTENT[..20]);
    assert!(matches!(result, Err(DownloadError::Unreachable { .. })), "{result:?}");
    assert!(part, "what had come before is kept");
}

/// Would catch what came being lost, or an endless loop, where the connection breaks for good.
#[test]
fn broken_off() {
    let (url, _told) = serve(vec![half]);
    let (result, content, part) = download(&url, b"");
    assert!(matches!(result, Err(DownloadError::Interrupted { done: 12, .. })), "{result:?}");
    assert_eq!((content, part), (None, true));
}

/// Would catch Ctrl-C being ignored, or losing what came.
#[test]
fn stopped_by_the_user() {
    struct Impatient;
    impl Observer for Impatient {
        fn event(&mut self, _: Event) {}
        fn cancelled(&self) -> bool {
            true
        }
    }
    let (url, _told) = serve(vec![whole]);
    let folder = tempfile::tempdir().unwrap();
    let result = fetch(&archive(&url), &folder.path().join("a"), &mut Impatient);
    assert!(matches!(result, Err(DownloadError::Cancelled { .. })), "{result:?}");
}
