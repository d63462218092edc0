//! What is left against what was spent on an image.

use askama::Template;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, VPos};

use crate::metric::CostPoint;
use crate::report::plot::{self, Canvas, Caption, Whole, colour, font, px, series};
use crate::report::view::{View, attack_names, judged};
use crate::report::{ReportError, words};

#[derive(Template)]
#[template(path = "report/cost.html")]
struct CostTemplate {
    plots: Vec<Plot>,
}

/// The curves at one radius on the same images, of the same attacks.
struct Plot {
    key: (String, String, u64),
    threat: String,
    attacks: String,
    images: String,
    svg: String,
    lines: Vec<Line>,
}

struct Line {
    name: String,
    colour: String,
    points: Vec<CostPoint>,
}

/// One plot a norm and radius.
pub fn part(view: &View<'_>) -> Result<String, ReportError> {
    let mut plots: Vec<Plot> = Vec::new();
    for (place, subject) in view.subjects.iter().enumerate() {
        let set = &subject.model.dataset;
        let spent = judged(subject.model).filter(|at| at.finished && at.cost.len() > 1);
        for at in spent {
            let threat = words::radius(at.norm, &at.eps_text);
            let (name, colour) = (subject.name.clone(), series(place).1);
            let line = Line { name, colour, points: at.cost.clone() };
            let attacks = attack_names(at);
            let key = (format!("{threat} {attacks}"), set.sha256.clone(), at.n);
            if let Some(plot) = plots.iter_mut().find(|plot| plot.key == key) {
                plot.lines.push(line);
                continue;
            }
            let data = words::dataset(&set.name);
            let images = format!("{} {} images of {data}", words::count(at.n), set.split);
            plots.push(Plot {
                key,
                threat,
                attacks,
                images,
                svg: String::new(),
                lines: vec![line],
            });
        }
    }
    if plots.is_empty() {
        return Ok(String::new());
    }
    for (place, plot) in plots.iter_mut().enumerate() {
        plot.svg = draw_both(place, plot)?;
    }
    Ok(CostTemplate { plots }.render()?)
}

fn draw_both(place: usize, plot: &Plot) -> Result<String, ReportError> {
    let described = plot.lines.iter().filter_map(|line| {
        let (first, last) = (line.points.first()?, line.points.last()?);
        let (from, to) = (words::percent(first.rate), words::percent(last.rate));
        let passes = words::count(last.passes);
        Some(format!("{}: from {from} % to {to} % after {passes} passes", line.name))
    });
    let caption = Caption {
        id: &format!("cost-{place}"),
        title: &format!("Accuracy that is left at {} against passes per image", plot.threat),
        description: &described.collect::<Vec<_>>().join("; "),
    };
    let draw = |canvas: &Canvas<'_>, width: f64| draw(canvas, width, plot);
    plot::both(&caption, |width| if width > 500.0 { 320.0 } else { 260.0 }, draw)
}

/// On the logarithmic axis no pass stands where one pass does.
fn log(passes: u64) -> f64 {
    (passes.max(1) as f64).log10()
}

fn draw(canvas: &Canvas<'_>, width: f64, plot: &Plot) -> Result<(), ReportError> {
    let ends = plot.lines.iter().filter_map(|line| line.points.last());
    let most = ends.map(|point| log(point.passes)).fold(1.0, f64::max);
    let height = f64::from(canvas.dim_in_pixel().1) / plot::SCALE;
    let mut chart = ChartBuilder::on(canvas)
        .margin_top(px(8.0))
        .margin_right(px(18.0))
        .x_label_area_size(px(40.0))
        .y_label_area_size(px(44.0))
        .build_cartesian_2d(Whole { low: 0.0, high: most * 1.02, first: 0 }, 0.0..100.0)
        .map_err(plot::failed)?;
    chart
        .configure_mesh()
        .disable_x_mesh()
        .light_line_style(TRANSPARENT)
        .bold_line_style(colour("line").stroke_width(4))
        .axis_style(colour("muted").stroke_width(4))
        .x_label_style(font(11.5, colour("muted"), HPos::Center, VPos::Top))
        .y_label_style(font(11.5, colour("muted"), HPos::Right, VPos::Center))
        .y_labels(6)
        .set_all_tick_mark_size(px(3.0))
        .x_label_formatter(&|power| words::count(10_u64.pow(*power as u32)))
        .y_label_formatter(&|percent| format!("{percent:.0} %"))
        .draw()
        .map_err(plot::failed)?;
    let style = font(11.5, colour("muted"), HPos::Center, VPos::Bottom);
    let place = (px(width.midpoint(30.0)), px(height - 2.0));
    let title = "passes per image, forward and backward";
    canvas.draw(&Text::new(title, place, style)).map_err(plot::failed)?;
    for line in &plot.lines {
        let style = colour(&line.colour).stroke_width(8);
        chart.draw_series(LineSeries::new(stairs(&line.points), style)).map_err(plot::failed)?;
    }
    Ok(())
}

/// Between two points nothing changes until the second is reached.
fn stairs(points: &[CostPoint]) -> Vec<(f64, f64)> {
    let mut stairs: Vec<(f64, f64)> = Vec::new();
    for point in points {
        if let Some((_, before)) = stairs.last().copied() {
            stairs.push((log(point.passes), before));
        }
        stairs.push((log(point.passes), 100.0 * point.rate));
    }
    stairs
}
