//! One command a file.

mod audit;
mod bench;
mod compare;
mod eval;
mod explain;
mod export;
mod inspect;
mod leaderboard;
mod list;
mod merge;
mod pull;
mod report;
mod reproduce;
mod requeued;
mod resume;
mod submit;
pub mod train;
mod verify;
mod workload;

use crate::args::Command;
use crate::environment::Environment;
use crate::error::CliError;
use crate::screen::Screen;

/// Runs the command.
pub fn run(
    command: Command,
    environment: &Environment,
    screen: &mut Screen,
) -> Result<(), CliError> {
    match command {
        Command::Reproduce(arguments) => reproduce::run(&arguments, environment, screen),
        Command::Train(arguments) => train::run(&arguments, environment, screen),
        Command::Compare(arguments) => compare::run(&arguments, environment, screen),
        Command::Eval(arguments) => eval::run(&arguments, environment, screen),
        Command::Audit(arguments) => audit::run(&arguments, environment, screen),
        Command::Verify(arguments) => verify::run(&arguments, environment, screen),
        Command::Merge(arguments) => merge::run(&arguments, environment, screen),
        Command::Submit(arguments) => submit::run(&arguments, environment, screen),
        Command::Export(arguments) => export::run(&arguments, screen),
        Command::Report(arguments) => report::run(&arguments, screen),
        Command::Leaderboard(arguments) => leaderboard::run(&arguments, screen),
        Command::Bench(arguments) => bench::run(&arguments, environment, screen),
        Command::Pull(arguments) => pull::run(&arguments, screen),
        Command::Inspect(arguments) => inspect::run(&arguments, screen),
        Command::List(arguments) => list::run(&arguments, screen),
        Command::Explain(arguments) => explain::run(&arguments, screen),
        Command::Workload(arguments) => workload::run(arguments.workload, environment, screen),
    }
}
