//! Fetching a file, an archive of images or the weights of a model: with progress, resumed where it broke
//! off, trusted only by its checksum.

mod error;

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use ureq::http::StatusCode;

pub use self::error::DownloadError;
use crate::event::{Event, Observer, Unit};
use crate::format::weights::sha256_file;

/// A connection that does not come in this time counts as unreachable.
const CONNECT: Duration = Duration::from_secs(10);
/// A server that does not begin to answer in this time counts as unreachable.
const ANSWER: Duration = Duration::from_secs(30);
/// A server that sends nothing for this time is given up, and what is missing asked for anew.
const IDLE: Duration = Duration::from_secs(if cfg!(test) { 2 } else { 30 });

/// A file on a server, and what it must be.
#[derive(Clone, Copy, Debug)]
pub struct Remote<'a> {
    /// What it is called beside the bar.
    pub name: &'a str,
    /// Where it lies; the checksum decides, so that http will do as well as https.
    pub url: &'a str,
    /// Its size in bytes.
    pub size: u64,
    /// Its SHA-256, lower-case hexadecimal.
    pub sha256: &'a str,
}

/// Fetches a file into `path`. What has come lies in `<path>.part` until it is whole and its checksum
/// compared. Where it is wrong after a download that went on from a part, the part may be to blame, and all
/// is fetched once more.
pub fn fetch(
    remote: &Remote<'_>,
    path: &Path,
    observer: &mut dyn Observer,
) -> Result<(), DownloadError> {
    let part = part_of(path);
    let failed = |source| DownloadError::Write { path: part.clone(), source };
    let mut transfer = Transfer {
        url: remote.url,
        size: remote.size,
        part: &part,
        agent: agent(),
        done: fs::metadata(&part).map_or(0, |file| file.len()),
        came: false,
        observer,
    };
    transfer.observer.event(Event::Started {
        task: format!("downloading {}", remote.name),
        total: Some(remote.size),
        unit: Unit::Bytes,
    });
    let mut resumed = transfer.done > 0;
    loop {
        while transfer.done != remote.size {
            transfer.advance()?;
        }
        let found = sha256_file(&part).map_err(|error| failed(io::Error::other(error)))?;
        if found == remote.sha256 {
            break;
        }
        fs::remove_file(&part).map_err(failed)?;
        if !resumed {
            let (url, expected) = (remote.url.to_owned(), remote.sha256.to_owned());
            return Err(DownloadError::Checksum { url, expected, found });
        }
        (resumed, transfer.done) = (false, 0);
    }
    transfer.observer.event(Event::Finished);
    fs::rename(&part, path).map_err(|source| DownloadError::Write { path: path.to_owned(), source })
}

fn part_of(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".part");
    name.into()
}

fn agent() -> ureq::Agent {
    ureq::Agent::config_builder()
        .timeout_resolve(Some(CONNECT))
        .timeout_connect(Some(CONNECT))
        .timeout_recv_response(Some(ANSWER))
        .timeout_per_read(Some(IDLE))
        .http_status_as_error(false)
        .user_agent(concat!("resilience/", env!("CARGO_PKG_VERSION")))
        .build()
        .into()
}

/// A download under way.
struct Transfer<'a> {
    url: &'a str,
    size: u64,
    part: &'a Path,
    agent: ureq::Agent,
    /// Bytes in the part file.
    done: u64,
    /// Whether any of them came just now.
    came: bool,
    observer: &'a mut dyn Observer,
}

