//! Real data and real checkpoints, from the folder that developers have beside their checkout; and
//! the training loop, on shapes10 where nothing else is needed.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails right there")]

mod batch_shapes;
#[path = "../../../resilience-core/tests/common/mod.rs"]
mod common;
mod known_models;
mod onnx;
mod robust;
mod script;
mod training;

use std::path::Path;

use resilience::model::{Classifier, Native};
use resilience::{batch::Batch, loss};
use resilience_core::dataset::{self, Images, Places, Split};
use resilience_core::event::Silent;
use resilience_core::manifest::Manifest;

/// A data set by name or path; nothing is looked for elsewhere or downloaded.
fn load(request: &str, split: Split, n: usize) -> Images {
    let source = dataset::find(Some(request), &Places::default(), &mut Silent).unwrap();
    source.load(split, Some(n), &mut Silent).unwrap()
}

/// A known checkpoint with its manifest and checksum; none where developers' files are absent.
fn known(name: &str) -> Option<(Native, Manifest, String)> {
    let models = common::shared("models")?;
    let folder = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../models"));
    let mut manifest = Manifest::read(&folder.join(format!("{name}.toml"))).unwrap();
    manifest.file = models.join(manifest.file.file_name().unwrap());
    let (state, sha256) = manifest.load().unwrap();
    let model = Native::load(&manifest.architecture, &state, manifest.mean, manifest.std).unwrap();
    Some((model, manifest, sha256))
}

/// How many images a model classifies correctly.
fn correct(model: &Native, images: &Images) -> usize {
    let rows: Vec<usize> = (0..images.len()).collect();
    let batches = rows.chunks(250).map(|rows| Batch::from_rows(images, rows).unwrap());
    batches
        .map(|batch| {
            loss::correct(&model.logits(&batch.images).unwrap(), &batch.labels).unwrap() as usize
        })
        .sum()
}
