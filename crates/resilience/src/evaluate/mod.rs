//! The only evaluation loop, and the only place that decides what an attack achieved.
//!
//! [`run`] follows a plan: every model, every stage, block by block of images, round by round of
//! the attack, and writes every decision into the run store as it falls. What the store already
//! holds is not done again, so that a run which was broken off goes on where it was.

mod ceiling;
mod clean;
mod cost;
mod forecast;
mod ledger;
mod nearest;
mod pool;
mod probe;
mod stage;
mod transfer;
mod verdict;
pub mod verify;

use resilience_core::context::Context;
use resilience_core::dataset::Images;
use resilience_core::plan::{ModelPlan, Plan};
use resilience_core::record::{ModelRecord, Picture};
use resilience_core::store::{ModelId, RunStore};

pub use self::ceiling::{Ceiling, ceilings};
pub use self::clean::clean;
pub use self::forecast::{Forecast, forecast};
pub use self::nearest::Near;
pub use self::pool::{Decided, Pool};
pub use self::probe::{
    COMPARED, Choice, Pace, Probe, choose, chunks, is_noisy, most_at_once,
    multiplies_faster_in_bf16, pace, probe, product_seconds,
};
pub use self::stage::{CLOSEST, completed, planned, settings};
pub use self::verdict::{Judge, Verdict};
use crate::error::EngineError;
use crate::model::Model;

/// Images computed at once, where nothing else is asked for.
pub const CHUNK: u64 = 128;

/// Consecutive images that are attacked together, where nothing else is asked for.
pub const BLOCK: u64 = 256;

/// Images that are kept to be shown with every example of theirs: the first of the split.
pub const GALLERY: u64 = 8;

/// A model of the plan with everything that is done with it.
pub(crate) struct Job<'a> {
    pub plan: &'a Plan,
    pub model: &'a Model,
    pub model_plan: &'a ModelPlan,
    /// All models of the plan, which examples may be made on.
    pub models: &'a [&'a Model],
    pub classes: u32,
    pub images: &'a Images,
    pub id: ModelId,
    /// The model's place in the plan.
    pub place: usize,
}

/// Carries out what the plan says and the store does not hold yet. `models` and `records` are those
/// of the plan, in order; `images` are all images of the plan.
pub fn run(
    context: &mut Context,
    plan: &Plan,
    models: &[(&Model, &ModelRecord)],
    images: &Images,
    store: &mut RunStore,
) -> Result<(), EngineError> {
    keep_pictures(plan, images, store)?;
    let there = store.models()?;
    let classes: Vec<u32> =
        models.iter().map(|(_, record)| record.dataset.classes.len() as u32).collect();
    let all: Vec<&Model> = models.iter().map(|&(model, _)| model).collect();
    let mut forecast = forecast(plan, &classes, store)?;
    forecast.set_out(context);
    for (place, (&(model, record), model_plan)) in models.iter().zip(&plan.models).enumerate() {
        let id = if let Some(&(id, _)) = there.get(place) {
            id
        } else {
            let outcomes = clean(context, model, images, plan, model_plan)?;
            forecast.cleaned(place, &outcomes);
            store.add_model(record, &outcomes)?
        };
        let classes = classes[place];
        let job = Job { plan, model, model_plan, models: &all, classes, images, id, place };
        for number in 0..plan.stages.len() {
            stage::run(context, &job, number, store, &mut forecast)?;
        }
    }
    store.finish()?;
    Ok(())
}

/// Keeps the clean images of the gallery; what is not of 256 levels is rounded to them.
fn keep_pictures(plan: &Plan, images: &Images, store: &mut RunStore) -> Result<(), EngineError> {
    let shape = images.shape();
    let own = plan.shard.images(plan.dataset.n, plan.block);
    let pictures = own.take_while(|&index| index < GALLERY).map(|index| {
        Ok(Picture { index, shape, pixels: images.image(index as usize)?.to_levels() })
    });
    let pictures = pictures.collect::<Result<Vec<_>, EngineError>>()?;
    Ok(store.add_pictures(&pictures)?)
}

pub(crate) fn check_cancelled(context: &Context) -> Result<(), EngineError> {
    if context.observer.cancelled() { Err(EngineError::Cancelled) } else { Ok(()) }
}
