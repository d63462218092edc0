//! Label leaking, where it happens: accuracy that an attack raises.

use askama::Template;

use crate::record::LabelSource;
use crate::report::view::{View, clean_rate};
use crate::report::{ReportError, words};

#[derive(Template)]
#[template(path = "report/leaking.html")]
struct LeakingTemplate {
    findings: Vec<String>,
}

/// The section, where there is something to say.
pub fn part(view: &View<'_>) -> Result<String, ReportError> {
    let findings = findings(view);
    if findings.is_empty() {
        return Ok(String::new());
    }
    Ok(LeakingTemplate { findings }.render()?)
}

/// One finding for every model that scores higher on examples made with true labels than on clean
/// images, by more than chance explains.
pub fn findings(view: &View<'_>) -> Vec<String> {
    let mut findings = Vec::new();
    for subject in &view.subjects {
        for attack in &subject.model.attacks {
            if attack.labels != LabelSource::True || !attack.paired.gains() {
                continue;
            }
            let (paired, n) = (attack.paired, attack.adversarial.n);
            findings.push(format!(
                "{} is right on {}\u{a0}% of the {} images that {} attacked with their true labels, \
                 but on only {}\u{a0}% of the same images when clean. The attack lost it {} images and \
                 gained it {} (McNemar's exact test, {}).",
                subject.name,
                words::percent(attack.adversarial.rate),
                words::count(n),
                words::attack(&attack.id),
                words::percent(clean_rate(attack)),
                words::count(paired.lost),
                words::count(paired.gained),
                words::p_clause(paired.p)
            ));
        }
    }
    findings
}
