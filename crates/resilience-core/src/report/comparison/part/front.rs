//! Clean against robust accuracy, with the Pareto front.

use askama::Template;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, VPos};

use crate::comparison::{Figure, Measure};
use crate::report::comparison::front::{self, Place};
use crate::report::comparison::view::{View, figure};
use crate::report::comparison::{labels, panel};
use crate::report::plot::{self, Canvas, Caption, NARROW, colour, font, px};
use crate::report::{ReportError, words};

const LEFT: f64 = 46.0;
const RIGHT: f64 = 14.0;
const TOP: f64 = 10.0;
const BOTTOM: f64 = 46.0;

/// Size of the names in CSS pixels, and the mean width of a letter in units of it.
const NAME: f64 = 11.5;
const LETTER: f64 = 0.56;

#[derive(Template)]
#[template(path = "report/comparison/front.html")]
struct FrontTemplate {
    plot: String,
    sentence: String,
    rows: Vec<Row>,
}

struct Row {
    number: usize,
    name: String,
    on_front: bool,
    clean: String,
    robust: String,
}

/// A group's mark with everything around it; shares.
struct Mark {
    number: usize,
    name: String,
    on_front: bool,
    mean: (f64, f64),
    clean: [f64; 2],
    robust: [f64; 2],
    seeds: Vec<(f64, f64)>,
}

/// The plot, with the front in words.
pub fn part(view: &View<'_>) -> Result<String, ReportError> {
    let places = front::places(view);
    let marks: Vec<Mark> = places.iter().filter_map(mark).collect();
    let Some(sentence) = front::sentence(view).filter(|_| marks.len() > 1) else {
        return Ok(String::new());
    };
    let said = marks.iter().map(|mark| {
        let (clean, robust) = (words::percent(mark.mean.0), words::percent(mark.mean.1));
        format!("{}: clean {clean} %, robust at most {robust} %", mark.name)
    });
    let caption = Caption {
        id: "front",
        title: "Clean accuracy against robust accuracy, for each method",
        description: &said.collect::<Vec<_>>().join("; "),
    };
    let plot = plot::both(
        &caption,
        |width| if width > NARROW { 480.0 } else { 380.0 },
        |canvas, width| draw(canvas, width, &marks),
    )?;
    let rows = marks.iter().map(|mark| Row {
        number: mark.number,
        name: mark.name.clone(),
        on_front: mark.on_front,
        clean: words::percent(mark.mean.0),
        robust: words::percent(mark.mean.1),
    });
    Ok(FrontTemplate { plot, sentence, rows: rows.collect() }.render()?)
}

fn mark(place: &Place<'_, '_>) -> Option<Mark> {
    let of = |measure| -> Option<&Figure> { figure(place.subject, measure) };
    let (clean, robust) = (of(Measure::Clean)?, of(Measure::Robust)?);
    let seeds = clean.by_seed.iter().copied().zip(robust.by_seed.iter().copied());
    Some(Mark {
        number: place.subject.number,
        name: place.subject.name.clone(),
        on_front: place.on_front,
        mean: (place.clean, place.robust),
        clean: clean.ci95,
        robust: robust.ci95,
        seeds: seeds.collect(),
    })
}

/// From shares to CSS pixels.
struct Frame {
    x: [f64; 2],
    y: [f64; 2],
    right: f64,
    bottom: f64,
}

impl Frame {
    fn new(marks: &[Mark], width: f64, height: f64) -> Self {
        let x = marks.iter().flat_map(|mark| mark.clean.into_iter().chain(seeds(mark, |s| s.0)));
        let y = marks.iter().flat_map(|mark| mark.robust.into_iter().chain(seeds(mark, |s| s.1)));
        Self { x: ends(x), y: ends(y), right: width - RIGHT, bottom: height - BOTTOM }
    }

    fn at(&self, (x, y): (f64, f64)) -> (f64, f64) {
        let share = |value: f64, [low, high]: [f64; 2]| (value - low) / (high - low);
        (
            LEFT + share(x, self.x) * (self.right - LEFT),
            self.bottom - share(y, self.y) * (self.bottom - TOP),
        )
    }

    fn px(&self, point: (f64, f64)) -> (i32, i32) {
        let (x, y) = self.at(point);
        (px(x), px(y))
    }
}

fn seeds(mark: &Mark, of: impl Fn(&(f64, f64)) -> f64) -> impl Iterator<Item = f64> {
    mark.seeds.iter().map(of).collect::<Vec<_>>().into_iter()
}

/// The smallest and the largest, with some room.
fn ends(values: impl Iterator<Item = f64>) -> [f64; 2] {
    let (low, high) = values.fold((1.0_f64, 0.0_f64), |(l, h), v| (l.min(v), h.max(v)));
    let room = 0.04 * (high - low).max(0.02);
    [low - room, high + room]
}

