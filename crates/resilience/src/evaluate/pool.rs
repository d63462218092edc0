//! One round of an attack on a group of images: step, check, confirm, and let go what is decided.

use resilience_core::context::Context;
use resilience_core::record::{AttackOutcome, Goal};
use resilience_core::threat::Threat;
use tch::{Kind, Tensor};

use super::check_cancelled;
use super::nearest::{Near, NearestSoFar};
use super::verdict::{Judge, Verdict, check_finite};
use crate::attack::{Attack, Candidates, Rows, Search, State};
use crate::error::EngineError;
use crate::geometry;
use crate::loss;
use crate::model::{Oracle, Passes};
use crate::rows::{choose, copied, lay_over, select};

/// What does not change during a round.
pub struct Pool<'a> {
    /// Registry id of the attack, for errors.
    pub id: &'static str,
    /// What its candidates are.
    pub search: Search,
    /// Whether images leave as they are broken, or the nearest point of each is looked for.
    pub goal: Goal,
    /// The attack.
    pub attack: &'a dyn Attack,
    /// What it may do.
    pub threat: Threat,
    /// Name of the model, for errors.
    pub model: &'a str,
    /// The model as the attack sees it.
    pub oracle: &'a Oracle<'a>,
    /// Whether that is the reference itself, whose logits need no second look.
    pub exact: bool,
    /// The reference.
    pub judge: &'a Judge<'a>,
}

/// An image that is decided: broken, or at the end of the round.
#[derive(Debug)]
pub struct Decided {
    /// What is recorded of it.
    pub outcome: AttackOutcome,
    /// Whether the class that was pushed away from is lost in every pass.
    pub broken: bool,
    /// The candidate that the outcome is of, `[c,h,w]`.
    pub image: Tensor,
    /// The nearest misclassified point, where one is looked for and was found.
    pub nearest: Option<Near>,
}

/// Is told after every step what fell in it.
pub type Hear<'a> = dyn FnMut(&mut Context, Vec<Decided>, u32) -> Result<(), EngineError> + 'a;

/// The images that are still in the pool.
struct Live {
    indices: Vec<u64>,
    truth: Vec<u32>,
    labels: Tensor,                // [n]
    origins: Tensor,               // [n,c,h,w]
    best: Tensor,                  // [n,c,h,w], a copy of the candidate that came closest
    margin: Tensor,                // [n], its margin
    logits: Option<Tensor>,        // [n,k], its logits, where they are the reference's own
    held: Vec<f64>, // lowest share of passes that a confirmed candidate kept its class in
    found: Vec<u32>, // the step that found the best candidate
    extra: Vec<u64>, // forward passes spent on verdicts
    nearest: Option<NearestSoFar>, // where that is the goal
}

