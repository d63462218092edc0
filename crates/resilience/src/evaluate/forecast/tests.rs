//! Forecasts with numbers by hand.

use std::cell::Cell;

use resilience_core::context::{Clock, Stopped};
use resilience_core::event::Observer;
use resilience_core::plan::ThreatPlan;
use resilience_core::record::{Goal, LabelSource};
use resilience_core::threat::Norm;
use resilience_core::view::View;
use serde_json::json;

use super::*;

/// A model that takes 1 ms forwards and 2 ms back, and whose reference takes 10 ms and 20 ms.
fn model(view: View) -> ModelPlan {
    ModelPlan {
        name: "model".to_owned(),
        request: "model".to_owned(),
        architecture: "linear".to_owned(),
        weights_sha256: String::new(),
        mean: [0.0; 3],
        std: [1.0; 3],
        input_noise: 0.0,
        input_levels: None,
        passes: 1,
        view,
        chunk: 32,
        forward_seconds: 0.001,
        backward_seconds: 0.002,
        reference_forward_seconds: 0.010,
        reference_backward_seconds: 0.020,
    }
}

fn stage(attack: &str, settings: serde_json::Value, eps: &str, scope: Scope) -> Stage {
    Stage {
        attack: attack.to_owned(),
        settings,
        threat: ThreatPlan { norm: Norm::Linf, eps: eps.to_owned() },
        labels: LabelSource::True,
        scope,
        goal: Goal::Break,
        source: None,
        n: 1000,
        curve: false,
        suite: None,
    }
}

fn apgd(restarts: u32, eps: &str, scope: Scope) -> Stage {
    stage("apgd-ce", json!({"steps": 10, "restarts": restarts}), eps, scope)
}

/// Seconds of 40 images in blocks of 20, of which the clean pass takes 0.4.
fn forecast(stages: &[Stage]) -> Forecast {
    Forecast::new(stages, &[(&model(View::Folded), 10)], 0..40, 20).unwrap()
}

fn clean(index: u64, right: f64) -> CleanOutcome {
    CleanOutcome { index, label: 0, predicted: 0, confidence: 1.0, right }
}

fn assert_seconds(forecast: &Forecast, expected: f64) {
    let found = forecast.seconds();
    assert!((found - expected).abs() < 1e-9, "{found}, not {expected}");
}

#[derive(Default)]
struct Heard(Vec<f64>);

impl Observer for Heard {
    fn event(&mut self, event: Event) {
        if let Event::Left { seconds } = event {
            self.0.push(seconds);
        }
    }
}

struct Set(Cell<f64>);

impl Clock for Set {
    fn seconds(&self) -> f64 {
        self.0.get()
    }
}

/// Would catch a pass that is left out, counted twice, or at the pace of the wrong form.
#[test]
fn an_image_costs_its_passes() {
    // 11 forwards and 10 back in the fast form, and the reference's last word.
    let apgd_seconds = 0.011 + 0.020 + 0.010;
    let apgd = |restarts, scope| apgd(restarts, "8/255", scope);
    assert_seconds(&forecast(&[]), 0.4);
    assert_seconds(&forecast(&[apgd(1, Scope::All)]), 0.4 + 40.0 * apgd_seconds);
    assert_seconds(&forecast(&[apgd(3, Scope::Survivors)]), 0.4 + 120.0 * apgd_seconds);
    // FGSM's candidate is looked at by the reference alone.
    let fgsm = stage("fgsm", json!({}), "8/255", Scope::Correct);
    assert_seconds(&forecast(&[fgsm]), 0.4 + 40.0 * (0.001 + 0.002 + 0.010));
    // 16 of each block, at the reference, which needs no last word.
    assert_seconds(&forecast(&[apgd(1, Scope::Closest)]), 0.4 + 32.0 * (0.110 + 0.200));
    // Only the first images, and two models.
    let few = Stage { n: 5, ..apgd(1, Scope::All) };
    let exact = ModelPlan { passes: 2, ..model(View::Reference) };
    let two = [(&model(View::Folded), 10), (&exact, 10)];
    let found = Forecast::new(&[few], &two, 0..40, 20).unwrap();
    // Of the noisy one a verdict takes two passes, and the last one two verdicts.
    let noisy = 0.8 + 5.0 * (0.110 + 0.200 + 0.040);
    assert_seconds(&found, 0.4 + 5.0 * apgd_seconds + noisy);
}

