//! Random noise that breaks as much as the attacks.

use super::trace::Drill;
use super::{Answer, DoubtSpec, Subject, of, share};
use crate::error::EngineError;

/// The registry's entry.
pub static SPEC: DoubtSpec = DoubtSpec {
    id: "noise-is-enough",
    title: "random noise is as good as an attack",
    about: "Ten draws of uniform noise of the same size on the first images. Founded where noise breaks at \
            least 3 images and at least four fifths as many as the run did.",
    why: "Directions that somebody looked for are far worse for a network than random ones. Where they \
          are not, the attack found no direction, or the model already fails by itself.",
    remedy: "Look whether the attacks reach the model at all: its preprocessing, its gradient, the labels.",
    check,
};

fn check(subject: &Subject) -> Result<Answer, EngineError> {
    let Some(threat) = subject.threat() else {
        return Ok(Answer::unknown("Nothing was attacked."));
    };
    let seen = subject.seen(threat, &Drill::new("noise-uniform", &[("restarts", "10")]))?;
    let broken = subject.broken()?;
    let rows = || (0..subject.right().len()).filter(|&row| subject.right()[row]);
    let right = subject.count_right();
    let by_noise = rows().filter(|&row| seen.broken[row]).count();
    let by_attacks = rows().filter(|&row| broken.contains(&subject.indices()[row])).count();
    let what = format!(
        "Noise breaks {}, the run's attacks {} of the first images.",
        of(by_noise, right),
        of(by_attacks, right)
    );
    let numbers = [
        ("broken_by_noise", share(by_noise, right)),
        ("broken_by_attacks", share(by_attacks, right)),
    ];
    Ok(Answer::doubt_if(by_noise >= 3 && by_noise * 5 >= by_attacks * 4, what, &numbers))
}
