use super::*;
use crate::comparison::{Comparison, Measure};
use crate::record::ValidationRecord;
use crate::summary::Correct;
use crate::testdata::{self, WAYS};

/// Standard, FGSM joint, PGD AT and TRADES (one seed) with these robust accuracies, of which all
/// differences have intervals that reach so far to both sides.
fn made(robust: &[f64], reach: f64) -> Comparison {
    let mut comparison = testdata::comparison_of(&WAYS[..robust.len()]);
    for (group, &mean) in comparison.groups.iter_mut().zip(robust) {
        for figure in group.figures.iter_mut().filter(|f| f.measure == Measure::Robust) {
            (figure.mean, figure.ci95) = (mean, [mean - 0.01, mean + 0.01]);
        }
    }
    let mean = |name: &str, groups: &[crate::comparison::Group]| {
        groups.iter().find(|g| g.name == name).unwrap().figure(Measure::Robust).unwrap().mean
    };
    for d in comparison.differences.iter_mut().filter(|d| d.measure == Measure::Robust) {
        d.difference = mean(&d.a, &comparison.groups) - mean(&d.b, &comparison.groups);
        d.ci95 = [d.difference - reach, d.difference + reach];
    }
    comparison
}

/// FGSM joint with these gaps: what FGSM leaves above clean and above robust accuracy.
fn with_gaps(mut comparison: Comparison, gaps: [(f64, f64); 2]) -> Comparison {
    for (gap, (difference, reach)) in comparison.groups[1].gaps.iter_mut().zip(gaps) {
        gap.difference = difference;
        gap.ci95 = [difference - reach, difference + reach];
    }
    comparison
}

fn said(comparison: &Comparison) -> String {
    sentences(&View::new(comparison)).join("\n").replace('\u{a0}', " ")
}

/// Would catch a first place that is claimed although chance explains it, and one that is not although
/// it does not.
#[test]
fn a_first_place_is_clear_or_not() {
    let clear = said(&made(&[0.0, 0.01, 0.3, 0.25], 0.02));
    assert!(
        clear.starts_with("Under all attacks at linf 8/255 PGD AT keeps most: at most 30.00 % ")
    );
    assert!(clear.contains("(mean of 3 seeds)"), "{clear}");
    assert!(clear.contains("Next is TRADES with at most 25.00 % "), "{clear}");
    assert!(
        clear.contains("5.0 points [3.0, 7.0], is more than chance explains (this inter"),
        "{clear}"
    );
    assert!(clear.contains("All others are clearly behind PGD AT."), "{clear}");
    let alone = said(&made(&[0.0, 0.28, 0.3, 0.05], 0.01));
    let words = "All others are clearly behind PGD AT (of TRADES over the images alone, fewer than two seeds";
    assert!(alone.contains(words), "{alone}");
    let open = said(&made(&[0.0, 0.28, 0.3, 0.25], 0.06));
    assert!(open.contains("Next is FGSM joint"), "{open}");
    assert!(
        open.contains("is no more than chance explains: which of the two is more rob"),
        "{open}"
    );
    assert!(open.contains("only TRADES is not clearly behind PGD AT (of TRADES over"), "{open}");
    let all = said(&made(&[0.29, 0.28, 0.3, 0.27], 0.06));
    assert!(all.contains("Chance parts none of the others clearly from PGD AT"), "{all}");
    assert!(all.contains(": FGSM joint and TRADES (of TRADES over the images alone"), "{all}");
}

/// Would catch a network that learnt nothing being passed over in silence, or held against the paper's as if it
/// were robust.
#[test]
fn what_learnt_nothing_is_no_rival() {
    let mut comparison = made(&[0.0, 0.01, 0.1], 0.02);
    assert!(said(&comparison).contains("Under all attacks PGD AT"));
    let stuck = |comparison: &mut Comparison, seeds: usize| {
        for member in comparison.groups[2].members.iter_mut().take(seeds) {
            for epoch in &mut member.training.as_mut().unwrap().epochs {
                let n = 1000;
                let rate = 0.078;
                epoch.validation = Some(ValidationRecord { n, clean: rate, fgsm: rate, pgd: rate });
            }
        }
    };
    stuck(&mut comparison, 1);
    let one = said(&comparison);
    assert!(one.contains("Learnt nothing: PGD AT (seed 0). Training ended in one answer"), "{one}");
    assert!(!one.contains("Under all attacks PGD AT keeps"), "{one}");
    assert!(one.contains("no group of recipe pgd-at that learnt anything"), "{one}");
    stuck(&mut comparison, 3);
    assert!(said(&comparison).contains("Learnt nothing: PGD AT. "));
}

