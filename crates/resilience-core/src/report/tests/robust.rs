//! What is left when everything was tried, in every form.

use super::*;

/// Would catch a page whose first figures are those of one step, or a robust accuracy that is not
/// called an upper bound.
#[test]
fn the_page_opens_with_what_is_left() {
    let ours = run();
    let page = html(&[run()]).unwrap();
    let (headline, claims) = (section(&page, "headline"), section(&page, "robustness"));
    assert!(headline.contains("at most") && headline.contains("upper bound"));
    for model in &ours.summary.models {
        for at in &model.evaluations {
            assert!(claims.contains(&format!("≤&nbsp;{:.2}</b>", 100.0 * at.robust.rate)));
        }
        let fgsm = model.attacks[0].adversarial.rate;
        assert!(claims.contains(&format!("<b>{:.2}</b>", 100.0 * fgsm)));
        // At 8/255 FGSM stands on the curve only, on fewer images.
        let point = model.curves[0].points.iter().find(|p| (p.eps - 8.0 / 255.0).abs() < 1e-9);
        assert!(claims.contains(&format!("<b>{:.2}</b>", 100.0 * point.unwrap().adversarial.rate)));
    }
    assert_eq!(claims.matches("n = 250, true labels").count(), 3);
    let adds: u64 = ours.summary.models[1].evaluations[0].attacks.iter().map(|a| a.adds).sum();
    let at = &ours.summary.models[1].evaluations[0];
    assert_eq!(at.clean.correct - at.carried - adds, at.robust.correct);
    let pairs = section(&page, "pairs");
    assert!(pairs.contains("points more than ResNet-32, standard."), "{pairs}");
    assert!(section(&page, "provenance").contains("<pre class=\"command\"><code>resilience repro"));
}

/// Would catch attacks that were broken off being shown as robustness, anywhere.
#[test]
fn incomplete_evaluations_have_no_figure() {
    let mut run = run();
    run.summary.finished = false;
    run.summary.models.truncate(2);
    run.summary.pairs.clear();
    let model = &mut run.summary.models[1];
    (model.robust, model.robust_threat) = (None, None);
    for at in &mut model.evaluations {
        at.finished = false;
        at.attacks[0].finished = false;
        at.robust = Correct::of(777, 1000);
    }
    let page = html(std::slice::from_ref(&run)).unwrap();
    let text = terminal(std::slice::from_ref(&run), None).unwrap();
    let lines = markdown(&[run]).unwrap();
    for output in [&page, &text, &lines] {
        assert!(!output.contains("77.70") && output.contains("incomplete"), "{output}");
    }
    assert!(section(&page, "headline").contains("Incomplete: the attacks on ResNet-32, adv"));
    assert!(!section(&page, "cost").contains("ResNet-32, adversarially"));
    assert!(!section(&page, "comparison").contains("77.7"));
}

/// Would catch a ladder that is not ordered by strength, or whose attacks are told apart by nothing.
#[test]
fn ladders_are_ordered_by_strength() {
    let page = html(&[ladder()]).unwrap();
    let rungs = section(&page, "ladder");
    let place = |text: &str| rungs.rfind(text).unwrap_or_else(|| panic!("{text}"));
    let order = ["FGSM", "PGD, 20\u{a0}steps", "PGD, 100\u{a0}steps", "APGD-T"];
    assert!(order.map(place).is_sorted() && place("APGD-T") < place("all together"));
    // Of an image that every rung broke there is one example.
    assert_eq!(section(&page, "gallery").matches("Image 0,").count(), 1);
    assert!(!page.contains("id=\"figures\""), "no attack was run on all images");
    insta::assert_snapshot!("terminal_ladder", terminal(&[ladder()], Some(80)).unwrap());
}
