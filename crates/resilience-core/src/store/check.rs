//! What a record must be to count as evidence: held against everything that is written, and once
//! more against everything that is read.

use std::ops::Range;

use crate::plan::Plan;
use crate::record::{
    AttackOutcome, AttackRecord, CleanOutcome, Example, ModelRecord, Nearest, Picture,
};

/// Passes that anything takes; some thousand such numbers still add up to one of 64 bits.
const MOST_PASSES: u64 = 1 << 50;

/// What is wrong with a record.
#[derive(Debug)]
pub(super) struct Flaw {
    pub what: String,
    pub expected: String,
    pub got: String,
}

/// Where the records of one image stand: `outcomes of attack 3`, and the images that may.
pub(super) struct Place<'a> {
    pub what: &'a str,
    pub images: Range<u64>,
}

impl Place<'_> {
    fn flaw(&self, index: u64, field: &str, expected: &str, got: &dyn ToString) -> Flaw {
        let what = format!("{}, image {index}: {field}", self.what);
        Flaw { what, expected: expected.to_owned(), got: got.to_string() }
    }

    pub fn index(&self, index: u64) -> Result<(), Flaw> {
        if self.images.contains(&index) {
            return Ok(());
        }
        let Range { start, end } = self.images;
        Err(self.flaw(index, "its index", &format!("at least {start} and below {end}"), &index))
    }

    fn finite(&self, index: u64, field: &str, value: f64) -> Result<(), Flaw> {
        if value.is_finite() {
            return Ok(());
        }
        Err(self.flaw(index, field, "a finite number", &value))
    }

    fn share(&self, index: u64, value: f64) -> Result<(), Flaw> {
        if (0.0..=1.0).contains(&value) {
            return Ok(());
        }
        Err(self.flaw(index, "right", "a share from 0 to 1", &value))
    }

    /// Rates are over all images of the shard, so that every one of them has its entry, in order.
    pub fn clean(&self, clean: &[CleanOutcome]) -> Result<(), Flaw> {
        let Range { start, end } = self.images;
        if clean.len() as u64 != end - start {
            return Err(Flaw {
                what: self.what.to_owned(),
                expected: format!("{} of them", end - start),
                got: clean.len().to_string(),
            });
        }
        for (expected, c) in self.images.clone().zip(clean) {
            if c.index != expected {
                return Err(self.flaw(c.index, "its index", &expected.to_string(), &c.index));
            }
            self.finite(c.index, "confidence", c.confidence)?;
            self.share(c.index, c.right)?;
        }
        Ok(())
    }

    pub fn outcome(&self, o: &AttackOutcome) -> Result<(), Flaw> {
        self.index(o.index)?;
        for (field, value) in
            [("confidence", o.confidence), ("distance", o.distance), ("margin", o.margin)]
        {
            self.finite(o.index, field, value)?;
        }
        for (field, passes) in [("forwards", o.forwards), ("backwards", o.backwards)] {
            if passes > MOST_PASSES {
                return Err(self.flaw(o.index, field, &format!("at most {MOST_PASSES}"), &passes));
            }
        }
        self.share(o.index, o.right)
    }

    /// Nothing is misclassified at the clean image itself, which was right.
    pub fn nearest(&self, found: &Nearest) -> Result<(), Flaw> {
        self.index(found.index)?;
        self.finite(found.index, "margin", found.margin)?;
        if found.distance.is_finite() && found.distance > 0.0 {
            return Ok(());
        }
        Err(self.flaw(found.index, "distance", "a finite number above 0", &found.distance))
    }

    pub fn example(&self, example: &Example) -> Result<(), Flaw> {
        self.index(example.index)?;
        self.filled(example.index, example.shape, example.pixels.len())?;
        let broken = example.pixels.iter().find(|pixel| !pixel.is_finite());
        broken.map_or(Ok(()), |&p| self.finite(example.index, "a pixel", f64::from(p)))
    }

    pub fn picture(&self, picture: &Picture) -> Result<(), Flaw> {
        self.index(picture.index)?;
        self.filled(picture.index, picture.shape, picture.pixels.len())
    }

    /// Whether there are as many pixels as the shape says.
    fn filled(&self, index: u64, shape: [usize; 3], pixels: usize) -> Result<(), Flaw> {
        let size = shape.iter().try_fold(1_usize, |size, &side| size.checked_mul(side));
        if size == Some(pixels) {
            return Ok(());
        }
        Err(self.flaw(index, "pixels", &format!("as many as fill the shape {shape:?}"), &pixels))
    }
}

