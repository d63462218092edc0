//! Examples with everything that is said about them.

use std::collections::BTreeMap;

use super::ReportError;
use crate::record::{AttackRecord, Example, Picture};
use crate::store::RunStore;

/// A clean image with its adversarial example, and what the model said to both.
#[derive(Clone, Debug, PartialEq)]
pub struct Exhibit {
    /// The attack that made it.
    pub attack: AttackRecord,
    /// The clean image.
    pub picture: Picture,
    /// The adversarial image.
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

impl Exhibit {
    /// Whether the attack broke the image.
    #[must_use]
    pub fn breaks(&self) -> bool {
        self.clean.0 == self.label && self.adversarial.0 != self.label
    }
}

/// The examples of every model whose clean image was kept too, in the order of the store.
pub(super) fn collect(store: &RunStore) -> Result<Vec<Vec<Exhibit>>, ReportError> {
    let pictures: BTreeMap<u64, Picture> =
        store.pictures()?.into_iter().map(|picture| (picture.index, picture)).collect();
    let mut models = Vec::new();
    for (model, record) in store.models()? {
        let clean = store.clean(model)?;
        let mut exhibits = Vec::new();
        for (id, attack) in store.attacks(model)? {
            let kept = store.example_indices(id)?;
            let shown: Vec<u64> = kept.into_iter().filter(|i| pictures.contains_key(i)).collect();
            if shown.is_empty() {
                continue;
            }
            let outcomes = store.outcomes(id)?;
            for index in shown {
                let before = clean.binary_search_by_key(&index, |c| c.index).map(|at| &clean[at]);
                let after =
                    outcomes.binary_search_by_key(&index, |o| o.index).map(|at| &outcomes[at]);
                let (Some(picture), Some(example)) =
                    (pictures.get(&index), store.example(id, index)?)
                else {
                    continue;
                };
                let (Ok(before), Ok(after)) = (before, after) else {
                    return Err(ReportError::Outcome { model: record.name, index });
                };
                exhibits.push(Exhibit {
                    attack: attack.clone(),
                    picture: picture.clone(),
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
