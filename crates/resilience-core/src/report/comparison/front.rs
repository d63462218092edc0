//! The Pareto front: what nothing else exceeds in both accuracies.

use super::view::{Subject, View, figure, names};
use crate::comparison::Measure;

/// Means as equal as counts of images can be, which only rounding parts.
pub const EQUAL: f64 = 1e-9;

/// A group's means, as shares: clean and robust accuracy.
pub struct Place<'v, 'a> {
    /// The group.
    pub subject: &'v Subject<'a>,
    /// Clean accuracy.
    pub clean: f64,
    /// Robust accuracy.
    pub robust: f64,
    /// Whether no other group has as much of both, and more of one.
    pub on_front: bool,
}

/// The groups that have both figures, in the suite's order.
pub fn places<'v, 'a>(view: &'v View<'a>) -> Vec<Place<'v, 'a>> {
    let have = |subject: &'v Subject<'a>| {
        let clean = figure(subject, Measure::Clean)?.mean;
        Some((subject, clean, figure(subject, Measure::Robust)?.mean))
    };
    let all: Vec<_> = view.subjects.iter().filter_map(have).collect();
    let beaten = |c: f64, r: f64| {
        all.iter().any(|(_, clean, robust)| {
            let (more, also) = (clean - c, robust - r);
            more > -EQUAL && also > -EQUAL && (more > EQUAL || also > EQUAL)
        })
    };
    let places = all.iter().map(|&(subject, clean, robust)| Place {
        subject,
        clean,
        robust,
        on_front: !beaten(clean, robust),
    });
    places.collect()
}

/// Which groups are on the front, by growing clean accuracy.
pub fn sentence(view: &View<'_>) -> Option<String> {
    let mut front = places(view);
    front.retain(|place| place.on_front);
    front.sort_by(|a, b| a.clean.total_cmp(&b.clean));
    let named = names(front.iter().map(|place| place.subject));
    match front.len() {
        0 => None,
        1 => Some(format!(
            "Only {named} is on the Pareto front: in the means no other method has more of either, clean \
             or robust accuracy."
        )),
        _ => Some(format!(
            "On the Pareto front, from the most robust to the most accurate, are {named}: in the means no \
             other method has as much of both, clean and robust accuracy, and more of one."
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testdata::{self, WAYS, Way};

    fn front(rates: &[(f64, f64)]) -> Vec<bool> {
        let mut comparison = testdata::comparison_of(&WAYS[..rates.len()]);
        for (group, &(clean, robust)) in comparison.groups.iter_mut().zip(rates) {
            for figure in &mut group.figures {
                match figure.measure {
                    Measure::Clean => figure.mean = clean,
                    Measure::Robust => figure.mean = robust,
                    _ => {}
                }
            }
        }
        places(&View::new(&comparison)).iter().map(|place| place.on_front).collect()
    }

    /// Would catch a front with methods that another exceeds, and one of two equals left out.
    #[test]
    fn the_front_is_what_nothing_exceeds_in_both() {
        assert_eq!(front(&[(0.7, 0.0), (0.6, 0.0), (0.5, 0.3)]), [true, false, true]);
        assert_eq!(front(&[(0.7, 0.1), (0.7, 0.1), (0.7, 0.05)]), [true, true, false]);
        assert_eq!(front(&[(0.7, 0.1 + 1e-16), (0.6, 0.1 + 0.2 - 0.2)]), [true, false]);
        assert_eq!(front(&[(0.5, 0.5)]), [true]);
    }

    /// Would catch a method without robust accuracy on the front, or a sentence about none.
    #[test]
    fn what_is_not_measured_is_not_on_the_front() {
        let mut comparison = testdata::comparison_of(&[Way { title: "a, b", ..copy(&WAYS[0]) }]);
        assert!(sentence(&View::new(&comparison)).unwrap().starts_with("Only a, b is on"));
        comparison.groups[0].figures.retain(|figure| figure.measure != Measure::Robust);
        assert_eq!(sentence(&View::new(&comparison)), None);
    }

    fn copy(way: &Way) -> Way {
        Way { ..*way }
    }
}
