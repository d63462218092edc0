//! Accuracy against eps, with intervals.

use askama::Template;
use plotters::prelude::*;

use crate::record::LabelSource;
use crate::report::plot::{self, Canvas, Caption, colour, px, series};
use crate::report::view::{Subject, View, judged, leaks};
use crate::report::{ReportError, words};
use crate::summary::{Correct, CurveSummary, EvaluationSummary};
use crate::threat::Norm;

#[derive(Template)]
#[template(path = "report/curve.html")]
struct CurveTemplate {
    plots: Vec<Plot>,
}

/// The curves in one norm, in which alone radii compare.
struct Plot {
    norm: Norm,
    /// Checksum and name of the images, of which accuracies alone compare.
    sha256: String,
    data: String,
    svg: String,
    curves: Vec<Curve>,
}

struct Curve {
    name: String,
    /// `FGSM, true labels`, or what is left when all attacks have had their turn.
    attack: String,
    /// Whether it is robust accuracy rather than what one step leaves.
    robust: bool,
    colour: String,
    /// The first so many images of the split.
    n: u64,
    points: Vec<(f64, Correct)>,
    /// Whether the model scores higher on examples of this convention than on clean images.
    leaks: bool,
}

impl Plot {
    /// Names of the curves that show a model which leaks labels, in the convention that leaks.
    fn leaking(&self) -> Option<String> {
        let names = self.curves.iter().filter(|curve| curve.leaks).map(|curve| curve.name.clone());
        let names: Vec<String> = names.collect();
        (!names.is_empty()).then(|| words::listed(&names))
    }

    /// The attack that all curves share, if they do.
    fn shared(&self) -> Option<&str> {
        let first = &self.curves.first()?.attack;
        self.curves.iter().all(|curve| curve.attack == *first).then_some(first)
    }

    /// The number of images that all curves share, if they do.
    fn images(&self) -> Option<String> {
        let first = self.curves.first()?.n;
        self.curves.iter().all(|curve| curve.n == first).then(|| words::count(first))
    }

    /// Whether any curve is of robust accuracy; those of one step are then dashed.
    fn has_robust(&self) -> bool {
        self.curves.iter().any(|curve| curve.robust)
    }
}

impl Curve {
    fn eps_text(point: &(f64, Correct)) -> String {
        let text = format!("{:.5}", point.0);
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    }
}

/// One plot a norm.
pub fn part(view: &View<'_>) -> Result<String, ReportError> {
    let mut plots: Vec<Plot> = Vec::new();
    for (place, subject) in view.subjects.iter().enumerate() {
        let set = &subject.model.dataset;
        let (_, colour) = series(place);
        for (norm, curve) in one_step(subject, &colour).chain(robust(subject, &colour)) {
            let same = |plot: &&mut Plot| {
                let comparable = |other: &Curve| other.robust != curve.robust || other.n == curve.n;
                plot.norm == norm && plot.sha256 == set.sha256 && plot.curves.iter().all(comparable)
            };
            if let Some(plot) = plots.iter_mut().find(same) {
                plot.curves.push(curve);
                continue;
            }
            plots.push(Plot {
                norm,
                sha256: set.sha256.clone(),
                data: format!("{} {}", words::dataset(&set.name), set.split),
                svg: String::new(),
                curves: vec![curve],
            });
        }
    }
    if plots.is_empty() {
        return Ok(String::new());
    }
    for (place, plot) in plots.iter_mut().enumerate() {
        plot.svg = draw_both(place, plot)?;
    }
    Ok(CurveTemplate { plots }.render()?)
}

/// What one attack leaves at each radius.
fn one_step(subject: &Subject<'_>, colour: &str) -> impl Iterator<Item = (Norm, Curve)> {
    subject.model.curves.iter().map(move |curve| {
        let attack = format!("{}, {}", words::attack(&curve.attack), words::labels(curve.labels));
        let ours = Curve {
            name: subject.name.clone(),
            attack,
            robust: false,
            colour: colour.to_owned(),
            n: curve.clean.n,
            points: points(curve),
            leaks: curve.labels == LabelSource::True && leaks(subject.model),
        };
        (curve.norm, ours)
    })
}

