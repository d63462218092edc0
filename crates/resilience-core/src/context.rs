//! What the library may use of the outside world while it works: a listener and a clock.

use crate::event::{Event, Observer};

/// Tells the time since some fixed moment. The library never looks at a clock of its own.
pub trait Clock {
    /// Seconds, never falling.
    fn seconds(&self) -> f64;
}

/// A clock that stands still, for tests.
pub struct Stopped;

impl Clock for Stopped {
    fn seconds(&self) -> f64 {
        0.0
    }
}

/// The listener and the clock, together, as they are passed down.
pub struct Context<'a> {
    /// Hears events, and says whether to stop.
    pub observer: &'a mut dyn Observer,
    /// Tells the time.
    pub clock: &'a dyn Clock,
}

impl Context<'_> {
    /// Tells the listener.
    pub fn tell(&mut self, event: Event) {
        self.observer.event(event);
    }
}
