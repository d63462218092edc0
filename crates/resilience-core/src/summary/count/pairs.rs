//! Models against each other, on the same images.

use super::super::PairSummary;
use super::evaluations::Evaluated;
use super::found::Found;
use crate::metric::{self, Table};
use crate::threat::Norm;

/// What of a model is compared: which images stand, without an attack and after each evaluation
/// that came to its end.
#[derive(Clone, Debug)]
pub struct Judged {
    name: String,
    /// Checksum and number of the images.
    images: (String, u64),
    verdicts: Vec<(Option<Threat>, Vec<bool>)>,
}

#[derive(Clone, Debug, PartialEq)]
struct Threat {
    norm: Norm,
    eps: f64,
    text: String,
}

impl Judged {
    /// Which images are right without an attack (no threat), or stand after all attacks of a norm and
    /// radius; none where these came to no end.
    #[must_use]
    pub fn standing(&self, threat: Option<(Norm, f64)>) -> Option<&[bool]> {
        let radius = |threat: &Option<Threat>| threat.as_ref().map(|t| (t.norm, t.eps));
        self.verdicts.iter().find(|(at, _)| radius(at) == threat).map(|(_, right)| &right[..])
    }

    pub(super) fn of(found: &Found, evaluated: &[Evaluated]) -> Self {
        let clean = found.clean.iter().map(|c| c.right > 0.5).collect();
        let finished = evaluated.iter().filter(|evaluated| evaluated.summary.finished);
        let attacked = finished.map(|Evaluated { summary, standing }| {
            let text = summary.eps_text.clone();
            let threat = Threat { norm: summary.norm, eps: summary.eps, text };
            (Some(threat), standing.clone())
        });
        let dataset = &found.record.dataset;
        Self {
            name: found.record.name.clone(),
            images: (dataset.sha256.clone(), dataset.n),
            verdicts: std::iter::once((None, clean)).chain(attacked).collect(),
        }
    }
}

/// Every two models that share images, at everything that both went through on as many of them.
pub(super) fn count(models: &[Judged]) -> Vec<PairSummary> {
    let mut pairs = Vec::new();
    for (place, a) in models.iter().enumerate() {
        for b in models[place + 1..].iter().filter(|b| b.images == a.images) {
            for (threat, ours) in &a.verdicts {
                let same = |(other, theirs): &&(Option<Threat>, Vec<bool>)| {
                    let radius = |threat: &Option<Threat>| threat.as_ref().map(|t| (t.norm, t.eps));
                    radius(other) == radius(threat) && theirs.len() == ours.len()
                };
                if let Some((_, theirs)) = b.verdicts.iter().find(same) {
                    pairs.push(pair(a, b, threat.as_ref(), metric::compared(ours, theirs)));
                }
            }
        }
    }
    pairs
}

fn pair(a: &Judged, b: &Judged, threat: Option<&Threat>, table: Table) -> PairSummary {
    let Table { both, only_a, only_b, neither } = table;
    let (difference, ci95) = metric::difference(table);
    PairSummary {
        a: a.name.clone(),
        b: b.name.clone(),
        norm: threat.map(|threat| threat.norm),
        eps: threat.map(|threat| threat.eps),
        eps_text: threat.map(|threat| threat.text.clone()),
        n: both + only_a + only_b + neither,
        only_a,
        only_b,
        p: metric::mcnemar(only_a, only_b),
        difference,
        ci95,
    }
}
