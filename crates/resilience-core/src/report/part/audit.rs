//! Whether there is a reason not to trust the figures.

use askama::Template;

use crate::audit::{AuditRecord, Finding, Judgement};
use crate::report::ReportError;
use crate::report::view::View;

#[derive(Template)]
#[template(path = "report/audit.html")]
struct AuditTemplate<'a> {
    audits: Vec<Audit<'a>>,
}

/// What was found of one model.
struct Audit<'a> {
    name: String,
    word: String,
    record: &'a AuditRecord,
    doubts: Vec<&'a Finding>,
    checks: Vec<Check<'a>>,
}

/// A line of the list of checks.
struct Check<'a> {
    finding: &'a Finding,
    doubt: bool,
    judgement: &'static str,
}

impl<'a> Check<'a> {
    const fn of(finding: &'a Finding) -> Self {
        let judgement = match finding.judgement {
            Judgement::Clear => "clear",
            Judgement::Doubt => "doubt",
            Judgement::Unknown => "could not",
        };
        Self { finding, doubt: matches!(finding.judgement, Judgement::Doubt), judgement }
    }
}

/// The section, where anybody has looked.
pub fn part(view: &View<'_>) -> Result<String, ReportError> {
    let audits = view.subjects.iter().filter_map(|subject| {
        let record = subject.model.audit.as_ref()?;
        Some(Audit {
            name: subject.name.clone(),
            word: record.word(),
            record,
            doubts: record.doubts().collect(),
            checks: record.findings.iter().map(Check::of).collect(),
        })
    });
    let audits: Vec<Audit<'_>> = audits.collect();
    if audits.is_empty() {
        return Ok(String::new());
    }
    Ok(AuditTemplate { audits }.render()?)
}

/// For each model the overall word, and its doubts.
pub fn audits<'a>(view: &View<'a>) -> Vec<(String, Vec<&'a Finding>)> {
    view.subjects
        .iter()
        .filter_map(|subject| {
            let record = subject.model.audit.as_ref()?;
            let word = format!("Audit of {}: {}.", subject.name, record.word());
            Some((word, record.doubts().collect()))
        })
        .collect()
}