/// Would catch a winner among equals, and one where nothing is left.
#[test]
fn equals_and_nothing_left() {
    let equal = said(&made(&[0.1, 0.0, 0.3, 0.3], 0.02));
    assert!(
        equal.starts_with("Under all attacks at linf 8/255 PGD AT and TRADES keep most, and equal")
    );
    assert!(equal.contains("Next is standard with at most 10.00 %"), "{equal}");
    assert!(equal.contains("PGD AT’s to 20.0 points"), "{equal}");
    assert!(equal.contains("All others are clearly behind"), "{equal}");
    let both = said(&made(&[0.3, 0.3], 0.02));
    assert!(both.contains("standard and FGSM joint keep most"), "{both}");
    assert!(!both.contains("Next is") && !both.contains("others"), "{both}");
    let none = said(&made(&[0.0, 0.0, 0.0], 0.0));
    assert!(
        none.starts_with(
            "Under all attacks at linf 8/255 nothing is left of any method: not one of"
        )
    );
}

/// Would catch a comparison of methods that are not there, or were judged on other images.
#[test]
fn missing_groups_are_not_compared() {
    let mut comparison = made(&[0.1, 0.05, 0.3], 0.02);
    comparison.differences.clear();
    let apart = said(&comparison);
    assert!(apart.contains("on other images, so that the two cannot be compared"), "{apart}");
    comparison.groups.remove(1);
    let without = said(&comparison);
    assert!(
        without.contains("No network is trained as the paper's (recipe fgsm-joint)"),
        "{without}"
    );
    comparison.groups.truncate(1);
    let one = said(&comparison);
    assert!(one.contains("standard keeps most") && one.contains("no other method"), "{one}");
    comparison.groups[0].figures.clear();
    assert!(said(&comparison).starts_with("No method was judged under all attacks yet"));
    let against = said(&made(&[0.1, 0.05], 0.02));
    assert!(
        against.contains("There is no group of recipe pgd-at to hold it against."),
        "{against}"
    );
}

/// Would catch a verdict on the paper's claim that the figures do not bear out, whichever it is.
#[test]
fn the_claim_falls_or_stands_with_the_figures() {
    let base = made(&[0.0, 0.01, 0.3], 0.02);
    let falls = said(&with_gaps(base.clone(), [(0.17, 0.02), (0.74, 0.02)]));
    assert!(falls.contains("That does not hold here: other attacks leave less."), "{falls}");
    assert!(falls.contains("74.0 points [72.0, 76.0] less on the first 200 images"), "{falls}");
    assert!(
        falls.contains("17.0 points [15.0, 19.0] above its clean accuracy: labels leak"),
        "{falls}"
    );
    assert!(
        falls.contains("Under all attacks PGD AT keeps 29.0 points [27.0, 31.0] more."),
        "{falls}"
    );
    let stands = said(&with_gaps(base.clone(), [(-0.2, 0.02), (0.01, 0.02)]));
    assert!(stands.contains("These attacks do not contradict it here"), "{stands}");
    assert!(stands.contains("1.0 points [-1.0, 3.0] on the first 200 images"), "{stands}");
    assert!(stands.contains("no more than chance explains"), "{stands}");
    assert!(stands.contains("No label leaking shows at linf 8/255"), "{stands}");
    let open = said(&with_gaps(base, [(0.01, 0.02), (0.2, 0.02)]));
    assert!(open.contains("whether labels leak stays open"), "{open}");
    let better = said(&with_gaps(made(&[0.0, 0.35, 0.3], 0.02), [(0.1, 0.2), (0.2, 0.02)]));
    assert!(
        better.contains("Under all attacks PGD AT keeps 5.0 points [3.0, 7.0] less."),
        "{better}"
    );
    let even = said(&made(&[0.0, 0.3, 0.3], 0.02));
    assert!(even.contains("Under all attacks PGD AT differs from it by 0.0 points"), "{even}");
}

