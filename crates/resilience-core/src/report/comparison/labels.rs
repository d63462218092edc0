//! Names beside marks, so that none covers another.

/// Height of a name in CSS pixels.
const HEIGHT: f64 = 13.0;

/// Half the side of what a mark takes.
const MARK: f64 = 6.0;

/// How far from its mark a name stands at least, and without a line to it at most.
const NEAR: f64 = 9.0;

/// A rectangle: left, top, right, bottom.
type Box = [f64; 4];

/// Where a name stands.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Label {
    /// Its middle at the left.
    pub at: (f64, f64),
    /// Where a line from the mark to it ends, where it stands so far off that one is needed.
    pub leader: Option<(f64, f64)>,
}

/// Places names of these widths beside their marks, within the frame: as near as possible, to the right
/// first, where neither another mark nor a name that was placed before is in the way. What finds no such
/// place stands where it covers least.
pub fn place(marks: &[((f64, f64), f64)], frame: Box) -> Vec<Label> {
    let mut taken: Vec<Box> =
        marks.iter().map(|((x, y), _)| [x - MARK, y - MARK, x + MARK, y + MARK]).collect();
    let mut labels = Vec::new();
    for &(mark, width) in marks {
        let mut best: Option<(f64, Box, f64)> = None;
        for distance in [NEAR, 16.0, 26.0, 40.0, 58.0, 80.0] {
            for direction in DIRECTIONS {
                let rectangle = beside(mark, width, direction, distance);
                let covered: f64 = taken.iter().map(|other| shared(*other, rectangle)).sum();
                let cost = covered + 4.0 * outside(rectangle, frame);
                if best.is_none_or(|(least, ..)| cost < least) {
                    best = Some((cost, rectangle, distance));
                }
            }
            if best.is_some_and(|(least, ..)| least == 0.0) {
                break;
            }
        }
        let Some((_, rectangle, distance)) = best else { continue };
        let [left, top, right, bottom] = rectangle;
        let nearest = (mark.0.clamp(left, right), mark.1.clamp(top, bottom));
        labels.push(Label {
            at: (left, top.midpoint(bottom)),
            leader: (distance > NEAR).then_some(nearest),
        });
        taken.push(rectangle);
    }
    labels
}

/// Right, left, then the corners, then above and below.
const DIRECTIONS: [(f64, f64); 8] = [
    (1.0, 0.0),
    (-1.0, 0.0),
    (0.7, -0.7),
    (0.7, 0.7),
    (-0.7, -0.7),
    (-0.7, 0.7),
    (0.0, -1.0),
    (0.0, 1.0),
];

fn beside((x, y): (f64, f64), width: f64, (right, down): (f64, f64), distance: f64) -> Box {
    let (x, y) = (x + right * distance, y + down * distance);
    let left = match right {
        r if r > 0.0 => x,
        r if r < 0.0 => x - width,
        _ => x - width / 2.0,
    };
    let top = y - HEIGHT / 2.0 + down * HEIGHT / 4.0;
    [left, top, left + width, top + HEIGHT]
}

fn area([left, top, right, bottom]: Box) -> f64 {
    (right - left).max(0.0) * (bottom - top).max(0.0)
}

/// The area that two rectangles share.
fn shared(a: Box, b: Box) -> f64 {
    let common = [a[0].max(b[0]), a[1].max(b[1]), a[2].min(b[2]), a[3].min(b[3])];
    if common[0] >= common[2] || common[1] >= common[3] { 0.0 } else { area(common) }
}

/// The area of a rectangle beyond a frame.
fn outside(rectangle: Box, frame: Box) -> f64 {
    // Areas of the same rectangle differ in their last digits.
    (area(rectangle) - shared(rectangle, frame)).max(0.0).floor()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Would catch names that cover each other or a mark, also where all marks are in one place.
    #[test]
    fn names_do_not_cover_each_other() {
        let frame = [0.0, 0.0, 800.0, 480.0];
        let heap: Vec<_> = (0..13).map(|k| ((400.0 + 3.0 * f64::from(k), 240.0), 90.0)).collect();
        let edge = vec![((795.0, 5.0), 120.0), ((3.0, 478.0), 120.0)];
        for marks in [heap, edge] {
            let labels = place(&marks, frame);
            assert_eq!(labels.len(), marks.len());
            let boxes: Vec<Box> = labels
                .iter()
                .zip(&marks)
                .map(|(label, (_, width))| {
                    let (x, y) = label.at;
                    [x, y - HEIGHT / 2.0, x + width, y + HEIGHT / 2.0]
                })
                .collect();
            for (at, a) in boxes.iter().enumerate() {
                assert!(a[0] >= 0.0 && a[2] <= 800.0 && a[1] >= 0.0 && a[3] <= 480.0, "{a:?}");
                assert!(boxes[..at].iter().all(|b| shared(*a, *b) < 1e-6), "{at}: {boxes:?}");
                for ((x, y), _) in &marks {
                    let mark = [x - MARK, y - MARK, x + MARK, y + MARK];
                    assert!(shared(*a, mark) < 1e-6, "{at} covers a mark");
                }
            }
        }
    }

    /// Would catch a lone name that stands far from its mark.
    #[test]
    fn a_lone_name_stands_to_the_right() {
        let [label] = place(&[((100.0, 100.0), 50.0)], [0.0, 0.0, 800.0, 480.0])[..] else {
            panic!("one label")
        };
        assert_eq!(label, Label { at: (109.0, 100.0), leader: None });
    }
}
