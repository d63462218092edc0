//! Examples with everything that is said about them.

use super::ReportError;
use crate::record::{AttackRecord, Example};
use crate::store::RunStore;

/// A clean image with its adversarial example, and what the model said to both.
#[derive(Clone, Debug, PartialEq)]
pub struct Exhibit {
    /// The attack that made it.
    pub attack: AttackRecord,
    /// The pixels.
    pub example: Example,
    /// True class.
    pub label: u32,
    /// Predicted class and its probability for the clean image.
    pub clean: (u32, f64),
    /// Predicted class and its probability for the adversarial image.
    pub adversarial: (u32, f64),
    /// Distance of the two images in the attack's norm.
    pub distance: f64,
}

/// The examples of every model, in the order of the store.
pub(super) fn collect(store: &RunStore) -> Result<Vec<Vec<Exhibit>>, ReportError> {
    let mut models = Vec::new();
    for (model, record) in store.models()? {
        let clean = store.clean(model)?;
        let mut exhibits = Vec::new();
        for (id, attack) in store.attacks(model)? {
            let examples = store.examples(id)?;
            if examples.is_empty() {
                continue;
            }
            let outcomes = store.outcomes(id)?;
            for example in examples {
                let place = example.index as usize;
                let (Some(before), Some(after)) = (clean.get(place), outcomes.get(place)) else {
                    let (model, index) = (record.name.clone(), example.index);
                    return Err(ReportError::Outcome { model, index });
                };
                exhibits.push(Exhibit {
                    attack: attack.clone(),
                    example,
                    label: before.label,
                    clean: (before.predicted, before.confidence),
                    adversarial: (after.predicted, after.confidence),
                    distance: after.distance,
                });
            }
        }
        models.push(exhibits);
    }
    Ok(models)
}
