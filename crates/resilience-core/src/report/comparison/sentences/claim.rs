//! What the figures say of the paper's claim: it trains with FGSM examples, and takes accuracy under FGSM
//! for robustness.

use std::fmt::Write as _;

use super::first::{alone, margin};
use super::stuck;
use crate::comparison::Measure;
use crate::report::comparison::view::{Subject, View, points_interval, rate};
use crate::report::words;
use crate::summary::Correct;

/// The recipe of the paper, and the one that it is held against.
const PAPERS: &str = "fgsm-joint";
const AGAINST: &str = "pgd-at";

/// The claim against what is left, for every group that is trained as the paper's.
pub fn sentences(view: &View<'_>) -> Vec<String> {
    let trained = view.subjects.iter().filter(|subject| subject.group.recipe() == Some(PAPERS));
    let trained: Vec<&Subject<'_>> = trained.collect();
    if trained.is_empty() {
        return vec![format!(
            "No network is trained as the paper's (recipe {PAPERS}), so that these figures do not test its \
             claim."
        )];
    }
    let mut sentences = vec![verdict(&trained)];
    sentences.extend(trained.into_iter().map(|subject| {
        let parts = [
            Some(claimed(view, subject)),
            leaking(view, subject),
            at_its_radius(view, subject),
            against(view, subject),
        ];
        parts.into_iter().flatten().collect::<Vec<_>>().join(" ")
    }));
    sentences
}

