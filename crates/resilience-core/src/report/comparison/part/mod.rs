//! The parts of the page, one a file, in the order in which they are read. A part that has nothing to
//! show is empty.

mod conditions;
mod curve;
mod front;
mod headline;
mod limits;
mod pairs;
mod runs;
mod spread;
mod table;
mod training;

use super::view::View;
use crate::report::ReportError;

/// Makes a part of the page as HTML, or nothing.
pub type Part = fn(&View<'_>) -> Result<String, ReportError>;

/// All parts in order.
pub static PARTS: [Part; 10] = [
    headline::part,
    table::part,
    front::part,
    curve::part,
    spread::part,
    pairs::part,
    training::part,
    conditions::part,
    runs::part,
    limits::part,
];
