//! From arguments and suites to a plan: every attack with every setting, checked before anything
//! is loaded.

use resilience::attack::{self, Request, Search};
use resilience::settings::Settings;
use resilience_core::plan::{Stage, ThreatPlan};
use resilience_core::record::{Goal, LabelSource, Scope};
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
        goal: Goal::Break,
        source: None,
        n: ground.n,
        curve: false,
        suite: None,
    })
}

/// The same attack run for the nearest misclassified point of every image that is right.
pub fn nearest(stage: Stage) -> Result<Stage, CliError> {
    if attack::find(&stage.attack)?.search == Search::WithinBall {
        let able = attack::ATTACKS.iter().filter(|spec| spec.search == Search::MinimumNorm);
        let able: Vec<&str> = able.map(|spec| spec.id).collect();
        return Err(CliError::Usage(format!(
            "attack {} stays within a radius, and looks for no nearest point; those that do are {}",
            stage.attack,
            able.join(", ")
        )));
    }
    Ok(Stage { goal: Goal::Nearest, scope: Scope::Correct, ..stage })
}

/// The same attack on each of so many models in turn, whose examples are shown to all: on every image
/// that is right.
pub fn elsewhere(stage: &Stage, models: u64) -> Result<Vec<Stage>, CliError> {
    if attack::find(&stage.attack)?.search == Search::MinimumNorm {
        return Err(CliError::Usage(format!(
            "attack {} looks for points that just fool the model it sees, and would fool no other; \
             --transfer goes with attacks that use all of their radius, such as pgd",
            stage.attack
        )));
    }
    let on = |place| Stage { source: Some(place), scope: Scope::Correct, ..stage.clone() };
    Ok((0..models).map(on).collect())
}

/// The stages of a suite, and the attacks that were left out because they do not know the norm.
#[derive(Debug)]
pub struct Staged {
    /// In order.
    pub stages: Vec<Stage>,
    /// Registry ids, each once.
    pub left_out: Vec<&'static str>,
}

/// The attacks of a suite at each of the radii, the smallest first, so that what is broken there
/// needs no second attack; looking for nearest points goes with one radius. Where `finish` is given,
/// what came closest is attacked once more after the last attack of each radius, at the model itself.
pub fn suite_stages(
    suite: &Suite,
    eps: &[Eps],
    (individual, finish): (bool, bool),
    ground: Ground,
) -> Result<Staged, CliError> {
    let scope = if suite.individual || individual { Scope::Correct } else { Scope::Survivors };
    let mut eps = eps.to_vec();
    eps.sort_by(|a, b| a.value().total_cmp(&b.value()));
    let mut stages = Vec::new();
    let mut left_out = Vec::new();
    for (place, &radius) in eps.iter().enumerate() {
        for attack in &suite.attacks {
            let spec = attack::find(&attack.id)?;
            if suite.applicable && !spec.norms.contains(&ground.norm) {
                if !left_out.contains(&spec.id) {
                    left_out.push(spec.id);
                }
                continue;
            }
            let nearest = attack.goal == Goal::Nearest;
            if nearest && eps.len() > 1 {
                return Err(CliError::Usage(format!(
                    "suite {}: {} looks for nearest points, which gives accuracy at every eps at once; \
                     name one --eps, that of the headline",
                    suite.name, attack.id
                )));
            }
            // A radius of its own is there once, whatever else is asked for.
            if attack.eps.is_some() && place > 0 {
                continue;
            }
            let threat = threat(ground.norm, attack.eps.unwrap_or(radius))?;
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
            let stage = if nearest { self::nearest(stage)? } else { stage };
            stages.push(Stage { suite: Some(suite.name.clone()), ..stage });
        }
    }
    let stages = if finish { finished(&stages, ground)? } else { stages };
    Ok(Staged { stages, left_out })
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
            let stages = suite_stages(&suite, &eps, (false, false), ground).unwrap().stages;
            let ran = stages.iter().map(|s| Ran { id: &s.attack, settings: &s.settings });
            effort(&ran.collect::<Vec<_>>())
        };
        assert_eq!(tried("autoattack-standard"), Effort::Same);
        assert_eq!(tried("quick"), Effort::Less);
    }

    /// Would catch an attack that the suite of all of them does not run, or one that it runs in a norm which
    /// the attack does not know.
    #[test]
    fn the_full_suite_runs_everything_that_applies() {
        let suite = suite::find("full").unwrap();
        for norm in Norm::ALL {
            let ground = Ground { norm, n: 100, classes: 10 };
            let staged = suite_stages(&suite, &[Eps::usual(norm)], (false, true), ground).unwrap();
            for spec in attack::ATTACKS {
                let runs = staged.stages.iter().any(|stage| stage.attack == spec.id);
                assert_eq!(runs, spec.norms.contains(&norm), "{} {norm}", spec.id);
                assert_eq!(!runs, staged.left_out.contains(&spec.id), "{} {norm}", spec.id);
            }
        }
    }
}
