//! The comparison as bars with intervals: figures 2 and 3 of the paper.

use askama::Template;

use crate::paper;
use crate::report::bars::{self, Bar, Group};
use crate::report::view::{View, judged, threat_words};
use crate::report::{ReportError, words};
use crate::summary::AttackSummary;

#[derive(Template)]
#[template(path = "report/bars.html")]
struct BarsTemplate {
    plot: String,
    groups: Vec<Group>,
    with_paper: bool,
    /// Whether there are bars of attacks on all images, and of robust accuracy.
    attacked: bool,
    robust: bool,
}

/// The bar chart, with its data behind it.
pub fn part(view: &View<'_>) -> Result<String, ReportError> {
    let mut groups = our_groups(view);
    let with_paper = view.with_paper && view.on_papers_data();
    if with_paper {
        groups.extend(paper_groups());
    }
    let has = |colour| groups.iter().flat_map(|group| &group.bars).any(|bar| bar.colour == colour);
    let (attacked, robust) = (has("adversarial"), has("robust"));
    let title = "Clean accuracy and what attacks leave of it, for each model";
    let plot = bars::both("bars", title, &groups)?;
    Ok(BarsTemplate { plot, groups, with_paper, attacked, robust }.render()?)
}

fn our_groups(view: &View<'_>) -> Vec<Group> {
    let groups = view.subjects.iter().map(|subject| {
        let clean = subject.model.clean;
        let mut bars = vec![Bar::new("clean accuracy", "clean", "clean", clean.rate, clean.ci95)];
        let threats =
            |attack: &AttackSummary| (attack.id.clone(), attack.norm, attack.eps.to_bits());
        let first = subject.model.attacks.first().map(threats);
        let several = subject.model.attacks.iter().any(|other| Some(threats(other)) != first);
        for attack in &subject.model.attacks {
            let labels = words::labels(attack.labels);
            let mut which = attack.labels.name().to_owned();
            if several {
                which = format!("{which}, {} {}", attack.norm, attack.eps_text);
            }
            let threat = threat_words(attack);
            let (adversarial, robustness) = (attack.adversarial, attack.robustness);
            bars.push(Bar::new(
                &format!("adversarial accuracy, {threat}, {labels}"),
                &format!("adversarial, {which}"),
                "adversarial",
                adversarial.rate,
                adversarial.ci95,
            ));
            bars.push(Bar::new(
                &format!("robustness score, {threat}, {labels}"),
                &format!("robustness, {which}"),
                "robustness",
                robustness.rate,
                robustness.ci95,
            ));
        }
        for at in judged(subject.model).filter(|evaluation| evaluation.finished) {
            let threat = words::radius(at.norm, &at.eps_text);
            bars.push(Bar::new(
                &format!("robust accuracy, at most, {threat}"),
                &format!("robust, {threat}"),
                "robust",
                at.robust.rate,
                at.robust.ci95,
            ));
        }
        bars.sort_by_key(|bar| {
            ["clean", "robust", "adversarial", "robustness"].iter().position(|c| *c == bar.colour)
        });
        let mut name = subject.name.clone();
        if view.names_datasets() {
            name = format!("{name} · {}", words::dataset(&subject.model.dataset.name));
        }
        Group { name, bars }
    });
    groups.collect()
}

fn paper_groups() -> impl Iterator<Item = Group> {
    paper::MODELS.into_iter().map(|model| {
        let bar = |label: &str, figure: paper::PaperFigure| Bar {
            label: label.to_owned(),
            short: label.split(' ').next().unwrap_or_default().to_owned(),
            colour: "paper",
            rate: figure.rate,
            interval: None,
            text: figure.percent.to_owned(),
        };
        Group {
            name: format!("The paper’s, not ours: {} · CIFAR-10", model.name),
            bars: vec![
                bar("clean accuracy", model.clean),
                bar("adversarial accuracy", model.adversarial),
                bar("robustness score", model.robustness),
            ],
        }
    })
}
