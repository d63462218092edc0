//! Real data and real checkpoints, from the folder that developers have beside their checkout; and
//! the training loop, on shapes10 where nothing else is needed.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails right there")]

mod batch_shapes;
#[path = "../../../resilience-core/tests/common/mod.rs"]
mod common;
mod known_models;
mod robust;
mod training;

use resilience::model::{Classifier, Native};
use resilience::{batch::Batch, loss};
use resilience_core::dataset::{self, Images, Places, Split};
use resilience_core::event::Silent;

/// A data set by name or path; nothing is looked for elsewhere or downloaded.
fn load(request: &str, split: Split, n: usize) -> Images {
    let source = dataset::find(Some(request), &Places::default(), &mut Silent).unwrap();
    source.load(split, Some(n), &mut Silent).unwrap()
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
