//! What the Square attack draws, and the images that come of it.

use rand_chacha::ChaCha8Rng;
use resilience_core::threat::Threat;
use tch::{Device, Kind, Tensor};

use super::{bump, column, signs};
use crate::error::EngineError;
use crate::geometry;
use crate::host;
use crate::rng;

/// The draws of one query, a row at a time.
#[derive(Clone, Debug, Default)]
pub struct Draw {
    /// Top and left of each row's window.
    pub first: Vec<[i64; 2]>,
    /// Of the window that it is filled from (L2, L1).
    pub second: Vec<[i64; 2]>,
    /// 1 or -1 for each row and channel.
    pub signs: Vec<f32>,
    /// Whether a row's window lies on its side (L2, L1).
    pub turned: Vec<bool>,
}

impl Draw {
    /// Draws for one more row, whose windows are squares of `side` in images of `size`.
    pub fn row(&mut self, rng: &mut ChaCha8Rng, channels: i64, side: i64, size: [i64; 2]) {
        let mut place = || size.map(|length| rng::below(rng, (length - side + 1) as u64) as i64);
        let (first, second) = (place(), place());
        self.first.push(first);
        self.second.push(second);
        self.signs.extend((0..channels).map(|_| rng::sign(rng)));
        self.turned.push(rng::sign(rng) > 0.0);
    }
}

/// The draws of the start.
#[derive(Clone, Debug, Default)]
pub struct Start {
    /// Linf: for each row, channel and column; L2, L1: for each row, tile and channel.
    pub signs: Vec<f32>,
    /// L2, L1: whether a tile lies on its side, for each row and tile.
    pub turned: Vec<bool>,
}

impl Start {
    /// Draws for one more row.
    pub fn draw(&mut self, rng: &mut ChaCha8Rng, stripes: bool, [c, h, w]: [i64; 3]) {
        let tiles = if stripes { 0 } else { Tiles::of(h, w).places.len() as i64 };
        let numbers = if stripes { c * w } else { tiles * c };
        self.signs.extend((0..numbers).map(|_| rng::sign(rng)));
        self.turned.extend((0..tiles).map(|_| rng::sign(rng) > 0.0));
    }
}

/// The grid that L2 and L1 begin with: five tiles a side, and more where the remainder holds one.
struct Tiles {
    side: i64,
    places: Vec<[i64; 2]>,
}

impl Tiles {
    fn of(h: i64, w: i64) -> Self {
        let side = h / 5;
        let margin = (h - side * 5) / 2;
        let starts = |length: i64| (0..length / side).map(move |tile| margin + tile * side);
        let places = starts(h)
            .flat_map(|top| starts(w).map(move |left| [top, left]))
            .filter(|[top, left]| top + side <= h && left + side <= w)
            .collect();
        Self { side, places }
    }
}

/// Vertical stripes of plus and minus eps.
pub fn stripes(origins: &Tensor, start: &Start, threat: Threat) -> Result<Tensor, EngineError> {
    let [n, c, w] = [0, 1, 3].map(|dim| origins.size()[dim]);
    let signs = signs(&start.signs, [n, c, 1, w], origins.kind())?;
    let change = signs.f_mul_scalar(threat.eps().value())?;
    Ok(origins.f_add(&change)?.f_clamp(0.0, 1.0)?)
}

/// A grid of windows, brought into the ball together.
pub fn grid(origins: &Tensor, start: &Start, threat: Threat) -> Result<Tensor, EngineError> {
    let size = origins.size();
    let (n, c, kind) = (size[0], size[1], origins.kind());
    let tiles = Tiles::of(size[2], size[3]);
    let count = tiles.places.len() as i64;
    let signs = signs(&start.signs, [n, count, c, 1], kind)?;
    let turned: Vec<bool> = start.turned.clone();
    let turned = Tensor::f_from_slice(&turned)?.f_view([n, count])?;
    let window = bump::window(threat.norm(), tiles.side, kind)?;
    let change = origins.f_zeros_like()?;
    for (tile, [top, left]) in (0..).zip(&tiles.places) {
        let windows = oriented(&window, &turned.f_select(1, tile)?)?; // [n,1,s,s]
        let signed = windows.f_mul(&signs.f_select(1, tile)?.f_unsqueeze(-1)?)?; // [n,c,s,s]
        let mut place = change.f_narrow(2, *top, tiles.side)?.f_narrow(3, *left, tiles.side)?;
        let _ = place.f_add_(&signed)?;
    }
    geometry::fitted(threat, origins, &change)
}

