//! The parts of the page, one a file, in the order in which they are read. A part that has nothing
//! to show is empty.

mod architecture;
mod attacks;
mod audit;
mod bars;
mod claims;
mod cost;
mod curve;
mod distances;
mod gallery;
mod headline;
mod ladder;
mod leaking;
mod limits;
mod moves;
mod pairs;
mod paper;
mod provenance;
mod published;
mod table;
mod training;
mod transfer;

use super::ReportError;
use super::view::View;

pub use self::audit::audits;
pub use self::headline::sentences;
pub use self::leaking::findings;
pub use self::transfer::{Matrix, matrices};

/// Makes a part of the page as HTML, or nothing.
pub type Part = fn(&View<'_>) -> Result<String, ReportError>;

/// All parts in order.
pub static PARTS: [Part; 21] = [
    headline::part,
    audit::part,
    claims::part,
    published::part,
    attacks::part,
    curve::part,
    distances::part,
    cost::part,
    ladder::part,
    pairs::part,
    transfer::part,
    table::part,
    bars::part,
    leaking::part,
    training::part,
    architecture::part,
    gallery::part,
    moves::part,
    paper::part,
    provenance::part,
    limits::part,
];
