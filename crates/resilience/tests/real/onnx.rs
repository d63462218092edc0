//! Published ONNX files with known figures, and the same networks as checkpoints.

use resilience::batch::Batch;
use resilience::loss;
use resilience::model::{Classifier, Differentiable, Graph, Onnx, Rows};
use resilience_core::dataset::Split;
use resilience_core::format::onnx;
use tch::Tensor;

use crate::{common, known, load};

/// The files, the known models that are the same networks, and their figures on the first 1,000 and on all
/// test images.
const FILES: [(&str, &str, usize, usize); 2] =
    [("resnet_2b.onnx", "resnet2b", 703, 6925), ("cifar_wide_kw.onnx", "cifar-wide-kw", 636, 6162)];

/// A file with the normalisation of the known model.
fn graph(file: &str, same: &str) -> Option<Onnx> {
    let path = common::shared("models")?.join(file);
    let (_, manifest, _) = known(same)?;
    let (graph, _) = onnx::read_checked(&path, None).unwrap();
    Some(Onnx::load(&graph, manifest.mean, manifest.std, None).unwrap())
}

fn correct(model: &dyn Classifier, n: usize) -> Option<usize> {
    let data = common::shared("cifar10")?;
    let images = load(data.to_str().unwrap(), Split::Test, n);
    let rows: Vec<usize> = (0..images.len()).collect();
    let batches = rows.chunks(250).map(|rows| Batch::from_rows(&images, rows).unwrap());
    let right = batches.map(|batch| {
        loss::correct(&model.logits(&batch.images).unwrap(), &batch.labels).unwrap() as usize
    });
    Some(right.sum())
}

/// Would catch an operation, or a batch made free, that is only nearly right.
#[test]
fn the_first_thousand_images_come_out_to_the_image() {
    for (file, same, expected, _) in FILES {
        let Some(model) = graph(file, same) else { return };
        assert_eq!(*model.rows(), Rows::Together, "{file}");
        let Some(found) = correct(&model, 1000) else { return };
        assert_eq!(found, expected, "{file}");
    }
}

/// Would catch the same, against the published figures on all 10,000 test images.
#[test]
#[ignore = "takes a minute: part of make test-full"]
fn all_images_come_out_to_the_image() {
    for (file, same, _, expected) in FILES {
        let Some(model) = graph(file, same) else { return };
        let Some(found) = correct(&model, 10_000) else { return };
        assert_eq!(found, expected, "{file}");
    }
}

/// Which images 20 steps of the gradient's sign leave right, at 2/255 in Linf.
fn left(model: &dyn Differentiable, batch: &Batch) -> Vec<bool> {
    let (clean, eps) = (&batch.images, 2.0 / 255.0);
    let mut images = clean.shallow_clone();
    for _ in 0..20 {
        let pass = model.pass(&images).unwrap();
        let losses = loss::cross_entropies(&pass.logits, &batch.labels).unwrap();
        let step = pass.gradient(&losses, Graph::Free).unwrap().sign() * (eps / 4.0);
        let moved = (images + step).minimum(&(clean + eps)).maximum(&(clean - eps));
        images = moved.clamp(0.0, 1.0);
    }
    let logits = model.logits(&images).unwrap();
    let right: Tensor = logits.argmax(1, false).eq_tensor(&batch.labels);
    Vec::try_from(right).unwrap()
}

/// Would catch gradients through a graph that are not the network's: the same attack on the checkpoint and on
/// the file breaks the same images, 99.5 % of them at least.
#[test]
fn the_same_attack_breaks_the_same_images() {
    let n = 200;
    let Some(data) = common::shared("cifar10") else { return };
    let images = load(data.to_str().unwrap(), Split::Test, n);
    let batch = Batch::from_images(&images, 0..n).unwrap();
    for (file, same, ..) in FILES {
        let (Some(graph), Some((native, ..))) = (graph(file, same), known(same)) else { return };
        let (one, other) = (left(&graph, &batch), left(&native, &batch));
        let alike = one.iter().zip(&other).filter(|(a, b)| a == b).count();
        assert!(alike * 1000 >= n * 995, "{file}: {alike} of {n}");
        assert!(
            one.iter().filter(|&&right| right).count() < n * 7 / 10,
            "{file}: nothing is broken"
        );
    }
}
