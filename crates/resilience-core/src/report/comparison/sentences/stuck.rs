//! Networks that learnt nothing, whose figures say nothing of their method.

use crate::overfitting::{self, Kind};
use crate::report::comparison::view::{Subject, View};
use crate::report::words;

/// Which of the networks answer every image alike.
pub fn sentences(view: &View<'_>) -> Option<String> {
    let named = view.subjects.iter().filter_map(|subject| {
        let (seeds, all) = (seeds(subject), subject.group.members.len());
        Some(match seeds.len() {
            0 => return None,
            n if n == all => subject.name.clone(),
            1 => format!("{} (seed {})", subject.name, seeds[0]),
            _ => format!("{} (seeds {})", subject.name, seeds.join(", ")),
        })
    });
    let named: Vec<String> = named.collect();
    (!named.is_empty()).then(|| {
        format!(
            "Learnt nothing: {}. Training ended in one answer to every image, which no attack changes: what is \
             left of it under attack is the share of one class, and says nothing of the method with a longer \
             or gentler training.",
            words::listed(&named)
        )
    })
}

/// The seeds whose training ended so.
pub fn seeds(subject: &Subject<'_>) -> Vec<String> {
    let members = subject.group.members.iter();
    let stuck = members.filter_map(|member| {
        let training = member.training.as_ref()?;
        let found = overfitting::find(&training.epochs);
        let stuck = found.iter().any(|finding| finding.kind == Kind::OneAnswer);
        stuck.then(|| member.seed.unwrap_or(training.seed).to_string())
    });
    stuck.collect()
}