/// The best images with one window each moved by 2 eps, cut back to ball and box.
pub fn shifted(
    origins: &Tensor,
    best: &Tensor,
    draw: &Draw,
    side: i64,
    threat: Threat,
) -> Result<Tensor, EngineError> {
    if best.kind() == Kind::Float && best.device() == Device::Cpu {
        return shifted_on_host(origins, best, draw, side as usize, threat);
    }
    let [n, c] = [0, 1].map(|dim| origins.size()[dim]);
    let inside = inside(&draw.first, side, origins)?; // [n,1,h,w]
    let signs = signs(&draw.signs, [n, c, 1, 1], origins.kind())?;
    let change = signs.f_mul_scalar(2.0 * threat.eps().value())?.f_mul(&inside)?;
    geometry::project(threat, &best.f_add(&change)?, origins)
}

/// The same, touching nothing but the windows: outside of them the best images stay what they are,
/// to the bit, because they lie in ball and box already.
fn shifted_on_host(
    origins: &Tensor,
    best: &Tensor,
    draw: &Draw,
    side: usize,
    threat: Threat,
) -> Result<Tensor, EngineError> {
    let [c, w] = [1, 3].map(|dim| origins.size()[dim] as usize);
    let eps = threat.eps().value() as f32;
    let twice = (2.0 * threat.eps().value()) as f32;
    host::by_rows::<f32, (), 2>([best, origins], |(), row, [best, origins], images| {
        images.copy_from_slice(best);
        let ([top, left], signs) = (draw.first[row], &draw.signs[row * c..][..c]);
        for y in top as usize..top as usize + side {
            let start = (y * w + left as usize) * c;
            let line = images[start..start + side * c].chunks_exact_mut(c);
            for (pixel, origin) in line.zip(origins[start..].chunks_exact(c)) {
                for ((value, &origin), &sign) in pixel.iter_mut().zip(origin).zip(signs) {
                    let moved = *value + sign * twice;
                    *value = moved.max(origin - eps).min(origin + eps).clamp(0.0, 1.0);
                }
            }
        }
    })
}

/// The best images with what one window has put into another.
pub fn swapped(
    origins: &Tensor,
    best: &Tensor,
    draw: &Draw,
    side: i64,
    threat: Threat,
) -> Result<Tensor, EngineError> {
    let size = origins.size();
    let (n, c, kind) = (size[0], size[1], origins.kind());
    let planes = [n, c, size[2] * size[3]];
    let length = |t: &Tensor, dims: &[i64]| geometry::length_over(threat.norm(), t, dims);
    let change = best.f_sub(origins)?.f_reshape(planes)?; // [n,c,hw]
    let whole = length(&change, &[1, 2])?; // [n,1,1]
    let either =
        inside(&draw.first, side, origins)?.f_maximum(&inside(&draw.second, side, origins)?)?;
    let windows = length(&change.f_mul(&either.f_reshape([n, 1, planes[2]])?)?, &[2])?; // [n,c,1]

    let (first, second) = (pixels(&draw.first, side, &size)?, pixels(&draw.second, side, &size)?);
    let old = change.f_gather(2, &first, false)?; // [n,c,ss]
    let old = old.f_div(&length(&old, &[2])?.f_add_scalar(1e-12)?)?;
    let turned = Tensor::f_from_slice(&draw.turned)?;
    let window = bump::window(threat.norm(), side, kind)?;
    let window = oriented(&window, &turned)?.f_reshape([n, 1, side * side])?;
    let signs = signs(&draw.signs, [n, c, 1, 1], kind)?.f_squeeze_dim(3)?;
    let new = geometry::refilled(threat, &window.f_mul(&signs)?.f_add(&old)?, &windows, &whole)?;
    let emptied = change.f_scatter_value(2, &second, 0.0)?;
    let change = emptied.f_scatter(2, &first, &new)?.f_reshape(size.as_slice())?;
    geometry::fitted(threat, origins, &change)
}

