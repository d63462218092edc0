//! The command `resilience`: arguments -> plan -> one command -> exit code.

mod args;
mod cmd;
mod environment;
mod epoch;
mod error;
mod exit;
mod lock;
mod logs;
mod models;
mod planning;
mod results;
mod screen;

use std::process::ExitCode;
use std::sync::atomic::Ordering;

use clap::Parser;

use crate::args::Cli;
use crate::environment::Environment;
use crate::error::CliError;
use crate::screen::Screen;

fn main() -> ExitCode {
    let cli = Cli::parse();
    let mut screen = Screen::new();
    if let Err(error) = resilience::set_device(&cli.device) {
        let error = CliError::from(error);
        screen.error(&error);
        return ExitCode::from(error.code());
    }
    let environment = Environment::new(cli.threads);
    #[cfg(unix)]
    if let Err(error) =
        signal_hook::flag::register(signal_hook::consts::SIGTERM, screen.stop_flag())
    {
        screen.note(&format!("note: SIGTERM ends the program at once ({error})"));
    }
    // The first Ctrl-C asks the work to end at its next safe point, the second ends it at once.
    let stop = screen.stop_flag();
    let handler = ctrlc::set_handler(move || {
        if stop.swap(true, Ordering::SeqCst) {
            std::process::exit(i32::from(exit::INTERRUPTED));
        }
    });
    if let Err(error) = handler {
        screen.note(&format!("note: Ctrl-C ends the program at once ({error})"));
    }
    match cmd::run(cli.command, &environment, &mut screen) {
        Ok(()) => ExitCode::from(exit::DONE),
        Err(error) => {
            screen.error(&error);
            ExitCode::from(error.code())
        }
    }
}
