//! The window of L2's Square attack: two bumps side by side, one up and one down.

use tch::{Kind, Tensor};

use crate::error::EngineError;

/// A window of `side` x `side` numbers of length 1: its upper half a bump that falls off from its
/// centre as the sum of `1 / k^2` over the rings inside, the lower half the same downwards.
pub fn window(side: i64, kind: Kind) -> Result<Tensor, EngineError> {
    let side = side as usize;
    let (upper, lower) = (bump(side / 2, side), bump(side - side / 2, side));
    let values: Vec<f64> = upper.into_iter().chain(lower.into_iter().map(|v| -v)).collect();
    let length = values.iter().map(|v| v * v).sum::<f64>().sqrt();
    let values: Vec<f64> = values.iter().map(|v| v / length).collect();
    let side = side as i64;
    Ok(Tensor::f_from_slice(&values)?.f_view([side, side])?.f_to_kind(kind)?)
}

/// A bump of `rows` x `columns` numbers of length 1, row by row. Rectangles grow from the centre,
/// one pixel a time to each side as far as there are any, the k-th adding `1 / k^2`.
fn bump(rows: usize, columns: usize) -> Vec<f64> {
    let mut values = vec![0.0; rows * columns];
    let (middle_row, middle_column) = (rows / 2, columns / 2);
    let rings = (rows / 2 + 1).max(columns / 2 + 1);
    for ring in 0..rings {
        let reach =
            |middle: usize, size: usize| middle.saturating_sub(ring)..(middle + ring + 1).min(size);
        for row in reach(middle_row, rows) {
            for column in reach(middle_column, columns) {
                values[row * columns + column] += 1.0 / ((ring + 1) * (ring + 1)) as f64;
            }
        }
    }
    let length = values.iter().map(|v| v * v).sum::<f64>().sqrt();
    if length > 0.0 {
        for value in &mut values {
            *value /= length;
        }
    }
    values
}
