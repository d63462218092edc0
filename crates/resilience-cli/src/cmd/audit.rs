//! `resilience audit`: looks for reasons not to trust a run's figures.

use resilience_core::store::RunStore;

use super::resume;
use crate::args::Audit;
use crate::environment::Environment;
use crate::error::CliError;
use crate::results;
use crate::screen::Screen;

/// Loads what the run was made of by its checksums, looks for every doubt, and writes what a run writes
/// at its end.
pub fn run(
    arguments: &Audit,
    environment: &Environment,
    screen: &mut Screen,
) -> Result<(), CliError> {
    let dir = &arguments.run;
    let mut store = RunStore::open(dir)?;
    let plan = store.plan().clone();
    if !store.finished()? {
        return Err(CliError::Usage(format!(
            "{} is not finished; go on with it by `resilience eval --resume`, then audit it",
            dir.display()
        )));
    }
    let data = arguments.data.data.as_deref();
    let images = resume::images(&plan, data, screen)?;
    let mut loaded = resume::models(&plan, &arguments.model, data)?;
    results::look(&mut loaded, &plan)?;
    results::audit(&loaded, &images, &mut store, environment, screen)?;
    results::write(dir, &store, screen)
}
