//! The window of the Square attack in L2 and L1: two bumps side by side, one up and one down.

use resilience_core::threat::Norm;
use tch::{Kind, Tensor};

use crate::error::EngineError;
use crate::geometry;

/// A window of `side` x `side` numbers of length 1 in `norm`: its upper half a bump that falls off from
/// its centre as the sum of `1 / k^p` over the rings inside, the lower half the same downwards.
pub fn window(norm: Norm, side: i64, kind: Kind) -> Result<Tensor, EngineError> {
    let side = side as usize;
    let upper = bump(norm, side / 2, side)?;
    let lower = bump(norm, side - side / 2, side)?.f_neg()?;
    let whole = Tensor::f_cat(&[upper, lower], 0)?;
    Ok(unit(norm, &whole)?.f_to_kind(kind)?)
}

/// A bump of `rows` x `columns` numbers of length 1. Rectangles grow from the centre, one pixel a time
/// to each side as far as there are any, the k-th adding `1 / k^p`.
fn bump(norm: Norm, rows: usize, columns: usize) -> Result<Tensor, EngineError> {
    let power = geometry::fall_off(norm);
    let mut values = vec![0.0; rows * columns];
    let (middle_row, middle_column) = (rows / 2, columns / 2);
    let rings = (rows / 2 + 1).max(columns / 2 + 1);
    for ring in 0..rings {
        let reach =
            |middle: usize, size: usize| middle.saturating_sub(ring)..(middle + ring + 1).min(size);
        for row in reach(middle_row, rows) {
            for column in reach(middle_column, columns) {
                values[row * columns + column] += ((ring + 1) as f64).powi(-power);
            }
        }
    }
    let bump = Tensor::f_from_slice(&values)?.f_view([rows as i64, columns as i64])?;
    unit(norm, &bump)
}

/// The same numbers at a length of 1; none at all have none.
fn unit(norm: Norm, numbers: &Tensor) -> Result<Tensor, EngineError> {
    if numbers.numel() == 0 {
        return Ok(numbers.shallow_clone());
    }
    Ok(numbers.f_div(&geometry::length_over(norm, numbers, &[0, 1])?)?)
}
