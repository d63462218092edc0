//! What the store holds of one model, checked for being complete.

use super::super::SummaryError;
use crate::plan::Plan;
use crate::record::{AttackOutcome, AttackRecord, CleanOutcome, ModelRecord, Nearest, Scope};
use crate::store::{ModelId, RunStore};

/// A model with everything that was found out about it.
pub struct Found {
    pub record: ModelRecord,
    /// In file order; of a shard, only its images.
    pub clean: Vec<CleanOutcome>,
    /// In the order in which they began.
    pub attacks: Vec<Attacked>,
}

/// An attack with its outcomes, in file order.
pub struct Attacked {
    pub record: AttackRecord,
    pub outcomes: Vec<AttackOutcome>,
    /// The nearest points, likewise, where it was run for them.
    pub nearest: Vec<Nearest>,
}

impl Found {
    pub fn read(
        store: &RunStore,
        plan: &Plan,
        id: ModelId,
        record: ModelRecord,
    ) -> Result<Self, SummaryError> {
        let clean = store.clean(id)?;
        let images = plan.shard.images(record.dataset.n, plan.block);
        check_length(store, &record.name, images.end - images.start, clean.len())?;
        let classes = clean.iter().flat_map(|c| [c.label, c.predicted]);
        check_classes(store, &record.name, classes)?;
        let mut found = Self { record, clean, attacks: Vec::new() };
        for (id, record) in store.attacks(id)? {
            let (outcomes, nearest) = (store.outcomes(id)?, store.nearest(id)?);
            let attacked = Attacked { record, outcomes, nearest };
            found.check(store, &attacked)?;
            found.attacks.push(attacked);
        }
        Ok(found)
    }

    /// The first `n` images of the split, as many of them as this run covers.
    pub fn first(&self, n: u64) -> &[CleanOutcome] {
        &self.clean[..self.clean.partition_point(|c| c.index < n)]
    }

    /// An attack that says it is finished has an outcome for every image that it attacked, and for
    /// every image at all where it attacked all.
    fn check(&self, store: &RunStore, attacked: &Attacked) -> Result<(), SummaryError> {
        let (record, outcomes) = (&attacked.record, &attacked.outcomes);
        let what = format!("{}, {}", self.record.name, record.id);
        check_classes(store, &what, outcomes.iter().map(|o| o.predicted))?;
        check_classes(store, &what, attacked.nearest.iter().map(|near| near.predicted))?;
        if !record.finished {
            return Ok(());
        }
        if record.attacked != outcomes.len() as u64 {
            return Err(incomplete(store, &what, record.attacked, outcomes.len()));
        }
        let images = self.first(record.n);
        let alike = || images.iter().zip(outcomes).all(|(c, o)| c.index == o.index);
        if record.scope == Scope::All && (images.len() != outcomes.len() || !alike()) {
            return Err(incomplete(store, &what, images.len() as u64, outcomes.len()));
        }
        Ok(())
    }
}

/// The moves are a square of so many classes, so that a damaged number must not ask for all
/// memory: a thousand classes, as `ImageNet` has, take 8 MB for each attack.
pub const MOST_CLASS: u32 = 999;

fn check_classes(
    store: &RunStore,
    what: &str,
    mut classes: impl Iterator<Item = u32>,
) -> Result<(), SummaryError> {
    classes.find(|&class| class > MOST_CLASS).map_or(Ok(()), |class| {
        let (path, what) = (store.path().to_owned(), what.to_owned());
        Err(SummaryError::Class { path, what, class, most: MOST_CLASS })
    })
}

fn check_length(
    store: &RunStore,
    what: &str,
    expected: u64,
    found: usize,
) -> Result<(), SummaryError> {
    if found as u64 == expected && found > 0 {
        return Ok(());
    }
    Err(incomplete(store, what, expected, found))
}

fn incomplete(store: &RunStore, what: &str, expected: u64, found: usize) -> SummaryError {
    SummaryError::Incomplete {
        path: store.path().to_owned(),
        what: what.to_owned(),
        expected,
        found: found as u64,
    }
}
