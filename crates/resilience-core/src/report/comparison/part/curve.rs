//! Accuracy against eps, one small plot a group, the others behind it.

use askama::Template;

use crate::comparison::Group;
use crate::record::LabelSource;
use crate::report::comparison::panel::{self, Axis, Line, Panel};
use crate::report::comparison::view::View;
use crate::report::plot::Caption;
use crate::report::{ReportError, words};
use crate::summary::CurveSummary;
use crate::threat::Norm;

#[derive(Template)]
#[template(path = "report/comparison/curve.html")]
struct CurveTemplate {
    sets: Vec<Set>,
}

/// Curves of the same attack, in the same norm, on as many images.
struct Set {
    attack: String,
    labels: &'static str,
    norm: Norm,
    n: u64,
    /// Names the radius that everything is judged at, where it is on the axis.
    mark: Option<String>,
    curves: Vec<Curve>,
}

struct Curve {
    number: usize,
    name: String,
    svg: String,
    points: Vec<Point>,
    /// One line a seed.
    seeds: Vec<Course>,
}

/// Radii and accuracies, from eps 0.
type Course = Vec<(f64, f64)>;

/// Radius, mean over the seeds and their range.
struct Point {
    eps: f64,
    mean: f64,
    range: [f64; 2],
}

impl Point {
    fn eps_text(&self) -> String {
        trimmed(self.eps)
    }

    fn range_text(&self) -> String {
        let [low, high] = self.range.map(words::percent);
        format!("{low} – {high}")
    }
}

fn trimmed(eps: f64) -> String {
    let text = format!("{eps:.4}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// One set of small plots for every attack that there are curves of.
pub fn part(view: &View<'_>) -> Result<String, ReportError> {
    let mut keys: Vec<(&str, Norm, LabelSource, u64)> = Vec::new();
    for curve in view.members().flat_map(|member| &member.curves) {
        if !keys.contains(&key(curve)) {
            keys.push(key(curve));
        }
    }
    if keys.is_empty() {
        return Ok(String::new());
    }
    let sets = keys.into_iter().enumerate().map(|(place, key)| set(view, place, key));
    Ok(CurveTemplate { sets: sets.collect::<Result<_, _>>()? }.render()?)
}

fn key(curve: &CurveSummary) -> (&str, Norm, LabelSource, u64) {
    (&curve.attack, curve.norm, curve.labels, curve.clean.n)
}

fn set(
    view: &View<'_>,
    place: usize,
    wanted: (&str, Norm, LabelSource, u64),
) -> Result<Set, ReportError> {
    let (attack, norm, labels, n) = wanted;
    let curves = view.subjects.iter().filter_map(|subject| {
        let (points, seeds) = points(subject.group, wanted)?;
        let (number, name) = (subject.number, subject.name.clone());
        Some(Curve { number, name, svg: String::new(), points, seeds })
    });
    let mut curves: Vec<Curve> = curves.collect();
    let most = curves.iter().flat_map(|c| &c.points).map(|p| p.eps).fold(0.0, f64::max);
    let threat = &view.comparison.threat;
    let marked = norm == threat.norm && threat.eps <= most;
    let ticks = panel::ticks(0.0, most, 4.0);
    let axis = Axis {
        ends: [0.0, most],
        ticks: ticks.into_iter().map(|eps| (eps, trimmed(eps))).collect(),
        label: format!("eps in {norm}"),
    };
    let top = panel::top(curves.iter().flat_map(|c| &c.points).map(|p| p.range[1]));
    let attack = view.curve_attack(attack);
    for at in 0..curves.len() {
        let panel = Panel {
            axis: &axis,
            top,
            band: curves[at].points.iter().map(|p| (p.eps, p.range)).collect(),
            lines: lines(&curves, at),
            mark: marked.then_some(threat.eps),
        };
        let curve = &curves[at];
        let caption = Caption {
            id: &format!("curve-{place}-{}", curve.number),
            title: &format!("{}: accuracy under {attack} against eps", curve.name),
            description: &described(curve),
        };
        curves[at].svg = panel::draw(&caption, &panel)?;
    }
    let mark = marked.then(|| view.threat());
    Ok(Set { attack, labels: words::labels(labels), norm, n, mark, curves })
}

/// Mean and range over the seeds at every radius that all of them have, and each seed's own line.
fn points(
    group: &Group,
    wanted: (&str, Norm, LabelSource, u64),
) -> Option<(Vec<Point>, Vec<Course>)> {
    let seeds = group.members.iter().filter_map(|member| {
        let curve = member.curves.iter().find(|curve| key(curve) == wanted)?;
        let attacked = curve.points.iter().map(|point| (point.eps, point.adversarial.rate));
        Some(std::iter::once((0.0, curve.clean.rate)).chain(attacked).collect())
    });
    let seeds: Vec<Course> = seeds.collect();
    let points = seeds.first()?.iter().filter_map(|&(eps, _)| {
        let rates = seeds
            .iter()
            .map(|seed| seed.iter().find(|(e, _)| e.to_bits() == eps.to_bits()).map(|(_, r)| *r));
        let rates: Vec<f64> = rates.collect::<Option<_>>()?;
        let fold = |start: f64, with: fn(f64, f64) -> f64| rates.iter().copied().fold(start, with);
        Some(Point {
            eps,
            mean: rates.iter().sum::<f64>() / rates.len() as f64,
            range: [fold(1.0, f64::min), fold(0.0, f64::max)],
        })
    });
    Some((points.collect(), seeds))
}

/// The others' means in the back, this one's seeds, and its mean in front.
fn lines(curves: &[Curve], at: usize) -> Vec<Line> {
    let means = |curve: &Curve| curve.points.iter().map(|p| (p.eps, p.mean)).collect();
    let others = curves.iter().enumerate().filter(|(other, _)| *other != at).map(|(_, other)| {
        Line { colour: "muted", width: 0.75, opacity: 0.35, dots: false, points: means(other) }
    });
    let seeds = curves[at].seeds.iter().map(|seed| Line {
        colour: "s1",
        width: 0.75,
        opacity: 0.8,
        dots: false,
        points: seed.clone(),
    });
    let own =
        Line { colour: "s1", width: 2.0, opacity: 1.0, dots: true, points: means(&curves[at]) };
    others.chain(seeds).chain([own]).collect()
}

fn described(curve: &Curve) -> String {
    let said = curve
        .points
        .iter()
        .map(|point| format!("{} % at {}", words::percent(point.mean), point.eps_text()));
    said.collect::<Vec<_>>().join(", ")
}
