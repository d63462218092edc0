//! A small plot of accuracies, one of many side by side that share their axes.

use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, VPos};

use crate::report::ReportError;
use crate::report::plot::{self, Canvas, Caption, colour, font, px};

/// Size in CSS pixels; two stand side by side on a phone.
const SIZE: (f64, f64) = (190.0, 158.0);
const LEFT: f64 = 32.0;
const RIGHT: f64 = 8.0;
const TOP: f64 = 8.0;
const BOTTOM: f64 = 38.0;

/// What stands on a horizontal axis.
pub struct Axis {
    /// Its ends.
    pub ends: [f64; 2],
    /// Where it is labelled.
    pub ticks: Vec<(f64, String)>,
    /// What it is.
    pub label: String,
}

/// A line of shares.
pub struct Line {
    /// A colour of the page.
    pub colour: &'static str,
    /// Width in CSS pixels.
    pub width: f64,
    /// From 0, not to be seen, to 1.
    pub opacity: f64,
    /// Whether its points are marked.
    pub dots: bool,
    /// From left to right.
    pub points: Vec<(f64, f64)>,
}

/// Everything that one panel shows.
pub struct Panel<'a> {
    /// The axis to the right.
    pub axis: &'a Axis,
    /// The share at the top; 0 is at the bottom.
    pub top: f64,
    /// Position and two shares, between which all is filled.
    pub band: Vec<(f64, [f64; 2])>,
    /// From back to front.
    pub lines: Vec<Line>,
    /// A place of the axis that is marked.
    pub mark: Option<f64>,
}

/// Draws it for both screens alike.
pub fn draw(caption: &Caption<'_>, panel: &Panel<'_>) -> Result<String, ReportError> {
    plot::one(caption, "any", SIZE, &|canvas, _| fill(canvas, panel))
}

/// Where all of these end, on a round share.
pub fn top(shares: impl Iterator<Item = f64>) -> f64 {
    let most = shares.fold(0.0, f64::max);
    ((most * 5.0).ceil() / 5.0).clamp(0.2, 1.0)
}

/// Round numbers from `low` to `high`, at most so many steps.
pub fn ticks(low: f64, high: f64, steps: f64) -> Vec<f64> {
    let rough = ((high - low) / steps).max(1e-9);
    let power = 10.0_f64.powf(rough.log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0].map(|k| k * power).into_iter().find(|&s| s >= rough * 0.999);
    let step = step.unwrap_or(rough);
    let first = (low / step - 1e-9).ceil() as i64;
    let last = (high / step + 1e-9).floor() as i64;
    (first..=last).map(|k| k as f64 * step).collect()
}

fn fill(canvas: &Canvas<'_>, panel: &Panel<'_>) -> Result<(), ReportError> {
    let (right, bottom) = (SIZE.0 - RIGHT, SIZE.1 - BOTTOM);
    let [low, high] = panel.axis.ends;
    let x = |at: f64| px(LEFT + (at - low) / (high - low).max(1e-12) * (right - LEFT));
    let y = |share: f64| px(bottom - share / panel.top * (bottom - TOP));
    let muted = |horizontal, vertical| font(10.5, colour("muted"), horizontal, vertical);
    for share in ticks(0.0, panel.top, 4.0) {
        let grid = [(x(low), y(share)), (x(high), y(share))];
        let style = colour("line").stroke_width(4);
        canvas.draw(&PathElement::new(grid, style)).map_err(plot::failed)?;
        let text = format!("{:.0}", 100.0 * share);
        let place = (px(LEFT - 5.0), y(share));
        let style = muted(HPos::Right, VPos::Center);
        canvas.draw(&Text::new(text, place, style)).map_err(plot::failed)?;
    }
    for (at, text) in &panel.axis.ticks {
        let style = muted(HPos::Center, VPos::Top);
        let place = (x(*at), px(bottom + 6.0));
        canvas.draw(&Text::new(text.clone(), place, style)).map_err(plot::failed)?;
    }
    let place = (px(LEFT.midpoint(right)), px(SIZE.1 - 2.0));
    let style = muted(HPos::Center, VPos::Bottom);
    canvas.draw(&Text::new(panel.axis.label.clone(), place, style)).map_err(plot::failed)?;
    if let Some(mark) = panel.mark {
        let style = colour("muted").stroke_width(4);
        let (dash, step) = (px(3.0), px(6.0) as usize);
        for top in (y(panel.top)..y(0.0)).step_by(step) {
            let ends = [(x(mark), top), (x(mark), (top + dash).min(y(0.0)))];
            canvas.draw(&PathElement::new(ends, style)).map_err(plot::failed)?;
        }
    }
    if panel.band.len() > 1 {
        let above = panel.band.iter().map(|(at, [_, high])| (x(*at), y(*high)));
        let below = panel.band.iter().rev().map(|(at, [low, _])| (x(*at), y(*low)));
        let edge: Vec<(i32, i32)> = above.chain(below).collect();
        let style = colour("s1").mix(0.22).filled();
        canvas.draw(&Polygon::new(edge, style)).map_err(plot::failed)?;
    }
    for line in &panel.lines {
        let points: Vec<_> = line.points.iter().map(|(at, share)| (x(*at), y(*share))).collect();
        let ink = colour(line.colour).mix(line.opacity);
        let style = ink.stroke_width(px(line.width) as u32);
        canvas.draw(&PathElement::new(points.clone(), style)).map_err(plot::failed)?;
        // Of a single point no line is to be seen.
        let dots = if line.dots || points.len() == 1 { &points[..] } else { &[] };
        for &point in dots {
            canvas.draw(&Circle::new(point, px(2.2), ink.filled())).map_err(plot::failed)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Would catch axes that are labelled at no round numbers, too often, or not at all.
    #[test]
    fn ticks_are_round_and_few() {
        let rounded = |low, high, steps| -> Vec<String> {
            ticks(low, high, steps).iter().map(|tick| format!("{tick:.2}")).collect()
        };
        assert_eq!(rounded(0.0, 0.1, 4.0), ["0.00", "0.05", "0.10"]);
        assert_eq!(rounded(0.0, 1.0, 4.0), ["0.00", "0.50", "1.00"]);
        assert_eq!(rounded(0.43, 0.71, 6.0), ["0.45", "0.50", "0.55", "0.60", "0.65", "0.70"]);
        assert!(ticks(0.3, 0.3, 4.0).len() <= 1);
        let tops = [0.0, 0.41, 0.6, 0.99].map(|most| top(std::iter::once(most)));
        assert_eq!(tops.map(|top| format!("{top:.1}")), ["0.2", "0.6", "0.6", "1.0"]);
    }
}
