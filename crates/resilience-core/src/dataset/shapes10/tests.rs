//! Tests of the whole data set; the drawing has its own.

use sha2::{Digest, Sha256};

use super::*;
use crate::dataset::Source;
use crate::event::Silent;
use crate::format::weights::hex;

fn first(split: Split, n: usize) -> Images {
    load(split, Some(n), &mut Silent).unwrap()
}

/// Would catch any change of a drawing, by an edit, a dependency or a platform whose arithmetic
/// differs: a figure on shapes10 is only comparable while the images are the same.
#[test]
fn the_images_are_the_published_ones() {
    for (split, expected) in [
        (Split::Train, "736daf7a3be23bda591e417cb165b3c531bbdbd0134d005b3274b83ad1d968ca"),
        (Split::Test, "6dc8bbdb37416edf255cac3522cdadbaf92738d53042eeb3b16e9d90998bf22e"),
    ] {
        let images = first(split, 100);
        let mut hasher = Sha256::new();
        hasher.update(images.labels().iter().map(|&label| label as u8).collect::<Vec<_>>());
        hasher.update(images.bytes().unwrap());
        assert_eq!(hex(&hasher.finalize()), expected, "{split}");
    }
}

/// Would catch draws that leak from one image into the next, so that a smaller n gives others.
#[test]
fn the_first_images_do_not_depend_on_how_many() {
    let many = first(Split::Train, 60);
    assert_eq!(first(Split::Train, 60), many);
    assert_eq!(first(Split::Train, 7), many.clone().first(7));
    let (image, label) = generate(SEED, Split::Train, 41);
    assert_eq!(image, many.bytes().unwrap()[41 * scene::BYTES..42 * scene::BYTES]);
    assert_eq!(u32::from(label), many.labels()[41]);
}

/// Would catch a key that ignores seed, split or index: test images among the training images.
#[test]
fn seed_split_and_index_all_matter() {
    let image = |seed, split, index| generate(seed, split, index).0;
    let one = image(0, Split::Train, 3);
    assert_ne!(one, image(1, Split::Train, 3));
    assert_ne!(one, image(0, Split::Test, 3));
    assert_ne!(one, image(0, Split::Train, 4));
    assert_ne!(one, image(0, Split::Train, 3 + (1 << 32)));
}

/// Would catch an unbalanced split, and labels whose order repeats.
#[test]
fn classes_are_balanced_and_in_random_order() {
    let labels: Vec<u8> = (0..200).map(|i| generate(SEED, Split::Test, i).1).collect();
    let blocks: Vec<&[u8]> = labels.chunks(10).collect();
    for block in &blocks {
        let mut sorted = block.to_vec();
        sorted.sort_unstable();
        assert_eq!(sorted, (0..10).collect::<Vec<u8>>());
    }
    assert!(blocks.windows(2).all(|pair| pair[0] != pair[1]));
}

/// Would catch a class that shows in plain pixel values (its colour, its place): the mean image
/// of every class must not tell the classes apart.
#[test]
fn the_nearest_mean_image_says_little() {
    let (train, test) = (first(Split::Train, 1500), first(Split::Test, 300));
    let mut means = vec![[0.0_f32; scene::BYTES]; 10];
    for (image, &label) in train.bytes().unwrap().chunks_exact(scene::BYTES).zip(train.labels()) {
        for (sum, &value) in means[label as usize].iter_mut().zip(image) {
            *sum += f32::from(value) / 150.0;
        }
    }
    let nearest = |image: &[u8]| {
        let distance = |mean: &[f32; scene::BYTES]| -> f32 {
            mean.iter().zip(image).map(|(m, &v)| (m - f32::from(v)).powi(2)).sum()
        };
        (0..10).min_by(|&a, &b| distance(&means[a]).total_cmp(&distance(&means[b]))).unwrap()
    };
    let images = test.bytes().unwrap().chunks_exact(scene::BYTES);
    let correct = images.zip(test.labels()).filter(|(i, l)| nearest(i) == **l as usize).count();
    assert!(correct < 300 * 6 / 10, "{correct} of 300");
}

/// Would catch a data set on which networks have nothing to learn that a linear model does not:
/// softmax regression, fitted by plain gradient descent well beyond chance, stays under 60 %.
#[test]
fn a_linear_classifier_is_not_enough() {
    let scaled = |images: &Images| -> Vec<f32> {
        images.bytes().unwrap().iter().map(|&pixel| f32::from(pixel) / 127.5 - 1.0).collect()
    };
    let (train, test) = (first(Split::Train, 500), first(Split::Test, 300));
    let (seen, unseen) = (scaled(&train), scaled(&test));
    let mut weights = vec![[0.0_f32; scene::BYTES]; 10];
    let scores = |weights: &[[f32; scene::BYTES]], image: &[f32]| -> Vec<f32> {
        let dot = |row: &[f32; scene::BYTES]| row.iter().zip(image).map(|(w, x)| w * x).sum();
        weights.iter().map(dot).collect()
    };
    for _ in 0..120 {
        let mut step = vec![[0.0_f32; scene::BYTES]; 10];
        for (image, &label) in seen.chunks_exact(scene::BYTES).zip(train.labels()) {
            let scores = scores(&weights, image);
            let most = scores.iter().copied().fold(f32::MIN, f32::max);
            let sum: f32 = scores.iter().map(|score| (score - most).exp()).sum();
            for (class, row) in step.iter_mut().enumerate() {
                let right = f32::from(u8::from(class == label as usize));
                let slope = 0.02 * (right - (scores[class] - most).exp() / sum) / 500.0;
                row.iter_mut().zip(image).for_each(|(sum, x)| *sum += slope * x);
            }
        }
        for (row, step) in weights.iter_mut().zip(&step) {
            row.iter_mut().zip(step).for_each(|(weight, step)| *weight += step);
        }
    }
    let correct = |pixels: &[f32], labels: &[u32]| {
        let images = pixels.chunks_exact(scene::BYTES).zip(labels);
        let best = |scores: Vec<f32>| (0..10).max_by(|&a, &b| scores[a].total_cmp(&scores[b]));
        images.filter(|(x, l)| best(scores(&weights, x)) == Some(**l as usize)).count()
    };
    let (fitted, found) = (correct(&seen, train.labels()), correct(&unseen, test.labels()));
    assert!(fitted > 250, "not fitted: {fitted} of 500");
    assert!(found < 300 * 6 / 10, "{found} of 300");
}

/// Would catch a registry entry that `--data shapes10` cannot load, or loads short.
#[test]
fn the_registry_gives_it() {
    let source = Source::known(crate::dataset::spec("shapes10").unwrap(), None);
    let images = source.load(Split::Test, Some(20), &mut Silent).unwrap();
    assert_eq!((images.len(), images.name(), images.shape()), (20, "shapes10", [3, 32, 32]));
    assert!(source.load(Split::Test, Some(2_001), &mut Silent).is_err());
}

/// Would catch a drawing that cannot be interrupted.
#[test]
fn drawing_stops_when_asked() {
    struct Stop;
    impl Observer for Stop {
        fn event(&mut self, _: Event) {}
        fn cancelled(&self) -> bool {
            true
        }
    }
    assert!(matches!(load(Split::Test, None, &mut Stop), Err(DatasetError::Cancelled(_))));
}
