//! On what terms all were compared: data, threat, attacks, and the settings of every group.

use std::collections::BTreeMap;

use askama::Template;

use crate::plan::Stage;
use crate::record::Scope;
use crate::report::comparison::view::{Subject, View};
use crate::report::{ReportError, words};

#[derive(Template)]
#[template(path = "report/comparison/conditions.html")]
struct ConditionsTemplate<'a> {
    suite: &'a str,
    about: &'a str,
    threat: String,
    data: Vec<(String, &'a str)>,
    judged: Vec<String>,
    missing: &'a [String],
    methods: Vec<Method>,
}

/// How a group was trained.
struct Method {
    number: usize,
    name: String,
    about: String,
    /// What differs, without checksums.
    brief: String,
    /// Settings that differ from those of most groups, then the rest.
    own: Vec<(String, String)>,
    usual: Vec<(String, String)>,
}

/// The conditions, in the order in which they are asked about.
pub fn part(view: &View<'_>) -> Result<String, ReportError> {
    let comparison = view.comparison;
    let mut data: Vec<(String, &str)> = Vec::new();
    for model in view.members().flat_map(|member| &member.summary.models) {
        let entry = (words::images(&model.dataset), model.dataset.sha256.as_str());
        if !data.contains(&entry) {
            data.push(entry);
        }
    }
    let template = ConditionsTemplate {
        suite: &comparison.name,
        about: &comparison.about,
        threat: view.threat(),
        data,
        judged: judged(&comparison.stages),
        missing: &comparison.missing,
        methods: methods(view),
    };
    Ok(template.render()?)
}

/// The attacks in words, those of one suite and of one curve together.
fn judged(stages: &[Stage]) -> Vec<String> {
    let mut lines: Vec<(String, Vec<String>)> = Vec::new();
    for stage in stages {
        let name = words::attack(&stage.attack);
        let labels = words::labels(stage.labels);
        let images = format!("the first {} images", words::count(stage.n));
        let settings = words::settings(&stage.settings);
        let with = if settings.is_empty() { String::new() } else { format!(" ({settings})") };
        let (line, item) = if let Some(suite) = &stage.suite {
            let which = match stage.scope {
                Scope::All => "all of them",
                Scope::Correct => "those that are right when clean",
                Scope::Survivors => "what was left of them",
                Scope::Closest => "what was left of them and came closest",
            };
            let line = format!("Suite {suite} on {images}, at {}", radius(stage));
            (line, format!("{name}{with} on {which}"))
        } else if stage.curve {
            let line = format!("Curve: {name}{with}, {labels}, on {images}");
            (line, radius(stage))
        } else {
            (format!("{name}{with}, {labels}, {}, on {images}", radius(stage)), String::new())
        };
        match lines.iter_mut().find(|(other, _)| *other == line) {
            Some((_, items)) => items.push(item),
            None => lines.push((line, vec![item])),
        }
    }
    let line = |(line, items): (String, Vec<String>)| {
        let items: Vec<String> = items.into_iter().filter(|item| !item.is_empty()).collect();
        if items.is_empty() { line } else { format!("{line}: {}", items.join("; ")) }
    };
    lines.into_iter().map(line).collect()
}

fn radius(stage: &Stage) -> String {
    words::radius(stage.threat.norm, &stage.threat.eps)
}

/// A group's settings: every name once, with the values of all seeds.
type Settings = Vec<(String, String)>;

fn methods(view: &View<'_>) -> Vec<Method> {
    let all: Vec<Settings> = view.subjects.iter().map(settings).collect();
    let usual = usual(&all);
    let methods = view.subjects.iter().zip(all).map(|(subject, settings)| {
        let as_most = |(name, value): &(String, String)| usual.get(name) == Some(value);
        let (same, own): (Settings, Settings) = settings.into_iter().partition(as_most);
        let about = match subject.group.recipe() {
            Some(_) => subject.seeds_in_full(),
            None => source(subject),
        };
        let (number, name) = (subject.number, subject.name.clone());
        Method { number, name, about, brief: brief(&own), own, usual: same }
    });
    methods.collect()
}

/// Settings on one line: `recipe distillation, learns from teacher`.
fn brief(settings: &[(String, String)]) -> String {
    let said = settings.iter().map(|(name, value)| {
        let mut values: Vec<&str> = Vec::new();
        for value in value.split("; ") {
            let short = value.split(" (sha256").next().unwrap_or(value);
            if !values.contains(&short) {
                values.push(short);
            }
        }
        format!("{name} {}", values.join("; "))
    });
    said.collect::<Vec<_>>().join(", ")
}

/// What is known of a group that was not trained itself.
fn source(subject: &Subject<'_>) -> String {
    let model = subject.group.members.first().and_then(|member| member.summary.models.first());
    let source = model.map(|model| model.source.as_str()).unwrap_or_default();
    format!("{}; {source}", subject.seeds_in_full())
}

fn settings(subject: &Subject<'_>) -> Settings {
    let mut settings: Settings = Vec::new();
    let mut add =
        |name: &str, value: &str| match settings.iter_mut().find(|(other, _)| other == name) {
            Some((_, values)) if values.split("; ").all(|other| other != value) => {
                *values = format!("{values}; {value}");
            }
            Some(_) => {}
            None => settings.push((name.to_owned(), value.to_owned())),
        };
    for member in &subject.group.members {
        for model in &member.summary.models {
            add("architecture", &model.architecture);
            add("parameters", &words::count(model.parameters));
        }
        let Some(training) = &member.training else { continue };
        add("recipe", &training.recipe);
        for (name, value) in training.settings.iter().filter(|(name, _)| name != "seed") {
            add(name, value);
        }
        add(
            "trained on",
            &words::images(&crate::summary::DatasetSummary {
                name: training.dataset.name.clone(),
                split: training.dataset.split.clone(),
                n: training.dataset.n,
                sha256: training.dataset.sha256.clone(),
                classes: Vec::new(),
            }),
        );
    }
    settings
}

/// Of every setting the value that most groups have, where more than half of those that have any do.
fn usual(all: &[Settings]) -> BTreeMap<String, String> {
    let trained = all.iter().filter(|s| s.iter().any(|(name, _)| name == "recipe")).count();
    let mut counts: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    for (name, value) in all.iter().flatten() {
        *counts.entry((name, value)).or_default() += 1;
    }
    let most = counts.into_iter().filter(|(_, n)| 2 * n > trained);
    most.map(|((name, value), _)| (name.to_owned(), value.to_owned())).collect()
}
