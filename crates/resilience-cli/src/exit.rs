//! Exit codes: what a script can rely on.

/// Everything was done.
pub const DONE: u8 = 0;
/// `verify` found something that does not hold.
pub const NOT_VERIFIED: u8 = 1;
/// The arguments make no sense (clap's own code).
pub const USAGE: u8 = 2;
/// A file, a model or a data set is not what it should be.
pub const BAD_INPUT: u8 = 3;
/// The run ended before it was complete: an attack failed, training diverged.
pub const INCOMPLETE: u8 = 4;
/// The machine refused: no network, no space, no permission.
pub const ENVIRONMENT: u8 = 5;
/// Stopped by Ctrl-C or SIGTERM; what was written is valid.
pub const INTERRUPTED: u8 = 130;

/// The same for `--help`.
pub const TABLE: &str = "Exit codes:
  0    done
  1    not verified: `verify` found an example or a figure that does not hold
  2    usage: the arguments make no sense
  3    bad input: a file, a model or a data set is not what it should be
  4    incomplete: the run ended early (an attack failed, training diverged)
  5    environment: no network, no disk space, no permission
  130  interrupted with Ctrl-C or SIGTERM; files written so far are valid";
