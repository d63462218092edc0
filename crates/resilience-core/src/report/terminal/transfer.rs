//! Examples of one model shown to another, as a table.

use comfy_table::CellAlignment;

use super::{figure, framed, printable};
use crate::report::part::{Matrix, matrices};
use crate::report::view::View;

/// A table for each attack and radius, with its title.
pub fn tables(view: &View<'_>, width: Option<u16>) -> Vec<(String, String)> {
    let all = matrices(view);
    all.iter().map(|matrix| (printable(&matrix.title), table(matrix, width))).collect()
}

fn table(matrix: &Matrix, width: Option<u16>) -> String {
    let mut table = framed(width);
    let names = matrix.shown_to.iter().map(|(name, _)| format!("shown to\n{}", printable(name)));
    table.set_header(std::iter::once("Made on".to_owned()).chain(names));
    let clean = matrix.shown_to.iter().map(|(_, clean)| figure(clean.rate, clean.ci95));
    table.add_row(std::iter::once("no attack".to_owned()).chain(clean));
    for (name, cells) in &matrix.made_on {
        let cells = cells.iter().map(|left| {
            left.map_or_else(|| "incomplete".to_owned(), |left| figure(left.rate, left.ci95))
        });
        table.add_row(std::iter::once(printable(name)).chain(cells));
    }
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table.to_string()
}
