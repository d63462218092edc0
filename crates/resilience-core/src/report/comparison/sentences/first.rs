//! Which method keeps most under all attacks, and how certain that is.

use crate::comparison::{Difference, Figure, Measure};
use crate::report::comparison::front::EQUAL;
use crate::report::comparison::view::{Subject, View, names, points_interval, rate, signed};
use crate::report::words;

/// The first in what all attacks leave, the next, and whoever chance does not part from the first.
pub fn sentences(view: &View<'_>) -> Vec<String> {
    let ranked = view.ranked(Measure::Robust);
    let Some(&(first, best)) = ranked.first() else {
        return vec![
            "No method was judged under all attacks yet, so that nothing can be said of robustness."
                .to_owned(),
        ];
    };
    if best.mean < EQUAL {
        return vec![nothing(view, &ranked)];
    }
    let equal = ranked.iter().take_while(|(_, figure)| best.mean - figure.mean < EQUAL).count();
    let mut sentences = vec![lead(view, &ranked[..equal])];
    if ranked.len() == 1 {
        sentences.push("There is no other method to compare it with.".to_owned());
    }
    if let Some(&(next, figure)) = ranked.get(equal) {
        sentences.push(follows(view, (first, equal > 1), (next, figure)));
    }
    // The second was told of already.
    let others = ranked.iter().skip(equal + 1).map(|(subject, _)| *subject);
    sentences.extend(undecided(view, first, &others.collect::<Vec<_>>()));
    sentences
}

fn nothing(view: &View<'_>, ranked: &[(&Subject<'_>, &Figure)]) -> String {
    let images = view
        .images(Measure::Robust)
        .map_or_else(String::new, |n| format!(" of {} images", words::count(n)));
    let of = match ranked {
        [(only, _)] => only.name.clone(),
        _ => "any method".to_owned(),
    };
    format!("Under all attacks at {} nothing is left of {of}: not one{images}.", view.threat())
}

fn lead(view: &View<'_>, first: &[(&Subject<'_>, &Figure)]) -> String {
    let named = names(first.iter().map(|(subject, _)| *subject));
    let (subject, figure) = first[0];
    let images = words::count(figure.n);
    let threat = view.threat();
    if first.len() > 1 {
        return format!(
            "Under all attacks at {threat} {named} keep most, and equally much: at most {}\u{a0}% of \
             {images} images each.",
            words::percent(figure.mean)
        );
    }
    let over = match figure.by_seed.len() {
        1 if subject.group.recipe().is_none() => "one model".to_owned(),
        1 => subject.seeds(),
        n => format!("mean of {n} seeds"),
    };
    format!(
        "Under all attacks at {threat} {named} keeps most: at most {} of {images} images ({over}).",
        rate(figure)
    )
}

fn follows(
    view: &View<'_>,
    (first, several): (&Subject<'_>, bool),
    (next, figure): (&Subject<'_>, &Figure),
) -> String {
    let name = &next.name;
    let Some(d) = view.difference(first, next, Measure::Robust) else {
        return format!(
            "Next is {name} with at most {}, on other images, so that the two cannot be compared.",
            rate(figure)
        );
    };
    let than = if several { format!("{}’s to ", first.name) } else { String::new() };
    let margin = margin(&d);
    let alone = alone(&d);
    if d.is_clear() && d.difference < 0.0 {
        // Means are over all seeds, differences over those that both have.
        format!(
            "Next is {name} with at most {}. Over the seeds that both have it is ahead: the difference, \
             {than}{margin}, is more than chance explains{alone}.",
            rate(figure)
        )
    } else if d.is_clear() {
        format!(
            "Next is {name} with at most {}. The difference, {than}{margin}, is more than chance \
             explains{alone}.",
            rate(figure)
        )
    } else {
        format!(
            "Next is {name} with at most {}. The difference, {than}{margin}, is no more than chance \
             explains: which of the two is more robust stays open{alone}.",
            rate(figure)
        )
    }
}

/// `3.2 points [1.0, 5.4]`.
pub fn margin(d: &Difference) -> String {
    format!("{} points {}", signed(d.difference, ""), points_interval(d.ci95))
}

/// What an interval over the images alone leaves out.
pub fn alone(d: &Difference) -> &'static str {
    if d.is_of_images_alone() {
        " (this interval is over the images alone, since the two share fewer than two seeds: another training \
         may turn it)"
    } else {
        ""
    }
}

/// Who else is not clearly behind the first, of those that were judged on the same images.
fn undecided(view: &View<'_>, first: &Subject<'_>, others: &[&Subject<'_>]) -> Option<String> {
    let compared = others
        .iter()
        .filter_map(|other| Some((*other, view.difference(first, other, Measure::Robust)?)));
    let compared: Vec<(&Subject<'_>, Difference)> = compared.collect();
    if compared.is_empty() {
        return None;
    }
    let behind = |d: &Difference| d.is_clear() && d.difference > 0.0;
    let near = compared.iter().filter(|(_, d)| !behind(d)).map(|(other, _)| *other);
    let near: Vec<&Subject<'_>> = near.collect();
    let (first, alone) = (&first.name, alone_of(&compared));
    Some(match near.len() {
        0 if compared.len() < others.len() => {
            format!(
                "All others that were judged on the same images are clearly behind {first}{alone}."
            )
        }
        0 => format!("All others are clearly behind {first}{alone}."),
        n if n == compared.len() => format!(
            "Chance parts none of the others clearly from {first} either: {}{alone}.",
            names(near)
        ),
        1 => format!("Of the others only {} is not clearly behind {first}{alone}.", names(near)),
        _ => format!("Of the others {} are not clearly behind {first}{alone}.", names(near)),
    })
}

/// What the intervals of several differences leave out.
fn alone_of(compared: &[(&Subject<'_>, Difference)]) -> String {
    let of_images = compared.iter().filter(|(_, d)| d.is_of_images_alone());
    let of_images: Vec<&Subject<'_>> = of_images.map(|(other, _)| *other).collect();
    match of_images.len() {
        0 => String::new(),
        n if n == compared.len() => {
            " (over the images alone, since they share fewer than two seeds with it: \
                                     another training may turn that)"
                .to_owned()
        }
        _ => format!(
            " (of {} over the images alone, fewer than two seeds being shared: another training may turn that)",
            names(of_images)
        ),
    }
}