/// Whether images can be counted by the plan at all.
pub(super) fn plan(plan: &Plan) -> Result<(), Flaw> {
    let flaw = |what: &str, expected: String, got: String| {
        Err(Flaw { what: format!("the plan: {what}"), expected, got })
    };
    let (n, most) = (plan.dataset.n, u64::from(u32::MAX));
    if n > most {
        return flaw("dataset.n", format!("at most {most} images"), n.to_string());
    }
    if !(1..=most).contains(&plan.block) {
        return flaw("block", format!("1 to {most} images"), plan.block.to_string());
    }
    let shard = plan.shard;
    if shard.of > most || !(1..=shard.of).contains(&shard.index) {
        return flaw("shard", "K/M with K from 1 to M".to_owned(), shard.to_string());
    }
    let models = plan.models.len() as u64;
    for (stage, other) in (0..).zip(&plan.stages) {
        if let Some(source) = other.source.filter(|source| *source >= models) {
            let what = format!("stages[{stage}].source");
            return flaw(
                &what,
                format!("below {models}, the number of models"),
                source.to_string(),
            );
        }
    }
    if let Some((stage, other)) = (0..).zip(&plan.stages).find(|(_, stage)| stage.n > n) {
        let what = format!("stages[{stage}].n");
        return flaw(&what, format!("at most {n}, the images of the run"), other.n.to_string());
    }
    Ok(())
}

/// Whether the model is the one at that place of the plan.
pub(super) fn model(plan: &Plan, place: usize, record: &ModelRecord) -> Result<(), Flaw> {
    let what = format!("model {}", place + 1);
    let Some(planned) = plan.models.get(place) else {
        let expected = format!("no more than the {} models of the plan", plan.models.len());
        return Err(Flaw { what, expected, got: format!("'{}'", record.name) });
    };
    if planned.name != record.name {
        let expected = format!("'{}', the plan's next", planned.name);
        return Err(Flaw { what, expected, got: format!("'{}'", record.name) });
    }
    if record.dataset.n != plan.dataset.n {
        let expected = format!("the plan's {} images", plan.dataset.n);
        return Err(Flaw { what, expected, got: record.dataset.n.to_string() });
    }
    Ok(())
}

/// Whether the attack is what the plan has at its stage.
pub(super) fn attack(plan: &Plan, record: &AttackRecord) -> Result<(), Flaw> {
    let what = |field: &str| format!("the attack at stage {}: {field}", record.stage);
    let stage = usize::try_from(record.stage).ok().and_then(|stage| plan.stages.get(stage));
    let Some(stage) = stage else {
        let expected = format!("below {}, the number of stages in the plan", plan.stages.len());
        return Err(Flaw { what: what("stage"), expected, got: record.stage.to_string() });
    };
    for (field, count) in [
        ("attacked", record.attacked),
        ("forwards", record.forwards),
        ("backwards", record.backwards),
    ] {
        if count > MOST_PASSES {
            let expected = format!("at most {MOST_PASSES}");
            return Err(Flaw { what: what(field), expected, got: count.to_string() });
        }
    }
    if !(record.eps.is_finite() && record.eps > 0.0) {
        let expected = "a finite number above 0".to_owned();
        return Err(Flaw { what: what("eps"), expected, got: record.eps.to_string() });
    }
    let none = || "none".to_owned();
    let place = |source: Option<u64>| source.map_or_else(none, |place| format!("model {place}"));
    let fields = [
        ("id", stage.attack.clone(), record.id.clone()),
        (
            "suite",
            stage.suite.clone().unwrap_or_else(none),
            record.suite.clone().unwrap_or_else(none),
        ),
        ("norm", stage.threat.norm.to_string(), record.norm.to_string()),
        ("eps_text", stage.threat.eps.clone(), record.eps_text.clone()),
        ("labels", stage.labels.name().to_owned(), record.labels.name().to_owned()),
        ("scope", format!("{:?}", stage.scope), format!("{:?}", record.scope)),
        ("goal", stage.goal.name().to_owned(), record.goal.name().to_owned()),
        ("source", place(stage.source), place(record.source)),
        ("n", stage.n.to_string(), record.n.to_string()),
        ("curve", stage.curve.to_string(), record.curve.to_string()),
    ];
    match fields.into_iter().find(|(_, planned, got)| planned != got) {
        Some((field, planned, got)) => {
            Err(Flaw { what: what(field), expected: format!("{planned}, as planned"), got })
        }
        None => Ok(()),
    }
}
