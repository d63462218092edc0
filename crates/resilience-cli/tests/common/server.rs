//! A server on this machine that gives a few answers and is then gone.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::thread::JoinHandle;

/// What it does with a request.
pub enum Answer {
    /// Sends these bytes, from where it is asked for on.
    Content(Vec<u8>),
    /// The same, but breaks off after so many of them.
    Broken(Vec<u8>, usize),
    /// Has no such file.
    Missing,
}

/// A server at work.
pub struct Server {
    /// Its address, without a path.
    pub url: String,
    thread: JoinHandle<Vec<String>>,
}

impl Server {
    /// Gives these answers in turn, whatever it is asked for.
    pub fn new(answers: Vec<Answer>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let thread = std::thread::spawn(move || {
            answers.into_iter().map(|answer| serve(&listener, answer)).collect()
        });
        Self { url, thread }
    }

    /// What it was asked for, when all answers are given: each path, and where in the file from.
    pub fn asked(self) -> Vec<String> {
        self.thread.join().unwrap()
    }
}

/// The address of a server that is not there.
pub fn nobody() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    format!("http://{}", listener.local_addr().unwrap())
}

fn serve(listener: &TcpListener, answer: Answer) -> String {
    let (mut stream, _) = listener.accept().unwrap();
    let lines = BufReader::new(stream.try_clone().unwrap()).lines();
    let head: Vec<_> = lines.map_while(Result::ok).take_while(|line| !line.is_empty()).collect();
    let path = head[0].split(' ').nth(1).unwrap();
    let range = head.iter().find_map(|line| {
        let lower = line.to_lowercase();
        lower.strip_prefix("range: bytes=")?.strip_suffix('-')?.parse::<usize>().ok()
    });
    match answer {
        Answer::Missing => send(&mut stream, "404 Not Found", "", 0, &[]),
        Answer::Content(bytes) => give(&mut stream, range, &bytes, bytes.len()),
        Answer::Broken(bytes, end) => give(&mut stream, range, &bytes, end),
    }
    range.map_or_else(|| path.to_owned(), |from| format!("{path} from {from}"))
}

/// Promises all that is asked for, and sends it as far as `end`.
fn give(stream: &mut TcpStream, range: Option<usize>, bytes: &[u8], end: usize) {
    let (from, size) = (range.unwrap_or(0), bytes.len());
    let header = format!("Content-Range: bytes {from}-{}/{size}\r\n", size - 1);
    let (status, header) = match range {
        Some(_) => ("206 Partial Content", header.as_str()),
        None => ("200 OK", ""),
    };
    send(stream, status, header, size - from, &bytes[from..end]);
}

fn send(stream: &mut TcpStream, status: &str, header: &str, length: usize, body: &[u8]) {
    let head = format!(
        "HTTP/1.1 {status}\r\nConnection: close\r\nContent-Length: {length}\r\n{header}\r\n"
    );
    // Whoever asked may be gone before all of it is sent.
    let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(body));
}
