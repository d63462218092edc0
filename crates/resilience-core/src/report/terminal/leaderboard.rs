//! Published claims, one table a data set and threat.

use comfy_table::{CellAlignment, ContentArrangement, Table, presets};

use super::{fill, printable};
use crate::leaderboard::{Board, Claim, Percent, Row};

/// The tables, the best claims of each first; only `top` of them where that is given.
///
/// `width` is the terminal's, in columns, as for [`super::terminal`].
#[must_use]
pub fn leaderboard(boards: &[Board<'_>], top: Option<usize>, width: Option<u16>) -> String {
    let mut text = String::new();
    for board in boards {
        let shown = &board.rows[..top.unwrap_or(usize::MAX).min(board.rows.len())];
        text += &fill(&title(board, shown.len()), width);
        text.push('\n');
        text += &table(board, shown, width);
        text.push_str("\n\n");
    }
    text += &fill(NOTE, width);
    text
}

const NOTE: &str = "Accuracies in %, as published by RobustBench. Robust: under AutoAttack's standard suite, by \
                    which claims are ranked; best known: under any attack, where that is lower; \
                    unreliable: AutoAttack is known to leave too much. Corrupted: the mean over common \
                    corruptions, which is no robustness to an attacker.";

/// `cifar10 linf 8/255: the first 5 of 99 claims`, in the words that filters take.
fn title(board: &Board<'_>, shown: usize) -> String {
    let rows = board.rows.len();
    let which =
        if shown < rows { format!("the first {shown} of {rows} claims") } else { claims(rows) };
    let all =
        if rows < board.claims { format!(", of {} in all", board.claims) } else { String::new() };
    format!("{board}: {which}{all}")
}

fn claims(n: usize) -> String {
    if n == 1 { "1 claim".to_owned() } else { format!("{n} claims") }
}

fn table(board: &Board<'_>, rows: &[Row<'_>], width: Option<u16>) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    match width {
        Some(width) => {
            table.set_content_arrangement(ContentArrangement::Dynamic);
            table.set_width(width);
        }
        None => {
            table.set_content_arrangement(ContentArrangement::Disabled);
        }
    }
    let attacked = board.eps.is_some();
    let mut header = vec!["rank", "model", "architecture", "clean"];
    header.extend(if attacked { &["robust", "best known"][..] } else { &["corrupted"][..] });
    header.extend(["extra data", "venue", "notes"]);
    table.set_header(&header);
    for Row { rank, claim } in rows {
        let mut cells = vec![
            rank.to_string(),
            printable(&claim.id),
            printable(&claim.architecture),
            claim.clean.to_string(),
            claim.figure().to_string(),
        ];
        cells.extend(attacked.then(|| claim.best_known.map_or_else(String::new, text)));
        cells.extend([
            if claim.additional_data { "yes" } else { "no" }.to_owned(),
            printable(claim.venue.as_deref().unwrap_or_default()),
            notes(board, claim),
        ]);
        table.add_row(cells);
    }
    let figures = if attacked { 0..6 } else { 0..5 };
    for column in figures.filter(|column| ![1, 2].contains(column)) {
        if let Some(column) = table.column_mut(column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    // The last column is filled up with spaces, which nobody needs.
    table.to_string().lines().map(str::trim_end).collect::<Vec<_>>().join("\n")
}

fn text(percent: Percent) -> String {
    percent.to_string()
}

/// What sets a claim apart from the others of its table.
fn notes(board: &Board<'_>, claim: &Claim) -> String {
    let eps = claim.eps.filter(|_| claim.eps != board.eps).map(|eps| format!("eps {eps}"));
    let unreliable = claim.is_unreliable().then(|| "unreliable".to_owned());
    let passes = (claim.passes > 1).then(|| format!("{} passes", claim.passes));
    [eps, unreliable, passes].into_iter().flatten().collect::<Vec<_>>().join(", ")
}