fn draw(canvas: &Canvas<'_>, width: f64, marks: &[Mark]) -> Result<(), ReportError> {
    let height = f64::from(canvas.dim_in_pixel().1) / plot::SCALE;
    let frame = Frame::new(marks, width, height);
    axes(canvas, &frame, width)?;
    let line = |points: Vec<(i32, i32)>, name, width| {
        canvas
            .draw(&PathElement::new(points, colour(name).stroke_width(width)))
            .map_err(plot::failed)
    };
    line(steps(&frame, marks), "robust", 6)?;
    for mark in marks {
        let name = ink(mark);
        let (x, y) = mark.mean;
        let [left, right] = mark.clean.map(|x| frame.px((x, y)));
        let [low, high] = mark.robust.map(|y| frame.px((x, y)));
        let soft = colour(name).mix(0.45).stroke_width(4);
        for ends in [[left, right], [low, high]] {
            canvas.draw(&PathElement::new(ends, soft)).map_err(plot::failed)?;
        }
        let dot = colour(name).mix(0.6).filled();
        for seed in &mark.seeds {
            canvas.draw(&Circle::new(frame.px(*seed), px(1.8), dot)).map_err(plot::failed)?;
        }
    }
    for mark in marks {
        let dot = colour(ink(mark)).filled();
        canvas.draw(&Circle::new(frame.px(mark.mean), px(4.5), dot)).map_err(plot::failed)?;
    }
    names(canvas, &frame, width, marks)
}

const fn ink(mark: &Mark) -> &'static str {
    if mark.on_front { "robust" } else { "clean" }
}

fn axes(canvas: &Canvas<'_>, frame: &Frame, width: f64) -> Result<(), ReportError> {
    let text = |text: String, place: (f64, f64), horizontal, vertical| {
        let style = font(11.5, colour("muted"), horizontal, vertical);
        let place = (px(place.0), px(place.1));
        canvas.draw(&Text::new(text, place, style)).map_err(plot::failed)
    };
    let grid = |ends: [(i32, i32); 2]| {
        let style = colour("line").stroke_width(4);
        canvas.draw(&PathElement::new(ends, style)).map_err(plot::failed)
    };
    let many = if width > NARROW { 9.0 } else { 5.0 };
    for x in panel::ticks(frame.x[0], frame.x[1], many) {
        grid([frame.px((x, frame.y[0])), frame.px((x, frame.y[1]))])?;
        let place = (frame.at((x, 0.0)).0, frame.bottom + 6.0);
        text(format!("{:.0}", 100.0 * x), place, HPos::Center, VPos::Top)?;
    }
    for y in panel::ticks(frame.y[0], frame.y[1], 8.0) {
        grid([frame.px((frame.x[0], y)), frame.px((frame.x[1], y))])?;
        let place = (LEFT - 6.0, frame.at((0.0, y)).1);
        text(format!("{:.0} %", 100.0 * y), place, HPos::Right, VPos::Center)?;
    }
    let place = (LEFT.midpoint(frame.right), frame.bottom + 42.0);
    text("clean accuracy, % →".to_owned(), place, HPos::Center, VPos::Bottom)
}

/// The front as steps: what lies below and to the left of them is exceeded in both.
fn steps(frame: &Frame, marks: &[Mark]) -> Vec<(i32, i32)> {
    let mut front: Vec<(f64, f64)> = marks.iter().filter(|m| m.on_front).map(|m| m.mean).collect();
    front.sort_by(|a, b| a.0.total_cmp(&b.0));
    let mut x = frame.x[0];
    let mut points = Vec::new();
    for &(clean, robust) in &front {
        points.extend([frame.px((x, robust)), frame.px((clean, robust))]);
        x = clean;
    }
    points.push(frame.px((x, frame.y[0])));
    points
}

/// A number and on a wide screen the name beside every mark, on whatever the mark is not.
fn names(
    canvas: &Canvas<'_>,
    frame: &Frame,
    width: f64,
    marks: &[Mark],
) -> Result<(), ReportError> {
    let texts: Vec<String> = marks.iter().map(|mark| text(mark, width)).collect();
    let wanted = marks.iter().zip(&texts).map(|(mark, text)| {
        (frame.at(mark.mean), text.chars().count() as f64 * NAME * LETTER + 4.0)
    });
    let wanted: Vec<_> = wanted.collect();
    let placed = labels::place(&wanted, [LEFT, TOP, frame.right, frame.bottom]);
    for ((label, mark), (text, (_, wide))) in
        placed.iter().zip(marks).zip(texts.iter().zip(&wanted))
    {
        if let Some((x, y)) = label.leader {
            let ends = [frame.px(mark.mean), (px(x), px(y))];
            let style = colour("muted").stroke_width(3);
            canvas.draw(&PathElement::new(ends, style)).map_err(plot::failed)?;
        }
        let (x, y) = label.at;
        let page = colour("page").mix(0.75).filled();
        let below = [(px(x), px(y - 6.0)), (px(x + wide), px(y + 6.0))];
        canvas.draw(&Rectangle::new(below, page)).map_err(plot::failed)?;
        let style = font(NAME, colour("ink"), HPos::Left, VPos::Center);
        let place = (px(x + 2.0), px(y));
        canvas.draw(&Text::new(text.clone(), place, style)).map_err(plot::failed)?;
    }
    Ok(())
}

fn text(mark: &Mark, width: f64) -> String {
    const MOST: usize = 32;
    if width <= NARROW {
        return mark.number.to_string();
    }
    let text = format!("{} {}", mark.number, mark.name);
    if text.chars().count() <= MOST {
        return text;
    }
    text.chars().take(MOST - 1).chain(['…']).collect()
}
