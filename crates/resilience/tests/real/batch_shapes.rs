//! What batch shapes and thread counts change: floats added in another order.

use std::io::Write as _;

use resilience::batch::Batch;
use resilience::loss;
use resilience::model::{Differentiable, Graph, Oracle};
use resilience_core::dataset::Split;
use resilience_core::view::View;
use tch::{IndexOp, Tensor};

use crate::{common, known, load};

const ROWS: i64 = 128;

/// A known checkpoint, as it is and in the forms in f32 that attacks look at.
fn models(name: &str) -> Option<Vec<(&'static str, Box<dyn Differentiable>)>> {
    let (native, ..) = known(name)?;
    let form = |view: View| Some((view.name(), native.form(view).unwrap()?));
    let mut models: Vec<_> = [View::Folded, View::Compiled].into_iter().filter_map(form).collect();
    models.insert(0, ("reference", Box::new(native)));
    Some(models)
}

/// Logits and input gradients of the cross-entropy, computed in chunks of so many rows.
fn computed(model: &dyn Differentiable, batch: &Batch, chunk: u64) -> (Tensor, Tensor) {
    let oracle = Oracle::new(model, chunk, 1, None);
    let ascent = oracle
        .ascent(&batch.images, &|logits, span| {
            loss::cross_entropies(logits, &span.of(&batch.labels)?)
        })
        .unwrap();
    (ascent.logits, ascent.gradient)
}

/// The same in batches of exactly so many rows, not filled up.
fn bare(model: &dyn Differentiable, batch: &Batch, rows: i64) -> (Tensor, Tensor) {
    let pass = model.pass(&batch.images.i(..rows)).unwrap();
    let losses = loss::cross_entropies(&pass.logits, &batch.labels.i(..rows)).unwrap();
    (pass.logits.detach(), pass.gradient(&losses, Graph::Free).unwrap())
}

fn apart(a: &Tensor, b: &Tensor) -> f64 {
    (a - b).abs().max().double_value(&[])
}

fn say(text: &str) {
    // Not `eprintln`, which the test harness swallows where a test passes.
    let _ = writeln!(std::io::stderr(), "{text}");
}

/// Would catch a pool whose results depend on which images share a chunk by more than the order of
/// floats explains. It says what it measured: METHODOLOGY.md has the figures.
#[test]
fn chunks_change_no_more_than_the_order_of_sums() {
    let Some(data) = common::shared("cifar10") else { return };
    let images = load(data.to_str().unwrap(), Split::Test, ROWS as usize);
    let batch = Batch::from_images(&images, 0..ROWS as usize).unwrap();
    for name in ["resnet32-standard", "resnet32-linf8-adversarial"] {
        let Some(models) = models(name) else { return };
        for (view, model) in models {
            let (logits, gradient) = computed(model.as_ref(), &batch, ROWS as u64);
            let (mut filled, mut raw) = ([0.0_f64; 2], [0.0_f64; 2]);
            for chunk in [1, 5, 13, 16, 31, 100] {
                let found = computed(model.as_ref(), &batch, chunk);
                filled[0] = filled[0].max(apart(&found.0, &logits));
                filled[1] = filled[1].max(apart(&found.1, &gradient));
                let rows = chunk as i64;
                let found = bare(model.as_ref(), &batch, rows);
                raw[0] = raw[0].max(apart(&found.0, &logits.i(..rows)));
                raw[1] = raw[1].max(apart(&found.1, &gradient.i(..rows)));
            }
            let size = gradient.abs().max().double_value(&[]);
            say(&format!(
                "{name}, {view}: chunks of any size against one of {ROWS}: logits {:.1e}, gradients \
                 {:.1e} (largest {size:.1e}); not filled up: {:.1e}, {:.1e}",
                filled[0], filled[1], raw[0], raw[1]
            ));
            assert!(filled[0] < 1e-4 && raw[0] < 1e-4, "{name}: {filled:?} {raw:?}");
        }
    }
}
