//! Carlini and Wagner's attack against foolbox and torchattacks, image by image.

use resilience::attack::State;
use resilience::attack::cw::{Iterate, Run};
use resilience::geometry;
use resilience::loss;
use resilience::model::Oracle;
use resilience_core::threat::Norm;
use serde_json::Value;
use tch::Tensor;

use super::attack_network::{Small, flat, rows};
use super::{assert_close, fixture, formula, numbers};

const TOLERANCE: f64 = 1e-9;

/// Would catch another loss, margin, step, way into the box and back, another constant, end of its
/// steps or stall, and an image whose search hangs on those beside it: the references see each alone.
#[test]
fn every_iterate_is_that_of_the_libraries() {
    for name in ["foolbox", "torchattacks"] {
        for (number, recorded) in
            fixture(&format!("cw/{name}.json"))["runs"].as_array().unwrap().iter().enumerate()
        {
            compare(&format!("{name}, run {number}"), recorded);
        }
    }
}

fn compare(at: &str, recorded: &Value) {
    let count = |key: &str| recorded[key].as_u64().unwrap() as u32;
    let real = |key: &str| recorded[key].as_f64().unwrap();
    let run = Run {
        search_steps: count("search_steps"),
        steps: count("steps"),
        step_size: real("step_size"),
        confidence: real("confidence"),
        initial_const: real("initial_const"),
    };
    let model = Small::new(8);
    let oracle = Oracle::new(&model, 128, 1, None);
    let rows = rows(&model, 8, recorded, &recorded["targets"]);
    let images = recorded["images"].as_array().unwrap();
    let theirs: Vec<Vec<f64>> = images.iter().map(|image| numbers(&image["projections"])).collect();
    let signs = Tensor::from_slice(&formula::signed(8100, 192));
    let mut iterate = Iterate::begin(run, &rows).unwrap();
    let mut nearest = (0..images.len()).map(|_| (f64::INFINITY, Tensor::new())).collect::<Vec<_>>();
    for step in 0..(run.search_steps * run.steps) as usize {
        let found = iterate.step(&oracle).unwrap();
        let ours = flat(&found.images.flatten(1, -1).matmul(&signs));
        let lead = match &rows.targets {
            Some(targets) => loss::margins(&found.logits.unwrap(), targets).unwrap(),
            None => -loss::margins(&found.logits.unwrap(), &rows.labels).unwrap(),
        };
        let lead = flat(&lead);
        let away = flat(&geometry::distance(Norm::L2, &found.images, &rows.images).unwrap());
        for (row, theirs) in theirs.iter().enumerate() {
            // The libraries end where an image stalls at its last constant.
            let Some(&expected) = theirs.get(step) else { continue };
            let here = format!("{at}, row {row}, step {step}");
            assert_close(&here, &[ours[row]], &[expected], TOLERANCE);
            if lead[row] >= run.confidence && away[row] < nearest[row].0 {
                nearest[row] = (away[row], found.images.get(row as i64));
            }
        }
    }
    for ((image, (distance, nearest)), row) in images.iter().zip(nearest).zip(0..) {
        if image["distance"].is_null() {
            continue;
        }
        let at = format!("{at}, row {row}");
        assert_close(&at, &[distance], &[image["distance"].as_f64().unwrap()], TOLERANCE);
        assert_close(&at, &flat(&nearest), &numbers(&image["nearest"]), TOLERANCE);
    }
}