impl Pool<'_> {
    /// Carries out a round. `truth` are the true classes of the rows, `spent` what each of them has
    /// cost in the rounds before. `hear` is told of broken images as they fall; the others are
    /// returned at the end, each with the candidate that came closest.
    pub fn round(
        &self,
        context: &mut Context,
        rows: &Rows,
        truth: Vec<u32>,
        spent: Passes,
        hear: &mut Hear,
    ) -> Result<Vec<Decided>, EngineError> {
        let mut state = self.attack.start(rows)?;
        let mut live = Live::of(rows, truth, self.goal)?;
        let mut cost = spent;
        self.oracle.take_cost();
        for step in 1..=self.attack.steps() {
            check_cancelled(context)?;
            let candidates = state.step(self.oracle)?;
            cost += self.oracle.take_cost();
            let at = (rows.round, step, state.reach());
            let fallen = self.sift(&mut live, candidates, at, &mut cost)?;
            let gone: Vec<usize> = fallen.iter().map(|(row, _)| *row).collect();
            hear(context, fallen.into_iter().map(|(_, decided)| decided).collect(), step)?;
            if !gone.is_empty() {
                live.let_go(&gone, state.as_mut())?;
                if live.indices.is_empty() {
                    return Ok(Vec::new());
                }
            }
        }
        self.survivors(&live, rows.round, cost)
    }

    /// Checks the candidates of a round's step, which may lie so far away in units of eps, remembers
    /// the best that lie in the ball, and gives the rows that are broken.
    fn sift(
        &self,
        live: &mut Live,
        candidates: Candidates,
        (round, step, farthest): (u32, u32, f64),
        cost: &mut Passes,
    ) -> Result<Vec<(usize, Decided)>, EngineError> {
        let images = candidates.images.f_detach()?;
        let mut confirmed = self.exact;
        let logits = if let Some(logits) = candidates.logits {
            logits
        } else {
            confirmed = true;
            cost.forwards += 1;
            self.judge.logits(&images)?
        };
        let margins = loss::margins(&logits, &live.labels)?;
        let reach = geometry::reach(self.threat.norm(), &images, &live.origins)?;
        let limit = |share: f64| share * self.threat.eps().value() + geometry::TOLERANCE;
        let within = |row: usize, limit: f64| reach[row].1 && reach[row].0 <= limit;
        let n = live.indices.len();
        let reachable: Vec<bool> = (0..n).map(|row| within(row, limit(1.0))).collect();
        let margin = Vec::<f64>::try_from(margins.f_to_kind(Kind::Double)?)?;
        if margin.iter().any(|margin| !margin.is_finite()) {
            check_finite(self.model, &logits, &live.indices)?;
        }
        for (row, &(distance, inside)) in reach.iter().enumerate() {
            let allowed = match self.search {
                Search::WithinBall => within(row, limit(farthest)),
                Search::MinimumNorm => inside,
            };
            if !allowed {
                let (attack, index, threat) = (self.id, live.indices[row], self.threat);
                return Err(EngineError::OutsideThreat { attack, index, distance, threat });
            }
        }
        let own = (confirmed && self.judge.cost() == 1).then_some(&logits);
        live.remember(&images, &margins, own, &reachable, step)?;
        let counts = |row: usize| match &live.nearest {
            None => reachable[row],
            Some(nearest) => reach[row].1 && nearest.wants(row, reach[row].0),
        };
        let claims: Vec<usize> = (0..n).filter(|&row| margin[row] <= 0.0 && counts(row)).collect();
        if claims.is_empty() {
            return Ok(Vec::new());
        }
        let verdicts = self.confirm(live, &images, &logits, &claims, confirmed)?;
        let mut fallen = Vec::new();
        for (&row, verdict) in claims.iter().zip(verdicts) {
            if verdict.held > 0.0 {
                if reachable[row] {
                    live.remember_noisy(row, &images, verdict.held, step)?;
                }
                continue;
            }
            if let Some(nearest) = &mut live.nearest {
                nearest.take(row, &images, reach[row].0, (verdict, step))?;
                continue;
            }
            let outcome = AttackOutcome {
                index: live.indices[row],
                predicted: verdict.predicted,
                confidence: verdict.confidence,
                distance: reach[row].0,
                margin: verdict.margin,
                right: verdict.right,
                round,
                step,
                forwards: cost.forwards + live.extra[row],
                backwards: cost.backwards,
            };
            let image = images.f_get(row as i64)?;
            fallen.push((row, Decided { outcome, broken: true, image, nearest: None }));
        }
        Ok(fallen)
    }

    /// What the reference says to the candidates that look broken.
    fn confirm(
        &self,
        live: &mut Live,
        images: &Tensor,
        logits: &Tensor,
        claims: &[usize],
        confirmed: bool,
    ) -> Result<Vec<Verdict>, EngineError> {
        let index = positions(claims)?;
        let labels = select(&live.labels, &index)?;
        let truth: Vec<u32> = claims.iter().map(|&row| live.truth[row]).collect();
        let indices: Vec<u64> = claims.iter().map(|&row| live.indices[row]).collect();
        if confirmed && self.judge.cost() == 1 {
            let logits = select(logits, &index)?;
            return self.judge.from_logits(&logits, &labels, &truth, &indices);
        }
        let images = select(images, &index)?;
        let mut verdicts = self.judge.judge(&images, &labels, &truth, &indices)?;
        for &row in claims {
            live.extra[row] += self.judge.cost();
        }
        // Of many candidates one is lucky: what seems lost in every pass is asked once more.
        let lost: Vec<usize> = (0..claims.len()).filter(|&k| verdicts[k].held <= 0.0).collect();
        if self.judge.cost() > 1 && !lost.is_empty() {
            let again = positions(&lost)?;
            let (images, labels) = (select(&images, &again)?, select(&labels, &again)?);
            let truth: Vec<u32> = lost.iter().map(|&k| truth[k]).collect();
            let indices: Vec<u64> = lost.iter().map(|&k| indices[k]).collect();
            let fresh = self.judge.judge(&images, &labels, &truth, &indices)?;
            for (&k, verdict) in lost.iter().zip(fresh) {
                verdicts[k] = verdict;
                live.extra[claims[k]] += self.judge.cost();
            }
        }
        Ok(verdicts)
    }

    /// The verdict on every best candidate, and how many passes it took. Where the reference's own
    /// logits are known already only the images are left to ask about that no candidate came near.
    fn last_word(&self, live: &Live) -> Result<(Vec<Verdict>, Vec<u64>), EngineError> {
        let (labels, truth, indices) = (&live.labels, &live.truth, &live.indices);
        let Some(logits) = &live.logits else {
            let verdicts = self.judge.judge_apart(&live.best, labels, truth, indices)?;
            return Ok((verdicts, vec![self.judge.last_cost(); indices.len()]));
        };
        let mut verdicts = self.judge.from_logits(logits, labels, truth, indices)?;
        let mut asked = vec![0; indices.len()];
        let unseen: Vec<usize> = (0..indices.len()).filter(|&row| live.found[row] == 0).collect();
        if !unseen.is_empty() {
            let index = positions(&unseen)?;
            let (images, labels) = (select(&live.best, &index)?, select(labels, &index)?);
            let truth: Vec<u32> = unseen.iter().map(|&row| truth[row]).collect();
            let indices: Vec<u64> = unseen.iter().map(|&row| indices[row]).collect();
            let found = self.judge.judge(&images, &labels, &truth, &indices)?;
            for (&row, verdict) in unseen.iter().zip(found) {
                (verdicts[row], asked[row]) = (verdict, self.judge.cost());
            }
        }
        Ok((verdicts, asked))
    }

    /// The reference's word on the best candidate of every image that is left.
    fn survivors(
        &self,
        live: &Live,
        round: u32,
        cost: Passes,
    ) -> Result<Vec<Decided>, EngineError> {
        let (verdicts, asked) = self.last_word(live)?;
        let distances = geometry::distance(self.threat.norm(), &live.best, &live.origins)?;
        let distances = Vec::<f64>::try_from(distances)?;
        let mut decided = Vec::with_capacity(live.indices.len());
        for (row, (verdict, distance)) in verdicts.into_iter().zip(distances).enumerate() {
            let (index, step) = (live.indices[row], live.found[row].max(1));
            let nearest = match &live.nearest {
                Some(nearest) => nearest.get(row, index, round)?,
                None => None,
            };
            // Within the radius the nearest point is the one that broke the image.
            let limit = self.threat.eps().value() + geometry::TOLERANCE;
            let within = nearest.as_ref().filter(|near| near.found.distance <= limit);
            let (verdict, distance, step, image) = match within {
                Some(Near { found, verdict, image }) => {
                    (*verdict, found.distance, found.step, image.shallow_clone())
                }
                None => (verdict, distance, step, live.best.f_get(row as i64)?),
            };
            let outcome = AttackOutcome {
                index,
                predicted: verdict.predicted,
                confidence: verdict.confidence,
                distance,
                margin: verdict.margin,
                right: verdict.right,
                round,
                step,
                forwards: cost.forwards + live.extra[row] + asked[row],
                backwards: cost.backwards,
            };
            decided.push(Decided { outcome, broken: verdict.held <= 0.0, image, nearest });
        }
        Ok(decided)
    }
}

