//! `resilience merge`: joins the shards of a run.

use resilience_core::store::{self, RunStore};

use crate::args::Merge;
use crate::environment::Environment;
use crate::error::CliError;
use crate::results;
use crate::screen::Screen;

/// Joins them, and writes what a run writes at its end.
pub fn run(arguments: &Merge, environment: &Environment, screen: &Screen) -> Result<(), CliError> {
    let first = RunStore::open(&arguments.runs[0])?.provenance()?;
    let provenance = environment.provenance(first.seed, first.notices);
    let store = store::merge(&arguments.runs, &arguments.out, &provenance)?;
    results::write(&arguments.out, &store, screen)
}
