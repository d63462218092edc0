//! How far the nearest adversarial examples lie: accuracy at every radius, and the distances' spread.

use askama::Template;
use plotters::prelude::*;

use crate::report::plot::{self, Canvas, Caption, colour, px, series};
use crate::report::view::View;
use crate::report::{ReportError, words};
use crate::summary::{DistanceSummary, NearestSummary};
use crate::threat::Norm;

#[derive(Template)]
#[template(path = "report/distances.html")]
struct DistancesTemplate {
    plots: Vec<Plot>,
}

/// The distances in one norm on the same images.
struct Plot {
    norm: Norm,
    /// Checksum of the images, and how many, of which accuracies alone compare.
    key: (String, u64),
    images: String,
    curve: String,
    models: Vec<Model>,
}

struct Model {
    name: String,
    colour: String,
    distances: DistanceSummary,
    histogram: String,
}

impl Model {
    fn quartile(&self, place: usize) -> String {
        let norm = self.distances.norm;
        let found = self.distances.quartiles[place];
        found.map_or_else(|| "not found".to_owned(), |found| words::distance(norm, found))
    }

    fn median(&self, attack: &NearestSummary) -> String {
        let norm = self.distances.norm;
        attack.median.map_or_else(|| "not found".to_owned(), |found| words::distance(norm, found))
    }

    /// Passes that the attack took for each image that it was run on.
    fn passes(&self, attack: &NearestSummary) -> String {
        words::count(attack.passes / self.distances.right.max(1))
    }
}

/// One plot of accuracies a norm, and one of distances a model.
pub fn part(view: &View<'_>) -> Result<String, ReportError> {
    let mut plots: Vec<Plot> = Vec::new();
    for (place, subject) in view.subjects.iter().enumerate() {
        let set = &subject.model.dataset;
        for distances in &subject.model.distances {
            let n = distances.clean.n;
            let model = Model {
                name: subject.name.clone(),
                colour: series(place).1,
                distances: distances.clone(),
                histogram: String::new(),
            };
            let key = (set.sha256.clone(), n);
            let same = |plot: &&mut Plot| plot.norm == distances.norm && plot.key == key;
            if let Some(plot) = plots.iter_mut().find(same) {
                plot.models.push(model);
                continue;
            }
            let data = words::dataset(&set.name);
            plots.push(Plot {
                norm: distances.norm,
                key,
                images: format!("the first {} {} images of {data}", words::count(n), set.split),
                curve: String::new(),
                models: vec![model],
            });
        }
    }
    if plots.is_empty() {
        return Ok(String::new());
    }
    for (place, plot) in plots.iter_mut().enumerate() {
        plot.curve = curve(place, plot)?;
        let (norm, most) = (plot.norm, most(plot));
        for (at, model) in plot.models.iter_mut().enumerate() {
            model.histogram = histogram(&format!("{place}-{at}"), norm, model, most)?;
        }
    }
    Ok(DistancesTemplate { plots }.render()?)
}

/// Where the axes end, for all models alike.
fn most(plot: &Plot) -> f64 {
    let ends = plot.models.iter().filter_map(|model| model.distances.points.last());
    ends.map(|point| point.eps).fold(f64::MIN_POSITIVE, f64::max)
}

fn curve(place: usize, plot: &Plot) -> Result<String, ReportError> {
    let described = plot.models.iter().map(|model| {
        let clean = words::percent(model.distances.clean.rate);
        format!(
            "{}: {clean} % clean, half of the right ones gone at {}",
            model.name,
            model.quartile(1)
        )
    });
    let caption = Caption {
        id: &format!("distances-{place}"),
        title: &format!("Accuracy at every radius in {}", plot.norm),
        description: &described.collect::<Vec<_>>().join("; "),
    };
    let draw = |canvas: &Canvas<'_>, width: f64| draw_curve(canvas, width, plot);
    plot::both(&caption, |width| if width > 500.0 { 320.0 } else { 260.0 }, draw)
}

fn draw_curve(canvas: &Canvas<'_>, width: f64, plot: &Plot) -> Result<(), ReportError> {
    let mut chart = ChartBuilder::on(canvas)
        .margin_top(px(8.0))
        .margin_right(px(18.0))
        .x_label_area_size(px(40.0))
        .y_label_area_size(px(44.0))
        .build_cartesian_2d(0.0..most(plot) * 1.02, 0.0..100.0)
        .map_err(plot::failed)?;
    let percent = |percent: &f64| format!("{percent:.0} %");
    plot::axes(&mut chart, (canvas, width), &format!("radius in {}", plot.norm), &percent)?;
    for model in &plot.models {
        let ink = colour(&model.colour);
        let start = (0.0, model.distances.clean);
        let points = std::iter::once(start)
            .chain(model.distances.points.iter().map(|point| (point.eps, point.adversarial)));
        let points: Vec<_> = points.collect();
        // The interval as a band: there and back.
        let edge = |side: usize| {
            points.iter().map(move |(eps, correct)| (*eps, 100.0 * correct.ci95[side]))
        };
        let band: Vec<(f64, f64)> =
            edge(0).chain(edge(1).collect::<Vec<_>>().into_iter().rev()).collect();
        chart.draw_series([Polygon::new(band, ink.mix(0.18))]).map_err(plot::failed)?;
        let line = points.iter().map(|(eps, correct)| (*eps, 100.0 * correct.rate));
        chart.draw_series(LineSeries::new(line, ink.stroke_width(8))).map_err(plot::failed)?;
    }
    Ok(())
}

fn histogram(id: &str, norm: Norm, model: &Model, most: f64) -> Result<String, ReportError> {
    let caption = Caption {
        id: &format!("distances-of-{id}"),
        title: &format!(
            "Distances of the nearest adversarial examples of {} in {norm}",
            model.name
        ),
        description: &format!(
            "a quarter within {}, half within {}, three quarters within {}",
            model.quartile(0),
            model.quartile(1),
            model.quartile(2)
        ),
    };
    let draw = |canvas: &Canvas<'_>, width: f64| draw_histogram(canvas, width, norm, model, most);
    plot::both(&caption, |_| 180.0, draw)
}

fn draw_histogram(
    canvas: &Canvas<'_>,
    width: f64,
    norm: Norm,
    model: &Model,
    most: f64,
) -> Result<(), ReportError> {
    let bins = &model.distances.bins;
    let highest = bins.iter().map(|bin| bin.images).max().unwrap_or(0).max(1) as f64;
    let mut chart = ChartBuilder::on(canvas)
        .margin_top(px(8.0))
        .margin_right(px(18.0))
        .x_label_area_size(px(40.0))
        .y_label_area_size(px(44.0))
        .build_cartesian_2d(0.0..most * 1.02, 0.0..highest * 1.05)
        .map_err(plot::failed)?;
    let images = |images: &f64| format!("{images:.0}");
    plot::axes(&mut chart, (canvas, width), &format!("distance in {norm}"), &images)?;
    let ink = colour(&model.colour);
    let bars = bins.iter().map(|bin| {
        // A gap tells one from the next.
        let gap = (bin.high - bin.low) * 0.08;
        let corners = [(bin.low + gap, 0.0), (bin.high - gap, bin.images as f64)];
        Rectangle::new(corners, ink.filled())
    });
    chart.draw_series(bars).map_err(plot::failed)?;
    Ok(())
}
