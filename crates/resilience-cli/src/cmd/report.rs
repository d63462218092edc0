//! `resilience report`: one page of one or several finished runs.

use resilience_core::report::{self, Run};
use resilience_core::store::RunStore;

use crate::args::Report;
use crate::error::CliError;
use crate::screen::Screen;

/// Writes the page.
pub fn run(arguments: &Report, screen: &Screen) -> Result<(), CliError> {
    let runs = arguments
        .runs
        .iter()
        .map(|dir| Ok(Run::from_store(&RunStore::open(dir)?)?))
        .collect::<Result<Vec<_>, CliError>>()?;
    report::write_html(&runs, &arguments.out)?;
    screen.print(&format!("report: {}", arguments.out.display()));
    Ok(())
}
