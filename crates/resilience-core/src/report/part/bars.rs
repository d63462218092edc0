//! The comparison as bars with intervals: figures 2 and 3 of the paper.

use askama::Template;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, VPos};

use crate::paper;
use crate::report::plot::{self, Canvas, Caption, NARROW, colour, font, px};
use crate::report::view::{View, threat_words};
use crate::report::{ReportError, words};
use crate::summary::AttackSummary;

const TITLE_HEIGHT: f64 = 34.0;
const ROW_HEIGHT: f64 = 23.0;
const AXIS_HEIGHT: f64 = 26.0;

#[derive(Template)]
#[template(path = "report/bars.html")]
struct BarsTemplate {
    plot: String,
    groups: Vec<Group>,
    with_paper: bool,
}

struct Group {
    name: String,
    bars: Vec<Bar>,
}

struct Bar {
    /// What it measures, in full and short enough for a phone.
    label: String,
    short: String,
    colour: &'static str,
    rate: f64,
    interval: Option<[f64; 2]>,
    text: String,
}

impl Bar {
    fn interval_text(&self) -> String {
        self.interval.map_or_else(|| "not stated".to_owned(), words::interval)
    }
}

/// The bar chart, with its data behind it.
pub fn part(view: &View<'_>) -> Result<String, ReportError> {
    let mut groups = our_groups(view);
    let with_paper = view.with_paper && view.on_papers_data();
    if with_paper {
        groups.extend(paper_groups());
    }
    let rows: usize = groups.iter().map(|group| group.bars.len()).sum();
    let height = groups.len() as f64 * TITLE_HEIGHT + rows as f64 * ROW_HEIGHT + AXIS_HEIGHT;
    let description = groups
        .iter()
        .flat_map(|g| g.bars.iter().map(move |b| format!("{}, {}: {} %", g.name, b.label, b.text)));
    let caption = Caption {
        id: "bars",
        title: "Clean accuracy, adversarial accuracy and robustness score of each model",
        description: &description.collect::<Vec<_>>().join("; "),
    };
    let plot = plot::both(&caption, |_| height, |canvas, width| draw(canvas, width, &groups))?;
    Ok(BarsTemplate { plot, groups, with_paper }.render()?)
}

fn our_groups(view: &View<'_>) -> Vec<Group> {
    let groups = view.subjects.iter().map(|subject| {
        let clean = subject.model.clean;
        let bar = |label: &str, short: &str, colour, rate, interval| Bar {
            label: label.to_owned(),
            short: short.to_owned(),
            colour,
            rate,
            interval: Some(interval),
            text: words::percent(rate),
        };
        let mut bars = vec![bar("clean accuracy", "clean", "clean", clean.rate, clean.ci95)];
        let threats =
            |attack: &AttackSummary| (attack.id.clone(), attack.norm, attack.eps.to_bits());
        let first = subject.model.attacks.first().map(threats);
        let several = subject.model.attacks.iter().any(|other| Some(threats(other)) != first);
        for attack in &subject.model.attacks {
            let labels = words::labels(attack.labels);
            let mut which = attack.labels.name().to_owned();
            if several {
                which = format!("{which}, {} {}", attack.norm, attack.eps_text);
            }
            let threat = threat_words(attack);
            let (adversarial, robustness) = (attack.adversarial, attack.robustness);
            bars.push(bar(
                &format!("adversarial accuracy, {threat}, {labels}"),
                &format!("adversarial, {which}"),
                "adversarial",
                adversarial.rate,
                adversarial.ci95,
            ));
            bars.push(bar(
                &format!("robustness score, {threat}, {labels}"),
                &format!("robustness, {which}"),
                "robustness",
                robustness.rate,
                robustness.ci95,
            ));
        }
        bars.sort_by_key(|bar| {
            ["clean", "adversarial", "robustness"].iter().position(|c| *c == bar.colour)
        });
        let mut name = subject.name.clone();
        if view.names_datasets() {
            name = format!("{name} · {}", words::dataset(&subject.model.dataset.name));
        }
        Group { name, bars }
    });
    groups.collect()
}

fn paper_groups() -> impl Iterator<Item = Group> {
    paper::MODELS.into_iter().map(|model| {
        let bar = |label: &str, figure: paper::PaperFigure| Bar {
            label: label.to_owned(),
            short: label.split(' ').next().unwrap_or_default().to_owned(),
            colour: "paper",
            rate: figure.rate,
            interval: None,
            text: figure.percent.to_owned(),
        };
        Group {
            name: format!("The paper’s, not ours: {} · CIFAR-10", model.name),
            bars: vec![
                bar("clean accuracy", model.clean),
                bar("adversarial accuracy", model.adversarial),
                bar("robustness score", model.robustness),
            ],
        }
    })
}

