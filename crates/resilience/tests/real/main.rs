//! Real data and real checkpoints, from the folder that developers have beside their checkout; and
//! the training loop, on shapes10 where nothing else is needed.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails right there")]

#[path = "../../../resilience-core/tests/common/mod.rs"]
mod common;
mod known_models;
mod training;

use resilience::evaluate::{self, Model};
use resilience::model::Native;
use resilience_core::context::{Context, Stopped};
use resilience_core::dataset::{self, Images, Places, Split};
use resilience_core::event::Silent;

/// A data set by name or path; nothing is looked for elsewhere or downloaded.
fn load(request: &str, split: Split, n: usize) -> Images {
    let source = dataset::find(Some(request), &Places::default(), &mut Silent).unwrap();
    source.load(split, Some(n), &mut Silent).unwrap()
}

/// How many images a model classifies correctly.
fn correct(name: &str, model: Native, images: &Images) -> usize {
    let model = Model { name: name.to_owned(), reference: Box::new(model) };
    let mut context = Context { observer: &mut Silent, clock: &Stopped };
    let outcomes = evaluate::clean(&mut context, &model, images).unwrap();
    outcomes.iter().filter(|outcome| outcome.predicted == outcome.label).count()
}
