//! `HopSkipJump` against foolbox, query by query.

use resilience::attack::hopskipjump::{Draws, Run, Walk, Walks, origins};
use resilience::attack::{Rows, State};
use resilience::model::{Classifier, Oracle};
use resilience::rows::select;
use serde_json::Value;
use tch::{Kind, Tensor};

use super::attack_network::{Small, assert_digest, classes, flat, norm, rows};
use super::{assert_close, fixture, formula, numbers};

const TOLERANCE: f64 = 1e-9;
const PIXELS: usize = 3 * 8 * 8;

/// The numbers of an image `[3,8,8]`, with the channels side by side.
fn side_by_side(image: &Tensor) -> Vec<f64> {
    origins(&image.unsqueeze(0)).unwrap().remove(0)
}

/// What the library was given to draw: the directions of one step after the other.
struct Given {
    samples: Vec<usize>,
    step: usize,
    left: Vec<Vec<f64>>,
}

impl Given {
    fn new(first: f64, steps: u32) -> Self {
        let samples = |step| (first * f64::from(step).sqrt()) as usize;
        Self { samples: (1..=steps).map(samples).collect(), step: 0, left: Vec::new() }
    }
}

impl Draws for Given {
    fn image(&mut self, _: &mut [f64]) {
        panic!("it begins at a point");
    }

    fn direction(&mut self, direction: &mut [f64]) {
        if self.left.is_empty() {
            // Beyond the last step of the fixture: any will do.
            let samples = self.samples.get(self.step).copied().unwrap_or(1);
            let drawn = formula::signed(8610 + self.step as u64, samples * PIXELS);
            let images = Tensor::from_slice(&drawn).view([-1, 3, 8, 8]);
            self.left = (0..samples).rev().map(|k| side_by_side(&images.get(k as i64))).collect();
            self.step += 1;
        }
        direction.copy_from_slice(&self.left.pop().unwrap());
    }
}

/// A walk that begins where the library's did.
fn walk(expected: &Value, place: usize, origin: Vec<f64>) -> Walk {
    let row = classes(&expected["rows"])[place];
    let start = formula::images(8600, [64, 3, 8, 8]).get(row);
    let start = if expected["turned"][place] == true { 1.0 - start } else { start };
    let real = |key: &str| expected[key].as_f64().unwrap();
    let run = Run {
        norm: norm(expected),
        samples: real("samples") as u32,
        probe: real("gamma") / PIXELS as f64,
    };
    let draws = Given::new(real("samples"), real("steps") as u32);
    Walk::begin_at(run, origin, side_by_side(&start), Box::new(draws)).unwrap()
}

fn walks(expected: &Value, rows: &Rows) -> Walks {
    let origins = origins(&rows.images).unwrap().into_iter();
    Walks::new(origins.enumerate().map(|(place, x)| walk(expected, place, x)).collect(), rows)
}

/// Would catch another bisection, threshold, delta, number of directions, estimate, length of step or rule of
/// halving, an answer taken for another walk's, and walks that wait for each other or go on with the wrong
/// image when one leaves.
#[test]
fn every_query_is_that_of_the_reference() {
    for name in ["linf", "l2"] {
        let expected = fixture(&format!("hopskipjump/{name}.json"));
        let model = Small::new(8);
        let oracle = Oracle::new(&model, 128, 1, None);
        let rows = rows(&model, 8, &expected, &Value::Null);
        let mut walks = walks(&expected, &rows);
        let theirs = expected["walks"].as_array().unwrap();
        let mut labels = rows.labels.shallow_clone();
        let mut live: Vec<usize> = (0..theirs.len()).collect();
        let mut points = vec![0; theirs.len()];
        let mut seen = vec![Vec::new(); theirs.len()];
        for query in 0.. {
            let left: Vec<usize> = (0..live.len())
                .filter(|&place| query < theirs[live[place]]["answers"].as_array().unwrap().len())
                .collect();
            let index = Tensor::from_slice(&left.iter().map(|&at| at as i64).collect::<Vec<_>>());
            if left.is_empty() {
                break;
            }
            for tensor in walks.tensors() {
                *tensor = select(tensor, &index).unwrap();
            }
            walks.keep(&left);
            labels = labels.index_select(0, &index);
            live = left.iter().map(|&place| live[place]).collect();
            let found = walks.step(&oracle).unwrap();
            let logits = found.logits.unwrap();
            let again = model.logits(&found.images).unwrap();
            assert_close(name, &flat(&logits), &flat(&again), TOLERANCE);
            let others = Vec::<bool>::try_from(logits.argmax(1, false).ne_tensor(&labels)).unwrap();
            for ((&image, walk), other) in live.iter().zip(walks.walks()).zip(others) {
                let theirs = &theirs[image];
                let at = format!("{name}, image {image}, query {query}");
                assert_eq!(theirs["answers"][query], u8::from(other), "{at}");
                let Some((point, distance)) = walk.point() else { continue };
                if seen[image] != point {
                    seen[image] = point.to_vec();
                    let numbers_of = Tensor::from_slice(point).view([8, 8, 3]).permute([2, 0, 1]);
                    let digest = &theirs["points"][points[image]];
                    assert_digest(&at, &numbers_of.contiguous(), digest, TOLERANCE);
                    let expected = &numbers(&theirs["distances"])[points[image]..=points[image]];
                    assert_close(&at, &[distance], expected, TOLERANCE);
                    points[image] += 1;
                }
            }
        }
        let steps = expected["steps"].as_u64().unwrap() as usize;
        assert_eq!(points, vec![steps + 1; theirs.len()], "{name}: points");
        assert_eq!(rows.images.kind(), Kind::Double);
    }
}
