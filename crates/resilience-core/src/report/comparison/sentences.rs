//! What was found, in plain words, from the figures alone and whichever way they fall.

mod claim;
mod first;
mod stuck;

use super::view::View;

/// The findings, the most important first: which method keeps most, which learnt nothing, then what that says
/// of the paper's claim.
pub fn sentences(view: &View<'_>) -> Vec<String> {
    let mut sentences = first::sentences(view);
    sentences.extend(stuck::sentences(view));
    sentences.extend(claim::sentences(view));
    sentences
}

#[cfg(test)]
mod tests;