/// Robust accuracy in every norm that has at least two radii on as many images.
fn robust(subject: &Subject<'_>, colour: &str) -> impl Iterator<Item = (Norm, Curve)> {
    Norm::ALL.into_iter().filter_map(move |norm| {
        let finished = judged(subject.model).filter(|at| at.finished && at.norm == norm);
        let all: Vec<&EvaluationSummary> = finished.collect();
        let n = all.iter().map(|at| at.n).max()?;
        let alike: Vec<_> = all.into_iter().filter(|at| at.n == n).collect();
        let clean = alike.first().filter(|_| alike.len() > 1)?.clean;
        let attacked = alike.iter().map(|at| (at.eps, at.robust));
        let ours = Curve {
            name: subject.name.clone(),
            attack: "robust accuracy, at most".to_owned(),
            robust: true,
            colour: colour.to_owned(),
            n,
            points: std::iter::once((0.0, clean)).chain(attacked).collect(),
            leaks: false,
        };
        Some((norm, ours))
    })
}

/// The curve from eps 0, where it is the clean accuracy.
fn points(curve: &CurveSummary) -> Vec<(f64, Correct)> {
    let attacked = curve.points.iter().map(|point| (point.eps, point.adversarial));
    std::iter::once((0.0, curve.clean)).chain(attacked).collect()
}

fn draw_both(place: usize, plot: &Plot) -> Result<String, ReportError> {
    let described = plot.curves.iter().filter_map(|curve| {
        let ((_, first), last) = (curve.points.first()?, curve.points.last()?);
        let (from, to) = (words::percent(first.rate), words::percent(last.1.rate));
        let (name, attack) = (&curve.name, &curve.attack);
        Some(format!("{name}, {attack}: from {from} % to {to} % at {}", Curve::eps_text(last)))
    });
    let caption = Caption {
        id: &format!("curve-{place}"),
        title: &format!("Accuracy on {} against eps in {}", plot.data, plot.norm),
        description: &described.collect::<Vec<_>>().join("; "),
    };
    let draw = |canvas: &Canvas<'_>, width: f64| draw(canvas, width, plot);
    plot::both(&caption, |width| if width > 500.0 { 360.0 } else { 280.0 }, draw)
}

fn draw(canvas: &Canvas<'_>, width: f64, plot: &Plot) -> Result<(), ReportError> {
    let all = || plot.curves.iter().flat_map(|curve| &curve.points);
    let most = all().map(|point| point.0).fold(f64::MIN_POSITIVE, f64::max);
    let mut chart = ChartBuilder::on(canvas)
        .margin_top(px(8.0))
        .margin_right(px(18.0))
        .x_label_area_size(px(40.0))
        .y_label_area_size(px(44.0))
        .build_cartesian_2d(0.0..most * 1.02, 0.0..100.0)
        .map_err(plot::failed)?;
    let percent = |percent: &f64| format!("{percent:.0} %");
    plot::axes(&mut chart, (canvas, width), &format!("eps in {}", plot.norm), &percent)?;
    for (at, curve) in plot.curves.iter().enumerate() {
        // Whiskers of different curves at the same eps stand beside each other.
        let shift = most * 0.004 * (at as f64 - (plot.curves.len() - 1) as f64 / 2.0);
        let ink = colour(&curve.colour);
        let points = curve.points.iter().map(|(eps, correct)| (eps + shift, *correct));
        let whiskers = points.clone().map(|(eps, correct)| {
            let [low, high] = correct.ci95.map(|share| 100.0 * share);
            PathElement::new([(eps, low), (eps, high)], ink.stroke_width(4))
        });
        chart.draw_series(whiskers).map_err(plot::failed)?;
        let line = points.map(|(eps, correct)| (eps, 100.0 * correct.rate));
        let style = ink.stroke_width(8);
        if plot.has_robust() && !curve.robust {
            let dashes = DashedLineSeries::new(line.clone(), px(5.0), px(4.0), style);
            chart.draw_series(dashes).map_err(plot::failed)?;
        } else {
            chart.draw_series(LineSeries::new(line.clone(), style)).map_err(plot::failed)?;
        }
        let dots = line.map(|point| Circle::new(point, px(3.0), ink.filled()));
        chart.draw_series(dots).map_err(plot::failed)?;
    }
    Ok(())
}
