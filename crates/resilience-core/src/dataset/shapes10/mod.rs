//! `shapes10`: ten silhouettes on busy backgrounds, drawn by the program itself.
//!
//! Every image is a function of (seed, split, index) alone, the same on every platform, so that
//! the data set needs no file and its first n images do not depend on n. The class decides the
//! silhouette and nothing else: colours, contrast, place, size and tilt are drawn alike for all
//! classes, and the silhouette is as often lighter than the ground as darker, which leaves a
//! linear classifier of the pixels little to go by. A mirror image or a small rotation is of the
//! same class.

mod draws;
mod scene;
mod silhouette;

use std::path::PathBuf;

use super::{DatasetError, DatasetSpec, Images, Origin, Split};
use crate::event::{Event, Observer, Unit};
use draws::{Draws, Purpose};
use scene::Scene;
use silhouette::Silhouette;

/// `shapes10` for the registry.
pub static SPEC: DatasetSpec = DatasetSpec {
    id: "shapes10",
    title: "shapes10",
    source: "drawn by this program from a fixed seed",
    classes: &Silhouette::NAMES,
    shape: [3, scene::SIDE, scene::SIDE],
    train: 10_000,
    test: 2_000,
    doc: "12,000 drawings of 32x32 pixels, 1,200 of each of ten silhouettes (disc, ring, square, \
          frame, triangle, cross, star, crescent, heart, bars) at random place, size and tilt, in \
          random colours on a random ground with spots and noise. It is there when no file is: \
          something to try the program on. A figure on it says nothing of a figure on photographs.",
    origin: Origin::Generated(load),
};

/// The seed of the data set that goes by the name.
pub const SEED: u64 = 0;

/// Images drawn between two looks at the observer.
const CHUNK: usize = 500;

fn load(
    split: Split,
    n: Option<usize>,
    observer: &mut dyn Observer,
) -> Result<Images, DatasetError> {
    let whole = match split {
        Split::Train => SPEC.train,
        Split::Test => SPEC.test,
    };
    let n = n.unwrap_or(whole).min(whole);
    let (mut pixels, mut labels) = (Vec::with_capacity(n * scene::BYTES), Vec::with_capacity(n));
    let task = format!("drawing shapes10 ({split})");
    observer.event(Event::Started { task, total: Some(n as u64), unit: Unit::Images });
    for start in (0..n).step_by(CHUNK) {
        if observer.cancelled() {
            return Err(DatasetError::Cancelled(PathBuf::from(SPEC.id)));
        }
        for index in start..n.min(start + CHUNK) {
            let (image, label) = generate(SEED, split, index as u64);
            pixels.extend_from_slice(&image);
            labels.push(u32::from(label));
        }
        observer.event(Event::Advanced { done: labels.len() as u64, detail: String::new() });
    }
    observer.event(Event::Finished);
    Ok(Images::new(&SPEC, split, pixels, labels))
}

/// One image and its label. The image is [3, 32, 32] in row-major order, 0 (black) to 255.
///
/// Ten images in a row, from a multiple of ten on, are of ten classes.
#[must_use]
pub fn generate(seed: u64, split: Split, index: u64) -> ([u8; scene::BYTES], u8) {
    let classes = Silhouette::ALL.len() as u64;
    let order = shuffled(&mut Draws::keyed(seed, split, Purpose::Order, index / classes));
    let silhouette = order[(index % classes) as usize];
    let mut draws = Draws::keyed(seed, split, Purpose::Image, index);
    let scene = Scene::draw(&mut draws, silhouette);
    (scene.paint(&mut draws), silhouette as u8)
}

/// The classes in random order (Fisher and Yates).
fn shuffled(draws: &mut Draws) -> [Silhouette; Silhouette::ALL.len()] {
    let mut order = Silhouette::ALL;
    for last in (1..order.len()).rev() {
        order.swap(last, draws.below(last + 1));
    }
    order
}

#[cfg(test)]
mod tests;
