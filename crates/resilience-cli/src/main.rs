//! The command `resilience`: arguments -> plan -> one command -> exit code.

mod args;
mod cmd;
mod environment;
mod error;
mod exit;
mod models;
mod results;
mod screen;

use std::process::ExitCode;

use clap::Parser;

use crate::args::Cli;
use crate::environment::Environment;
use crate::screen::Screen;

fn main() -> ExitCode {
    let cli = Cli::parse();
    let environment = Environment::new(cli.threads);
    let mut screen = Screen::new();
    screen.stop_on_ctrl_c();
    match cmd::run(cli.command, &environment, &mut screen) {
        Ok(()) => ExitCode::from(exit::DONE),
        Err(error) => {
            screen.error(&error);
            ExitCode::from(error.code())
        }
    }
}
