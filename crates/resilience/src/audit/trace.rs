//! An attack watched step by step on images that never leave, whatever it finds.

use tch::{Kind, Tensor};

use crate::attack::{AttackSpec, Planned, Request, Rows};
use crate::error::EngineError;
use crate::loss;
use crate::model::Oracle;
use crate::rng::Key;
use crate::rows::choose;

/// What is tried: an attack with settings that differ from its defaults, at so many times eps.
#[derive(Clone, Debug, PartialEq)]
pub struct Drill {
    /// Registry id.
    pub attack: &'static str,
    /// Settings by name.
    pub settings: Vec<(String, String)>,
    /// Radius; none for one that reaches every image.
    pub times_eps: Option<f64>,
}

impl Drill {
    /// At the run's own radius.
    pub fn new(attack: &'static str, settings: &[(&str, &str)]) -> Self {
        let settings = settings.iter().map(|&(name, text)| (name.to_owned(), text.to_owned()));
        Self { attack, settings: settings.collect(), times_eps: Some(1.0) }
    }

    /// At another radius.
    pub fn at(self, times_eps: Option<f64>) -> Self {
        Self { times_eps, ..self }
    }
}

/// What was seen of each image.
#[derive(Debug)]
pub struct Trace {
    /// Whether it was misclassified at any step.
    pub broken: Vec<bool>,
    /// Whether it was at the last one.
    pub broken_at_the_end: Vec<bool>,
    /// After each step, the mean over the images of the smallest margin so far.
    pub smallest_margins: Vec<f64>,
    /// `[n,c,h,w]`, the candidate of each with the smallest margin.
    pub best: Tensor,
}

/// Carries out the rounds of an attack on some rows, with random numbers of its own, until every image is
/// broken; a round that was begun goes to its end.
pub fn trace(
    oracle: &Oracle,
    spec: &'static AttackSpec,
    request: &Request,
    rows: &mut Rows,
    seed: u64,
) -> Result<Trace, EngineError> {
    let Planned { attack, .. } = spec.plan(request)?;
    let name = format!("audit {}", spec.id);
    let n = rows.indices.len();
    let clean = oracle.logits(&rows.images)?;
    let mut best = rows.images.shallow_clone();
    let mut smallest = loss::margins(&clean, &rows.labels)?.f_full_like(f64::INFINITY)?;
    let mut seen = Trace {
        broken: vec![false; n],
        broken_at_the_end: vec![false; n],
        smallest_margins: Vec::new(),
        best: best.shallow_clone(),
    };
    for round in 0..attack.rounds() {
        rows.round = round;
        rows.key = Key::new(seed, &name, round);
        rows.targets = attack
            .target_rank(round)
            .map(|rank| loss::ranked_class(&clean, &rows.labels, rank.into()))
            .transpose()?;
        let mut state = attack.start(rows)?;
        for _ in 0..attack.steps() {
            let candidates = state.step(oracle)?;
            let images = candidates.images.f_detach()?;
            let logits = match candidates.logits {
                Some(logits) => logits,
                None => oracle.logits(&images)?,
            };
            let margins = loss::margins(&logits, &rows.labels)?;
            let better = margins.f_lt_tensor(&smallest)?;
            best = choose(&better, &images, &best)?;
            smallest = choose(&better, &margins, &smallest)?;
            let lost = Vec::<bool>::try_from(margins.f_le(0.0)?)?;
            for (broken, &lost) in seen.broken.iter_mut().zip(&lost) {
                *broken |= lost;
            }
            seen.broken_at_the_end = lost;
            let mean = smallest.f_mean(Kind::Double)?.f_double_value(&[])?;
            seen.smallest_margins.push(mean);
        }
        if seen.broken.iter().all(|&broken| broken) {
            break;
        }
    }
    seen.best = best;
    Ok(seen)
}
