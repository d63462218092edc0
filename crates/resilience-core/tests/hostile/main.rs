//! Files that lie, of every kind that is read: whatever one says, reading it ends in a result or in an error
//! that names the file, never in a panic, a hang or memory that the file does not have.
//!
//! One file here is one kind. `parsers.rs` lists every parser as a function of bytes; the fuzz targets in
//! `fuzz/` call the same functions.

#![expect(clippy::unwrap_used, reason = "a helper that fails fails its test")]

mod archives;
mod data;
mod files;
mod memory;
mod networks;
mod parsers;
mod pictures;
mod places;
mod records;
mod scripts;
mod seeds;
mod stores;
mod texts;
mod weights;
