//! The architecture, drawn from the model's own record of its layers: figure 1 of the paper.
//!
//! Layers with weights are blocks; what follows them without weights of its own (`ReLU`, pooling,
//! batch norm) is written below. Blocks of one stage (`layer1.0`, `layer1.1`, …) with the same
//! output fold into one.

use askama::Template;

use crate::record::LayerRecord;
use crate::report::network::networks;
use crate::report::plot::{NARROW, WIDE};
use crate::report::view::View;
use crate::report::{ReportError, words};

const CELL_HEIGHT: f64 = 218.0;
const DRAWING_HEIGHT: f64 = 96.0;

#[derive(Template)]
#[template(path = "report/architecture.html")]
struct ArchitectureTemplate {
    drawings: Vec<Drawing>,
}

struct Drawing {
    id: usize,
    names: String,
    architecture: String,
    parameters: String,
    diagrams: Vec<Diagram>,
    layers: Vec<LayerRecord>,
}

struct Diagram {
    screen: &'static str,
    width: f64,
    height: f64,
    cells: Vec<Cell>,
}

/// One block, placed.
struct Cell {
    x: f64,
    y: f64,
    /// The sheets of its feature map, back to front: x, y, width, height.
    sheets: Vec<[f64; 4]>,
    lines: Vec<(f64, &'static str, String)>,
    /// Where the arrow to the next block begins; none at the end of a row.
    arrow: Option<f64>,
}

/// One or several layers that are drawn as one block.
struct Block {
    stage: String,
    count: usize,
    kind: String,
    after: Vec<String>,
    /// Shape after the layer itself, which is drawn.
    drawn: Vec<u64>,
    /// Shape after what follows it, which the next block gets.
    output: Vec<u64>,
    parameters: u64,
}

/// A drawing of every architecture; networks with the same layers share one.
pub fn part(view: &View<'_>) -> Result<String, ReportError> {
    let mut drawings: Vec<Drawing> = Vec::new();
    for network in networks(view) {
        let layers = network.layers;
        if layers.is_empty() {
            continue;
        }
        if let Some(drawing) = drawings.iter_mut().find(|drawing| drawing.layers == layers) {
            drawing.names = format!("{}; {}", drawing.names, network.name);
            continue;
        }
        let blocks = fold(layers);
        drawings.push(Drawing {
            id: drawings.len(),
            names: network.name,
            architecture: network.architecture.to_owned(),
            parameters: words::count(network.parameters),
            diagrams: vec![
                place(&blocks, "wide", WIDE, 132.0),
                place(&blocks, "narrow", NARROW, 117.0),
            ],
            layers: layers.to_vec(),
        });
    }
    if drawings.is_empty() {
        return Ok(String::new());
    }
    Ok(ArchitectureTemplate { drawings }.render()?)
}

fn fold(layers: &[LayerRecord]) -> Vec<Block> {
    let mut blocks: Vec<Block> = Vec::new();
    for layer in layers {
        let stage = layer.name.split_once('.').map_or(layer.name.as_str(), |(stage, _)| stage);
        let staged = stage != layer.name;
        let follows = layer.parameters == 0 || layer.kind.to_lowercase().starts_with("batch norm");
        match blocks.last_mut() {
            Some(last) if staged && last.stage == stage && last.output == layer.output => {
                last.count += 1;
                last.parameters += layer.parameters;
            }
            Some(last) if follows => {
                last.after.push(layer.kind.clone());
                last.output.clone_from(&layer.output);
                last.parameters += layer.parameters;
            }
            _ => blocks.push(Block {
                stage: stage.to_owned(),
                count: 1,
                kind: layer.kind.clone(),
                after: Vec::new(),
                drawn: layer.output.clone(),
                output: layer.output.clone(),
                parameters: layer.parameters,
            }),
        }
    }
    blocks
}

fn place(blocks: &[Block], screen: &'static str, width: f64, cell_width: f64) -> Diagram {
    let columns = ((width / cell_width) as usize).min(blocks.len()).max(1);
    let rows = blocks.len().div_ceil(columns);
    // The same number in every row, as far as it goes.
    let columns = blocks.len().div_ceil(rows);
    let step = (width / columns as f64).min(200.0);
    let cells = blocks.iter().enumerate().map(|(at, block)| {
        let (row, column) = (at / columns, at % columns);
        Cell {
            x: column as f64 * step,
            y: row as f64 * CELL_HEIGHT,
            sheets: sheets(&block.drawn),
            lines: lines(block, ((step - 8.0) / 5.9) as usize),
            arrow: (column + 1 < columns && at + 1 < blocks.len()).then_some(step - 19.0),
        }
    });
    Diagram { screen, width, height: rows as f64 * CELL_HEIGHT, cells: cells.collect() }
}

/// A stack of squares for a map of channels, a bar for a vector: larger maps are larger, more
/// channels are a deeper stack, both on a logarithmic scale.
fn sheets(output: &[u64]) -> Vec<[f64; 4]> {
    let log = |n: u64| (n.max(1) as f64).log2();
    let [channels, height, width] = *output else {
        let length = output.iter().fold(1, |size: u64, &side| size.saturating_mul(side));
        let tall = (7.0 * log(length)).clamp(10.0, DRAWING_HEIGHT - 8.0);
        return vec![[12.0, DRAWING_HEIGHT - tall, 12.0, tall]];
    };
    let side = |n: u64| 10.0 + 9.0 * log(n).min(6.0);
    let (tall, wide) = (side(height), side(width));
    let depth = (log(channels).round() as usize).clamp(1, 8);
    let shift = |place: usize| 3.0 * (depth - 1 - place) as f64;
    let top = DRAWING_HEIGHT - tall;
    (0..depth).map(|at| [4.0 + shift(at), top - shift(at), wide, tall]).collect()
}

/// Offset, CSS class and text of each line below a block.
fn lines(block: &Block, limit: usize) -> Vec<(f64, &'static str, String)> {
    let name = match block.count {
        1 => block.stage.clone(),
        n => format!("{} × {n}", block.stage),
    };
    let mut lines = vec![("name", name)];
    lines.extend(wrap(&block.kind, limit, 3).into_iter().map(|line| ("kind", line)));
    let after = block.after.join(", ");
    if !after.is_empty() {
        lines.extend(wrap(&format!("+ {after}"), limit, 2).into_iter().map(|line| ("kind", line)));
    }
    let shape: Vec<String> = block.output.iter().map(u64::to_string).collect();
    lines.push(("shape", format!("→ {}", shape.join(" × "))));
    lines.push(("count", format!("{} param.", words::count(block.parameters))));
    let below = |at: usize| DRAWING_HEIGHT + 18.0 + 14.5 * at as f64;
    lines.into_iter().enumerate().map(|(at, (class, text))| (below(at), class, text)).collect()
}

/// Breaks at spaces; what does not fit in so many lines ends in `…`.
fn wrap(text: &str, limit: usize, most: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= limit => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    if lines.len() > most {
        lines.truncate(most);
        lines[most - 1].push('…');
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testdata;

    /// Would catch a diagram that loses layers or parameters in folding, or that does not fold.
    #[test]
    fn stages_fold() {
        let layers = testdata::resnet_layers(5);
        let blocks = fold(&layers);
        let names: Vec<(&str, usize)> =
            blocks.iter().map(|b| (b.stage.as_str(), b.count)).collect();
        let stages = [("layer1", 5), ("layer2", 5), ("layer3", 5)];
        assert_eq!(names[1..4], stages);
        assert_eq!((names[0], names[4]), (("conv1", 1), ("linear", 1)));
        let total = |sum: u64, n: u64| sum + n;
        assert_eq!(
            blocks.iter().map(|b| b.parameters).fold(0, total),
            layers.iter().map(|l| l.parameters).fold(0, total)
        );
        assert_eq!(fold(&testdata::resilience_cnn_layers()).len(), 4);
    }
}
