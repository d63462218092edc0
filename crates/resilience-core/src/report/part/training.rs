//! Training curves: loss and accuracies by epoch, on held-out images too, and what they say of overfitting.

use askama::Template;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, VPos};

use crate::overfitting;
use crate::record::{EpochRecord, TrainingRecord, ValidationRecord};
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
    /// Whose weights are judged on this page.
    kept: String,
    /// How many images were held out, where accuracy on them was measured.
    held_out: Option<String>,
    /// What was found of overfitting to the attack, in whole sentences.
    findings: Vec<String>,
    plots: Vec<(String, Vec<(String, String)>)>,
    header: Vec<String>,
    rows: Vec<Vec<String>>,
}

/// A named line: its colour and its value by epoch, where it has one.
struct Line {
    name: String,
    colour: &'static str,
    values: Vec<Option<f64>>,
}

/// What is measured on held-out images: the line's name, its colour and the accuracy.
type HeldOut = (&'static str, &'static str, fn(&ValidationRecord) -> f64);
const HELD_OUT: [HeldOut; 3] = [
    ("held-out clean accuracy", "clean", |record| record.clean),
    ("held-out accuracy, FGSM", "adversarial", |record| record.fgsm),
    ("held-out accuracy, PGD", "robust", |record| record.pgd),
];

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
    let held_out = held_out(record);
    let mut plots = Vec::new();
    let kinds =
        [("loss", &losses), ("accuracy, %", &accuracies), ("held-out accuracy, %", &held_out)];
    for (kind, lines) in kinds {
        if lines.is_empty() {
            continue;
        }
        let legend = lines.iter().map(|line| (line.name.clone(), line.colour.to_owned())).collect();
        plots.push((plot(place, name, kind, lines)?, legend));
    }
    let all: Vec<&Line> = losses.iter().chain(&accuracies).chain(&held_out).collect();
    let rows = record.epochs.iter().enumerate().map(|(at, epoch)| {
        let values = all.iter().map(|line| match line.values[at] {
            None => "–".to_owned(),
            Some(value) if line.name.contains("accuracy") => format!("{value:.2} %"),
            Some(value) => format!("{value:.4}"),
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
        kept: kept(record),
        held_out: counts(record),
        findings: overfitting::find(&record.epochs).into_iter().map(|f| f.sentence).collect(),
        plots,
        header: all.iter().map(|line| line.name.clone()).collect(),
        rows: rows.collect(),
    })
}

/// The loss and every scalar that each epoch has; accuracies in per cent.
fn lines(record: &TrainingRecord) -> Vec<Line> {
    let loss = record.epochs.iter().map(|epoch| Some(epoch.loss)).collect();
    let mut lines = vec![Line { name: "training loss".to_owned(), colour: "ink", values: loss }];
    for (name, _) in &record.epochs[0].scalars {
        let value = |epoch: &EpochRecord| {
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
        let values = values.into_iter().map(Some).collect();
        lines.push(Line { name: name.replace('_', " "), colour, values });
    }
    lines
}

/// Accuracies on held-out images in per cent; no lines of a training that measured none.
fn held_out(record: &TrainingRecord) -> Vec<Line> {
    if record.epochs.iter().all(|epoch| epoch.validation.is_none()) {
        return Vec::new();
    }
    let line = |(name, colour, accuracy): HeldOut| {
        let value = |epoch: &EpochRecord| epoch.validation.as_ref().map(|v| 100.0 * accuracy(v));
        let values = record.epochs.iter().map(value).collect();
        Line { name: name.to_owned(), colour, values }
    };
    HELD_OUT.into_iter().map(line).collect()
}

/// How many images accuracy was measured on: `1,000`.
fn counts(record: &TrainingRecord) -> Option<String> {
    let mut counts: Vec<u64> =
        record.epochs.iter().filter_map(|epoch| Some(epoch.validation?.n)).collect();
    counts.sort_unstable();
    counts.dedup();
    let counts: Vec<String> = counts.into_iter().map(words::count).collect();
    (!counts.is_empty()).then(|| counts.join(" or "))
}

/// Which epoch's weights were kept; where that was not written down those of the last one.
fn kept(record: &TrainingRecord) -> String {
    let last = record.epochs.last().map_or(0, |epoch| epoch.epoch);
    match record.kept {
        Some(epoch) if epoch != last => {
            format!("The weights of epoch {epoch} of {last} were kept.")
        }
        _ => format!("The weights of the last epoch, {last}, were kept."),
    }
}

fn plot(place: usize, name: &str, kind: &str, lines: &[Line]) -> Result<String, ReportError> {
    let ends = lines.iter().filter_map(|line| {
        let mut known = line.values.iter().flatten();
        let first = known.next()?;
        let last = known.next_back().unwrap_or(first);
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
        "loss" => {
            let losses = lines.iter().flat_map(|line| &line.values).flatten();
            losses.fold(0.0_f64, |a, b| a.max(*b)) * 1.08
        }
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
        let points = || {
            let known = line.values.iter().zip(1_u32..);
            known.filter_map(|(value, x)| Some((f64::from(x), (*value)?)))
        };
        let style = colour(line.colour).stroke_width(8);
        chart.draw_series(LineSeries::new(points(), style)).map_err(plot::failed)?;
        let dot = |point| Circle::new(point, px(2.8), colour(line.colour).filled());
        chart.draw_series(points().map(dot)).map_err(plot::failed)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testdata;

    fn section(record: &TrainingRecord) -> String {
        let trainings = vec![training(0, "A network", record).unwrap()];
        TrainingTemplate { trainings }.render().unwrap()
    }

    /// Would catch a page that keeps what held-out images showed to itself, or shows other figures.
    #[test]
    fn held_out_accuracies_are_shown() {
        let mut record = testdata::training();
        let shown = section(&record);
        assert!(shown.contains("on 1,000 training images that were held out"), "{shown}");
        assert!(shown.contains("The weights of epoch 1 of 5 were kept."), "{shown}");
        assert!(shown.contains("Overfitting to the attack of training: none found"), "{shown}");
        for cell in ["held-out accuracy, PGD", "64.00 %", "58.00 %", "53.00 %"] {
            assert!(shown.contains(cell), "{cell}: {shown}");
        }
        record.kept = None;
        record.epochs[0].validation = None;
        let some = section(&record);
        assert!(some.contains("The weights of the last epoch, 5, were kept."), "{some}");
        assert!(some.contains("<td class=\"n\">–</td>"), "{some}");
    }

    /// Would catch overfitting that is found in training and left out of the page.
    #[test]
    fn overfitting_is_told_of() {
        let mut record = testdata::training();
        let last = record.epochs[4].validation.as_mut().unwrap();
        (last.fgsm, last.pgd) = (0.7, 0.01);
        let shown = section(&record);
        assert!(shown.contains("Catastrophic overfitting at epoch 5"), "{shown}");
        assert!(!shown.contains("none found"), "{shown}");
    }

    /// Would catch a verdict on overfitting, or an empty plot, of an old training without held-out images.
    #[test]
    fn without_held_out_images_nothing_is_said_of_them() {
        let mut record = testdata::training();
        for epoch in &mut record.epochs {
            epoch.validation = None;
        }
        let shown = section(&record);
        assert!(!shown.contains("held") && !shown.contains("none found"), "{shown}");
        assert_eq!(shown.matches("<figure>").count(), 2);
    }
}