/// What all of them together say.
fn verdict(trained: &[&Subject<'_>]) -> String {
    let gaps = trained.iter().map(|s| s.group.gap(Measure::FgsmTrue, Measure::Robust));
    let gaps: Vec<_> = gaps.flatten().collect();
    let exceed = gaps.iter().filter(|gap| gap.is_clear() && gap.difference > 0.0).count();
    let said = match (exceed, gaps.len()) {
        (_, 0) => "Whether that holds cannot be said before both are measured.",
        (0, _) => {
            "These attacks do not contradict it here: they leave as much, as far as chance lets one \
                   see."
        }
        (n, all) if n == all => "That does not hold here: other attacks leave less.",
        _ => "That does not hold here for every network that is trained so.",
    };
    format!(
        "The paper trains with FGSM examples and takes accuracy under FGSM for robustness. {said}"
    )
}

/// Accuracy under FGSM, and what is left.
fn claimed(view: &View<'_>, subject: &Subject<'_>) -> String {
    let name = &subject.name;
    let Some(fgsm) = subject.group.figure(Measure::FgsmTrue) else {
        return format!("{name}: FGSM with true labels was not measured for every seed.");
    };
    let start = format!("{name}: {} under FGSM with true labels at {}", rate(fgsm), view.threat());
    let Some(robust) = subject.group.figure(Measure::Robust) else {
        return format!("{start}; all attacks together were not carried through.");
    };
    let left = format!("{start}, at most {} under all attacks", rate(robust));
    let Some(gap) = subject.group.gap(Measure::FgsmTrue, Measure::Robust) else {
        return format!("{left}.");
    };
    let images = if fgsm.n == robust.n {
        String::new()
    } else {
        format!(" on the first {} images, which both are measured on", words::count(gap.n))
    };
    let points = format!("{} points {}", words::points(gap.difference), points_interval(gap.ci95));
    if !gap.is_clear() {
        format!("{left}: a difference of {points}{images}, no more than chance explains.")
    } else if gap.difference > 0.0 {
        format!("{left}: {points} less{images}.")
    } else {
        let turned = points_interval([-gap.ci95[1], -gap.ci95[0]]);
        format!("{left}: {} points {turned} more{images}.", words::points(gap.difference))
    }
}

/// Whether it scores higher on FGSM examples than on clean images.
fn leaking(view: &View<'_>, subject: &Subject<'_>) -> Option<String> {
    let gap = subject.group.gap(Measure::FgsmTrue, Measure::Clean)?;
    let points = words::points(gap.difference);
    let interval = points_interval(gap.ci95);
    Some(match gap.difference {
        d if d > 0.0 && gap.is_clear() => format!(
            "That is {points} points {interval} above its clean accuracy: labels leak through the attack, \
             which is no robustness."
        ),
        d if d > 0.0 => format!(
            "That is {points} points {interval} above its clean accuracy, no more than chance explains: \
             whether labels leak stays open."
        ),
        _ => {
            format!("No label leaking shows at {}: it is not above clean accuracy.", view.threat())
        }
    })
}

/// What FGSM claims at the radius at which it was taken for robustness, and what PGD leaves there.
fn at_its_radius(view: &View<'_>, subject: &Subject<'_>) -> Option<String> {
    let at = view.comparison.claim.as_ref()?;
    let radius = words::radius(at.norm, &at.eps_text);
    let claim = subject.group.figure(Measure::Claim)?;
    let mut said = format!(
        "At {radius}, where the paper claims robustness, it has {} under FGSM",
        rate(claim)
    );
    if let Some(gap) = subject.group.gap(Measure::Claim, Measure::Clean) {
        let (points, interval) = (words::points(gap.difference), points_interval(gap.ci95));
        if gap.difference > 0.0 && gap.is_clear() {
            let _ = write!(
                said,
                ", {points} points {interval} above its clean accuracy: labels leak through the attack"
            );
        }
    }
    if let Some((attack, left)) = subject.group.curve_at(at.eps) {
        let (attack, left) = (view.curve_attack(attack), left_of(&left)?);
        let _ = write!(said, ", and there {attack} leaves {left}");
    }
    Some(said + ".")
}

/// What a curve's attack leaves: of one seed with the interval over its images, of several from the least to
/// the most.
fn left_of(by_seed: &[Correct]) -> Option<String> {
    let first = by_seed.first()?;
    let images = format!("of the first {} images", words::count(first.n));
    let rates = || by_seed.iter().map(|seed| seed.rate);
    if by_seed.len() == 1 {
        let (rate, interval) = (words::percent(first.rate), words::interval(first.ci95));
        return Some(format!("{rate}\u{a0}% {interval} {images}"));
    }
    let (least, most) = (rates().min_by(f64::total_cmp)?, rates().max_by(f64::total_cmp)?);
    let (least, most) = (words::percent(least), words::percent(most));
    let seeds = by_seed.len();
    Some(if least == most {
        format!("{least}\u{a0}% {images} in each of {seeds} seeds")
    } else {
        format!("{least}\u{a0}% to {most}\u{a0}% {images}, by seed")
    })
}

/// How training against many steps compares, under all attacks.
fn against(view: &View<'_>, subject: &Subject<'_>) -> Option<String> {
    let Some(other) = counterpart(view, subject) else {
        let any = view.subjects.iter().any(|other| other.group.recipe() == Some(AGAINST));
        let learnt = if any { " that learnt anything" } else { "" };
        return Some(format!("There is no group of recipe {AGAINST}{learnt} to hold it against."));
    };
    let d = view.difference(other, subject, Measure::Robust)?;
    let (name, margin, alone) = (&other.name, margin(&d), alone(&d));
    Some(match d.difference {
        _ if !d.is_clear() => format!(
            "Under all attacks {name} differs from it by {margin}, no more than chance explains{alone}."
        ),
        x if x > 0.0 => format!("Under all attacks {name} keeps {margin} more{alone}."),
        _ => {
            let margin = self::margin(&d.turned());
            format!("Under all attacks {name} keeps {margin} less{alone}.")
        }
    })
}

/// Of the groups that are trained against many steps, and that learnt anything, the one whose settings differ
/// least, seeds apart.
fn counterpart<'v, 'a>(view: &'v View<'a>, subject: &Subject<'_>) -> Option<&'v Subject<'a>> {
    let settings = settings(subject);
    let learnt = |other: &&Subject<'_>| stuck::seeds(other).is_empty();
    let others = view.subjects.iter().filter(|other| other.group.recipe() == Some(AGAINST));
    let others = others.filter(learnt);
    others.min_by_key(|other| {
        let theirs = self::settings(other);
        let unlike = |a: &[(String, String)], b: &[(String, String)]| {
            a.iter().filter(|setting| setting.0 != "seed" && !b.contains(setting)).count()
        };
        let networks = architecture(other) != architecture(subject);
        (networks, unlike(settings, theirs) + unlike(theirs, settings))
    })
}

fn settings<'a>(subject: &Subject<'a>) -> &'a [(String, String)] {
    let training = subject.group.members.first().and_then(|member| member.training.as_ref());
    training.map_or(&[], |training| &training.settings)
}

fn architecture<'a>(subject: &Subject<'a>) -> Option<&'a str> {
    let model = subject.group.members.first()?.summary.models.first()?;
    Some(&model.architecture)
}
