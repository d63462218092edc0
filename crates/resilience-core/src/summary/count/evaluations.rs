//! All attacks of one norm and radius, together.

use super::super::{Correct, EvaluationSummary, StageSummary, SummaryError};
use super::found::{Attacked, Found};
use crate::metric::{self, Standing};
use crate::plan::Plan;
use crate::record::{CleanOutcome, Scope};
use crate::store::RunStore;
use crate::threat::Norm;

/// An evaluation, and which of its images stand at the end.
pub struct Evaluated {
    pub summary: EvaluationSummary,
    pub standing: Vec<bool>,
}

/// One evaluation for every norm and radius at which an attack has begun, by norm and then by
/// growing radius.
pub fn count(store: &RunStore, plan: &Plan, found: &Found) -> Result<Vec<Evaluated>, SummaryError> {
    let planned = planned(store, plan)?;
    let results = || found.attacks.iter().filter(|attacked| !attacked.record.curve);
    let mut threats: Vec<(Norm, f64)> =
        results().map(|attacked| (attacked.record.norm, attacked.record.eps)).collect();
    let place = |norm: Norm| Norm::ALL.iter().position(|other| *other == norm);
    threats.sort_by(|a, b| place(a.0).cmp(&place(b.0)).then(a.1.total_cmp(&b.1)));
    threats.dedup();
    let mut evaluations = Vec::new();
    for threat in threats {
        let stages: Vec<&Attacked> = results()
            .filter(|attacked| (attacked.record.norm, attacked.record.eps) == threat)
            .collect();
        let planned: Vec<&Planned> =
            planned.iter().filter(|stage| stage.threat == threat).collect();
        let sizes = planned.iter().map(|stage| stage.n);
        let n = sizes.chain(stages.iter().map(|attacked| attacked.record.n)).min().unwrap_or(0);
        let clean = found.first(n);
        if clean.is_empty() {
            continue;
        }
        let begun = |stage: &Planned| stages.iter().any(|done| done.record.stage == stage.stage);
        let all_begun = planned.iter().all(|stage| begun(stage));
        let evaluated = evaluate(found, plan, &stages, (clean, all_begun));
        check_tried(store, found, &stages, clean, &evaluated)?;
        evaluations.push(evaluated);
    }
    Ok(evaluations)
}

/// A stage of the plan that is no point of a curve.
struct Planned {
    stage: u64,
    threat: (Norm, f64),
    n: u64,
}

fn planned(store: &RunStore, plan: &Plan) -> Result<Vec<Planned>, SummaryError> {
    let results = (0..).zip(&plan.stages).filter(|(_, stage)| !stage.curve);
    let planned = results.map(|(place, stage)| {
        let threat = stage.threat.threat().map_err(|source| SummaryError::Plan {
            path: store.path().to_owned(),
            stage: place,
            source,
        })?;
        Ok(Planned { stage: place, threat: (threat.norm(), threat.eps().value()), n: stage.n })
    });
    planned.collect()
}

fn evaluate(
    found: &Found,
    plan: &Plan,
    stages: &[&Attacked],
    (clean, all_begun): (&[CleanOutcome], bool),
) -> Evaluated {
    let first = &stages[0].record;
    let n = clean.len() as u64;
    let here = |attacked: &Attacked| {
        !attacked.record.curve
            && (attacked.record.norm, attacked.record.eps) == (first.norm, first.eps)
    };
    let mut standing = Standing::new(clean);
    // What breaks an image at a smaller radius breaks it at this one, whoever found it.
    let elsewhere = found.attacks.iter().filter(|attacked| {
        !here(attacked) && attacked.record.norm == first.norm && attacked.record.eps <= first.eps
    });
    let carried = elsewhere.map(|attacked| standing.carry(&attacked.outcomes)).sum();
    let start = standing.left();
    let attacks: Vec<StageSummary> =
        stages.iter().map(|attacked| stage(attacked, plan, clean, &mut standing)).collect();
    let mut others =
        stages.iter().filter(|attacked| attacked.record.scope != Scope::All).peekable();
    let summary = EvaluationSummary {
        norm: first.norm,
        eps: first.eps,
        eps_text: first.eps_text.clone(),
        suite: suite(stages),
        individual: others.peek().is_some()
            && others.all(|attacked| attacked.record.scope == Scope::Correct),
        finished: all_begun && attacks.iter().all(|attack| attack.finished),
        n,
        clean: Correct::of_shares(metric::correct(clean), n),
        robust: Correct::of_shares(standing.left(), n),
        carried,
        // Found when the figures are there.
        place: None,
        attacks,
        cost: metric::cost_curve(n, start, standing.losses(), standing.most_spent()),
    };
    Evaluated { summary, standing: standing.standing() }
}

fn stage(
    attacked: &Attacked,
    plan: &Plan,
    clean: &[CleanOutcome],
    standing: &mut Standing<'_>,
) -> StageSummary {
    let (record, n) = (&attacked.record, clean.len() as u64);
    let faced = standing.face(&attacked.outcomes);
    let by_itself = record.finished && matches!(record.scope, Scope::All | Scope::Correct);
    StageSummary {
        stage: record.stage,
        id: record.id.clone(),
        settings: record.settings.clone(),
        labels: record.labels,
        scope: record.scope,
        source: record.source.map(|place| plan.models[place as usize].name.clone()),
        attacked: faced.attacked,
        broke: faced.broke,
        adds: faced.adds,
        remaining: Correct::of_shares(standing.left(), n),
        alone: by_itself.then(|| Correct::of_shares(metric::alone(clean, &attacked.outcomes), n)),
        boundary: faced.boundary,
        forwards: record.forwards,
        backwards: record.backwards,
        seconds: record.seconds,
        finished: record.finished,
    }
}

/// The suites of the attacks, each once.
fn suite(stages: &[&Attacked]) -> Option<String> {
    let mut suites: Vec<&str> = Vec::new();
    for suite in stages.iter().filter_map(|attacked| attacked.record.suite.as_deref()) {
        if !suites.contains(&suite) {
            suites.push(suite);
        }
    }
    (!suites.is_empty()).then(|| suites.join(" + "))
}

/// An image may count as robust only where every attack that says it is finished has tried it. A
/// noisy model's images are attacked where most passes are right, and count in shares.
fn check_tried(
    store: &RunStore,
    found: &Found,
    stages: &[&Attacked],
    clean: &[CleanOutcome],
    evaluated: &Evaluated,
) -> Result<(), SummaryError> {
    if found.record.passes != 1 {
        return Ok(());
    }
    // Those that came closest are as many as it took.
    let complete =
        |attacked: &&&Attacked| attacked.record.finished && attacked.record.scope != Scope::Closest;
    for attacked in stages.iter().filter(complete) {
        let tried =
            |index: u64| attacked.outcomes.binary_search_by_key(&index, |o| o.index).is_ok();
        let mut standing = clean.iter().zip(&evaluated.standing).filter(|(_, stands)| **stands);
        if let Some((image, _)) = standing.find(|(c, _)| !tried(c.index)) {
            return Err(SummaryError::Untried {
                path: store.path().to_owned(),
                what: format!("{}, {}", found.record.name, attacked.record.id),
                index: image.index,
            });
        }
    }
    Ok(())
}
