//! One drawing: what is drawn of it at random, and how it becomes pixels.

use super::draws::Draws;
use super::silhouette::{Point, Silhouette};

/// Pixels along each side of an image.
pub(super) const SIDE: usize = 32;
/// Bytes of an image: three channels, the red one first.
pub(super) const BYTES: usize = 3 * SIDE * SIDE;

/// Red, green and blue; from 0 to 1 once painted.
type Colour = [f64; 3];

/// Least and largest mean difference between ground and object, over the channels. Above twice
/// the radius of the attacks that are tried on it, so that an object stays in sight under them.
const CONTRAST: (f64, f64) = (0.5, 0.8);
/// Least mean of the darker one; 1 minus it is the largest of the lighter one.
const MARGIN: f64 = 0.08;
/// How far a channel may lie from the mean.
const TINT: f64 = 0.2;
/// How much a channel of the ground may change from the middle to the rim.
const SLOPE: f64 = 0.1;
/// Circumradius of the object in pixels.
const RADIUS: (f64, f64) = (10.0, 13.0);
/// How far the object's centre may lie from the image's, in pixels along each axis.
const SHIFT: f64 = 3.0;
/// Tangent of half the largest tilt, which is 20.4 degrees.
const HALF_TILT: f64 = 0.18;
/// Spots of any colour behind the object.
const SPOTS: usize = 4;
/// Their radius in pixels.
const SPOT_RADIUS: (f64, f64) = (0.8, 2.2);
/// Largest noise on each channel of each pixel.
const NOISE: f64 = 0.05;

/// Half of the image, in pixels.
const MIDDLE: f64 = SIDE as f64 / 2.0;

/// Everything about a drawing but its noise. Lengths are in pixels, y points down.
pub(super) struct Scene {
    ground: Colour,
    slope: Colour,
    uphill: Point,
    spots: [Spot; SPOTS],
    silhouette: Silhouette,
    object: Colour,
    centre: Point,
    radius: f64,
    /// Cosine and sine.
    tilt: Point,
    mirrored: bool,
}

struct Spot {
    centre: Point,
    radius: f64,
    colour: Colour,
}

impl Scene {
    /// A random drawing of a silhouette; nothing else in it depends on which.
    pub(super) fn draw(draws: &mut Draws, silhouette: Silhouette) -> Self {
        let (ground, object) = colours(draws);
        Self {
            ground,
            slope: std::array::from_fn(|_| draws.between(-SLOPE, SLOPE)),
            uphill: draws.direction(),
            spots: std::array::from_fn(|_| Spot::draw(draws)),
            silhouette,
            object,
            centre: (MIDDLE + draws.between(-SHIFT, SHIFT), MIDDLE + draws.between(-SHIFT, SHIFT)),
            radius: draws.between(RADIUS.0, RADIUS.1),
            tilt: draws.tilt(HALF_TILT),
            mirrored: draws.coin(),
        }
    }

    /// The image [3, 32, 32] with its noise, 0 (black) to 255.
    pub(super) fn paint(&self, draws: &mut Draws) -> [u8; BYTES] {
        let mut image = [0; BYTES];
        for pixel in 0..SIDE * SIDE {
            let at = ((pixel % SIDE) as f64 + 0.5, (pixel / SIDE) as f64 + 0.5);
            for (channel, value) in self.colour(at).into_iter().enumerate() {
                let noisy = (value + draws.between(-NOISE, NOISE)).clamp(0.0, 1.0);
                image[channel * SIDE * SIDE + pixel] = (noisy * 255.0 + 0.5) as u8;
            }
        }
        image
    }

    /// What is to be seen at a place: the object before the spots before the ground.
    fn colour(&self, at: Point) -> Colour {
        let height = ((at.0 - MIDDLE) * self.uphill.0 + (at.1 - MIDDLE) * self.uphill.1) / MIDDLE;
        let ground = std::array::from_fn(|c| self.ground[c] + self.slope[c] * height);
        let behind = self
            .spots
            .iter()
            .fold(ground, |colour, spot| mix(colour, spot.colour, cover(spot.distance(at))));
        mix(behind, self.object, cover(self.silhouette.distance(self.local(at)) * self.radius))
    }

    /// The same place in the silhouette's own plane.
    fn local(&self, at: Point) -> Point {
        let (x, y) = ((at.0 - self.centre.0) / self.radius, (at.1 - self.centre.1) / self.radius);
        let (cosine, sine) = self.tilt;
        let across = x * cosine + y * sine;
        (if self.mirrored { -across } else { across }, y * cosine - x * sine)
    }
}

impl Spot {
    fn draw(draws: &mut Draws) -> Self {
        let side = SIDE as f64;
        Self {
            centre: (draws.between(0.0, side), draws.between(0.0, side)),
            radius: draws.between(SPOT_RADIUS.0, SPOT_RADIUS.1),
            colour: std::array::from_fn(|_| draws.between(0.0, 1.0)),
        }
    }

    fn distance(&self, at: Point) -> f64 {
        let (x, y) = (at.0 - self.centre.0, at.1 - self.centre.1);
        (x * x + y * y).sqrt() - self.radius
    }
}

/// Ground and object: either may be the darker one, and each has a tint of its own.
fn colours(draws: &mut Draws) -> (Colour, Colour) {
    let contrast = draws.between(CONTRAST.0, CONTRAST.1);
    let dark = draws.between(MARGIN, 1.0 - MARGIN - contrast);
    let mut tinted =
        |mean: f64| -> Colour { std::array::from_fn(|_| mean + draws.between(-TINT, TINT)) };
    let (dark, light) = (tinted(dark), tinted(dark + contrast));
    if draws.coin() { (dark, light) } else { (light, dark) }
}

/// The share of a pixel that an area covers, from the distance of the pixel's centre to its
/// outline in pixels (negative inside): a soft edge, one pixel wide.
fn cover(distance: f64) -> f64 {
    (0.5 - distance).clamp(0.0, 1.0)
}

fn mix(behind: Colour, before: Colour, share: f64) -> Colour {
    std::array::from_fn(|c| behind[c] + share * (before[c] - behind[c]))
}

#[cfg(test)]
mod tests {
    use super::super::draws::Purpose;
    use super::*;
    use crate::dataset::Split;

    /// Would catch an object that leaves the image, hides in its ground or is not there.
    #[test]
    fn every_object_lies_inside_and_stands_out() {
        for index in 0..2000 {
            let mut draws = Draws::keyed(1, Split::Train, Purpose::Image, index);
            let scene = Scene::draw(&mut draws, Silhouette::ALL[(index % 10) as usize]);
            let reach = |c: f64| (c - scene.radius).min(SIDE as f64 - c - scene.radius);
            assert!(reach(scene.centre.0).min(reach(scene.centre.1)) >= 0.0);
            let difference: f64 =
                scene.object.iter().zip(scene.ground).map(|(o, g)| (o - g) / 3.0).sum();
            assert!(difference.abs() > CONTRAST.0 - 2.0 * TINT);
        }
    }
}
