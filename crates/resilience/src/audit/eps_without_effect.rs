//! Success that does not grow with eps.

use super::one_step_wins::many_steps;
use super::{Answer, DoubtSpec, Subject, of, share};
use crate::error::EngineError;

/// The registry's entry.
pub static SPEC: DoubtSpec = DoubtSpec {
    id: "eps-without-effect",
    title: "a larger eps does not break more",
    about: "PGD with 20 steps at eps, twice and four times as much. Founded where four times eps breaks no \
            more images than eps does while some are left, or twice eps breaks fewer by more than a \
            twentieth and at least 3.",
    why: "A larger ball holds the smaller one: whatever was found there is still allowed. Where success \
          does not grow, the attack does not find what there is.",
    remedy: "More steps and restarts; and attacks without gradients (square).",
    check,
};

fn check(subject: &Subject) -> Result<Answer, EngineError> {
    let Some(threat) = subject.threat() else {
        return Ok(Answer::unknown("Nothing was attacked."));
    };
    let right = subject.count_right();
    let mut broken = Vec::new();
    for times in [1.0, 2.0, 4.0] {
        let seen = subject.seen(threat, &many_steps().at(Some(times)))?;
        let rows = 0..subject.right().len();
        broken.push(rows.filter(|&row| subject.right()[row] && seen.broken[row]).count());
    }
    let what = format!(
        "PGD breaks {} at eps, {} at twice and {} at four times as much.",
        of(broken[0], right),
        of(broken[1], right),
        of(broken[2], right)
    );
    let fewer = broken[0].saturating_sub(broken[1]);
    let still = broken[2] <= broken[0] && broken[0] < right;
    let is = still || (fewer >= 3 && fewer * 20 > right);
    let numbers = [
        ("broken_at_eps", share(broken[0], right)),
        ("broken_at_twice", share(broken[1], right)),
        ("broken_at_four_times", share(broken[2], right)),
    ];
    Ok(Answer::doubt_if(is, what, &numbers))
}