fn draw(canvas: &Canvas<'_>, width: f64, groups: &[Group]) -> Result<(), ReportError> {
    let left = if width > NARROW { 168.0 } else { 150.0 };
    let right = width - 50.0;
    let x = |rate: f64| px(left + rate * (right - left));
    let bottom = f64::from(canvas.dim_in_pixel().1) / plot::SCALE - AXIS_HEIGHT;
    for step in 0..=4_u32 {
        let rate = f64::from(step) / 4.0;
        let line = [(x(rate), 0), (x(rate), px(bottom))];
        canvas
            .draw(&PathElement::new(line, colour("line").stroke_width(4)))
            .map_err(plot::failed)?;
        let style = font(11.5, colour("muted"), HPos::Center, VPos::Top);
        let text = format!("{} %", 25 * step);
        canvas.draw(&Text::new(text, (x(rate), px(bottom + 7.0)), style)).map_err(plot::failed)?;
    }
    let mut top = 0.0;
    for group in groups {
        let name = shortened(&group.name, (width / 7.4) as usize);
        let baseline = px(top + TITLE_HEIGHT * 0.62);
        let style = font(13.5, colour("ink"), HPos::Left, VPos::Center);
        // A strip of the page's colour keeps the grid out of the name.
        let strip = [(0, px(top + 4.0)), (px(width), px(top + TITLE_HEIGHT - 3.0))];
        canvas.draw(&Rectangle::new(strip, colour("page").filled())).map_err(plot::failed)?;
        canvas.draw(&Text::new(name, (0, baseline), style)).map_err(plot::failed)?;
        top += TITLE_HEIGHT;
        for bar in &group.bars {
            draw_bar(canvas, top, left, &x, bar)?;
            top += ROW_HEIGHT;
        }
    }
    Ok(())
}

/// At most so many characters of a name; the data set at its end stays.
fn shortened(name: &str, limit: usize) -> String {
    let length = |text: &str| text.chars().count();
    if length(name) <= limit {
        return name.to_owned();
    }
    let data = name.rfind(" · ").map_or("", |at| &name[at..]);
    let data = if length(data) + 1 < limit { data } else { "" };
    let start: String = name.chars().take(limit.saturating_sub(length(data) + 1)).collect();
    format!("{start}…{data}")
}

fn draw_bar(
    canvas: &Canvas<'_>,
    top: f64,
    left: f64,
    x: &impl Fn(f64) -> i32,
    bar: &Bar,
) -> Result<(), ReportError> {
    let middle = px(top + ROW_HEIGHT / 2.0);
    let label = font(12.0, colour("muted"), HPos::Right, VPos::Center);
    let place = (px(left - 8.0), middle);
    canvas.draw(&Text::new(bar.short.clone(), place, label)).map_err(plot::failed)?;
    let box_ = [(x(0.0), px(top + 3.5)), (x(bar.rate), px(top + ROW_HEIGHT - 3.5))];
    canvas.draw(&Rectangle::new(box_, colour(bar.colour).filled())).map_err(plot::failed)?;
    let mut end = x(bar.rate);
    if let Some([low, high]) = bar.interval {
        end = end.max(x(high));
        let ink = colour("ink").stroke_width(5);
        let cap = |at: f64| [(x(at), middle - px(4.0)), (x(at), middle + px(4.0))];
        let lines =
            [vec![(x(low), middle), (x(high), middle)], cap(low).to_vec(), cap(high).to_vec()];
        for line in lines {
            canvas.draw(&PathElement::new(line, ink)).map_err(plot::failed)?;
        }
    }
    let style = font(12.0, colour("ink"), HPos::Left, VPos::Center);
    let place = (end + px(6.0), middle);
    canvas.draw(&Text::new(bar.text.clone(), place, style)).map_err(plot::failed)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Would catch a phone's bars that do not say which data set they are on.
    #[test]
    fn the_data_set_is_not_cut_off() {
        assert_eq!(shortened("ResNet-32 · CIFAR-10", 20), "ResNet-32 · CIFAR-10");
        assert_eq!(shortened("ResNet-32 · CIFAR-10", 17), "ResNe… · CIFAR-10");
        assert_eq!(shortened("ResNet-32 · CIFAR-10", 5), "ResN…");
        assert_eq!(shortened("ResNet-32", 5), "ResN…");
    }
}
