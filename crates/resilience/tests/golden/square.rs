//! The Square attack against its authors' implementation, query by query, with its draws.

use resilience::attack::square::{Draw, Start, Walk};
use resilience::loss;
use resilience::model::Oracle;
use resilience::rows::select;
use serde_json::Value;
use tch::Tensor;

use super::attack_network::{Small, assert_digest, classes, flat, rows, threat};
use super::{assert_close, fixture, numbers};

const TOLERANCE: f64 = 1e-9;

/// What the reference drew for its start, for `n` images.
fn start(fixture: &Value, n: usize) -> Start {
    let drawn = &fixture["start"];
    if drawn["stripes"].is_array() {
        return Start { signs: singles(&drawn["stripes"]), turned: Vec::new() };
    }
    let mut start = Start::default();
    let tiles = drawn["tiles"].as_array().unwrap();
    for row in 0..n {
        for tile in tiles {
            start.signs.extend(&singles(&tile["signs"])[3 * row..][..3]);
            start.turned.push(tile["transposed"] == 1);
        }
    }
    start
}

/// What it drew for a query, for `n` images: one place for all of them.
fn draw(fixture: &Value, query: usize, n: usize) -> Draw {
    let places = classes(&fixture["windows"][query]);
    let signs = singles(&fixture["signs"][query]);
    let signs = if signs.len() == 3 { signs.repeat(n) } else { signs };
    let place = |at: usize| vec![[places[at], places[at + 1]]; n];
    assert_eq!(signs.len(), 3 * n);
    Draw {
        first: place(0),
        second: place(places.len() - 2),
        signs,
        turned: vec![fixture["transposed"][query] == 1; n],
    }
}

fn singles(value: &Value) -> Vec<f32> {
    numbers(value).into_iter().map(|number| number as f32).collect()
}

/// Would catch another start, size or filling of a window, share of the norm, order of cutting back
/// and clipping, or rule of what is kept; and rows that get in each other's way when one leaves.
#[test]
fn every_query_is_that_of_the_authors() {
    for name in ["linf", "l2", "l1"] {
        let expected = fixture(&format!("square/{name}.json"));
        let model = Small::new(16);
        let oracle = Oracle::new(&model, 128, 1, None);
        let mut rows = rows(&model, 16, &expected, &Value::Null);
        let p_init = expected["p_init"].as_f64().unwrap();
        let mut walk = Walk::begin(threat(&expected), p_init, &rows).unwrap();
        let mut live: Vec<i64> = classes(&expected["live"][0]);
        let best = Tensor::zeros_like(&rows.images);
        let mut used = vec![0; live.len()];
        for (query, left) in expected["live"].as_array().unwrap().iter().enumerate() {
            let at = format!("{name}, query {query}");
            let left = classes(left);
            let kept: Vec<i64> = (0_i64..)
                .zip(&live)
                .filter_map(|(place, row)| left.contains(row).then_some(place))
                .collect();
            let index = Tensor::from_slice(&kept);
            for tensor in walk.tensors() {
                *tensor = select(tensor, &index).unwrap();
            }
            rows.labels = rows.labels.index_select(0, &index);
            live = left;
            let found = if query == 0 {
                walk.begin_with(&oracle, &start(&expected, live.len())).unwrap()
            } else {
                assert_eq!(Some(walk.side()), expected["sizes"][query - 1].as_i64(), "{at}");
                walk.query(&oracle, &draw(&expected, query - 1, live.len())).unwrap()
            };
            assert_digest(&at, &found.images, &expected["queried"][query], TOLERANCE);
            let margins = loss::margins(&found.logits.unwrap(), &rows.labels).unwrap();
            assert_close(&at, &flat(&margins), &numbers(&expected["margins"][query]), TOLERANCE);
            for (place, &row) in (0_i64..).zip(&live) {
                best.get(row).copy_(&walk.best().get(place));
                used[row as usize] += 1;
            }
        }
        assert_close(name, &flat(&best), &numbers(&expected["best"]), TOLERANCE);
        assert_eq!(used, classes(&expected["used"]), "{name}");
    }
}
