//! Attacks that had to be done otherwise than they are defined.

use super::{Answer, DoubtSpec, Subject};
use crate::error::EngineError;

/// The registry's entry.
pub static SPEC: DoubtSpec = DoubtSpec {
    id: "few-classes",
    title: "too few classes for an attack",
    about: "Founded where an attack of the run had to take another loss, or fewer targets, than it is \
            defined with.",
    why: "The figure is then not that of the attack by that name, and must not be compared with others'.",
    remedy: "Say which loss was taken; for two classes the margin is the usual choice.",
    check,
};

fn check(subject: &Subject) -> Result<Answer, EngineError> {
    let stages = subject.stages()?;
    if stages.is_empty() {
        return Ok(Answer::unknown("Nothing was attacked."));
    }
    let notice = stages.iter().find_map(|done| Some((done.spec.id, done.attack.notice()?)));
    let classes = subject.summary().dataset.classes.len();
    let numbers = [("classes", classes as f64)];
    Ok(match notice {
        Some((id, notice)) => Answer::doubt_if(true, format!("{id}: {notice}."), &numbers),
        None => Answer::doubt_if(
            false,
            format!("With {classes} classes every attack was done as it is defined."),
            &numbers,
        ),
    })
}
