//! Runs that are broken off and go on.

use std::path::Path;

use resilience::EngineError;
use resilience::model::Model;
use resilience::rng::{self, Purpose};
use resilience_core::dataset::Images;
use resilience_core::plan::Plan;

use super::models::{convolutional, disguised, linear};
use super::{Interrupt, go_on, plan, read, stages};

/// How often a whole run asks whether to stop.
fn questions(dir: &Path, plan: &Plan, model: &Model, images: &Images) -> u64 {
    let mut heard = Interrupt::default();
    go_on(dir, plan, model, images, &mut heard).unwrap();
    heard.asked.get()
}

/// Fails unless runs that are broken off at random find what an unbroken one does.
pub fn assert_resumes(plan: &Plan, model: &Model, images: &Images, seeds: u64) {
    let dir = tempfile::tempdir().unwrap();
    let asked = questions(dir.path(), plan, model, images);
    let whole = read(dir.path());
    for seed in 0..seeds {
        let mut rng = rng::stream(seed, Purpose::Pick, 0, 0);
        let dir = tempfile::tempdir().unwrap();
        let mut stops = Vec::new();
        loop {
            // A few stops a run, and then and now two of them close together.
            let part = 1 + rng::below(&mut rng, 8);
            let after = rng::below(&mut rng, asked / part + 1);
            let mut observer = Interrupt { after: Some(after), ..Interrupt::default() };
            match go_on(dir.path(), plan, model, images, &mut observer) {
                Ok(()) => break,
                Err(error) => assert!(matches!(error, EngineError::Cancelled), "{error}"),
            }
            assert!(!read_finished(dir.path()), "seed {seed}");
            stops.push(after);
            // Where stops lie too close for a unit to be carried through, none ever is.
            if stops.len() == 12 {
                questions(dir.path(), plan, model, images);
                break;
            }
        }
        let found = read(dir.path());
        let at = format!("seed {seed}, stopped after {stops:?}");
        assert_eq!(whole.clean, found.clean, "{at}");
        for (a, b) in whole.attacks.iter().zip(&found.attacks) {
            for (a, b) in a.outcomes.iter().zip(&b.outcomes) {
                assert_eq!(a, b, "{at}");
            }
            assert!(a == b, "{at}: {:?} {:?}", a.record, b.record);
        }
        assert!(whole == found, "{at}");
    }
}

fn read_finished(dir: &Path) -> bool {
    resilience_core::store::RunStore::open(dir).unwrap().finished().unwrap()
}

/// Would catch an image that is lost, counted twice or attacked otherwise when a run goes on, at
/// whatever point it was broken off.
#[test]
fn a_run_goes_on_as_if_nothing_had_been() {
    let (model, images) = linear(48);
    assert_resumes(&plan(&images, stages(48, 0.01), 1), &model, &images, 12);
    let (model, images) = disguised(32);
    assert_resumes(&plan(&images, stages(32, 0.01), 1), &model, &images, 4);
    let (model, images) = convolutional(24, 0.0);
    assert_resumes(&plan(&images, stages(24, 0.005), 1), &model, &images, 4);
}

/// Would catch a finished run that is done again, or marked as unfinished.
#[test]
fn a_finished_run_has_nothing_left_to_do() {
    let (model, images) = linear(20);
    let plan = plan(&images, stages(20, 0.01), 1);
    let dir = tempfile::tempdir().unwrap();
    questions(dir.path(), &plan, &model, &images);
    let first = read(dir.path());
    assert_eq!(questions(dir.path(), &plan, &model, &images), 0);
    assert!(first == read(dir.path()));
}
