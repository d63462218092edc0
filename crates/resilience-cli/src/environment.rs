//! What the command takes from the machine: clock, processor, variables, the line that was typed.

use std::env;
use std::io;
use std::path::PathBuf;
use std::time::{Instant, SystemTime};

use resilience_core::context::Clock;
use resilience_core::dataset::Places;
use resilience_core::record::{Machine, Provenance, Tool};

/// The machine and the moment that the command runs in.
pub struct Environment {
    began: Instant,
    /// In seconds since 1970 (UTC).
    began_at: f64,
    started: String,
    command: String,
    machine: Machine,
    threads: Option<u32>,
}

impl Environment {
    /// Reads the machine, and sets the number of threads (all cores where none is given, and fewer
    /// beside a GPU). Networks compute on the device that was chosen before.
    #[expect(clippy::disallowed_methods, reason = "this is the clock that is passed in")]
    pub fn new(threads: Option<u32>) -> Self {
        let device = resilience::device_name();
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        resilience::set_threads(threads.unwrap_or_else(|| usual_threads(cores as u32, &device)));
        let now = SystemTime::now();
        Self {
            began: Instant::now(),
            began_at: now.duration_since(SystemTime::UNIX_EPOCH).map_or(0.0, |t| t.as_secs_f64()),
            started: humantime::format_rfc3339_seconds(now).to_string(),
            command: command_line(),
            machine: Machine {
                cpu: processor(),
                threads: resilience::threads(),
                os: format!("{} {}", env::consts::OS, env::consts::ARCH),
                device,
            },
            threads,
        }
    }

    /// The number of threads that was asked for.
    pub fn threads(&self) -> Option<u32> {
        self.threads
    }

    /// A variable, where it is set.
    pub fn variable(name: &str) -> Option<String> {
        env::var_os(name).map(|value| value.to_string_lossy().into_owned())
    }

    /// The folder that relative paths are looked for in.
    pub fn folder() -> io::Result<PathBuf> {
        env::current_dir()
    }

    /// This program.
    pub fn program() -> io::Result<PathBuf> {
        env::current_exe()
    }

    /// The machine.
    pub fn machine(&self) -> Machine {
        self.machine.clone()
    }

    /// Seconds since 1970 (UTC).
    pub fn wall_time(&self) -> f64 {
        self.began_at + self.seconds()
    }

    /// What stands beside every result of this invocation.
    pub fn provenance(&self, seed: u64, notices: Vec<String>) -> Provenance {
        Provenance {
            tool: Tool {
                name: "resilience".to_owned(),
                version: env!("CARGO_PKG_VERSION").to_owned(),
                libtorch: resilience::LIBTORCH_VERSION.to_owned(),
            },
            command: self.command.clone(),
            started: self.started.clone(),
            seed,
            machine: self.machine.clone(),
            notices,
        }
    }

    /// Folders where weights that are not beside their manifest may lie; `data` is the path of the
    /// data, if it was given.
    pub fn model_folders(data: Option<&str>) -> Vec<PathBuf> {
        let places = Places::of_user();
        let beside = |data: &PathBuf| {
            // `cifar10` and `cifar10/cifar-10-batches-bin` both have their models next to them.
            data.ancestors().skip(1).take(2).map(|folder| folder.join("models")).collect::<Vec<_>>()
        };
        let data = data.or(places.data.as_deref()).map(PathBuf::from);
        env::var_os("RESILIENCE_MODELS")
            .map(PathBuf::from)
            .into_iter()
            .chain(data.as_ref().map(beside).unwrap_or_default())
            .chain(Self::model_cache())
            .collect()
    }

    /// The last of them, in the user's cache, where the weights of known models are fetched to.
    pub fn model_cache() -> Option<PathBuf> {
        Places::of_user().cache.map(|cache| cache.join("models"))
    }
}

impl Clock for Environment {
    fn seconds(&self) -> f64 {
        self.began.elapsed().as_secs_f64()
    }
}

/// How many threads are computed with where nobody says it: all cores, or beside a GPU half of them and at
/// most eight. There the threads have little to do between two passes, and more of them take the
/// processor from the one that the GPU waits for (BENCHMARKS.md).
fn usual_threads(cores: u32, device: &str) -> u32 {
    if device == "cpu" { cores } else { (cores / 2).clamp(1, 8) }
}

/// The command line as it can be typed again, without the place of the program.
fn command_line() -> String {
    let words = env::args_os().skip(1).map(|word| quoted(&word.to_string_lossy()));
    std::iter::once("resilience".to_owned()).chain(words).collect::<Vec<_>>().join(" ")
}

/// A word of the command line, as a shell would need it.
pub fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./=,:@%+".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', "'\\''"))
    }
}

fn processor() -> String {
    let system = sysinfo::System::new_with_specifics(
        sysinfo::RefreshKind::nothing().with_cpu(sysinfo::CpuRefreshKind::nothing()),
    );
    let cores = system.cpus().len();
    let brand = system.cpus().first().map_or("", |cpu| cpu.brand()).trim();
    let brand = if brand.is_empty() { "unknown processor" } else { brand };
    format!("{brand}, {cores} cores")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Would catch a GPU that waits for a crowd of threads, and a processor that is left half idle.
    #[test]
    fn few_threads_go_with_a_gpu() {
        let threads = |cores| [usual_threads(cores, "cpu"), usual_threads(cores, "cuda:0")];
        assert_eq!([1, 2, 16, 64].map(threads), [[1, 1], [2, 1], [16, 8], [64, 8]]);
    }
}
