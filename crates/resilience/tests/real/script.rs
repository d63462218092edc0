//! TorchScript files that Python makes of a published checkpoint.

use std::path::Path;
use std::process::Command;

use resilience::batch::Batch;
use resilience::loss;
use resilience::model::{Classifier, Differentiable, Graph, Rows, Script};
use resilience_core::dataset::Split;
use resilience_core::format::pth;
use resilience_core::view::View;
use tch::Tensor;

use crate::{common, known, load};

/// Traces and scripts the network of a checkpoint: `checkpoint traced scripted`.
const EXPORT: &str = "
import sys, torch, networks
checkpoint, traced, scripted = sys.argv[1:]
model = networks.load(checkpoint)
torch.jit.trace(model, torch.rand(2, 3, 32, 32)).save(traced)
torch.jit.script(model).save(scripted)
";

/// Whether a Python with PyTorch could export; a `PYTHON` that is named has to.
fn exported(checkpoint: &Path, traced: &Path, scripted: &Path) -> bool {
    let named = std::env::var("PYTHON").ok();
    let mut python = Command::new(named.as_deref().unwrap_or("python3"));
    let peers = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../benches/peers");
    python.current_dir(peers).args(["-c", EXPORT]).args([checkpoint, traced, scripted]);
    let done = python.output().is_ok_and(|output| output.status.success());
    assert!(done || named.is_none(), "{python:?} has no PyTorch");
    done
}

fn answers(model: &dyn Differentiable, batch: &Batch) -> [Tensor; 2] {
    let pass = model.pass(&batch.images).unwrap();
    let losses = loss::cross_entropies(&pass.logits, &batch.labels).unwrap();
    [pass.logits.detach(), pass.gradient(&losses, Graph::Free).unwrap()]
}

fn apart(one: &Tensor, other: &Tensor) -> f64 {
    ((one - other).abs().max() / other.abs().max()).double_value(&[])
}

/// Would catch an export that is computed as another network than the checkpoint it was made of, one that
/// attacks cannot look at in our own form, and a clean accuracy that is not the published one to the image.
#[test]
#[ignore = "needs a Python with PyTorch: part of make test-full"]
fn an_export_is_the_network() {
    let Some((native, manifest, _)) = known("resnet2b") else { return };
    let Some(data) = common::shared("cifar10") else { return };
    let Some(models) = common::shared("models") else { return };
    let folder = tempfile::tempdir().unwrap();
    let files = ["traced.pt", "scripted.pt"].map(|name| folder.path().join(name));
    if !exported(&models.join(&manifest.file), &files[0], &files[1]) {
        return;
    }
    let images = load(data.to_str().unwrap(), Split::Test, 1000);
    let rows: Vec<usize> = (0..images.len()).collect();
    for file in &files {
        let (file, _) = pth::read_script(file, None).unwrap();
        // The export normalises pixels itself.
        let model = Script::load(&file, [0.0; 3], [1.0; 3], None).unwrap();
        assert_eq!((model.shape(), model.rows()), ([3, 32, 32], &Rows::Together));
        let twin = model.form(View::Folded).unwrap();
        let mut right = 0;
        for rows in rows.chunks(250) {
            let batch = Batch::from_rows(&images, rows).unwrap();
            let expected = answers(&native, &batch);
            for form in [Some(&model as &dyn Differentiable), twin.as_deref()] {
                let found = answers(form.expect("our own form"), &batch);
                let [by, along] = [apart(&found[0], &expected[0]), apart(&found[1], &expected[1])];
                assert!(by < 1e-5 && along < 1e-4, "logits {by:.1e}, gradient {along:.1e}");
            }
            right += loss::correct(&model.logits(&batch.images).unwrap(), &batch.labels).unwrap()
                as usize;
        }
        assert_eq!(right, 703);
    }
}
