//! Finds and names what goes wrong in adversarial training, from the accuracies on held-out images:
//! overfitting to its attack, and learning nothing.

use crate::record::{EpochRecord, ValidationRecord};

/// What adversarial training is known to end in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// Within a few steps the network learns to defeat one step alone: accuracy under FGSM stays or
    /// rises while accuracy under PGD collapses. Source: Wong, Rice and Kolter, Fast is better than
    /// free, 2020.
    Catastrophic,
    /// Every image gets the same answer, so that no attack changes one: nothing was learnt. A network
    /// without batch norm that is trained against strong attacks from the start may never leave this
    /// state, in which its loss is that of guessing.
    OneAnswer,
    /// Long after its best epoch robust accuracy on held-out images falls, while training goes on to
    /// improve and clean accuracy stays. Source: Rice, Wong and Kolter, Overfitting in adversarially
    /// robust deep learning, 2020.
    Robust,
}

/// What was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The epoch that shows it: the first one of catastrophic overfitting, the last one of robust.
    pub epoch: u32,
    /// Which kind it is.
    pub kind: Kind,
    /// What happened and what to do, in whole sentences with the figures.
    pub sentence: String,
}

/// Under one step so much more than under many is more than attacks of different strength explain:
/// in healthy adversarial training it is a few points.
const GAP: f64 = 0.15;

/// How many standard errors of a difference are more than noise.
const ERRORS: f64 = 2.0;

/// Epochs that must have passed since the best one, lest a single bad epoch be taken for a trend.
const PATIENCE: u32 = 2;

/// Where clean accuracy has risen by more since the best epoch under PGD, the network was still
/// learning its task then, and has given robustness for it rather than overfitted.
const LEARNING: f64 = 0.15;

/// So much of clean accuracy must have been left under PGD for there to be robustness to lose.
const ROBUST_SHARE: f64 = 0.2;

/// Finds each kind at most once, in epochs in their order; those that were not
/// validated are passed over.
///
/// An epoch shows **catastrophic** overfitting where accuracy under FGSM exceeds that under PGD by
/// more than 15 points, and
/// - PGD has fallen to at most half of its best so far, FGSM has not fallen since that epoch, and is
///   at least half of clean accuracy; or, where there may be no better epoch to compare with,
/// - PGD is below half of FGSM, and FGSM is at least two thirds of clean accuracy.
///
/// FGSM is held against clean accuracy because a network trained without attacks shows a wide gap as
/// well (Madry et al., 2018: 95.2 % clean, 32.7 % under FGSM, 3.5 % under PGD), but at the usual radii
/// little accuracy under FGSM.
///
/// The last epoch shows **robust** overfitting where accuracy under PGD has fallen from its best, at
/// least two epochs ago, clean accuracy has neither fallen since nor risen by more than 15 points, the
/// best was at least a fifth of clean accuracy, and the epoch is not of the first kind. (Without the
/// middle two, training without attacks would show it, whose few points of robustness are lost early.)
/// In the log of adversarial weight perturbation's repository (Wu et al., 2020), PreActResNet-18 under
/// PGD-20 goes from 52.8 % at epoch 102 to 43.75 % at epoch 199.
///
/// The last epoch gives **one answer** where its three accuracies are the same and at most one half, and
/// so are those of the epoch before: no attack changes an answer.
///
/// To have fallen means by more than twice the standard error of the difference of two rates, as if
/// each were of other images: 4.5 points at 1,000 images and rates around one half. They are the same
/// images, on which epochs differ less; that pays for the best epoch's being the luckiest of many.
///
/// What it cannot see:
/// - robustness that PGD overestimates as well, as where gradients are masked from both attacks;
/// - a gap of less than 15 points, as where the radius is small or the network weak, and catastrophic
///   overfitting that takes FGSM below half of clean accuracy;
/// - why: where the radius is so small that a network trained without attacks keeps more than half of
///   its accuracy under FGSM, such training looks like catastrophic overfitting;
/// - a collapse and recovery between two validated epochs;
/// - robust overfitting that is slower or smaller than the noise, or that takes clean accuracy along.
#[must_use]
pub fn find(epochs: &[EpochRecord]) -> Vec<Finding> {
    let points: Vec<Point> = epochs.iter().filter_map(Point::of).collect();
    let histories = (1..=points.len()).map(|epochs| &points[..epochs]);
    let mut findings: Vec<Finding> = histories.filter_map(catastrophic).take(1).collect();
    if catastrophic(&points).is_none() {
        findings.extend(one_answer(&points).or_else(|| robust(&points)));
    }
    findings
}

/// The accuracies of a validated epoch.
#[derive(Clone, Copy)]
struct Point {
    epoch: u32,
    clean: Rate,
    fgsm: Rate,
    pgd: Rate,
}

impl Point {
    /// None where the epoch was not validated, or the figures cannot be shares of images.
    fn of(record: &EpochRecord) -> Option<Self> {
        let ValidationRecord { n, clean, fgsm, pgd } = record.validation?;
        let shares = [clean, fgsm, pgd].iter().all(|rate| (0.0..=1.0).contains(rate));
        let rate = |rate| Rate { rate, n };
        (n > 0 && shares).then(|| Self {
            epoch: record.epoch,
            clean: rate(clean),
            fgsm: rate(fgsm),
            pgd: rate(pgd),
        })
    }
}

