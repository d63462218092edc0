//! What is predicted of a run while it goes on.

use std::path::Path;

use resilience::EngineError;
use resilience::evaluate::forecast;
use resilience_core::event::Event;
use resilience_core::plan::Plan;
use resilience_core::store::RunStore;

use super::models::linear;
use super::{Interrupt, go_on, plan, stages};

fn predicted(dir: &Path, plan: &Plan) -> f64 {
    forecast(plan, &[10], &RunStore::open(dir).unwrap()).unwrap().seconds()
}

/// Would catch work that is done and predicted again, images that are no longer attacked and
/// counted, and a finished run of which something is left.
#[test]
fn what_is_left_only_falls() {
    let (model, images) = linear(48);
    let mut plan = plan(&images, stages(48, 0.01), 1);
    for (place, seconds) in [0.001, 0.002, 0.003, 0.006].into_iter().enumerate() {
        let model = &mut plan.models[0];
        *[
            &mut model.forward_seconds,
            &mut model.backward_seconds,
            &mut model.reference_forward_seconds,
            &mut model.reference_backward_seconds,
        ][place] = seconds;
    }
    let dir = tempfile::tempdir().unwrap();
    let mut before = f64::INFINITY;
    let mut told = 0;
    for after in (3..).step_by(4) {
        let mut heard = Interrupt { after: Some(after), ..Interrupt::default() };
        let result = go_on(dir.path(), &plan, &model, &images, &mut heard);
        let left = heard.events.iter().filter_map(|event| match event {
            Event::Left { seconds } => Some(*seconds),
            _ => None,
        });
        for seconds in left {
            assert!(seconds.is_finite() && seconds >= 0.0, "{seconds}");
            told += 1;
        }
        let now = predicted(dir.path(), &plan);
        assert!(now <= before, "{now} s after {before} s");
        before = now;
        match result {
            Ok(()) => break,
            Err(error) => assert!(matches!(error, EngineError::Cancelled), "{error}"),
        }
        assert!(now > 0.0, "something is left");
    }
    assert!(before.abs() < 1e-12, "{before} s are left of a finished run");
    assert!(told > 10, "{told}");
}
