//! Where predictions move: a heat map of clean against attacked predictions.

use askama::Template;

use crate::report::view::{View, attack_words};
use crate::report::{ReportError, words};

/// Above so many classes the map cannot be read; the summary has its numbers.
const MOST_CLASSES: usize = 20;

#[derive(Template)]
#[template(path = "report/moves.html")]
struct MovesTemplate {
    maps: Vec<Map>,
}

struct Map {
    name: String,
    attack: String,
    classes: Vec<String>,
    rows: Vec<Row>,
}

struct Row {
    class: String,
    cells: Vec<Cell>,
}

struct Cell {
    count: u64,
    /// Share of its row in per cent, which gives the colour.
    share: u32,
    class: String,
}

/// One map for every attack on every model.
pub fn part(view: &View<'_>) -> Result<String, ReportError> {
    let mut maps = Vec::new();
    for subject in &view.subjects {
        for attack in &subject.model.attacks {
            if attack.moves.len() > MOST_CLASSES {
                continue;
            }
            let class = |label: usize| words::class(&subject.model.dataset.classes, label as u32);
            let rows = attack
                .moves
                .iter()
                .enumerate()
                .map(|(from, row)| Row { class: class(from), cells: cells(from, row) });
            maps.push(Map {
                name: subject.name.clone(),
                attack: attack_words(attack),
                classes: (0..attack.moves.len()).map(class).collect(),
                rows: rows.collect(),
            });
        }
    }
    if maps.is_empty() {
        return Ok(String::new());
    }
    Ok(MovesTemplate { maps }.render()?)
}

fn cells(from: usize, row: &[u64]) -> Vec<Cell> {
    let total = row.iter().sum::<u64>().max(1);
    let cell = |(to, &count): (usize, &u64)| {
        let share = (100.0 * count as f64 / total as f64).round() as u32;
        let mut class = String::new();
        for (name, holds) in [("stay", from == to), ("zero", count == 0), ("strong", share > 65)] {
            if holds {
                class = format!("{class} {name}");
            }
        }
        Cell { count, share, class: class.trim_start().to_owned() }
    };
    row.iter().enumerate().map(cell).collect()
}
