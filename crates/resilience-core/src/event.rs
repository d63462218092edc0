//! What happens while the library works, told to whoever listens: the only way out of it.

use crate::record::EpochRecord;

/// Something that a user may want to see while it happens.
#[derive(Clone, Debug)]
pub enum Event {
    /// A piece of work of known or unknown size has begun. Pieces do not nest.
    Started {
        /// What is being done, for a person: `resnet32: fgsm`.
        task: String,
        /// How many units it has, where known.
        total: Option<u64>,
        /// What is counted.
        unit: Unit,
    },
    /// So many units of the current piece are done, in all, with a word on how it goes.
    Advanced {
        /// Units done since the piece began.
        done: u64,
        /// A short figure beside the bar, such as `loss 1.234`; may be empty.
        detail: String,
    },
    /// The current piece is done.
    Finished,
    /// So long the whole run is expected to take from here on, all its pieces together.
    Left {
        /// The expectation, never below zero.
        seconds: f64,
    },
    /// A training epoch is done.
    Epoch(EpochRecord),
    /// Something to know: what, why it matters and what to do, in whole sentences.
    Notice(String),
}

/// What a piece of work is counted in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Bytes of a file.
    Bytes,
    /// Images through a network or a reader.
    Images,
    /// Steps of an attack on single images.
    Steps,
}

/// The listener: takes events and says whether to stop.
pub trait Observer {
    /// Something happened.
    fn event(&mut self, event: Event);

    /// Whether the user asked to stop (Ctrl-C). Work ends at the next safe point, with an error
    /// that says so; what was written stays valid.
    fn cancelled(&self) -> bool {
        false
    }
}

/// A listener that hears nothing.
pub struct Silent;

impl Observer for Silent {
    fn event(&mut self, _: Event) {}
}
