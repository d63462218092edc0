//! Forward passes and input gradients: what an attack spends its time on.

use resilience::batch::Batch;
use resilience::evaluate;
use resilience::model::{Model, Native};
use resilience::zoo::Trainable;
use resilience_core::context::Clock as _;
use resilience_core::manifest::Described;
use resilience_core::view::{Precision, View};
use serde_json::json;

use super::peak_mib;
use crate::args::Normalisation;
use crate::environment::Environment;
use crate::error::CliError;
use crate::models;

/// Some normalisation, so that what it costs is part of the work; that of the ResNet-32.
const MEAN: [f64; 3] = [0.485, 0.456, 0.406];
const STD: [f64; 3] = [0.229, 0.224, 0.225];

/// The network with a model's weights, where one is named, else with random ones.
pub fn network(architecture: &str, model: Option<&str>) -> Result<Native, CliError> {
    let Some(model) = model else {
        let native = Native::initial(architecture, 0, MEAN, STD)?;
        native.network().set_trainable(Trainable::No)?;
        return Ok(native);
    };
    let described = models::resolve(model, None, &Normalisation { mean: None, std: None })?;
    let Described::Model(mut manifest) = described else {
        return Err(CliError::Usage(format!(
            "{model} is an ensemble, and this measures one network; name one of its members"
        )));
    };
    manifest.file = models::locate(&manifest, Some(model), None)?;
    let (state, _) = manifest.load()?;
    Ok(Native::load(&manifest.architecture, &state, manifest.mean, manifest.std)?)
}

/// Passes over one batch, with and without the gradient of the images, until the time is up; the
/// median of each. In the form that is named, else in the fastest.
pub fn run(
    native: Native,
    batch: u64,
    seconds: f64,
    view: Option<View>,
    environment: &Environment,
) -> Result<serde_json::Value, CliError> {
    let flops = native.network().flops()?;
    let spec = native.network().architecture();
    let images = Batch::random(batch, spec.input, spec.classes)?;
    let mut model = Model::plain(&spec.title(), Box::new(native));
    let views = view.as_ref().map_or(Precision::Auto.views(), std::slice::from_ref);
    let view = evaluate::probe(environment, &mut model, &images, views)?.choice.view;
    let chunk = batch;
    let (mut forward, mut both) = (Vec::new(), Vec::new());
    let began = environment.seconds();
    while both.is_empty() || environment.seconds() - began < seconds {
        let pace = evaluate::pace(environment, model.search(), &images, chunk)?;
        forward.push(pace.forward);
        both.push(pace.both());
    }
    Ok(json!({
        "images_per_second": 1.0 / median(&mut both),
        "forward_images_per_second": 1.0 / median(&mut forward),
        "flops": flops,
        "view": view,
        "chunk": chunk,
        "passes": both.len(),
        "peak_mib": peak_mib(),
    }))
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    if values.len() % 2 == 1 {
        values[middle]
    } else {
        f64::midpoint(values[middle - 1], values[middle])
    }
}
