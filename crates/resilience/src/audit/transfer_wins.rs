//! Examples of another model that break what direct attacks did not.

use super::one_step_wins::many_steps;
use super::{Answer, DoubtSpec, Subject, of, share};
use crate::error::EngineError;
use crate::loss;

/// The registry's entry.
pub static SPEC: DoubtSpec = DoubtSpec {
    id: "transfer-wins",
    title: "another model's examples beat the direct attack",
    about: "PGD with 20 steps on each other model of the run; its examples of images that this model \
            withstood are shown to it. Founded from two images and more than a hundredth of the images \
            on. It needs a second model with the same classes.",
    why: "Another model's gradient is a guess, the model's own is exact. Where the guess wins, the \
          model's own gradient is masked.",
    remedy: "Attack from several other models and with Square; look for what hides the gradient.",
    check,
};

fn check(subject: &Subject) -> Result<Answer, EngineError> {
    let Some(threat) = subject.threat() else {
        return Ok(Answer::unknown("Nothing was attacked."));
    };
    let others: Vec<(String, usize)> =
        subject.others().map(|(name, place)| (name.to_owned(), place)).collect();
    if others.is_empty() {
        return Ok(Answer::unknown("The run has one model: name a second one beside it."));
    }
    let survivors = subject.survivors()?;
    if survivors.is_empty() {
        return Ok(Answer::doubt_if(false, "No image withstood the run.".to_owned(), &[]));
    }
    let mut best = (0, String::new());
    for (name, place) in others {
        let seen = subject.watched(threat, &many_steps(), &survivors, place)?;
        let logits = subject.logits(&seen.best)?;
        let lost = loss::margins(&logits, &subject.labels(&survivors)?)?.f_le(0.0)?;
        let fell = Vec::<bool>::try_from(lost)?.into_iter().filter(|&lost| lost).count();
        if fell >= best.0 {
            best = (fell, name);
        }
    }
    let (fell, name) = best;
    let n = subject.indices().len();
    let what =
        format!("Examples made on {name} break {} of the survivors.", of(fell, survivors.len()));
    let numbers = [("survivors_broken", share(fell, survivors.len()))];
    Ok(Answer::doubt_if(fell >= 2 && fell * 100 > n, what, &numbers))
}