/// A share of so many images.
#[derive(Clone, Copy)]
struct Rate {
    rate: f64,
    n: u64,
}

impl Rate {
    /// Whether `other` is less, by more than noise.
    fn exceeds(self, other: Self) -> bool {
        self.rate - other.rate > ERRORS * self.standard_error(other)
    }

    /// Of the difference, as if the images were others.
    fn standard_error(self, other: Self) -> f64 {
        let variance = |Self { rate, n }: Self| rate * (1.0 - rate) / n as f64;
        (variance(self) + variance(other)).sqrt()
    }

    fn percent(self) -> String {
        format!("{:.1} %", 100.0 * self.rate)
    }
}

/// Whether the last of these epochs shows catastrophic overfitting.
fn catastrophic(history: &[Point]) -> Option<Finding> {
    let (now, before) = history.split_last()?;
    let Point { epoch, clean, fgsm, pgd } = *now;
    if fgsm.rate - pgd.rate <= GAP || !fgsm.exceeds(pgd) {
        return None;
    }
    let collapsed = best(before).filter(|best| {
        pgd.rate <= best.pgd.rate / 2.0
            && best.pgd.exceeds(pgd)
            && !best.fgsm.exceeds(fgsm)
            && fgsm.rate >= clean.rate / 2.0
    });
    let happened = if let Some(best) = collapsed {
        format!(
            "accuracy under PGD fell from {} at epoch {} to {}, while accuracy under FGSM went from \
             {} to {}",
            best.pgd.percent(),
            best.epoch,
            pgd.percent(),
            best.fgsm.percent(),
            fgsm.percent()
        )
    } else if pgd.rate < fgsm.rate / 2.0 && fgsm.rate >= clean.rate * 2.0 / 3.0 {
        format!(
            "of {} clean accuracy {} are left under FGSM, but {} under PGD",
            clean.percent(),
            fgsm.percent(),
            pgd.percent()
        )
    } else {
        return None;
    };
    let sentence = format!(
        "Catastrophic overfitting at epoch {epoch}: {happened} ({} held-out images). The network has \
         learned to defeat a single step and resists no stronger attack; train against more steps or \
         a smaller eps{}.",
        pgd.n,
        collapsed
            .and_then(|_| kept(before))
            .map(|epoch| format!(", or use the weights of epoch {epoch}"))
            .unwrap_or_default()
    );
    Some(Finding { epoch, kind: Kind::Catastrophic, sentence })
}

/// Whether the last two of these epochs give every image the same answer.
fn one_answer(history: &[Point]) -> Option<Finding> {
    let [.., before, now] = history else { return None };
    let unmoved = |point: &Point| {
        let count = |rate: Rate| (rate.rate * rate.n as f64).round() as u64;
        let same = count(point.clean) == count(point.fgsm) && count(point.fgsm) == count(point.pgd);
        same && point.clean.rate <= 0.5
    };
    (unmoved(before) && unmoved(now)).then(|| Finding {
        epoch: now.epoch,
        kind: Kind::OneAnswer,
        sentence: format!(
            "One answer to every image at epoch {}: accuracy is {} without an attack, under FGSM and \
             under PGD alike ({} held-out images). The network has learnt nothing. Begin with a smaller \
             eps or with clean training, take another seed or a lower learning rate, or train longer.",
            now.epoch,
            now.clean.percent(),
            now.pgd.n
        ),
    })
}

/// Whether the last of these epochs shows robust overfitting.
fn robust(history: &[Point]) -> Option<Finding> {
    let (now, best) = (history.last()?, best(history)?);
    let fallen = now.epoch.saturating_sub(best.epoch) >= PATIENCE
        && best.pgd.exceeds(now.pgd)
        && !best.clean.exceeds(now.clean)
        && now.clean.rate - best.clean.rate <= LEARNING
        && best.pgd.rate >= now.clean.rate * ROBUST_SHARE;
    fallen.then(|| Finding {
        epoch: now.epoch,
        kind: Kind::Robust,
        sentence: format!(
            "Robust overfitting at epoch {}: accuracy under PGD fell from {} at epoch {} to {}, more \
             than twice the standard error of that difference ({:.1} points on {} held-out images), \
             while clean accuracy went from {} to {}. Training on does not make the network more \
             robust: use the weights of epoch {}, or stop there.",
            now.epoch,
            best.pgd.percent(),
            best.epoch,
            now.pgd.percent(),
            100.0 * best.pgd.standard_error(now.pgd),
            now.pgd.n,
            best.clean.percent(),
            now.clean.percent(),
            kept(history).unwrap_or(best.epoch)
        ),
    })
}

/// The epoch of the highest accuracy under PGD, the latest of several.
fn best(history: &[Point]) -> Option<Point> {
    history.iter().copied().max_by(|a, b| a.pgd.rate.total_cmp(&b.pgd.rate))
}

/// The same, the first of several: the one whose weights training keeps.
fn kept(history: &[Point]) -> Option<u32> {
    let best = history.iter().rev().max_by(|a, b| a.pgd.rate.total_cmp(&b.pgd.rate));
    best.map(|best| best.epoch)
}

#[cfg(test)]
mod tests;
