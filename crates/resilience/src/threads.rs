//! How many threads are computed with.
//!
//! Those of libtorch wait for work by spinning. Beside a model that computes on threads of its own
//! they would take its processors from it, the more so the smaller the work: then libtorch keeps to
//! one.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicI32, Ordering};

use rayon::{ThreadPool, ThreadPoolBuilder};

/// What was asked for; 0 before anything was.
static ALL: AtomicI32 = AtomicI32::new(0);

/// Sets how many threads are computed with; call it before anything else.
pub fn set_threads(threads: u32) {
    let threads = i32::try_from(threads).unwrap_or(i32::MAX);
    ALL.store(threads, Ordering::Relaxed);
    tch::set_num_threads(threads);
}

/// How many threads are computed with.
#[must_use]
pub fn threads() -> u32 {
    // Asked once: later it may be that libtorch is let only one.
    let found =
        ALL.compare_exchange(0, tch::get_num_threads(), Ordering::Relaxed, Ordering::Relaxed);
    let all = match found {
        Ok(_) => ALL.load(Ordering::Relaxed),
        Err(all) => all,
    };
    u32::try_from(all).unwrap_or(1)
}

/// Carries out work whose parallel iterators use as many threads as were asked for.
pub(crate) fn shared<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    static POOL: OnceLock<Option<ThreadPool>> = OnceLock::new();
    let begin = || ThreadPoolBuilder::new().num_threads(threads() as usize).build().ok();
    match POOL.get_or_init(begin) {
        Some(pool) => pool.install(work),
        None => work(),
    }
}

/// Lets libtorch compute on so many threads until it is dropped.
#[must_use]
pub(crate) struct Threads {
    before: i32,
}

impl Threads {
    /// Only on one.
    pub fn one() -> Self {
        Self::of(1)
    }

    /// On all of them.
    pub fn all() -> Self {
        Self::of(i32::try_from(threads()).unwrap_or(i32::MAX))
    }

    fn of(number: i32) -> Self {
        let before = tch::get_num_threads();
        if before != number {
            tch::set_num_threads(number);
        }
        Self { before }
    }
}

impl Drop for Threads {
    fn drop(&mut self) {
        if tch::get_num_threads() != self.before {
            tch::set_num_threads(self.before);
        }
    }
}
