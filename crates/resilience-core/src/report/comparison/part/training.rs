//! How the networks learned, on held-out images, and whether they overfitted to the attack.

use askama::Template;

use crate::overfitting;
use crate::record::ValidationRecord;
use crate::report::comparison::panel::{self, Axis, Line, Panel};
use crate::report::comparison::view::{Subject, View};
use crate::report::plot::Caption;
use crate::report::{ReportError, words};

#[derive(Template)]
#[template(path = "report/comparison/training.html")]
struct TrainingTemplate {
    panels: Vec<Shown>,
    lines: [(&'static str, &'static str); 3],
    held_out: String,
    findings: Vec<(String, Vec<String>)>,
    found_in: String,
}

struct Shown {
    number: usize,
    name: String,
    svg: String,
    kept: String,
    rows: Vec<[String; 4]>,
}

/// Accuracy by epoch, of one seed.
type Course = Vec<(u32, ValidationRecord)>;

/// What is drawn of an epoch: its name, its colour and the accuracy.
const LINES: [(&str, &str); 3] = [("clean", "clean"), ("FGSM", "adversarial"), ("PGD", "robust")];

fn accuracies(record: &ValidationRecord) -> [f64; 3] {
    [record.clean, record.fgsm, record.pgd]
}

/// Small plots of every group that was validated, with what was found.
pub fn part(view: &View<'_>) -> Result<String, ReportError> {
    let courses: Vec<(&Subject<'_>, Vec<Course>)> =
        view.subjects.iter().map(|subject| (subject, courses(subject))).collect();
    let all = || courses.iter().flat_map(|(_, seeds)| seeds).flatten();
    if all().next().is_none() {
        return Ok(String::new());
    }
    let last = all().map(|(epoch, _)| *epoch).max().unwrap_or(1);
    let axis = axis(last);
    let top = panel::top(all().flat_map(|(_, record)| accuracies(record)));
    let mut panels = Vec::new();
    for (subject, seeds) in courses.iter().filter(|(_, seeds)| !seeds.is_empty()) {
        panels.push(shown(subject, seeds, &axis, top)?);
    }
    let mut counts: Vec<String> = all().map(|(_, record)| words::count(record.n)).collect();
    counts.sort_unstable();
    counts.dedup();
    let (findings, found_in) = findings(view);
    let template = TrainingTemplate {
        panels,
        lines: LINES,
        held_out: counts.join(" or "),
        findings,
        found_in: found_in.join("; "),
    };
    Ok(template.render()?)
}

fn courses(subject: &Subject<'_>) -> Vec<Course> {
    let trainings = subject.group.members.iter().filter_map(|member| member.training.as_ref());
    let courses = trainings.map(|training| {
        let validated = training.epochs.iter();
        validated.filter_map(|epoch| Some((epoch.epoch, epoch.validation?))).collect::<Course>()
    });
    courses.filter(|course| !course.is_empty()).collect()
}

fn axis(last: u32) -> Axis {
    let every = last.div_ceil(6).max(1) as usize;
    let ticks = (1..=last).step_by(every).map(|epoch| (f64::from(epoch), epoch.to_string()));
    // One epoch is a point in the middle.
    let ends = if last == 1 { [0.0, 2.0] } else { [1.0, f64::from(last)] };
    Axis { ends, ticks: ticks.collect(), label: "epoch".to_owned() }
}

fn shown(
    subject: &Subject<'_>,
    seeds: &[Course],
    axis: &Axis,
    top: f64,
) -> Result<Shown, ReportError> {
    let means = means(seeds);
    let mut lines = Vec::new();
    for (place, (_, colour)) in LINES.into_iter().enumerate() {
        let line = |width, opacity, dots, points| Line { colour, width, opacity, dots, points };
        for seed in seeds.iter().filter(|_| seeds.len() > 1) {
            let points = seed.iter().map(|(at, r)| (f64::from(*at), accuracies(r)[place]));
            lines.push(line(0.75, 0.55, false, points.collect()));
        }
        let points = means.iter().map(|(at, mean)| (f64::from(*at), mean[place]));
        lines.push(line(2.0, 1.0, true, points.collect()));
    }
    let said = LINES.into_iter().enumerate().filter_map(|(place, (name, _))| {
        let (first, last) = (means.first()?, means.last()?);
        let [from, to] = [first, last].map(|(_, mean)| words::percent(mean[place]));
        Some(format!("{name} from {from} % to {to} %"))
    });
    let caption = Caption {
        id: &format!("training-{}", subject.number),
        title: &format!("{}: accuracy on held-out images by epoch", subject.name),
        description: &said.collect::<Vec<_>>().join("; "),
    };
    let panel = Panel { axis, top, band: Vec::new(), lines, mark: None };
    let row = |(epoch, mean): &(u32, [f64; 3])| {
        let [clean, fgsm, pgd] = mean.map(words::percent);
        [epoch.to_string(), clean, fgsm, pgd]
    };
    Ok(Shown {
        number: subject.number,
        name: subject.name.clone(),
        svg: panel::draw(&caption, &panel)?,
        kept: kept(subject),
        rows: means.iter().map(row).collect(),
    })
}

/// Means over the seeds of every epoch that any seed has: one may have stopped before others.
fn means(seeds: &[Course]) -> Vec<(u32, [f64; 3])> {
    let mut epochs: Vec<u32> = seeds.iter().flatten().map(|(epoch, _)| *epoch).collect();
    epochs.sort_unstable();
    epochs.dedup();
    let mean = |epoch: u32| {
        let here = seeds.iter().flatten().filter(|(at, _)| *at == epoch);
        let here: Vec<[f64; 3]> = here.map(|(_, record)| accuracies(record)).collect();
        let of = |place: usize| here.iter().map(|a| a[place]).sum::<f64>() / here.len() as f64;
        [of(0), of(1), of(2)]
    };
    epochs.into_iter().map(|epoch| (epoch, mean(epoch))).collect()
}

/// Whose weights were kept: `weights of epoch 5`, `weights of epochs 3, 5 and 5`.
fn kept(subject: &Subject<'_>) -> String {
    let trainings = subject.group.members.iter().filter_map(|member| member.training.as_ref());
    let kept = trainings.filter_map(|training| {
        training.kept.or_else(|| training.epochs.last().map(|epoch| epoch.epoch))
    });
    let kept: Vec<String> = kept.map(|epoch| epoch.to_string()).collect();
    match &kept[..] {
        [] => String::new(),
        [first, others @ ..] if others.iter().all(|other| other == first) => {
            format!("weights of epoch {first}")
        }
        _ => format!("weights of epochs {}", words::listed(&kept)),
    }
}

/// What was found, by member, and in which seeds of which groups.
fn findings(view: &View<'_>) -> (Vec<(String, Vec<String>)>, Vec<String>) {
    let (mut findings, mut found_in) = (Vec::new(), Vec::new());
    for subject in &view.subjects {
        let mut seeds = Vec::new();
        for member in &subject.group.members {
            let Some(training) = &member.training else { continue };
            let found = overfitting::find(&training.epochs);
            if found.is_empty() {
                continue;
            }
            let seed = member.seed.unwrap_or(training.seed);
            let sentences = found.into_iter().map(|finding| finding.sentence).collect();
            findings.push((format!("{}, seed {seed}", subject.name), sentences));
            seeds.push(seed.to_string());
        }
        let seed = if seeds.len() == 1 { "seed" } else { "seeds" };
        if !seeds.is_empty() {
            found_in.push(format!("{} ({seed} {})", subject.name, seeds.join(", ")));
        }
    }
    (findings, found_in)
}
