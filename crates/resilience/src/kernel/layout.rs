//! Which memory the slots of a program share, and how many images go through a part of it at once.

use std::ops::Range;

use super::map::Map;

/// Numbers of a layer's input and result that are meant to stay in a core's cache.
const CACHE: usize = 48 * 1024;

/// Tiles of a convolution (4 x 4 pixels) that go through a layer together at least: its weights are
/// read once for all of them.
const TILES: usize = 96;

/// Memory for values that are not needed at the same time.
#[derive(Debug, Default)]
pub struct Layout {
    /// The buffer that each value lies in.
    pub buffer: Vec<usize>,
    /// What lies in each buffer. Its margin is zero and stays so, because only equal maps share one.
    pub maps: Vec<Map>,
}

impl Layout {
    /// Shares buffers among values, of which each is written at `from` and read last at `to`.
    pub fn new(values: &[(Map, usize, usize)]) -> Self {
        let mut layout = Self::default();
        let mut free_after: Vec<usize> = Vec::new();
        for &(map, from, to) in values {
            let free = (0..layout.maps.len())
                .find(|&number| layout.maps[number] == map && free_after[number] < from);
            let number = free.unwrap_or_else(|| {
                layout.maps.push(map);
                free_after.push(0);
                layout.maps.len() - 1
            });
            free_after[number] = to;
            layout.buffer.push(number);
        }
        layout
    }
}

/// Steps that some images go through before the next ones do.
#[derive(Clone, Debug)]
pub struct Segment {
    /// The steps.
    pub steps: Range<usize>,
    /// How many images at once.
    pub images: usize,
}

/// Splits steps, of which each is given by what it writes, where the size of the image changes.
pub fn segments(maps: &[Map]) -> Vec<Segment> {
    let mut segments: Vec<Segment> = Vec::new();
    for (number, map) in maps.iter().enumerate() {
        let tiles = map.height.div_ceil(4) * map.width.div_ceil(4);
        let images = (CACHE / map.size()).max(TILES.div_ceil(tiles));
        match segments.last_mut() {
            Some(last) if maps[last.steps.start].height == map.height => {
                last.steps.end = number + 1;
                last.images = last.images.min(images);
            }
            _ => segments.push(Segment { steps: number..number + 1, images }),
        }
    }
    segments
}
