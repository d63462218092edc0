//! What was found, in plain words.

use crate::report::ReportError;
use crate::report::comparison::sentences::sentences;
use crate::report::comparison::view::View;
use crate::report::opening::opening;

/// The opening of the page.
pub fn part(view: &View<'_>) -> Result<String, ReportError> {
    opening(sentences(view))
}