/// Would catch images that are predicted to be attacked although they are wrong or have fallen
/// already, and others that are not although only another ball or a curve has lost them.
#[test]
fn what_fell_is_not_attacked_again() {
    let each = 0.041;
    let curve = Stage { curve: true, ..apgd(1, "2/255", Scope::Survivors) };
    let mut forecast = forecast(&[
        curve,
        apgd(1, "8/255", Scope::All),
        apgd(1, "4/255", Scope::Survivors),
        apgd(1, "8/255", Scope::Survivors),
        apgd(1, "8/255", Scope::Correct),
    ]);
    assert_seconds(&forecast, 0.4 + 5.0 * 40.0 * each);
    // Half of them are wrong, which only the second stage attacks.
    let outcomes: Vec<_> = (0..40).map(|index| clean(index, (index % 2) as f64)).collect();
    forecast.cleaned(0, &outcomes);
    assert_seconds(&forecast, (40.0 + 4.0 * 20.0) * each);
    forecast.fell(0, 0, 1);
    assert_seconds(&forecast, (40.0 + 4.0 * 20.0) * each);
    // Of the larger ball, so that only the fourth stage loses it; twice is once.
    forecast.fell(0, 1, 3);
    forecast.fell(0, 1, 3);
    assert_seconds(&forecast, (40.0 + 4.0 * 20.0 - 1.0) * each);
    // The smaller ball lies within the larger one.
    forecast.fell(0, 2, 5);
    assert_seconds(&forecast, (40.0 + 4.0 * 20.0 - 2.0) * each);
}

/// Would catch steps of the running stage that are counted twice or not at all, and more groups of
/// those that came closest than there are.
#[test]
fn the_running_stage_comes_down_step_by_step() {
    let mut heard = Heard::default();
    let mut context = Context { observer: &mut heard, clock: &Stopped };
    let stages = [apgd(2, "8/255", Scope::Survivors), apgd(1, "8/255", Scope::Closest)];
    let mut forecast = forecast(&stages);
    let outcomes: Vec<_> = (0..40).map(|index| clean(index, 1.0)).collect();
    forecast.set_out(&mut context);
    forecast.cleaned(0, &outcomes);
    // Ten steps of APGD are eleven candidates, that it begins with included.
    let (step, closest) = (0.041 / 11.0, 0.310);
    forecast.begin(&mut context, 0, 0);
    assert_seconds(&forecast, 880.0 * step + 32.0 * closest);
    // Ten on 20 images; one falls in the tenth, which saves its last, its second round and its place
    // among the 20 of its block, of which 16 are attacked anyway.
    for done in 1..=10 {
        forecast.stepped(&mut context, 20);
        forecast.is_at(20 * done);
    }
    forecast.is_at(212);
    forecast.fallen(7);
    assert_seconds(&forecast, 668.0 * step + 32.0 * closest);
    for index in 20..30 {
        forecast.fallen(index);
    }
    assert_seconds(&forecast, 668.0 * step + 26.0 * closest);
    forecast.end();
    assert_seconds(&forecast, 26.0 * closest);
    forecast.begin(&mut context, 0, 1);
    forecast.is_at(16 * 11);
    assert_seconds(&forecast, 10.0 * closest);
    forecast.expect(3);
    assert_seconds(&forecast, 13.0 * closest);
    forecast.end();
    assert_seconds(&forecast, 0.0);
    assert_eq!(heard.0.len(), 3, "a clock that stands still lets only beginnings be told");
    assert!(heard.0.iter().all(|seconds| seconds.is_finite() && *seconds >= 0.0));
}

/// Would catch a correction in the wrong direction, one that the first steps shake, and a listener
/// that is told at every step.
#[test]
fn the_pace_that_is_seen_corrects_the_rest() {
    let clock = Set(Cell::new(100.0));
    let mut heard = Heard::default();
    let mut context = Context { observer: &mut heard, clock: &clock };
    let settings = json!({"steps": 1000});
    let mut forecast = forecast(&[stage("apgd-ce", settings, "8/255", Scope::Survivors)]);
    let step = (1.001 + 2.0 + 0.010) / 1001.0;
    forecast.set_out(&mut context);
    forecast.begin(&mut context, 0, 0);
    for done in 1..=500 {
        // Twice as long as predicted.
        clock.0.set(100.0 + f64::from(done) * 40.0 * step * 2.0);
        forecast.is_at(done as u64 * 40);
        forecast.stepped(&mut context, 40);
    }
    let spent = 500.0 * 40.0 * step;
    let expected = (501.0 * 40.0 * step + 0.4) * (2.0 * spent + TRUST) / (spent + TRUST);
    assert!((forecast.corrected(clock.seconds()) - expected).abs() < 1e-6);
    assert!(forecast.corrected(clock.seconds()) > 1.9 * forecast.seconds());
    let first = 1001.0 * 40.0 * step + 0.4;
    assert_eq!(heard.0.len(), 2 + 500 / 5, "five steps take 1.2 s");
    assert!((heard.0[0] - first).abs() < 1e-6 && (heard.0[2] / first) < 1.3, "{:?}", heard.0);
}

/// Would catch units that a broken-off run has done and that are predicted again, and an image
/// whose fall in a unit that is not done counts.
#[test]
fn what_the_store_holds_is_not_predicted() {
    let mut forecast = forecast(&[apgd(3, "8/255", Scope::Survivors)]);
    let unit = |first, round| Unit { first, round };
    let units = BTreeSet::from([unit(0, 0), unit(0, 1), unit(20, 0)]);
    // Image 4 fell in the first round, 5 in the third, which is not done; 25 in the first.
    let lost = BTreeMap::from([(4, 0), (5, 2), (25, 0)]);
    forecast.stages[0].take_units(&units, &lost);
    let rounds_left = 19.0 + 19.0 * 2.0;
    assert_seconds(&forecast, 0.4 + rounds_left * 0.041);
}
