//! Published checkpoints with known figures.

use resilience::zoo;
use resilience_core::dataset::Split;

use crate::{common, correct, known, load};

/// Correctly classified of the first `n` test images, by the manifest's model.
fn clean(manifest: &str, n: usize) -> Option<usize> {
    let data = common::shared("cifar10")?;
    let (model, ..) = known(manifest)?;
    let images = load(data.to_str().unwrap(), Split::Test, n);
    Some(correct(&model, &images))
}

/// Would catch a normalisation, shortcut, prefix or order of pixels that is only nearly right:
/// PyTorch classifies the same numbers of the first 1,000 images.
#[test]
fn the_first_thousand_images_come_out_to_the_image() {
    for (manifest, expected) in [
        ("resnet32-linf8-adversarial", 869),
        ("resnet32-standard", 928),
        ("resnet2b", 703),
        ("cifar-wide-kw", 636),
    ] {
        let Some(found) = clean(manifest, 1000) else { return };
        assert_eq!(found, expected, "{manifest}");
    }
}

/// Would catch a real file that is taken for another architecture, or for none.
#[test]
fn real_files_are_recognised() {
    for name in [
        "resnet32-linf8-adversarial",
        "resnet32-standard",
        "resnet2b",
        "cifar-wide-kw",
        "cifar-wide-sgd",
        "cifar-wide-madry",
    ] {
        let Some((_, manifest, _)) = known(name) else { return };
        let fits = zoo::likely(&manifest.load().unwrap().0);
        assert!(fits[0].is_exact(), "{name}: {:?}", fits[0].problems());
        assert_eq!(fits[0].architecture.name(), manifest.architecture, "{name}");
    }
}

/// Would catch the same, against the published figures on all 10,000 test images.
#[test]
#[ignore = "takes a minute: part of make test-full"]
fn all_images_come_out_to_the_image() {
    for (manifest, expected) in [
        ("resnet32-linf8-adversarial", 8557),
        ("resnet32-standard", 9263),
        ("resnet2b", 6925),
        ("cifar-wide-kw", 6162),
        ("cifar-wide-sgd", 7610),
        ("cifar-wide-madry", 3524),
    ] {
        let Some(found) = clean(manifest, 10_000) else { return };
        assert_eq!(found, expected, "{manifest}");
    }
}
