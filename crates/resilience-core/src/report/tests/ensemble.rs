//! Ensembles on the page.

use super::*;
use crate::vote::Vote;

/// A run whose last model is an ensemble, a member of which was trained here.
fn voting() -> Run {
    let mut run = run();
    let model = run.summary.models.last_mut().unwrap();
    let mut ensemble = testdata::ensemble();
    ensemble.members[0].training = Some(testdata::training());
    ensemble.members[0].training.as_mut().unwrap().seed = 7;
    (model.ensemble, model.layers, model.training) = (Some(ensemble), Vec::new(), None);
    run
}

/// Would catch members of which nobody learns what they are, and a vote without a gradient that is
/// shown like any other model.
#[test]
fn members_and_vote_are_told() {
    let page = html(&[voting()]).unwrap();
    let told = section(&page, "provenance");
    assert!(told.contains("the class that most of its members vote for, which has no gradient"));
    assert!(
        told.contains("attacks that follow one saw that of the mean of its members&#39; prob"),
        "{told}"
    );
    assert_eq!(told.matches(&"cd".repeat(32)).count(), 2);
    assert_eq!(told.matches("mean 0.5, 0.5, 0.5; std 0.25, 0.25, 0.25").count(), 2);
    let limits = section(&page, "limits");
    assert!(limits.contains("this holds for ResNet-32, standard."), "{limits}");
    assert!(limits.contains("2 seeds of fgsm-joint"), "{limits}");
    let drawn = section(&page, "architecture");
    // The small one is drawn with the model of the same layers.
    assert!(drawn.contains("ResilienceCNN; Small in ResNet-32, standard"), "{drawn}");
    assert!(drawn.contains("<h3>Large in ResNet-32, standard</h3>"));
    assert!(section(&page, "training").contains("Small in ResNet-32, standard"));
    assert!(!section(&html(&[run()]).unwrap(), "limits").contains("majority"));
}

/// Would catch an ensemble that is said to have no gradient though it has one, a training that is
/// shown twice, and a member's name that becomes a part of the page.
#[test]
fn a_vote_with_a_gradient_is_like_any_model() {
    let mut run = voting();
    let evil = "<script>alert(1)</script>";
    let ours = run.summary.models[0].training.clone();
    let ensemble = run.summary.models[2].ensemble.as_mut().unwrap();
    (ensemble.vote, ensemble.differentiable) = (Vote::Probabilities, true);
    ensemble.members[0].training = ours;
    let member = &mut ensemble.members[1];
    for text in [&mut member.name, &mut member.architecture, &mut member.source] {
        evil.clone_into(text);
    }
    let page = html(&[run]).unwrap();
    assert!(!page.contains("no gradient") && !page.contains("<script"));
    assert!(!section(&page, "training").contains("Small in"));
}
