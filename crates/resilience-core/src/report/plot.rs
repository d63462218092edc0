//! What all plots share: a canvas of plotters whose colours and fonts are the page's.
//!
//! Plotters writes fixed colours. Each colour here is a key that becomes a CSS variable
//! afterwards, so that one plot serves light, dark and paper. Every plot is drawn for a wide and
//! for a narrow screen, since shrunk text cannot be read.

use askama::Template;
use plotters::coord::ranged1d::{KeyPointHint, NoDefaultFormatting, Ranged, ValueFormatter};
use plotters::coord::types::RangedCoordf64;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::ReportError;

/// Plotters places on whole pixels: drawing larger and showing smaller makes those fine enough.
pub const SCALE: f64 = 4.0;

/// Widths in CSS pixels of the two drawings.
pub const WIDE: f64 = 800.0;
/// The narrow one fits a phone of 390 pixels with the page's margins.
pub const NARROW: f64 = 352.0;

const VARIABLES: [&str; 15] = [
    "ink",
    "muted",
    "line",
    "clean",
    "adversarial",
    "robustness",
    "robust",
    "s0",
    "s1",
    "s2",
    "s3",
    "s4",
    "s5",
    "paper",
    "page",
];

/// A colour of the page.
pub fn colour(name: &str) -> RGBColor {
    let key = VARIABLES.iter().position(|variable| *variable == name).unwrap_or(0);
    RGBColor(1, 0, key as u8)
}

/// The colour of the model at this place, and the name of its variable.
pub fn series(place: usize) -> (RGBColor, String) {
    let name = format!("s{}", place % 6);
    (colour(&name), name)
}

/// CSS pixels on the canvas.
pub fn px(length: f64) -> i32 {
    (length * SCALE).round() as i32
}

/// Text of a size in CSS pixels.
pub fn font(size: f64, colour: RGBColor, horizontal: HPos, vertical: VPos) -> TextStyle<'static> {
    // Plotters divides the size by 1.24 when it writes SVG.
    let size = size * SCALE * 1.24;
    FontDesc::new(FontFamily::SansSerif, size, FontStyle::Normal)
        .color(&colour)
        .pos(Pos::new(horizontal, vertical))
}

/// A plot in words for who does not see it.
pub struct Caption<'a> {
    /// Unique on the page.
    pub id: &'a str,
    /// What it shows.
    pub title: &'a str,
    /// What is to be seen.
    pub description: &'a str,
}

#[derive(Template)]
#[template(path = "report/plot.html")]
struct PlotTemplate<'a> {
    id: &'a str,
    width: f64,
    screen: &'a str,
    view_box: String,
    title: &'a str,
    description: &'a str,
    body: String,
}

/// Draws for both screens: `draw` gets the canvas and its width in CSS pixels; `height` gives the
/// height for a width.
pub fn both(
    caption: &Caption<'_>,
    height: impl Fn(f64) -> f64,
    draw: impl Fn(&Canvas<'_>, f64) -> Result<(), ReportError>,
) -> Result<String, ReportError> {
    let wide = one(caption, "wide", (WIDE, height(WIDE)), &draw)?;
    let narrow = one(caption, "narrow", (NARROW, height(NARROW)), &draw)?;
    Ok(wide + &narrow)
}

/// A canvas to draw on.
pub type Canvas<'a> = DrawingArea<SVGBackend<'a>, plotters::coord::Shift>;

/// Draws once, `size` in CSS pixels, shown on the `screen` of that name (`any`: on both).
pub fn one(
    caption: &Caption<'_>,
    screen: &str,
    size: (f64, f64),
    draw: &impl Fn(&Canvas<'_>, f64) -> Result<(), ReportError>,
) -> Result<String, ReportError> {
    let mut svg = String::new();
    let pixels = ((size.0 * SCALE) as u32, (size.1 * SCALE) as u32);
    {
        let canvas = SVGBackend::with_string(&mut svg, pixels).into_drawing_area();
        draw(&canvas, size.0)?;
        canvas.present().map_err(failed)?;
    }
    let body = svg
        .split_once("<svg")
        .and_then(|(_, rest)| rest.split_once('>'))
        .and_then(|(_, rest)| rest.rsplit_once("</svg>"))
        .map_or("", |(body, _)| body);
    let mut body = body.to_owned();
    for (key, variable) in VARIABLES.iter().enumerate() {
        body = body.replace(&format!("\"#0100{key:02X}\""), &format!("\"var(--{variable})\""));
    }
    let template = PlotTemplate {
        id: &format!("{}-{screen}", caption.id),
        width: size.0,
        screen,
        view_box: format!("0 0 {} {}", pixels.0, pixels.1),
        title: caption.title,
        description: caption.description,
        body,
    };
    Ok(template.render()?)
}

/// A chart of numbers against numbers.
pub type Chart<'a> = ChartContext<'a, SVGBackend<'a>, Cartesian2d<RangedCoordf64, RangedCoordf64>>;

/// Draws the axes of a chart and names the one across the canvas; `label` writes the numbers of the
/// other.
pub fn axes(
    chart: &mut Chart<'_>,
    (canvas, width): (&Canvas<'_>, f64),
    across: &str,
    label: &dyn Fn(&f64) -> String,
) -> Result<(), ReportError> {
    chart
        .configure_mesh()
        .disable_x_mesh()
        .light_line_style(TRANSPARENT)
        .bold_line_style(colour("line").stroke_width(4))
        .axis_style(colour("muted").stroke_width(4))
        .x_label_style(font(11.5, colour("muted"), HPos::Center, VPos::Top))
        .y_label_style(font(11.5, colour("muted"), HPos::Right, VPos::Center))
        .x_labels(6)
        .y_labels(6)
        .set_all_tick_mark_size(px(3.0))
        .x_label_formatter(&|radius| {
            let text = format!("{radius:.4}");
            text.trim_end_matches('0').trim_end_matches('.').to_owned()
        })
        .y_label_formatter(label)
        .draw()
        .map_err(failed)?;
    let height = f64::from(canvas.dim_in_pixel().1) / SCALE;
    let style = font(11.5, colour("muted"), HPos::Center, VPos::Bottom);
    let place = (px(width.midpoint(30.0)), px(height - 2.0));
    canvas.draw(&Text::new(across.to_owned(), place, style)).map_err(failed)
}

/// An axis that is labelled at whole numbers only, from `first` on.
pub struct Whole {
    /// Where the axis begins.
    pub low: f64,
    /// Where it ends.
    pub high: f64,
    /// The first label.
    pub first: u32,
}

impl Ranged for Whole {
    type ValueType = f64;
    type FormatOption = NoDefaultFormatting;

    fn map(&self, value: &f64, limit: (i32, i32)) -> i32 {
        let share = (value - self.low) / (self.high - self.low);
        limit.0 + (share * f64::from(limit.1 - limit.0)).round() as i32
    }

    fn key_points<Hint: KeyPointHint>(&self, _: Hint) -> Vec<f64> {
        let every = ((self.high - self.low) / 8.0).ceil().max(1.0) as usize;
        (self.first..=self.high as u32).step_by(every).map(f64::from).collect()
    }

    fn range(&self) -> std::ops::Range<f64> {
        self.low..self.high
    }
}

impl ValueFormatter<f64> for Whole {
    fn format(value: &f64) -> String {
        format!("{value:.0}")
    }
}

/// An error of plotters, which is generic over the backend.
pub fn failed(error: impl std::fmt::Display) -> ReportError {
    ReportError::Plot(error.to_string())
}