impl Transfer<'_> {
    /// Asks for what is missing and stores what comes; an error where nothing more came.
    fn advance(&mut self) -> Result<(), DownloadError> {
        // A part that is longer than the file is not of this file.
        let before = if self.done > self.size { 0 } else { self.done };
        let mut request = self.agent.get(self.url);
        if before > 0 {
            request = request.header("Range", format!("bytes={before}-"));
        }
        let response = request.call().map_err(|error| self.no_answer(error.to_string()))?;
        let start = self.start(&response)?;
        let mut file = self.open(start)?;
        self.done = start;
        let mut body = response.into_body().into_reader();
        let broken = self.copy(&mut body, &mut file)?;
        file.sync_all().map_err(|source| self.unwritten(source))?;
        match broken {
            // Something came: what is missing is asked for anew.
            _ if self.done == self.size || self.done > before => Ok(()),
            reason => Err(DownloadError::Interrupted {
                url: self.url.to_owned(),
                done: self.done,
                size: self.size,
                reason: reason.unwrap_or_else(|| "the server sent no more".to_owned()),
            }),
        }
    }

    /// Where in the file the answer begins.
    fn start(&self, response: &ureq::http::Response<ureq::Body>) -> Result<u64, DownloadError> {
        let header = |name| response.headers().get(name).and_then(|value| value.to_str().ok());
        match response.status() {
            StatusCode::OK => {
                let length = header("content-length").and_then(|text| text.parse::<u64>().ok());
                // A page that bids to log in often comes without its length; nothing of it may get
                // into the part file.
                match length {
                    Some(length) if length == self.size => Ok(0),
                    offered => Err(self.no_answer(format!(
                        "the server offers {} bytes where the file has {}",
                        offered
                            .map_or("an unknown number of".to_owned(), |length| length.to_string()),
                        self.size
                    ))),
                }
            }
            StatusCode::PARTIAL_CONTENT => {
                let range = header("content-range").unwrap_or_default();
                if range.starts_with(&format!("bytes {}-", self.done)) {
                    Ok(self.done)
                } else {
                    Err(self.no_answer(format!("the server sent the range '{range}'")))
                }
            }
            status => Err(self.no_answer(format!("the server answered {status}"))),
        }
    }

    /// The part file, cut to `start` bytes, at its end. No other process may write to it meanwhile: two
    /// that append to one file spoil it.
    fn open(&self, start: u64) -> Result<File, DownloadError> {
        let failed = |source| self.unwritten(source);
        if let Some(folder) = self.part.parent() {
            fs::create_dir_all(folder).map_err(failed)?;
        }
        let file = OpenOptions::new().append(true).create(true).open(self.part).map_err(failed)?;
        // Where the file system knows no locks the checksum still tells.
        let taken = matches!(file.try_lock(), Err(TryLockError::WouldBlock));
        // Who wrote here since this process looked may be done by now, and the file the whole one.
        if taken || file.metadata().map_err(failed)?.len() != self.done {
            return Err(DownloadError::Busy { part: self.part.to_owned() });
        }
        file.set_len(start).map_err(failed)?;
        Ok(file)
    }

    /// Stores what comes; gives the reason where it broke off.
    fn copy(
        &mut self,
        body: &mut dyn Read,
        file: &mut File,
    ) -> Result<Option<String>, DownloadError> {
        let mut block = vec![0; 256 << 10];
        loop {
            if self.observer.cancelled() {
                let (url, done, size) = (self.url.to_owned(), self.done, self.size);
                return Err(DownloadError::Cancelled { url, done, size });
            }
            match body.read(&mut block) {
                Ok(0) => return Ok(None),
                Ok(count) => {
                    // More than there should be is not worth the disk; the checksum will tell.
                    let count = count.min((self.size - self.done) as usize);
                    if count == 0 {
                        return Ok(None);
                    }
                    file.write_all(&block[..count]).map_err(|source| self.unwritten(source))?;
                    self.done += count as u64;
                    self.came = true;
                    self.observer.event(Event::Advanced { done: self.done, detail: String::new() });
                }
                Err(error) => return Ok(Some(error.to_string())),
            }
        }
    }

    /// Unreachable at first; broken off where something came just now.
    fn no_answer(&self, reason: String) -> DownloadError {
        let url = self.url.to_owned();
        if self.observer.cancelled() {
            DownloadError::Cancelled { url, done: self.done, size: self.size }
        } else if self.came {
            DownloadError::Interrupted { url, done: self.done, size: self.size, reason }
        } else {
            DownloadError::Unreachable { url, reason }
        }
    }

    fn unwritten(&self, source: io::Error) -> DownloadError {
        DownloadError::Write { path: self.part.to_owned(), source }
    }
}

#[cfg(test)]
mod tests;
