//! Takes nothing of a run on trust: every stored example is held against the data and the model,
//! every figure is counted again from what holds, and survivors can be attacked again.

use std::collections::{BTreeMap, BTreeSet};

use resilience_core::context::Context;
use resilience_core::dataset::Images;
use resilience_core::event::{Event, Unit};
use resilience_core::metric::MARGIN_TOLERANCE;
use resilience_core::plan::Keep;
use resilience_core::record::{
    AttackOutcome, AttackRecord, CleanOutcome, Example, Goal, ModelRecord, Nearest,
};
use resilience_core::store::{AttackId, ModelId, RunStore, StoreError};
use resilience_core::threat::Norm;
use tch::{Kind, Tensor};

use super::stage;
use super::verdict::{Judge, Verdict};
use super::{Job, check_cancelled};
use crate::batch::Batch;
use crate::error::EngineError;
use crate::geometry;
use crate::layout::channels_last;
use crate::model::Model;
use crate::rng::{self, Key, Purpose};

/// What was found of one model.
#[derive(Debug)]
pub struct Finding {
    /// Its name.
    pub model: String,
    /// Clean images whose prediction is another than recorded, close calls left out.
    pub clean_differs: Vec<u64>,
    /// Clean images that are too close to call: another prediction, with a margin below the
    /// tolerance.
    pub clean_boundary: u64,
    /// Stored examples of broken images.
    pub examples: u64,
    /// Those that are in the box, in the ball and misclassified.
    pub proven: u64,
    /// Those that are classified correctly, but whose recorded margin is below the tolerance.
    pub boundary: u64,
    /// Those that do not hold, with the reason.
    pub refuted: Vec<String>,
    /// Those among the proven ones that are still misclassified, and in the ball, as 8-bit pixels.
    pub survive_rounding: u64,
    /// Largest difference between the recorded margin and the one found.
    pub margin_difference: f64,
    /// Nearest misclassified points that were kept, of attacks that were run for them.
    pub nearest: u64,
    /// Those that are in the box, no farther away than recorded, and misclassified.
    pub nearest_proven: u64,
    /// Those that are classified correctly, but whose recorded margin is below the tolerance.
    pub nearest_boundary: u64,
    /// What each threat's robust accuracy comes to.
    pub threats: Vec<Bound>,
    /// Survivors that were attacked again.
    pub replays: Vec<Replay>,
}

/// Robust accuracy at one threat, counted again.
#[derive(Clone, Debug, PartialEq)]
pub struct Bound {
    /// The norm.
    pub norm: Norm,
    /// The radius as given.
    pub eps: String,
    /// Images that the figure is over.
    pub n: u64,
    /// Images that the recorded outcomes leave robust.
    pub claimed: u64,
    /// Images that what was proven here leaves robust: the upper bound that does not need the
    /// run's word.
    pub proven: u64,
}

/// A survivor that was attacked again.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Replay {
    /// Place of the attack in the plan.
    pub stage: u64,
    /// Place of the image in its split.
    pub index: u64,
    /// The smallest margin that the run recorded.
    pub recorded: f64,
    /// The smallest margin now.
    pub found: f64,
    /// Whether the image was broken this time.
    pub broken: bool,
}

impl Finding {
    /// Whether anything was found that does not hold.
    #[must_use]
    pub fn holds(&self) -> bool {
        self.clean_differs.is_empty()
            && self.refuted.is_empty()
            && !self.replays.iter().any(|replay| replay.broken)
    }
}

/// Checks everything that the store holds of its models, which are given in the plan's order, and
/// attacks `replay` survivors of each attack again.
pub fn verify(
    context: &mut Context,
    store: &RunStore,
    models: &[&Model],
    images: &Images,
    replay: u64,
) -> Result<Vec<Finding>, EngineError> {
    let plan = store.plan();
    let mut findings = Vec::new();
    for (place, (id, record)) in store.models()?.into_iter().enumerate() {
        let classes = record.dataset.classes.len() as u32;
        let model_plan = &plan.models[place];
        let model = models[place];
        let job = Job { plan, model, model_plan, models, classes, images, id, place };
        findings.push(Check { job: &job, store, id }.model(context, &record, replay)?);
    }
    Ok(findings)
}

/// Says that an image lies within a radius of its clean one and is misclassified.
struct Claim {
    clean: CleanOutcome,
    margin: f64,
    radius: f64,
}

/// What holds of claims.
#[derive(Default)]
struct Held {
    /// Images of those that do.
    proven: Vec<u64>,
    /// Those that are too close to call.
    boundary: u64,
    /// Those that hold as 8-bit pixels as well.
    survive_rounding: u64,
}