/// Would catch a leak that is claimed at the paper's radius without one, or the other way round, and a
/// sentence where nothing was measured there.
#[test]
fn the_papers_radius_is_told_of_where_it_is_measured() {
    let at_radius = |gap: f64| {
        let mut comparison = made(&[0.0, 0.01, 0.3], 0.02);
        let leak = &mut comparison.groups[1].gaps[2];
        (leak.difference, leak.ci95) = (gap, [gap - 0.02, gap + 0.02]);
        comparison
    };
    let leaks = said(&at_radius(0.2));
    assert!(leaks.contains("At linf 0.1, where the paper claims robustness, it has "), "{leaks}");
    let words = "20.0 points [18.0, 22.0] above its clean accuracy: labels leak through the attack";
    assert!(leaks.contains(&format!(" under FGSM, {words}.")), "{leaks}");
    let none = said(&at_radius(-0.2));
    let sentence = none.split("At linf 0.1, where").nth(1).unwrap();
    assert!(!sentence.split('.').take(3).any(|part| part.contains("leak")), "{none}");
    let mut unmeasured = at_radius(0.2);
    unmeasured.claim = None;
    assert!(!said(&unmeasured).contains("where the paper claims"));
    let mut curve = at_radius(0.2);
    for member in &mut curve.groups[1].members {
        let last = member.curves[0].points.last_mut().unwrap();
        last.eps = 0.1;
    }
    let seeds = said(&curve);
    assert!(
        seeds.contains(
            ", and there PGD-20 leaves 0.00 % of the first 200 images in each of 3 seeds."
        ),
        "{seeds}"
    );
    for (place, member) in (0..).zip(&mut curve.groups[1].members) {
        member.curves[0].points.last_mut().unwrap().adversarial = Correct::of(10 * place, 200);
    }
    let seeds = said(&curve);
    let words = ", and there PGD-20 leaves 0.00 % to 10.00 % of the first 200 images, by seed.";
    assert!(seeds.contains(words), "{seeds}");
    curve.groups[1].members.truncate(1);
    let one = said(&curve);
    let words = ", and there PGD-20 leaves 0.00 % [0.00, 1.83] of the first 200 images.";
    assert!(one.contains(words), "{one}");
}

/// Would catch a certainty over seeds that one seed cannot give.
#[test]
fn of_one_seed_only_the_images_speak() {
    let mut comparison = made(&[0.0, 0.01, 0.3], 0.02);
    for group in &mut comparison.groups {
        group.members.truncate(1);
        for figure in &mut group.figures {
            figure.by_seed.truncate(1);
        }
    }
    for d in &mut comparison.differences {
        (d.seeds, d.pairs) = ([1, 1], 0);
    }
    let one = said(&comparison);
    assert!(one.contains("of 200 images (1 seed)"), "{one}");
    assert_eq!(one.matches("this interval is over the images alone").count(), 2, "{one}");
}

/// Would catch a network held against one that was trained for another radius.
#[test]
fn the_paper_is_held_against_the_nearest_settings() {
    let text = said(&testdata::large_comparison());
    let paper = text.lines().find(|line| line.starts_with("FGSM joint, eps 0.1")).unwrap();
    assert!(paper.contains("PGD AT, eps 0.1 "), "{paper}");
    let other = text.lines().find(|line| line.starts_with("FGSM joint: ")).unwrap();
    assert!(other.contains("PGD AT keeps "), "{other}");
}

/// Would catch a network that is held against the one of its seed rather than the one of its settings.
#[test]
fn seeds_are_no_settings() {
    let mut comparison = testdata::comparison_of(&[copy(&WAYS[1]), copy(&WAYS[7]), copy(&WAYS[2])]);
    for (group, seed) in comparison.groups.iter_mut().zip([5, 5, 6]) {
        let training = group.members[0].training.as_mut().unwrap();
        for (name, value) in &mut training.settings {
            if name == "seed" {
                *value = seed.to_string();
            }
        }
        let more = ("another".to_owned(), "1".to_owned());
        training.settings.extend((group.name == "pgd-at").then_some(more));
    }
    let other = said(&comparison);
    assert!(other.contains("Under all attacks PGD AT keeps "), "{other}");
}

/// Would catch a first place that the seeds which both have contradict, without a word.
#[test]
fn a_difference_against_the_means_is_told_of() {
    let mut comparison = made(&[0.0, 0.01, 0.3, 0.25], 0.02);
    for d in &mut comparison.differences {
        if d.measure == Measure::Robust && d.a == "pgd-at" {
            (d.difference, d.ci95) = (-0.05, [-0.07, -0.03]);
        }
    }
    let turned = said(&comparison);
    let words = "Over the seeds that both have it is ahead: the difference, -5.0 points [-7.0, -3.0], is more";
    assert!(turned.contains(words), "{turned}");
}

fn copy(way: &testdata::Way) -> testdata::Way {
    testdata::Way { ..*way }
}
