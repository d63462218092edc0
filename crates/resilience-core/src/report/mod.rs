//! The result that people read: one page, a table in the terminal, a few lines of Markdown, all
//! from the same [`Summary`].
//!
//! A report never sees a model: a [`Run`] is a summary and the examples that the run kept.

mod bars;
mod comparison;
mod error;
mod exhibit;
mod markdown;
mod network;
mod opening;
mod page;
mod part;
mod plot;
mod published;
mod terminal;
mod view;
mod words;

use std::path::Path;

pub use self::comparison::{comparison_markdown, comparison_table, write_comparison};
pub use self::error::ReportError;
pub use self::exhibit::Exhibit;
pub use self::markdown::markdown;
pub use self::page::html;
pub use self::terminal::{Bench, Form, Rate, SuiteTime, bench, leaderboard, terminal};
pub use self::words::{count, foreseen, rate};
use crate::format::atomic;
use crate::store::RunStore;
use crate::summary::{self, Summary};

/// One run, ready to be shown.
#[derive(Clone, Debug, PartialEq)]
pub struct Run {
    /// Its figures.
    pub summary: Summary,
    /// The examples that it kept, by model in the order of the summary.
    pub exhibits: Vec<Vec<Exhibit>>,
}

impl Run {
    /// Counts a run and collects its examples.
    pub fn from_store(store: &RunStore) -> Result<Self, ReportError> {
        Ok(Self { summary: summary::from_store(store)?, exhibits: exhibit::collect(store)? })
    }
}

/// Writes the page of one or several runs, whole or not at all.
pub fn write_html(runs: &[Run], path: &Path) -> Result<(), ReportError> {
    let page = html(runs)?;
    Ok(atomic::write(path, page.as_bytes())?)
}

#[cfg(test)]
mod tests;
