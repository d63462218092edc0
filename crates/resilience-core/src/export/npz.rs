//! The adversarial images of a run as NumPy arrays, one file for each model.
//!
//! A `.npz` is a ZIP archive of `.npy` entries, and those are a line of text before the numbers
//! (NumPy enhancement proposal 1), so that the archive's crate is all that this needs.

use std::collections::BTreeMap;
use std::io::{self, Seek, Write};
use std::path::{Path, PathBuf};

use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, DateTime, ZipWriter};

use super::{ExportError, broken, found, hidden};
use crate::format::atomic;
use crate::record::{Example, ModelRecord};
use crate::store::{AttackId, ModelId, RunStore, StoreError};

/// A file with the adversarial images of a model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Npz {
    /// The model's name.
    pub model: String,
    /// The file.
    pub path: PathBuf,
    /// How many images are in it: those that an attack broke, as far as they were kept.
    pub images: u64,
}

/// Writes one file for each model into the folder, which is made where it is missing. Its arrays:
///
/// | name | type and shape | |
/// |---|---|---|
/// | `x_adv` | float32 `[m, channels, height, width]` | pixels in [0, 1], as the model saw them |
/// | `y` | int64 `[m]` | true class |
/// | `index` | int64 `[m]` | place of the image in its split, ascending |
/// | `attack` | int64 `[m]` | stage of the plan that broke it |
///
/// An image has one entry: of the stages that broke it and kept it, the one at the smallest eps,
/// and of several such the first. Radii in different norms do not compare; there, the norm that
/// comes first in the plan goes first. An image that was wrong without an attack has none.
pub fn npz(store: &RunStore, dir: &Path) -> Result<Vec<Npz>, ExportError> {
    std::fs::create_dir_all(dir).map_err(|source| {
        ExportError::Write(atomic::AtomicError { path: dir.to_owned(), source })
    })?;
    let mut files = Vec::new();
    for (number, (model, record)) in (1..).zip(store.models()?) {
        let path = dir.join(format!("{number}-{}.npz", slug(&record.name)));
        let chosen = chosen(store, model)?;
        atomic::write_with(&path, |out| fill(store, &record, &chosen, out)).map_err(found)?;
        files.push(Npz { model: record.name, path, images: chosen.len() as u64 });
    }
    Ok(files)
}

/// The example of an image that goes into the file.
struct Chosen {
    attack: AttackId,
    stage: u64,
    label: u32,
    /// Position of the norm in the plan, radius, stage: the smallest is taken.
    rank: (usize, f64, u64),
}

fn chosen(store: &RunStore, model: ModelId) -> Result<BTreeMap<u64, Chosen>, StoreError> {
    let clean = store.clean(model)?;
    let norms: Vec<_> = store.plan().stages.iter().map(|stage| stage.threat.norm).collect();
    let mut chosen: BTreeMap<u64, Chosen> = BTreeMap::new();
    for (attack, record) in store.attacks(model)? {
        let norm = norms.iter().position(|&norm| norm == record.norm).unwrap_or(norms.len());
        let rank = (norm, record.eps, record.stage);
        let kept = store.example_indices(attack)?;
        for outcome in store.outcomes(attack)? {
            // The store gives outcomes of images of the run only, which stand in order.
            let clean = &clean[(outcome.index - clean[0].index) as usize];
            let better = chosen.get(&outcome.index).is_none_or(|other| rank < other.rank);
            if better && broken(clean, &outcome) && kept.binary_search(&outcome.index).is_ok() {
                let this = Chosen { attack, stage: record.stage, label: clean.label, rank };
                chosen.insert(outcome.index, this);
            }
        }
    }
    Ok(chosen)
}

/// Writes the archive; one image is in memory at a time.
fn fill(
    store: &RunStore,
    model: &ModelRecord,
    chosen: &BTreeMap<u64, Chosen>,
    out: &mut (impl Write + Seek),
) -> io::Result<()> {
    let mut images = chosen.iter().map(|(&index, chosen)| read(store, chosen, index)).peekable();
    let shape = match images.peek() {
        Some(Ok(first)) => first.shape,
        _ => [0; 3],
    };
    let [channels, height, width] = shape;
    let m = chosen.len();
    let mut zip = ZipWriter::new(out);
    start(&mut zip, "x_adv", "<f4", &[m, channels, height, width])?;
    for example in images {
        let example = example.map_err(hidden)?;
        if example.shape != shape {
            let (model, index, got) = (model.name.clone(), example.index, example.shape);
            return Err(hidden(ExportError::Shapes { model, index, expected: shape, got }));
        }
        let bytes: Vec<u8> = example.pixels.iter().flat_map(|pixel| pixel.to_le_bytes()).collect();
        zip.write_all(&bytes)?;
    }
    column(&mut zip, "y", chosen.values().map(|chosen| u64::from(chosen.label)))?;
    column(&mut zip, "index", chosen.keys().copied())?;
    column(&mut zip, "attack", chosen.values().map(|chosen| chosen.stage))?;
    zip.finish().map_err(io::Error::from)?;
    Ok(())
}

fn column(
    zip: &mut ZipWriter<impl Write + Seek>,
    name: &str,
    values: impl ExactSizeIterator<Item = u64>,
) -> io::Result<()> {
    start(zip, name, "<i8", &[values.len()])?;
    let bytes: Vec<u8> = values.flat_map(|value| (value as i64).to_le_bytes()).collect();
    zip.write_all(&bytes)
}

fn read(store: &RunStore, chosen: &Chosen, index: u64) -> Result<Example, StoreError> {
    store.example(chosen.attack, index)?.ok_or_else(|| StoreError::Damaged {
        path: store.path().to_owned(),
        what: format!("the example of image {index} at stage {} is gone", chosen.stage),
    })
}

/// Begins an array: its entry in the archive and the line of text before its numbers.
fn start(
    zip: &mut ZipWriter<impl Write + Seek>,
    name: &str,
    kind: &str,
    shape: &[usize],
) -> io::Result<()> {
    let numbers = shape.iter().map(|&side| side as u64).product::<u64>();
    let options = SimpleFileOptions::default()
        .compression_method(CompressionMethod::Stored)
        .last_modified_time(DateTime::default())
        .large_file(numbers.saturating_mul(8) > u64::from(u32::MAX / 2));
    zip.start_file(format!("{name}.npy"), options)?;
    zip.write_all(&header(kind, shape))
}

/// Magic, version 1.0, length and the text, which is padded so that the numbers begin at a multiple
/// of 64 bytes.
fn header(kind: &str, shape: &[usize]) -> Vec<u8> {
    let sides: Vec<_> = shape.iter().map(ToString::to_string).collect();
    // A tuple of one has a comma.
    let comma = if sides.len() == 1 { "," } else { "" };
    let shape = format!("({}{comma})", sides.join(", "));
    let mut text = format!("{{'descr': '{kind}', 'fortran_order': False, 'shape': {shape}, }}");
    let unpadded = 10 + text.len() + 1;
    text.push_str(&" ".repeat(unpadded.next_multiple_of(64) - unpadded));
    text.push('\n');
    let length = (text.len() as u16).to_le_bytes();
    [b"\x93NUMPY\x01\x00", &length[..], text.as_bytes()].concat()
}

/// A name that every file system takes.
fn slug(name: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { ' ' };
    let words: String = name.chars().map(plain).collect();
    let mut slug = words.split_whitespace().collect::<Vec<_>>().join("-");
    slug.truncate(60);
    slug
}
