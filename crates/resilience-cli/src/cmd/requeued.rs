//! A task that a scheduler starts once more, with the very same command: its run goes on.

use std::path::Path;

use resilience::evaluate;
use resilience_core::plan::{Plan, difference};
use resilience_core::store::{RunStore, StoreError};

use crate::error::CliError;

/// The run that was begun in the folder, where there is one. It has to follow the plan; what was measured
/// at its start stays.
pub fn begun(dir: &Path, plan: &Plan) -> Result<Option<RunStore>, CliError> {
    let store = match RunStore::open(dir) {
        Err(StoreError::Missing { .. }) => return Ok(None),
        store => store?,
    };
    let then = evaluate::completed(store.plan())?;
    let now = plan.clone().measured_as(&then);
    match difference(&then, &now) {
        None => Ok(Some(store)),
        Some(different) => Err(CliError::OtherPlan { dir: dir.to_owned(), different }),
    }
}
