//! From arguments and suites to a plan: every attack with every setting, checked before anything
//! is loaded.

use resilience::attack::{self, Request, Search};
use resilience::settings::Settings;
use resilience_core::plan::{Stage, ThreatPlan};
use resilience_core::record::{LabelSource, Scope};
use resilience_core::suite::Suite;
use resilience_core::threat::{Eps, Norm, Threat};

use crate::error::CliError;

/// What the stages of a plan have in common.
#[derive(Clone, Copy, Debug)]
pub struct Ground {
    /// The norm.
    pub norm: Norm,
    /// The first n images.
    pub n: u64,
    /// The fewest classes of any model.
    pub classes: u32,
}

/// A threat out of arguments.
pub fn threat(norm: Norm, eps: Eps) -> Result<Threat, CliError> {
    Threat::new(norm, eps).map_err(|error| CliError::Usage(error.to_string()))
}

/// One attack, with settings that differ from its defaults, as name and text.
pub fn stage(
    id: &str,
    set: &[(String, String)],
    threat: Threat,
    (labels, scope): (LabelSource, Scope),
    ground: Ground,
) -> Result<Stage, CliError> {
    let spec = attack::find(id)?;
    let settings = Settings::resolve(&format!("attack {}", spec.id), spec.settings, set)?;
    let request = Request { threat, classes: ground.classes, settings: &settings };
    // Planned once here, so that what cannot work is found before anything is loaded.
    spec.plan(&request)?;
    if labels == LabelSource::Predicted && spec.search == Search::MinimumNorm {
        return Err(CliError::Usage(format!(
            "attack {id} looks for the nearest image of another class than the true one; leave out \
             --labels"
        )));
    }
    let scope = match (scope, spec.search) {
        (Scope::All, Search::MinimumNorm) => Scope::Correct,
        (scope, _) => scope,
    };
    Ok(Stage {
        attack: spec.id.to_owned(),
        settings: settings.to_json(),
        threat: ThreatPlan::of(threat),
        labels,
        scope,
        n: ground.n,
        curve: false,
        suite: None,
    })
}

/// The attacks of a suite at each of the radii, the smallest first, so that what is broken there
/// needs no second attack. Where `finish` is given, what came closest is attacked once more after
/// the last attack of each radius, at the model itself.
pub fn suite_stages(
    suite: &Suite,
    eps: &[Eps],
    (individual, finish): (bool, bool),
    ground: Ground,
) -> Result<Vec<Stage>, CliError> {
    let scope = if suite.individual || individual { Scope::Correct } else { Scope::Survivors };
    let mut eps = eps.to_vec();
    eps.sort_by(|a, b| a.value().total_cmp(&b.value()));
    let mut stages = Vec::new();
    for (place, &eps) in eps.iter().enumerate() {
        for attack in &suite.attacks {
            // A radius of its own is there once, whatever else is asked for.
            if attack.eps.is_some() && place > 0 {
                continue;
            }
            let threat = threat(ground.norm, attack.eps.unwrap_or(eps))?;
            let set: Vec<(String, String)> = attack
                .settings_in(ground.norm)
                .into_iter()
                .map(|(name, value)| {
                    let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
                    (name, text)
                })
                .collect();
            let scope = if attack.all_images { Scope::All } else { scope };
            let stage = stage(&attack.id, &set, threat, (attack.labels, scope), ground)?;
            stages.push(Stage { suite: Some(suite.name.clone()), ..stage });
        }
    }
    if finish { finished(&stages, ground) } else { Ok(stages) }
}

/// The stages with one more behind the last attack on the survivors of each threat: APGD towards the
/// likeliest other class of those that came closest, at the reference.
fn finished(stages: &[Stage], ground: Ground) -> Result<Vec<Stage>, CliError> {
    let mut all = Vec::new();
    for (place, stage) in stages.iter().enumerate() {
        all.push(stage.clone());
        let again = |other: &Stage| other.threat == stage.threat && other.scope == stage.scope;
        if stage.scope != Scope::Survivors || stages[place + 1..].iter().any(again) {
            continue;
        }
        let mut set = vec![("targets".to_owned(), "1".to_owned())];
        set.extend(stage.settings.get("eot").map(|eot| ("eot".to_owned(), eot.to_string())));
        let threat = stage.threat.threat().map_err(|error| CliError::Usage(error.to_string()))?;
        let how = (stage.labels, Scope::Closest);
        let last = self::stage("apgd-t", &set, threat, how, ground)?;
        all.push(Stage { suite: stage.suite.clone(), ..last });
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use resilience_core::leaderboard::{Effort, Ran, effort};
    use resilience_core::suite;

    use super::*;

    /// Would catch our form of AutoAttack drifting away from what published claims are by: its settings
    /// are in the suite's file and in the attacks, and those that count in the leaderboard.
    #[test]
    fn the_standard_suite_is_the_published_one() {
        let ground = Ground { norm: Norm::Linf, n: 10_000, classes: 10 };
        let tried = |name: &str| {
            let suite = suite::find(name).unwrap();
            let eps = [Eps::usual(Norm::Linf)];
            let stages = suite_stages(&suite, &eps, (false, false), ground).unwrap();
            let ran = stages.iter().map(|s| Ran { id: &s.attack, settings: &s.settings });
            effort(&ran.collect::<Vec<_>>())
        };
        assert_eq!(tried("autoattack-standard"), Effort::Same);
        assert_eq!(tried("quick"), Effort::Less);
    }
}