impl Live {
    fn of(rows: &Rows, truth: Vec<u32>, goal: Goal) -> Result<Self, EngineError> {
        let n = rows.indices.len();
        Ok(Self {
            indices: rows.indices.clone(),
            truth,
            labels: rows.labels.shallow_clone(),
            origins: rows.images.shallow_clone(),
            best: copied(&rows.images)?,
            margin: Tensor::f_full(
                [n as i64],
                f64::INFINITY,
                (rows.images.kind(), rows.images.device()),
            )?,
            logits: None,
            held: vec![1.0; n],
            found: vec![0; n],
            extra: vec![0; n],
            nearest: (goal == Goal::Nearest).then(|| NearestSoFar::of(&rows.images)).transpose()?,
        })
    }

    /// Keeps the reachable candidates with the smallest margins.
    fn remember(
        &mut self,
        images: &Tensor,
        margins: &Tensor,
        own_logits: Option<&Tensor>,
        reachable: &[bool],
        step: u32,
    ) -> Result<(), EngineError> {
        // Once a noisy model has nearly lost a row, only a lower share counts.
        let open = self.held.iter().zip(reachable).map(|(&held, &reach)| held >= 1.0 && reach);
        let open = Tensor::f_from_slice(&open.collect::<Vec<bool>>())?;
        let better = margins.f_lt_tensor(&self.margin)?.f_logical_and(&open)?;
        self.margin = choose(&better, margins, &self.margin)?;
        if let Some(new) = own_logits {
            self.logits = Some(match &self.logits {
                Some(old) => choose(&better, new, old)?,
                None => new.shallow_clone(),
            });
        }
        let better = Vec::<bool>::try_from(better)?;
        lay_over(&mut self.best, better.iter().copied(), images)?;
        for (found, better) in self.found.iter_mut().zip(better) {
            if better {
                *found = step;
            }
        }
        Ok(())
    }

