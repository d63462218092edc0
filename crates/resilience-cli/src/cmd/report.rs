//! `resilience report`: one page of one or several finished runs.

use resilience_core::report::{self, Run};
use resilience_core::store::RunStore;

use crate::args::Report;
use crate::error::CliError;
use crate::screen::Screen;

/// Writes the page, and prints its table.
pub fn run(arguments: &Report, screen: &Screen) -> Result<(), CliError> {
    let mut unfinished = None;
    let runs = arguments
        .runs
        .iter()
        .map(|dir| {
            let store = RunStore::open(dir)?;
            if !store.finished()? {
                unfinished = Some(dir.clone());
            }
            Ok(Run::from_store(&store)?)
        })
        .collect::<Result<Vec<_>, CliError>>()?;
    report::write_html(&runs, &arguments.out)?;
    screen.print(&report::terminal(&runs, Screen::width())?);
    screen.print(&format!("report: {}", arguments.out.display()));
    // The page says it too; the exit code tells scripts.
    unfinished.map_or(Ok(()), |dir| Err(CliError::Unfinished { dir }))
}
