//! Where the figures come from: every run with its machine, version, command and weights.

use askama::Template;

use crate::report::ReportError;
use crate::report::comparison::view::View;
use crate::summary::Summary;

#[derive(Template)]
#[template(path = "report/comparison/runs.html")]
struct RunsTemplate<'a> {
    /// The machines with their threads, each once, and how many runs each made.
    machines: Vec<(String, usize)>,
    versions: Vec<String>,
    commands: Vec<&'a str>,
    groups: Vec<Group<'a>>,
}

struct Group<'a> {
    number: usize,
    name: String,
    runs: Vec<Run<'a>>,
}

struct Run<'a> {
    folder: &'a str,
    seed: Option<u64>,
    weights: Vec<&'a str>,
    summary: &'a Summary,
}

/// What all runs share, then every run.
pub fn part(view: &View<'_>) -> Result<String, ReportError> {
    let mut machines: Vec<(String, usize)> = Vec::new();
    let (mut versions, mut commands) = (Vec::new(), Vec::new());
    for member in view.members() {
        let Summary { run, tool, .. } = &member.summary;
        let machine = format!(
            "{}, {} threads, {}, {}",
            run.machine.cpu, run.machine.threads, run.machine.os, run.machine.device
        );
        match machines.iter_mut().find(|(other, _)| *other == machine) {
            Some((_, n)) => *n += 1,
            None => machines.push((machine, 1)),
        }
        let version = format!("{} {}, libtorch {}", tool.name, tool.version, tool.libtorch);
        if !versions.contains(&version) {
            versions.push(version);
        }
        let command = run.command.as_str();
        if !commands.contains(&command) {
            commands.push(command);
        }
    }
    let groups = view.subjects.iter().map(|subject| {
        let runs = subject.group.members.iter().map(|member| Run {
            folder: &member.folder,
            seed: member.seed,
            weights: member.summary.models.iter().map(|m| m.weights_sha256.as_str()).collect(),
            summary: &member.summary,
        });
        Group { number: subject.number, name: subject.name.clone(), runs: runs.collect() }
    });
    let groups = groups.collect();
    Ok(RunsTemplate { machines, versions, commands, groups }.render()?)
}