    /// Keeps a candidate that a noisy model held in fewer passes than any before.
    fn remember_noisy(
        &mut self,
        row: usize,
        images: &Tensor,
        held: f64,
        step: u32,
    ) -> Result<(), EngineError> {
        if held >= self.held[row] {
            return Ok(());
        }
        (self.held[row], self.found[row]) = (held, step);
        let this = (0..self.held.len()).map(|other| other == row);
        lay_over(&mut self.best, this, images)
    }

    /// Lets rows go, here and in the attack's state.
    fn let_go(&mut self, gone: &[usize], state: &mut dyn State) -> Result<(), EngineError> {
        let kept: Vec<usize> = (0..self.indices.len()).filter(|row| !gone.contains(row)).collect();
        pick(&mut self.indices, &kept);
        pick(&mut self.truth, &kept);
        pick(&mut self.held, &kept);
        pick(&mut self.found, &kept);
        pick(&mut self.extra, &kept);
        let index = positions(&kept)?;
        let own = [&mut self.labels, &mut self.origins, &mut self.best, &mut self.margin];
        for tensor in own.into_iter().chain(&mut self.logits).chain(state.tensors()) {
            *tensor = select(tensor, &index)?;
        }
        state.keep(&kept);
        Ok(())
    }
}

fn pick<T: Copy>(values: &mut Vec<T>, kept: &[usize]) {
    *values = kept.iter().map(|&row| values[row]).collect();
}

fn positions(rows: &[usize]) -> Result<Tensor, EngineError> {
    Ok(Tensor::f_from_slice(&rows.iter().map(|&row| row as i64).collect::<Vec<_>>())?)
}