/// The image that was kept of one.
type Kept<'a> = dyn Fn(u64) -> Result<Option<Example>, StoreError> + 'a;

struct Check<'a> {
    job: &'a Job<'a>,
    store: &'a RunStore,
    id: ModelId,
}

impl Check<'_> {
    fn model(
        &self,
        context: &mut Context,
        record: &ModelRecord,
        replay: u64,
    ) -> Result<Finding, EngineError> {
        let clean = self.store.clean(self.id)?;
        let mut finding = Finding {
            model: record.name.clone(),
            clean_differs: Vec::new(),
            clean_boundary: 0,
            examples: 0,
            proven: 0,
            boundary: 0,
            refuted: Vec::new(),
            survive_rounding: 0,
            margin_difference: 0.0,
            nearest: 0,
            nearest_proven: 0,
            nearest_boundary: 0,
            threats: Vec::new(),
            replays: Vec::new(),
        };
        let right = self.clean(context, &clean, &mut finding)?;
        // For each norm the smallest radius at which an image is proven to be broken.
        let mut broken: BTreeMap<(&'static str, u64), f64> = BTreeMap::new();
        for (attack, outcome) in self.store.attacks(self.id)? {
            for index in self.examples(context, attack, &outcome, &clean, &mut finding)? {
                let radius = broken.entry((outcome.norm.name(), index)).or_insert(f64::INFINITY);
                *radius = radius.min(outcome.eps);
            }
        }
        finding.threats = self.bounds(&clean, &right, &broken)?;
        if replay > 0 {
            self.replay(context, &clean, replay, &mut finding)?;
        }
        Ok(finding)
    }

    fn judge(&self, name: &str) -> Judge<'_> {
        let passes = self.job.model_plan.passes;
        let noise = (passes > 1).then(|| (Key::new(self.job.plan.seed, name, 0), 0));
        Judge::new(self.job.model, self.job.plan.chunk, passes, noise)
    }

    /// Predicts the clean images again; gives for each whether it is right.
    fn clean(
        &self,
        context: &mut Context,
        clean: &[CleanOutcome],
        finding: &mut Finding,
    ) -> Result<BTreeMap<u64, bool>, EngineError> {
        let task = format!("{}: clean images", finding.model);
        context.tell(Event::Started { task, total: Some(clean.len() as u64), unit: Unit::Images });
        let judge = self.judge("verify clean");
        let mut right = BTreeMap::new();
        for part in clean.chunks(self.job.plan.block as usize) {
            check_cancelled(context)?;
            let verdicts = self.judged(&judge, part, None)?;
            for (recorded, found) in part.iter().zip(verdicts) {
                right.insert(recorded.index, found.right > 0.0);
                if found.predicted == recorded.predicted || self.job.model_plan.passes > 1 {
                    continue;
                }
                let image = || Batch::from_rows(self.job.images, &[recorded.index as usize]);
                if found.margin.abs() < MARGIN_TOLERANCE || self.is_close(&image()?.images)? {
                    finding.clean_boundary += 1;
                } else {
                    finding.clean_differs.push(recorded.index);
                }
            }
            context.tell(Event::Advanced { done: right.len() as u64, detail: String::new() });
        }
        context.tell(Event::Finished);
        Ok(right)
    }

    fn judged(
        &self,
        judge: &Judge,
        clean: &[CleanOutcome],
        images: Option<&Tensor>,
    ) -> Result<Vec<Verdict>, EngineError> {
        let indices: Vec<u64> = clean.iter().map(|outcome| outcome.index).collect();
        let places: Vec<usize> = indices.iter().map(|&index| index as usize).collect();
        let batch = Batch::from_rows(self.job.images, &places)?;
        // The labels of the data, not those that the run wrote down.
        let truth: Vec<u32> = places.iter().map(|&place| self.job.images.labels()[place]).collect();
        judge.judge(images.unwrap_or(&batch.images), &batch.labels, &truth, &indices)
    }

    /// Whether the model is too close to call on an image `[1,c,h,w]` though its margin does not say
    /// so: on another machine a member of a majority vote may change sides.
    fn is_close(&self, image: &Tensor) -> Result<bool, EngineError> {
        let lead = self.job.model.reference.nearness(image)?;
        let lead = lead.map(|lead| lead.f_double_value(&[0])).transpose()?;
        Ok(lead.is_some_and(|lead| lead < MARGIN_TOLERANCE))
    }

    /// Holds the stored examples of broken images against data and model, then the nearest points that
    /// were kept; gives the images that the former prove to be broken.
    fn examples(
        &self,
        context: &mut Context,
        attack: AttackId,
        record: &AttackRecord,
        clean: &[CleanOutcome],
        finding: &mut Finding,
    ) -> Result<Vec<u64>, EngineError> {
        let of = |index: u64| clean.get((index.checked_sub(clean.first()?.index)?) as usize);
        let kept: BTreeSet<u64> = self.store.example_indices(attack)?.into_iter().collect();
        // Examples of images that held are there to be shown, and prove nothing.
        let broke = |outcome: &AttackOutcome| outcome.right <= 0.0 && kept.contains(&outcome.index);
        let mut claims: Vec<Claim> = Vec::new();
        for outcome in self.store.outcomes(attack)?.into_iter().filter(broke) {
            let right = of(outcome.index).filter(|clean| clean.right > 0.0);
            claims.extend(right.map(|clean| Claim {
                clean: *clean,
                margin: outcome.margin,
                radius: record.eps,
            }));
        }
        let example = |index| self.store.example(attack, index);
        let task = format!("{}: examples of {}, {}", finding.model, record.id, record.eps_text);
        let found = self.claims(context, task, record, (&claims, &example), finding)?;
        finding.examples += claims.len() as u64;
        finding.proven += found.proven.len() as u64;
        finding.boundary += found.boundary;
        finding.survive_rounding += found.survive_rounding;
        if record.goal == Goal::Nearest && self.job.plan.keep != Keep::None {
            let mut claims: Vec<Claim> = Vec::new();
            for Nearest { index, distance, margin, .. } in self.store.nearest(attack)? {
                let Some(clean) = of(index) else { continue };
                claims.push(Claim { clean: *clean, margin, radius: distance });
            }
            let example = |index| self.store.nearest_example(attack, index);
            let task = format!("{}: nearest points of {}", finding.model, record.id);
            let nearest = self.claims(context, task, record, (&claims, &example), finding)?;
            finding.nearest += claims.len() as u64;
            finding.nearest_proven += nearest.proven.len() as u64;
            finding.nearest_boundary += nearest.boundary;
        }
        Ok(found.proven)
    }

    /// Holds claims against data and model, block by block.
    fn claims(
        &self,
        context: &mut Context,
        task: String,
        record: &AttackRecord,
        (claims, example): (&[Claim], &Kept),
        finding: &mut Finding,
    ) -> Result<Held, EngineError> {
        let total = Some(claims.len() as u64);
        context.tell(Event::Started { task, total, unit: Unit::Images });
        let judge = self.judge(&format!("verify {}", record.stage));
        let mut held = Held::default();
        let mut done = 0;
        for part in claims.chunks(self.job.plan.block as usize) {
            check_cancelled(context)?;
            self.part(&judge, record, (part, example), (&mut held, finding))?;
            done += part.len() as u64;
            context.tell(Event::Advanced { done, detail: String::new() });
        }
        context.tell(Event::Finished);
        Ok(held)
    }

    fn part(
        &self,
        judge: &Judge,
        record: &AttackRecord,
        (part, example): (&[Claim], &Kept),
        (held, finding): (&mut Held, &mut Finding),
    ) -> Result<(), EngineError> {
        let mut pixels = Vec::new();
        let mut there = Vec::with_capacity(part.len());
        for claim in part {
            let index = claim.clean.index;
            if let Some(kept) = example(index)? {
                pixels.extend(kept.pixels);
                there.push(claim);
            } else {
                let what = format!("{} ({})", record.id, record.eps_text);
                finding.refuted.push(format!("{what}, image {index}: was not kept"));
            }
        }
        let part = there;
        if part.is_empty() {
            return Ok(());
        }
        let clean: Vec<CleanOutcome> = part.iter().map(|claim| claim.clean).collect();
        let places: Vec<usize> = clean.iter().map(|outcome| outcome.index as usize).collect();
        let origins = Batch::from_rows(self.job.images, &places)?.images;
        let size = origins.size();
        let images = channels_last(&Tensor::f_from_slice(&pixels)?.f_view(size.as_slice())?)?;
        let verdicts = self.judged(judge, &clean, Some(&images))?;
        let distances = Vec::<f64>::try_from(geometry::distance(record.norm, &images, &origins)?)?;
        let inside = Vec::<bool>::try_from(geometry::in_box(&images)?)?;
        let rounded = images.f_mul_scalar(255.0)?.f_round()?.f_div_scalar(255.0)?;
        let rounded_verdicts = self.judged(judge, &clean, Some(&rounded))?;
        let rounded_distances = geometry::distance(record.norm, &rounded, &origins)?;
        let rounded_distances = Vec::<f64>::try_from(rounded_distances.f_to_kind(Kind::Double)?)?;
        for (row, claim) in part.iter().enumerate() {
            let (verdict, index) = (verdicts[row], claim.clean.index);
            let limit = claim.radius + geometry::TOLERANCE;
            let mut refute = |why: String| {
                finding
                    .refuted
                    .push(format!("{} ({}), image {index}: {why}", record.id, record.eps_text));
            };
            if !inside[row] {
                refute("leaves [0, 1]".to_owned());
            } else if distances[row].is_nan() || distances[row] > limit {
                let (found, radius) = (distances[row], claim.radius);
                refute(format!("lies at {found}, outside the ball of radius {radius}"));
            } else if verdict.right > 0.5 {
                // Of a noisy model's passes most have to be wrong, of another's the only one.
                let image = images.f_narrow(0, row as i64, 1)?;
                if claim.margin.abs() < MARGIN_TOLERANCE || self.is_close(&image)? {
                    held.boundary += 1;
                } else {
                    refute(format!(
                        "is classified correctly, with a margin of {:.3e}; {:.3e} was recorded",
                        verdict.margin, claim.margin
                    ));
                }
            } else {
                let difference = (verdict.margin - claim.margin).abs();
                finding.margin_difference = finding.margin_difference.max(difference);
                held.proven.push(index);
                let still = rounded_verdicts[row].right <= 0.5 && rounded_distances[row] <= limit;
                held.survive_rounding += u64::from(still);
            }
        }
        Ok(())
    }

    /// Counts robust accuracy at each threat again, from the outcomes and from what was proven.
    fn bounds(
        &self,
        clean: &[CleanOutcome],
        right: &BTreeMap<u64, bool>,
        broken: &BTreeMap<(&'static str, u64), f64>,
    ) -> Result<Vec<Bound>, EngineError> {
        let attacks = self.store.attacks(self.id)?;
        let mut bounds: Vec<Bound> = Vec::new();
        for stage in self.job.plan.stages.iter().filter(|stage| !stage.curve) {
            let (norm, eps) = (stage.threat.norm, &stage.threat.eps);
            if bounds.iter().any(|bound| bound.norm == norm && bound.eps == *eps) {
                continue;
            }
            let same = self.job.plan.stages.iter().filter(|s| !s.curve && s.threat == stage.threat);
            let n = same.map(|stage| stage.n).min().unwrap_or(0);
            let radius = stage.threat.threat().map_or(0.0, |threat| threat.eps().value());
            let mut claimed: BTreeMap<u64, bool> =
                clean.iter().filter(|c| c.index < n).map(|c| (c.index, c.right > 0.0)).collect();
            for (id, record) in &attacks {
                if record.norm != norm || record.eps > radius {
                    continue;
                }
                for outcome in self.store.outcomes(*id)? {
                    if let Some(robust) = claimed.get_mut(&outcome.index) {
                        *robust &= outcome.right > 0.0;
                    }
                }
            }
            let proven = right.iter().filter(|&(&index, &right)| {
                let fell = broken.get(&(norm.name(), index)).is_some_and(|&eps| eps <= radius);
                index < n && right && !fell
            });
            bounds.push(Bound {
                norm,
                eps: eps.clone(),
                n: claimed.len() as u64,
                claimed: claimed.values().filter(|&&robust| robust).count() as u64,
                proven: proven.count() as u64,
            });
        }
        Ok(bounds)
    }

    /// Attacks survivors of each finished attack again, with the random numbers of the run.
    fn replay(
        &self,
        context: &mut Context,
        clean: &[CleanOutcome],
        count: u64,
        finding: &mut Finding,
    ) -> Result<(), EngineError> {
        for (id, record) in self.store.attacks(self.id)? {
            let mut survivors = self.store.outcomes(id)?;
            survivors.retain(|outcome| outcome.right > 0.0);
            if !record.finished || record.curve || survivors.is_empty() {
                continue;
            }
            let mut rng = rng::stream(self.job.plan.seed, Purpose::Pick, record.stage, 0);
            let order = rng::permutation(&mut rng, survivors.len());
            let mut picked: Vec<AttackOutcome> =
                order.into_iter().take(count as usize).map(|place| survivors[place]).collect();
            picked.sort_by_key(|outcome| outcome.index);
            let indices: Vec<u64> = picked.iter().map(|outcome| outcome.index).collect();
            let number = record.stage as usize;
            let found = stage::again(context, self.job, number, clean, &indices)?;
            for (recorded, found) in picked.iter().zip(found) {
                finding.replays.push(Replay {
                    stage: record.stage,
                    index: recorded.index,
                    recorded: recorded.margin,
                    found: found.margin,
                    broken: found.right <= 0.0,
                });
            }
        }
        Ok(())
    }
}
