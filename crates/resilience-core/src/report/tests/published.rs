//! Where results would stand among published claims.

use super::*;
use crate::leaderboard::{Effort, boards, published};

/// A run whose first placed result is changed.
fn with(change: impl Fn(&mut summary::EvaluationSummary)) -> Run {
    let mut run = run();
    run.summary.models.drain(..1);
    run.summary.models.truncate(1);
    run.summary.pairs.clear();
    run.summary.models[0].evaluations.truncate(1);
    change(&mut run.summary.models[0].evaluations[0]);
    run
}

fn text(run: Run) -> String {
    terminal(&[run], None).unwrap().replace('\u{a0}', " ")
}

/// Would catch a part that loses a rank, a neighbour or the terms on which they are compared.
#[test]
fn the_part() {
    let page = html(&[run()]).unwrap();
    insta::assert_snapshot!("part", section(&page, "published"));
}

/// Would catch a sentence that lets a weaker suite or fewer images pass for the published terms, or says
/// that they differ where they do not.
#[test]
fn terms_are_said_as_they_are() {
    let place = |effort, n| {
        text(with(|at| {
            let place = at.place.as_mut().unwrap();
            (place.effort, at.n) = (effort, n);
        }))
    };
    let less = place(Effort::Less, 1000);
    assert!(less.contains("standard suite left of 10,000 test images; ours, on 1,000 images,"));
    assert!(less.contains("an upper bound by less than that (quick)"), "{less}");
    assert!(less.contains("rank 83 to 90 of 99 published claims by its 95 % interval"), "{less}");
    let same = place(Effort::Same, 10_000);
    assert!(same.contains("ours, on as many, is by the same attacks."), "{same}");
    assert!(place(Effort::More, 10_000).contains("and more (quick), which can only lower it"));
}

/// Would catch ends and marks that read like any other rank.
#[test]
fn ends_and_marks_are_named() {
    let neighbour = |at: &mut summary::EvaluationSummary, above: bool| {
        let place = at.place.as_mut().unwrap();
        let end = if above { &mut place.above } else { &mut place.below };
        *end = None;
    };
    assert!(text(with(|at| neighbour(at, true))).contains("above all 99 published claims"));
    assert!(text(with(|at| neighbour(at, false))).contains("below all 99 published claims"));
    let marked = text(with(|at| {
        let below = at.place.as_mut().unwrap().below.as_mut().unwrap();
        (below.unreliable, below.best_known) = (true, Some(0.074));
    }));
    assert!(marked.contains("known to be too high, at most 7.40 % by other attacks)"), "{marked}");
    let single = text(with(|at| at.place.as_mut().unwrap().rank95 = [87, 87]));
    assert!(single.contains("rank 87 of 99 published claims.\n"), "{single}");
    let to_the_end = text(with(|at| at.place.as_mut().unwrap().rank95 = [97, 100]));
    assert!(to_the_end.contains("rank 97 to below the last of 99"), "{to_the_end}");
    let none = text(with(|at| at.place = None));
    assert!(!none.contains("published"), "{none}");
}

/// Would catch a table whose columns are not aligned, or that hides how many claims it leaves out.
#[test]
fn the_leaderboard() {
    let claims = published().unwrap();
    let boards = boards(&claims, &crate::leaderboard::Filter::default()).unwrap();
    insta::assert_snapshot!("leaderboard_plain", leaderboard(&boards, Some(3), None));
    let text = leaderboard(&boards, Some(3), Some(100));
    assert!(text.lines().all(|line| line.chars().count() <= 100), "{text}");
    assert!(leaderboard(&boards, None, None).contains("Alfarra2020ClusTR"));
}
