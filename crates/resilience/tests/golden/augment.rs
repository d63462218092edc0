//! Flip and rotation against torchvision.

use resilience::augment::{self, Transform};
use resilience_core::dataset::{Images, Split, spec};
use resilience_core::method::Interpolation;

use super::{fixture, formula, numbers};

/// Would catch a rotation in the other direction, about another centre, after instead of before
/// the flip, or with another rule for the nearest pixel or the border.
#[test]
fn rotation_agrees_with_torchvision() {
    let folder = format!("{}/tests/golden/augment", env!("CARGO_MANIFEST_DIR"));
    let nearest = std::fs::read(format!("{folder}/nearest.bin")).unwrap();
    let bilinear: Vec<f32> = std::fs::read(format!("{folder}/bilinear.bin"))
        .unwrap()
        .as_chunks()
        .0
        .iter()
        .map(|&bytes| f32::from_le_bytes(bytes))
        .collect();
    let cifar10 = spec("cifar10").unwrap();
    let images = Images::new(cifar10, Split::Train, formula::bytes(7000, 3072), vec![0]);
    let angles = numbers(&fixture("augment/augment.json")["angles"]);
    let cases = angles.iter().flat_map(|&degrees| [(degrees, false), (degrees, true)]);
    for (case, (degrees, flip)) in cases.enumerate() {
        let rotated = |interpolation| {
            let mut out = vec![0.0; 3072];
            let transform = Transform { flip, degrees, shift: [0, 0] };
            augment::transform(&images, 0, transform, interpolation, &mut out).unwrap();
            out
        };
        let (by_nearest, by_bilinear) =
            (rotated(Interpolation::Nearest), rotated(Interpolation::Bilinear));
        for (pixel, channel) in (0..1024).flat_map(|pixel| (0..3).map(move |c| (pixel, c))) {
            let (ours, theirs) = (pixel * 3 + channel, case * 3072 + channel * 1024 + pixel);
            let at = format!("{degrees} degrees, flip {flip}, pixel {pixel}, channel {channel}");
            let found = by_nearest[ours];
            assert!((found - f32::from(nearest[theirs]) / 255.0).abs() < 1e-6, "nearest {at}");
            assert!((by_bilinear[ours] - bilinear[theirs]).abs() < 2e-5, "bilinear {at}");
        }
    }
}
