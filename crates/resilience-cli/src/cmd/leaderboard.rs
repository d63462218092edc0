//! `resilience leaderboard`: what others have published.

use resilience_core::leaderboard::{self, Board, Row};
use resilience_core::report;

use crate::args::Leaderboard;
use crate::error::CliError;
use crate::screen::Screen;

/// Prints the claims that are asked for.
pub fn run(arguments: &Leaderboard, screen: &Screen) -> Result<(), CliError> {
    let claims = leaderboard::published()?;
    let boards = leaderboard::boards(&claims, &arguments.filter())?;
    if arguments.json {
        screen.print(&json(&boards, arguments.top()));
        return Ok(());
    }
    screen.print(&report::leaderboard(&boards, arguments.top(), Screen::width()));
    if arguments.is_overview() {
        screen.print("\nAll of a table: resilience leaderboard --dataset NAME --norm NORM");
    }
    Ok(())
}

/// The same claims for machines.
fn json(boards: &[Board<'_>], top: Option<usize>) -> String {
    let most = top.unwrap_or(usize::MAX);
    let rows: Vec<&Row<'_>> =
        boards.iter().flat_map(|board| board.rows.iter().take(most)).collect();
    serde_json::to_string_pretty(&rows).expect("numbers and texts can be written as JSON")
}
