//! The terminal: the only file that prints.

use std::error::Error;
use std::io::{IsTerminal, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use resilience_core::event::{Event, Observer, Unit};
use resilience_core::report::foreseen;

use crate::epoch;
use crate::error::CliError;

/// Shows progress and results to the user, and takes Ctrl-C.
pub struct Screen {
    bar: Option<ProgressBar>,
    task: String,
    detail: String,
    /// Seconds that the whole run is expected to take from here on, where it is known.
    left: Option<f64>,
    stop: Arc<AtomicBool>,
}

impl Screen {
    /// A screen without a bar.
    pub fn new() -> Self {
        Self {
            bar: None,
            task: String::new(),
            detail: String::new(),
            left: None,
            stop: Arc::default(),
        }
    }

    /// What to set for work to end at its next safe point.
    pub fn stop_flag(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.stop)
    }

    /// Prints a result.
    pub fn print(&self, text: &str) {
        self.above_the_bar(|| line(&mut std::io::stdout(), text));
    }

    /// Prints something to know, apart from results.
    pub fn note(&self, text: &str) {
        self.above_the_bar(|| line(&mut std::io::stderr(), text));
    }

    /// Prints what must be known before any figure, so that it cannot be missed.
    pub fn notice(&self, text: &str) {
        let rule = "!".repeat(90);
        self.note(&format!("{rule}\n{}\n{rule}", textwrap::fill(text, 90)));
    }

    /// Prints an error with its causes.
    pub fn error(&mut self, error: &CliError) {
        self.clear();
        self.note(&format!("error: {error}"));
        let mut said = error.to_string();
        let mut source = error.source();
        while let Some(cause) = source {
            let text = cause.to_string();
            if !said.contains(&text) {
                self.note(&format!("  because {text}"));
            }
            said.push_str(&text);
            source = cause.source();
        }
    }

    /// Columns of the terminal that results are printed to; none where it is none.
    pub fn width() -> Option<u16> {
        if !std::io::stdout().is_terminal() {
            return None;
        }
        console::Term::stdout().size_checked().map(|(_, columns)| columns)
    }

    fn above_the_bar(&self, print: impl FnOnce()) {
        match &self.bar {
            Some(bar) => bar.suspend(print),
            None => print(),
        }
    }

    /// Shows how the piece goes, and what is left of all of them.
    fn show_message(&self) {
        let Some(bar) = &self.bar else { return };
        let left = self.left.map(|seconds| format!("about {} left in all", foreseen(seconds)));
        let parts = [Some(self.detail.clone()).filter(|detail| !detail.is_empty()), left];
        bar.set_message(parts.into_iter().flatten().collect::<Vec<_>>().join(", "));
    }

    fn clear(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
    }
}

impl Observer for Screen {
    fn event(&mut self, event: Event) {
        match event {
            Event::Started { task, total, unit } => {
                self.clear();
                self.bar = Some(bar(&task, total, unit, self.left));
                self.task = task;
                self.detail.clear();
                self.show_message();
            }
            Event::Advanced { done, detail } => {
                if let Some(bar) = &self.bar {
                    bar.set_position(done);
                }
                self.detail = detail;
                self.show_message();
            }
            Event::Left { seconds } => {
                self.left = Some(seconds);
                self.show_message();
            }
            Event::Finished => self.clear(),
            Event::Epoch(epoch) => self.note(&epoch::lines(&epoch)),
            Event::Notice(text) => self.note(&text),
        }
    }

    fn cancelled(&self) -> bool {
        self.stop.load(Ordering::SeqCst)
    }
}

/// Prints a line. Where nobody reads on (`resilience list | head -1`) there is nothing to tell.
fn line(stream: &mut dyn Write, text: &str) {
    let _ = writeln!(stream, "{text}");
}

/// A bar with rate and time left; it draws nothing where the error stream is no terminal.
/// Where a time `left` of the whole run is known it stands in the message, and that of the piece does
/// not; both lines then fit 80 columns.
fn bar(task: &str, total: Option<u64>, unit: Unit, left: Option<f64>) -> ProgressBar {
    let template = match (unit, total, left) {
        (Unit::Images, _, None) => {
            "  {prefix}  {bar:24} {human_pos}/{human_len}  {per_sec}  {eta} left  {msg}"
        }
        (Unit::Images, _, Some(_)) => {
            "  {prefix}\n  {bar:20} {human_pos}/{human_len}  {per_sec}  {msg}"
        }
        (Unit::Steps, _, None) => "  {prefix}  {bar:24} {percent}%  {eta} left  {msg}",
        (Unit::Steps, _, Some(_)) => "  {prefix}\n  {bar:20} {percent}%  {msg}",
        (Unit::Bytes, Some(_), _) => {
            "  {prefix}  {bar:24} {bytes}/{total_bytes}  {bytes_per_sec}  {eta} left  {msg}"
        }
        (Unit::Bytes, None, _) => "  {prefix}  {spinner} {bytes}  {bytes_per_sec}  {msg}",
    };
    let style = ProgressStyle::with_template(template)
        .unwrap_or_else(|_| ProgressStyle::default_bar())
        .with_key("per_sec", |state: &indicatif::ProgressState, out: &mut dyn std::fmt::Write| {
            let _ = write!(out, "{:.0} images/s", state.per_sec());
        });
    let bar = ProgressBar::with_draw_target(total, ProgressDrawTarget::stderr_with_hz(8));
    bar.set_style(style);
    bar.set_prefix(task.to_owned());
    bar.enable_steady_tick(Duration::from_millis(250));
    bar
}
