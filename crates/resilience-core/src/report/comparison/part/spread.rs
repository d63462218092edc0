//! What seeds do: one row a group, a dot a seed.

use askama::Template;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, VPos};

use crate::comparison::Measure;
use crate::report::comparison::panel;
use crate::report::comparison::view::View;
use crate::report::plot::{self, Canvas, Caption, NARROW, colour, font, px};
use crate::report::{ReportError, words};

const AXIS_HEIGHT: f64 = 28.0;

#[derive(Template)]
#[template(path = "report/comparison/spread.html")]
struct SpreadTemplate {
    plot: String,
    sentence: String,
    rows: Vec<Row>,
}

struct Row {
    label: String,
    name: String,
    mean: f64,
    seeds: Vec<f64>,
}

impl Row {
    fn text(&self) -> String {
        let seeds: Vec<String> = self.seeds.iter().map(|seed| words::percent(*seed)).collect();
        seeds.join(", ")
    }
}

/// The dots of robust accuracy, the group of the highest mean on top.
pub fn part(view: &View<'_>) -> Result<String, ReportError> {
    let ranked = view.ranked(Measure::Robust);
    let rows = ranked.iter().map(|(subject, figure)| Row {
        label: format!("{} {}", subject.number, subject.name),
        name: subject.name.clone(),
        mean: figure.mean,
        seeds: figure.by_seed.clone(),
    });
    let rows: Vec<Row> = rows.collect();
    if rows.is_empty() {
        return Ok(String::new());
    }
    let said = rows.iter().map(|row| format!("{}: {} %", row.name, row.text()));
    let caption = Caption {
        id: "spread",
        title: "Robust accuracy of every seed, for each method",
        description: &said.collect::<Vec<_>>().join("; "),
    };
    let height = |width: f64| rows.len() as f64 * row_height(width) + AXIS_HEIGHT;
    let plot = plot::both(&caption, height, |canvas, width| draw(canvas, width, &rows))?;
    let sentence = sentence(&rows);
    Ok(SpreadTemplate { plot, sentence, rows }.render()?)
}

/// How far the seeds of one group lie apart, where any group has several.
fn sentence(rows: &[Row]) -> String {
    let range = |row: &&Row| {
        let fold =
            |start: f64, with: fn(f64, f64) -> f64| row.seeds.iter().copied().fold(start, with);
        fold(0.0, f64::max) - fold(1.0, f64::min)
    };
    let several: Vec<&Row> = rows.iter().filter(|row| row.seeds.len() > 1).collect();
    let widest = several.iter().max_by(|a, b| range(a).total_cmp(&range(b)));
    match widest {
        None => "No method has several seeds, so that what a seed does cannot be seen.".to_owned(),
        Some(row) if range(row) <= 0.0 => {
            "No two seeds of a method differ in robust accuracy.".to_owned()
        }
        Some(row) => format!(
            "The seeds of one method lie at most {} points apart ({}): a difference between two single \
             trainings that is no larger says little.",
            words::points(range(row)),
            row.name
        ),
    }
}

/// On a narrow screen names stand above their row.
const fn row_height(width: f64) -> f64 {
    if width > NARROW { 26.0 } else { 40.0 }
}

fn draw(canvas: &Canvas<'_>, width: f64, rows: &[Row]) -> Result<(), ReportError> {
    let wide = width > NARROW;
    let left = if wide { 250.0 } else { 10.0 };
    let right = width - 20.0;
    let most = panel_top(rows);
    let x = |share: f64| px(left + share / most * (right - left));
    let bottom = rows.len() as f64 * row_height(width);
    for share in panel::ticks(0.0, most, if wide { 8.0 } else { 5.0 }) {
        let grid = [(x(share), 0), (x(share), px(bottom))];
        let style = colour("line").stroke_width(4);
        canvas.draw(&PathElement::new(grid, style)).map_err(plot::failed)?;
        let style = font(11.5, colour("muted"), HPos::Center, VPos::Top);
        let text = format!("{:.0} %", 100.0 * share);
        let place = (x(share), px(bottom + 7.0));
        canvas.draw(&Text::new(text, place, style)).map_err(plot::failed)?;
    }
    for (at, row) in rows.iter().enumerate() {
        let top = at as f64 * row_height(width);
        let limit = if wide { 36 } else { 48 };
        let (place, horizontal) = if wide {
            ((px(left - 12.0), px(top + 13.0)), HPos::Right)
        } else {
            ((0, px(top + 10.0)), HPos::Left)
        };
        if !wide {
            // A strip of the page's colour keeps the grid out of the name.
            let strip = [(0, px(top + 1.0)), (px(width), px(top + 19.0))];
            canvas.draw(&Rectangle::new(strip, colour("page").filled())).map_err(plot::failed)?;
        }
        let style = font(12.0, colour("ink"), horizontal, VPos::Center);
        canvas.draw(&Text::new(cut(&row.label, limit), place, style)).map_err(plot::failed)?;
        let middle = top + if wide { 13.0 } else { 29.0 };
        let line = [(x(0.0), px(middle)), (x(most), px(middle))];
        let style = colour("line").stroke_width(3);
        canvas.draw(&PathElement::new(line, style)).map_err(plot::failed)?;
        let mean = [(x(row.mean), px(middle - 8.0)), (x(row.mean), px(middle + 8.0))];
        let style = colour("ink").stroke_width(7);
        canvas.draw(&PathElement::new(mean, style)).map_err(plot::failed)?;
        for (place, seed) in row.seeds.iter().enumerate() {
            // Seeds stand a little above each other, lest one hide another.
            let off = 4.0 * (place as f64 - (row.seeds.len() - 1) as f64 / 2.0);
            let point = (x(*seed), px(middle + off.clamp(-7.0, 7.0)));
            let style = colour("robust").mix(0.8).filled();
            canvas.draw(&Circle::new(point, px(3.4), style)).map_err(plot::failed)?;
        }
    }
    Ok(())
}

/// Where the axis ends: at a round share above all.
fn panel_top(rows: &[Row]) -> f64 {
    let most = rows.iter().flat_map(|row| &row.seeds).copied().fold(0.0, f64::max);
    ((most * 20.0).ceil() / 20.0).clamp(0.05, 1.0)
}

fn cut(name: &str, limit: usize) -> String {
    if name.chars().count() <= limit {
        return name.to_owned();
    }
    name.chars().take(limit - 1).chain(['…']).collect()
}
