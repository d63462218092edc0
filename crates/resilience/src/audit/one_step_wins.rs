//! One step that breaks what many do not.

use super::trace::Drill;
use super::{Answer, DoubtSpec, Subject, of, share};
use crate::error::EngineError;

/// The registry's entry.
pub static SPEC: DoubtSpec = DoubtSpec {
    id: "one-step-wins",
    title: "one step breaks what many do not",
    about: "FGSM and PGD (20 steps of a tenth of eps, from the clean image) on the first images. Founded \
            where FGSM breaks more than a twentieth of the images that are right when clean, and at \
            least 3, which PGD does not break.",
    why: "Many small steps can do whatever one large step does, and more. Where they do worse, the \
          gradient does not lead where the loss rises: it is masked, and every attack that follows it \
          is too weak.",
    remedy: "Look for what hides the gradient (saturation, quantisation, randomness); attack with Square \
             and from another model, and through a differentiable stand-in (BPDA).",
    check,
};

/// PGD of 20 steps.
pub fn many_steps() -> Drill {
    Drill::new("pgd", &[("steps", "20"), ("start", "clean")])
}

fn check(subject: &Subject) -> Result<Answer, EngineError> {
    let Some(threat) = subject.threat() else {
        return Ok(Answer::unknown("Nothing was attacked."));
    };
    let one = subject.seen(threat, &Drill::new("fgsm", &[]))?;
    let many = subject.seen(threat, &many_steps())?;
    let right = subject.count_right();
    let count = |holds: &dyn Fn(usize) -> bool| {
        (0..subject.right().len()).filter(|&row| subject.right()[row] && holds(row)).count()
    };
    let by_one = count(&|row| one.broken[row]);
    let by_many = count(&|row| many.broken[row]);
    let only_one = count(&|row| one.broken[row] && !many.broken[row]);
    let what = format!(
        "FGSM breaks {}, PGD with 20 steps {}; {only_one} fall to FGSM alone.",
        of(by_one, right),
        of(by_many, right)
    );
    let numbers = [
        ("broken_by_one_step", share(by_one, right)),
        ("broken_by_many", share(by_many, right)),
        ("only_by_one", share(only_one, right)),
    ];
    Ok(Answer::doubt_if(only_one >= 3 && only_one * 20 > right, what, &numbers))
}
