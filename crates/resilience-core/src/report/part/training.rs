//! Training curves: loss and accuracies by epoch.

use askama::Template;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, VPos};

use crate::record::TrainingRecord;
use crate::report::network::networks;
use crate::report::plot::{self, Canvas, Caption, Whole, colour, font, px};
use crate::report::view::View;
use crate::report::{ReportError, words};

#[derive(Template)]
#[template(path = "report/training.html")]
struct TrainingTemplate {
    trainings: Vec<Training>,
}

struct Training {
    name: String,
    settings: String,
    plots: Vec<(String, Vec<(String, String)>)>,
    header: Vec<String>,
    rows: Vec<Vec<String>>,
}

/// A named line: its colour and its value by epoch.
struct Line {
    name: String,
    colour: &'static str,
    values: Vec<f64>,
}

/// The curves of every network that was trained here, each training once.
pub fn part(view: &View<'_>) -> Result<String, ReportError> {
    let (mut trainings, mut shown) = (Vec::new(), Vec::new());
    for (place, network) in networks(view).into_iter().enumerate() {
        if let Some(record) = network.training
            && !record.epochs.is_empty()
            && !(network.is_member && shown.contains(&record))
        {
            trainings.push(training(place, &network.name, record)?);
            shown.push(record);
        }
    }
    if trainings.is_empty() {
        return Ok(String::new());
    }
    Ok(TrainingTemplate { trainings }.render()?)
}

fn training(place: usize, name: &str, record: &TrainingRecord) -> Result<Training, ReportError> {
    let lines = lines(record);
    let (accuracies, losses): (Vec<Line>, Vec<Line>) =
        lines.into_iter().partition(|line| line.name.ends_with("accuracy"));
    let mut plots = Vec::new();
    for (kind, lines) in [("loss", &losses), ("accuracy, %", &accuracies)] {
        if lines.is_empty() {
            continue;
        }
        let legend = lines.iter().map(|line| (line.name.clone(), line.colour.to_owned())).collect();
        plots.push((plot(place, name, kind, lines)?, legend));
    }
    let all: Vec<&Line> = losses.iter().chain(&accuracies).collect();
    let rows = record.epochs.iter().enumerate().map(|(at, epoch)| {
        let values = all.iter().map(|line| {
            if line.name.ends_with("accuracy") {
                format!("{:.2} %", line.values[at])
            } else {
                format!("{:.4}", line.values[at])
            }
        });
        let speed = [format!("{:.1}", epoch.seconds), format!("{:.0}", epoch.images_per_second)];
        std::iter::once(epoch.epoch.to_string()).chain(values).chain(speed).collect()
    });
    let settings: Vec<String> =
        record.settings.iter().map(|(name, value)| format!("{name} {value}")).collect();
    Ok(Training {
        name: name.to_owned(),
        settings: format!(
            "Recipe {} on {} {} images of {}, seed {}; {}",
            record.recipe,
            words::count(record.dataset.n),
            record.dataset.split,
            words::dataset(&record.dataset.name),
            record.seed,
            settings.join(", ")
        ),
        plots,
        header: all.iter().map(|line| line.name.clone()).collect(),
        rows: rows.collect(),
    })
}

/// The loss and every scalar that each epoch has; accuracies in per cent.
fn lines(record: &TrainingRecord) -> Vec<Line> {
    let loss = record.epochs.iter().map(|epoch| epoch.loss).collect();
    let mut lines = vec![Line { name: "training loss".to_owned(), colour: "ink", values: loss }];
    for (name, _) in &record.epochs[0].scalars {
        let value = |epoch: &crate::record::EpochRecord| {
            epoch.scalars.iter().find(|(other, _)| other == name).map(|(_, value)| *value)
        };
        let Some(mut values) = record.epochs.iter().map(value).collect::<Option<Vec<f64>>>() else {
            continue;
        };
        if name.ends_with("accuracy") {
            for value in &mut values {
                *value *= 100.0;
            }
        }
        let colour = match name.split('_').next() {
            Some("clean") => "clean",
            Some("adversarial") => "adversarial",
            _ => "robustness",
        };
        lines.push(Line { name: name.replace('_', " "), colour, values });
    }
    lines
}

fn plot(place: usize, name: &str, kind: &str, lines: &[Line]) -> Result<String, ReportError> {
    let ends = lines.iter().filter_map(|line| {
        let (first, last) = (line.values.first()?, line.values.last()?);
        Some(format!("{} goes from {first:.2} to {last:.2}", line.name))
    });
    let caption = Caption {
        id: &format!("training-{place}-{}", &kind[..4]),
        title: &format!("Training of {name}: {kind} by epoch"),
        description: &ends.collect::<Vec<_>>().join("; "),
    };
    plot::one(&caption, "any", (380.0, 230.0), &|canvas, _| draw(canvas, kind, lines))
}

fn draw(canvas: &Canvas<'_>, kind: &str, lines: &[Line]) -> Result<(), ReportError> {
    let epochs = lines.iter().map(|line| line.values.len()).max().unwrap_or(1);
    let top = match kind {
        "loss" => lines.iter().flat_map(|line| &line.values).fold(0.0_f64, |a, b| a.max(*b)) * 1.08,
        _ => 100.0,
    };
    // One epoch is a point in the middle.
    let last = if epochs == 1 { 2.0 } else { epochs as f64 };
    let first = if epochs == 1 { 0.0 } else { 1.0 };
    let mut chart = ChartBuilder::on(canvas)
        .margin_top(px(8.0))
        .margin_right(px(14.0))
        .x_label_area_size(px(38.0))
        .y_label_area_size(px(40.0))
        .build_cartesian_2d(
            Whole { low: first, high: last, first: 1 },
            0.0..top.max(f64::MIN_POSITIVE),
        )
        .map_err(plot::failed)?;
    chart
        .configure_mesh()
        .disable_x_mesh()
        .light_line_style(TRANSPARENT)
        .bold_line_style(colour("line").stroke_width(4))
        .axis_style(colour("muted").stroke_width(4))
        .x_label_style(font(11.5, colour("muted"), HPos::Center, VPos::Top))
        .y_label_style(font(11.5, colour("muted"), HPos::Right, VPos::Center))
        .y_labels(5)
        .set_all_tick_mark_size(px(3.0))
        .x_label_formatter(&|epoch| format!("{epoch:.0}"))
        .y_label_formatter(&|value| match kind {
            "loss" => format!("{value:.1}"),
            _ => format!("{value:.0} %"),
        })
        .draw()
        .map_err(plot::failed)?;
    let style = font(11.5, colour("muted"), HPos::Center, VPos::Bottom);
    canvas.draw(&Text::new("epoch", (px(210.0), px(228.0)), style)).map_err(plot::failed)?;
    for line in lines {
        let points = || line.values.iter().zip(1_u32..).map(|(value, x)| (f64::from(x), *value));
        let style = colour(line.colour).stroke_width(8);
        chart.draw_series(LineSeries::new(points(), style)).map_err(plot::failed)?;
        let dot = |point| Circle::new(point, px(2.8), colour(line.colour).filled());
        chart.draw_series(points().map(dot)).map_err(plot::failed)?;
    }
    Ok(())
}
