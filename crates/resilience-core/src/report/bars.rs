//! Rates as horizontal bars with intervals, in groups.

use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, VPos};

use super::plot::{self, Canvas, Caption, NARROW, colour, font, px};
use super::{ReportError, words};

const TITLE_HEIGHT: f64 = 34.0;
const ROW_HEIGHT: f64 = 23.0;
const AXIS_HEIGHT: f64 = 26.0;

/// Bars under one name.
pub struct Group {
    /// The name, which may end in ` · ` and a data set.
    pub name: String,
    /// The bars, from top to bottom.
    pub bars: Vec<Bar>,
}

/// One rate.
pub struct Bar {
    /// What it measures, in full.
    pub label: String,
    /// The same, short enough for a phone.
    pub short: String,
    /// A colour of the page.
    pub colour: &'static str,
    /// From 0 to 1.
    pub rate: f64,
    /// Its interval, where one is known.
    pub interval: Option<[f64; 2]>,
    /// The rate as it is written beside the bar.
    pub text: String,
}

impl Bar {
    /// A rate of ours.
    pub fn new(
        label: &str,
        short: &str,
        colour: &'static str,
        rate: f64,
        interval: [f64; 2],
    ) -> Self {
        Self {
            label: label.to_owned(),
            short: short.to_owned(),
            colour,
            rate,
            interval: Some(interval),
            text: words::percent(rate),
        }
    }

    /// The interval as it is written in a table.
    pub fn interval_text(&self) -> String {
        self.interval.map_or_else(|| "not stated".to_owned(), words::interval)
    }
}

/// Draws them for both screens; `id` is unique on the page.
pub fn both(id: &str, title: &str, groups: &[Group]) -> Result<String, ReportError> {
    let rows: usize = groups.iter().map(|group| group.bars.len()).sum();
    let height = groups.len() as f64 * TITLE_HEIGHT + rows as f64 * ROW_HEIGHT + AXIS_HEIGHT;
    let description = groups
        .iter()
        .flat_map(|g| g.bars.iter().map(move |b| format!("{}, {}: {} %", g.name, b.label, b.text)));
    let description = description.collect::<Vec<_>>().join("; ");
    let caption = Caption { id, title, description: &description };
    plot::both(&caption, |_| height, |canvas, width| draw(canvas, width, groups))
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