/// 1 inside each row's window, 0 outside: `[n,1,h,w]`.
fn inside(places: &[[i64; 2]], side: i64, like: &Tensor) -> Result<Tensor, EngineError> {
    let size = like.size();
    let within = |dim: usize, starts: Vec<i64>, shape: [i64; 4]| -> Result<Tensor, EngineError> {
        let start = column(&starts)?;
        let line = Tensor::f_arange(size[dim], (Kind::Int64, like.device()))?.f_view(shape)?;
        let from = line.f_ge_tensor(&start)?;
        Ok(from.f_logical_and(&line.f_lt_tensor(&start.f_add_scalar(side)?)?)?)
    };
    let rows = within(2, places.iter().map(|p| p[0]).collect(), [1, 1, -1, 1])?;
    let columns = within(3, places.iter().map(|p| p[1]).collect(), [1, 1, 1, -1])?;
    Ok(rows.f_logical_and(&columns)?.f_to_kind(like.kind())?)
}

/// The numbers of the pixels in each row's window, for every channel: `[n,c,side side]`.
fn pixels(places: &[[i64; 2]], side: i64, size: &[i64]) -> Result<Tensor, EngineError> {
    let (c, width) = (size[1], size[3]);
    let numbers: Vec<i64> = places
        .iter()
        .flat_map(|[top, left]| {
            (0..side * side).map(move |k| (top + k / side) * width + left + k % side)
        })
        .collect();
    let n = places.len() as i64;
    let numbers = Tensor::f_from_slice(&numbers)?.f_view([n, 1, side * side])?;
    Ok(numbers.f_expand([n, c, side * side], false)?)
}

/// The window, on its side where `turned` `[n]` says so: `[n,1,s,s]`.
fn oriented(window: &Tensor, turned: &Tensor) -> Result<Tensor, EngineError> {
    let upright = window.f_unsqueeze(0)?.f_unsqueeze(0)?; // [1,1,s,s]
    let side = upright.f_transpose(2, 3)?;
    Ok(side.f_where_self(&turned.f_view([-1, 1, 1, 1])?, &upright)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use resilience_core::threat::Norm;

    /// Would catch a window on the host that moves other pixels, or the same ones otherwise.
    #[test]
    fn windows_on_the_host_are_the_same_windows() {
        let threat = Threat::new(Norm::Linf, "8/255".parse().unwrap()).unwrap();
        let line = Tensor::arange(2 * 3 * 6 * 5, (Kind::Double, Device::Cpu));
        let origins = ((line * 0.7).sin() * 0.6 + 0.5).clamp(0.0, 1.0).view([2, 3, 6, 5]);
        let origins = crate::layout::channels_last(&origins.to_kind(Kind::Float)).unwrap();
        let start = Start { signs: [1.0, -1.0, -1.0].repeat(10), turned: Vec::new() };
        let best = stripes(&origins, &start, threat).unwrap();
        let draw = Draw {
            first: vec![[0, 2], [3, 1]],
            second: vec![[0, 0]; 2],
            signs: vec![1.0, -1.0, 1.0, -1.0, -1.0, 1.0],
            turned: vec![false; 2],
        };
        let found = shifted(&origins, &best, &draw, 3, threat).unwrap();
        // The tensors' way, by the precision that has no other.
        let wide = |t: &Tensor| t.to_kind(Kind::Double);
        let whole = shifted(&wide(&origins), &wide(&best), &draw, 3, threat).unwrap();
        let apart = f64::try_from((found.to_kind(Kind::Double) - whole).abs().max()).unwrap();
        assert!(apart < 1e-7, "{apart}");
        assert!(f64::try_from((found - &best).abs().max()).unwrap() > 0.05);
    }
}
