//! The result of a comparison that people read: one page, a table in the terminal, a few lines of
//! Markdown, all from the same [`Comparison`].

mod front;
mod labels;
mod markdown;
mod page;
mod panel;
mod part;
mod sentences;
mod terminal;
#[cfg(test)]
mod tests;
mod view;

use std::path::Path;

pub use self::markdown::comparison_markdown;
pub use self::terminal::comparison_table;
use super::ReportError;
use crate::comparison::Comparison;
use crate::format::atomic;

/// Writes the page of a comparison, whole or not at all.
pub fn write_comparison(comparison: &Comparison, path: &Path) -> Result<(), ReportError> {
    let page = page::html(comparison)?;
    Ok(atomic::write(path, page.as_bytes())?)
}
