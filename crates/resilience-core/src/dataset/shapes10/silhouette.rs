//! The ten silhouettes as signed distances in a plane where each fits the unit circle.

/// A point of the silhouette's own plane: x to the right, y down.
pub(super) type Point = (f64, f64);

/// What an image shows. The discriminant is its label.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Silhouette {
    Disc,
    Ring,
    Square,
    Frame,
    Triangle,
    Cross,
    Star,
    Crescent,
    Heart,
    Bars,
}

impl Silhouette {
    /// Every silhouette, in the order of the labels.
    pub(super) const ALL: [Self; 10] = [
        Self::Disc,
        Self::Ring,
        Self::Square,
        Self::Frame,
        Self::Triangle,
        Self::Cross,
        Self::Star,
        Self::Crescent,
        Self::Heart,
        Self::Bars,
    ];

    /// The class names, in the same order.
    pub(super) const NAMES: [&'static str; 10] = [
        "disc", "ring", "square", "frame", "triangle", "cross", "star", "crescent", "heart", "bars",
    ];

    /// Distance from `p` to the outline, negative inside. Exact next to the outline but for some
    /// corners, which is all that a soft edge needs.
    pub(super) fn distance(self, p: Point) -> f64 {
        match self {
            Self::Disc => disc(p, (0.0, 0.0), 0.85),
            Self::Ring => disc(p, (0.0, 0.0), 0.72).abs() - 0.2,
            Self::Square => rectangle(p, (0.72, 0.72)),
            Self::Frame => rectangle(p, (0.74, 0.74)).max(-rectangle(p, (0.4, 0.4))),
            Self::Triangle => polygon(p, &TRIANGLE),
            Self::Cross => rectangle(p, (0.92, 0.27)).min(rectangle(p, (0.27, 0.92))),
            Self::Star => polygon(p, &STAR),
            Self::Crescent => disc(p, (-0.1, 0.0), 0.88).max(-disc(p, (0.4, 0.0), 0.72)),
            Self::Heart => heart(p),
            Self::Bars => {
                let outer = (p.1.abs() - 0.55).abs();
                rectangle((p.0, p.1.abs().min(outer)), (0.75, 0.17))
            }
        }
    }
}

/// Equilateral, circumradius 1, one corner up.
const TRIANGLE: [Point; 3] =
    [(0.0, -1.0), (0.866_025_403_784_438_6, 0.5), (-0.866_025_403_784_438_6, 0.5)];

/// Five points on the unit circle, the five corners between them at 0.42.
const STAR: [Point; 10] = [
    (0.0, -1.0),
    (0.246_869_805_967_958_4, -0.339_787_137_637_477_9),
    (0.951_056_516_295_153_5, -0.309_016_994_374_947_4),
    (0.399_443_736_843_964_5, 0.129_787_137_637_477_9),
    (0.587_785_252_292_473_1, 0.809_016_994_374_947_5),
    (0.0, 0.42),
    (-0.587_785_252_292_473_1, 0.809_016_994_374_947_5),
    (-0.399_443_736_843_964_5, 0.129_787_137_637_477_9),
    (-0.951_056_516_295_153_5, -0.309_016_994_374_947_4),
    (-0.246_869_805_967_958_4, -0.339_787_137_637_477_9),
];

fn length(p: Point) -> f64 {
    (p.0 * p.0 + p.1 * p.1).sqrt()
}

fn disc(p: Point, centre: Point, radius: f64) -> f64 {
    length((p.0 - centre.0, p.1 - centre.1)) - radius
}

/// An upright rectangle around the origin, given by half its sides.
fn rectangle(p: Point, half: Point) -> f64 {
    let (x, y) = (p.0.abs() - half.0, p.1.abs() - half.1);
    length((x.max(0.0), y.max(0.0))) + x.max(y).min(0.0)
}

/// A square on its corner with a disc on the middle of either upper side.
fn heart(p: Point) -> f64 {
    const HALF: f64 = 0.56;
    const DIAGONAL: f64 = std::f64::consts::FRAC_1_SQRT_2;
    let q = (p.0, p.1 - 0.14);
    let turned = ((q.0 + q.1) * DIAGONAL, (q.1 - q.0) * DIAGONAL);
    let square = rectangle(turned, (HALF, HALF));
    // The middles of the upper sides lie at 45 degrees, HALF from the centre.
    let lobe = disc((q.0.abs(), q.1), (HALF * DIAGONAL, -HALF * DIAGONAL), HALF);
    square.min(lobe)
}

/// A simple polygon: distance to the nearest side, its sign from the parity of crossings.
fn polygon(p: Point, corners: &[Point]) -> f64 {
    let mut nearest = f64::INFINITY;
    let mut inside = false;
    let mut from = corners[corners.len() - 1];
    for &to in corners {
        let (side, offset) = ((to.0 - from.0, to.1 - from.1), (p.0 - from.0, p.1 - from.1));
        let along = (offset.0 * side.0 + offset.1 * side.1) / (side.0 * side.0 + side.1 * side.1);
        let along = along.clamp(0.0, 1.0);
        nearest = nearest.min(length((offset.0 - along * side.0, offset.1 - along * side.1)));
        if (from.1 > p.1) != (to.1 > p.1) && p.0 < from.0 + side.0 * (p.1 - from.1) / side.1 {
            inside = !inside;
        }
        from = to;
    }
    if inside { -nearest } else { nearest }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Would catch a silhouette that is cut off by the circle that scenes keep inside the image,
    /// or one so small or so large that it cannot be told from a spot or from a disc.
    #[test]
    fn silhouettes_fit_the_unit_circle() {
        for silhouette in Silhouette::ALL {
            let grid = (-60..=60).flat_map(|y| (-60..=60).map(move |x| (x, y)));
            let inside: Vec<Point> = grid
                .map(|(x, y)| (f64::from(x) / 50.0, f64::from(y) / 50.0))
                .filter(|&p| silhouette.distance(p) < 0.0)
                .collect();
            assert!(inside.iter().all(|&p| length(p) <= 1.05), "{silhouette:?}");
            let area = inside.len() as f64 / 2500.0;
            assert!((0.5..2.3).contains(&area), "{silhouette:?}: {area}");
        }
    }

    /// Would catch a distance in other units than the plane's: the soft edge would be too wide.
    #[test]
    fn distances_are_distances() {
        let far = |silhouette: Silhouette, p| silhouette.distance(p);
        assert!((far(Silhouette::Disc, (1.85, 0.0)) - 1.0).abs() < 1e-12);
        assert!((far(Silhouette::Triangle, (0.0, -2.0)) - 1.0).abs() < 1e-12);
        assert!((far(Silhouette::Triangle, (0.0, 0.25)) + 0.25).abs() < 1e-12);
        assert!((far(Silhouette::Frame, (0.0, 0.0)) - 0.4).abs() < 1e-12);
        assert!((far(Silhouette::Bars, (0.0, 0.275)) - 0.105).abs() < 1e-12);
    }
}
