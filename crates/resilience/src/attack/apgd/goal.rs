//! What is climbed, fitted to the number of classes.

use crate::attack::Request;
use crate::error::EngineError;
use crate::loss::Objective;

/// What to climb, towards how many targets.
#[derive(Debug)]
pub(in crate::attack) struct Goal {
    pub targets: u32,
    pub objective: Objective,
    pub notice: Option<String>,
}

/// The goal of that loss, fitted to the number of classes: there are no more targets than wrong
/// classes, and the difference of logits ratio needs three of them (four with a target).
pub(in crate::attack) fn goal(
    loss: &str,
    targets: u32,
    request: &Request,
) -> Result<Goal, EngineError> {
    let classes = request.classes;
    if classes < 2 {
        return Err(EngineError::Input {
            what: "number of classes",
            expected: "at least 2, or there is no wrong class to push to".to_owned(),
            found: classes.to_string(),
        });
    }
    let fitting = targets.min(classes - 1);
    let mut notice = (fitting < targets).then(|| {
        format!("{targets} targets were asked for; with {classes} classes there are {fitting}")
    });
    let needed = if targets > 0 { 4 } else { 3 };
    let loss = if loss == "dlr" && classes < needed {
        notice = Some(format!(
            "the difference of logits ratio needs {needed} classes and the model has {classes}, so \
             that the margin of logits is climbed instead{}",
            if fitting < targets {
                format!(", towards {fitting} of {targets} targets")
            } else {
                String::new()
            }
        ));
        "margin"
    } else {
        loss
    };
    let objective = match (loss, targets > 0) {
        ("dlr", false) => Objective::Dlr,
        ("dlr", true) => Objective::DlrTargeted,
        ("margin", false) => Objective::Margin,
        ("margin", true) => Objective::MarginTargeted,
        ("rescaled", false) => Objective::Rescaled,
        ("rescaled", true) => Objective::RescaledTargeted,
        (_, false) => Objective::CrossEntropy,
        (_, true) => Objective::CrossEntropyTargeted,
    };
    Ok(Goal { targets: fitting, objective, notice })
}
