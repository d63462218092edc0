//! Images before and after: clean, the perturbation made visible, adversarial.

use askama::Template;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::record::{LabelSource, Scope};
use crate::report::view::{Subject, View};
use crate::report::{Exhibit, ReportError, words};
use crate::threat::Norm;

/// As many examples of one threat to one model are shown.
const MOST: usize = 8;

#[derive(Template)]
#[template(path = "report/gallery.html")]
struct GalleryTemplate {
    rooms: Vec<Room>,
}

/// The examples of one norm and radius on one model, image by image in the order of the attacks.
struct Room {
    name: String,
    threat: String,
    /// How many of all images each attack broke there that nothing before it had.
    counts: String,
    /// Whether it is the model's first, which is open; the others open on demand.
    first: bool,
    shown: Vec<Shown>,
    kept: usize,
    /// Of those, as many are the same pixels as with the other labels.
    equal: usize,
}

struct Shown {
    index: u64,
    label: String,
    images: [String; 3],
    factor: u32,
    clean: Said,
    adversarial: Said,
    /// What the attack made of it: `broken by APGD-T`.
    verdict: String,
    distance: String,
}

/// What the model said to an image.
struct Said {
    class: String,
    percent: String,
    wrong: bool,
}

/// The gallery.
pub fn part(view: &View<'_>) -> Result<String, ReportError> {
    let mut rooms: Vec<Room> = Vec::new();
    for subject in &view.subjects {
        let mut first = true;
        for (norm, eps_text) in threats(subject) {
            let here = |exhibit: &&Exhibit| {
                (exhibit.attack.norm, &exhibit.attack.eps_text) == (norm, eps_text)
            };
            let mut exhibits: Vec<&Exhibit> = subject.exhibits.iter().filter(here).collect();
            exhibits.sort_by_key(|exhibit| (exhibit.example.index, exhibit.attack.stage));
            let repeated = |exhibit: &&&Exhibit| is_repeated(exhibit, subject.exhibits);
            let equal = exhibits.iter().filter(repeated).count();
            let mut distinct: Vec<&Exhibit> =
                exhibits.iter().filter(|exhibit| !repeated(exhibit)).copied().collect();
            // Of several attacks that were each run on an image, the first that broke it is shown.
            distinct.dedup_by_key(|exhibit| {
                let all = (exhibit.attack.scope == Scope::All).then_some(exhibit.attack.stage);
                (exhibit.example.index, all)
            });
            rooms.push(Room {
                name: subject.name.clone(),
                threat: words::radius(norm, eps_text),
                counts: counts(subject, norm, eps_text),
                first,
                shown: distinct
                    .into_iter()
                    .take(MOST)
                    .map(|exhibit| shown(subject, exhibit))
                    .collect::<Result<_, _>>()?,
                kept: exhibits.len(),
                equal,
            });
            first = false;
        }
    }
    if rooms.is_empty() {
        return Ok(String::new());
    }
    Ok(GalleryTemplate { rooms }.render()?)
}

/// ` · broken: 593 by APGD-CE, 38 by APGD-T`, of those that broke any.
fn counts(subject: &Subject<'_>, norm: Norm, eps_text: &str) -> String {
    let mut here = subject.model.evaluations.iter();
    let Some(at) = here.find(|at| (at.norm, &at.eps_text[..]) == (norm, eps_text)) else {
        return String::new();
    };
    let broke = at.attacks.iter().filter(|attack| attack.adds > 0);
    let said = broke.map(|a| format!("{} by {}", words::count(a.adds), words::attack(&a.id)));
    let said: Vec<String> = said.collect();
    if said.is_empty() { String::new() } else { format!(" · broken: {}", said.join(", ")) }
}

/// Every norm and radius that examples were kept of, the one that the headline is about first.
fn threats<'a>(subject: &Subject<'a>) -> Vec<(Norm, &'a String)> {
    let mut threats = Vec::new();
    for exhibit in subject.exhibits {
        let threat = (exhibit.attack.norm, &exhibit.attack.eps_text);
        if !threats.contains(&threat) {
            threats.push(threat);
        }
    }
    if let Some(headline) = &subject.model.robust_threat {
        threats.sort_by_key(|(norm, eps)| (*norm, *eps) != (headline.norm, &headline.eps_text));
    }
    threats
}

/// Whether the same attack with true labels gave the same pixels, as it does on every image that
/// was right when clean.
fn is_repeated(exhibit: &Exhibit, all: &[Exhibit]) -> bool {
    let (ours, index) = (&exhibit.attack, exhibit.example.index);
    ours.labels == LabelSource::Predicted
        && all.iter().any(|other| {
            let theirs = &other.attack;
            theirs.labels == LabelSource::True
                && (&theirs.id, theirs.norm, &theirs.eps_text)
                    == (&ours.id, ours.norm, &ours.eps_text)
                && other.example.index == index
                && other.example.pixels == exhibit.example.pixels
        })
}

fn shown(subject: &Subject<'_>, exhibit: &Exhibit) -> Result<Shown, ReportError> {
    let classes = &subject.model.dataset.classes;
    let said = |(class, confidence): (u32, f64)| Said {
        class: words::class(classes, class),
        percent: words::percent(confidence),
        wrong: class != exhibit.label,
    };
    let (index, shape) = (exhibit.example.index, exhibit.picture.shape);
    let adversarial = &exhibit.example.pixels;
    if exhibit.example.shape != shape {
        return Err(ReportError::Shape { model: subject.name.clone(), index });
    }
    let clean: Vec<f32> =
        exhibit.picture.pixels.iter().map(|pixel| f32::from(*pixel) / 255.0).collect();
    let factor = amplification(&clean, adversarial);
    let difference: Vec<f32> = clean
        .iter()
        .zip(adversarial)
        .map(|(clean, adversarial)| 0.5 + (adversarial - clean) * factor as f32)
        .collect();
    let picture = |pixels: &[f32]| picture(subject, index, shape, pixels);
    Ok(Shown {
        index,
        label: words::class(classes, exhibit.label),
        images: [picture(&clean)?, picture(&difference)?, picture(adversarial)?],
        factor,
        clean: said(exhibit.clean),
        adversarial: said(exhibit.adversarial),
        verdict: verdict(exhibit),
        distance: format!("{:.4} in {}", exhibit.distance, exhibit.attack.norm),
    })
}

fn verdict(exhibit: &Exhibit) -> String {
    let mut attack = words::attack(&exhibit.attack.id);
    if exhibit.attack.scope == Scope::All {
        attack = format!("{attack}, {}", words::labels(exhibit.attack.labels));
    }
    let right = [exhibit.clean.0, exhibit.adversarial.0].map(|class| class == exhibit.label);
    match right {
        [true, false] => format!("broken by {attack}"),
        [true, true] => format!("not broken by {attack}"),
        [false, true] => format!("wrong when clean, corrected by {attack}"),
        [false, false] => format!("wrong when clean, and under {attack}"),
    }
}

/// The largest whole factor at which the perturbation around grey still fits between black and
/// white, at least 1 and at most 100.
fn amplification(clean: &[f32], adversarial: &[f32]) -> u32 {
    let changes = clean.iter().zip(adversarial).map(|(a, b)| (a - b).abs());
    let most = changes.fold(0.0_f32, f32::max);
    // Rounding of pixels must not turn a factor of 5 into 4.
    if most > 0.0 { (0.5 / most + 1e-3).floor().clamp(1.0, 100.0) as u32 } else { 1 }
}

/// Pixels, channel by channel in [0, 1], as the data URI of a PNG.
fn picture(
    subject: &Subject<'_>,
    index: u64,
    [channels, height, width]: [usize; 3],
    pixels: &[f32],
) -> Result<String, ReportError> {
    let colour = match channels {
        1 => png::ColorType::Grayscale,
        3 => png::ColorType::Rgb,
        _ => {
            let model = subject.name.clone();
            return Err(ReportError::Channels { model, index, channels });
        }
    };
    let area = height * width;
    let bytes: Vec<u8> = (0..area)
        .flat_map(|at| (0..channels).map(move |channel| channel * area + at))
        .map(|at| (pixels[at].clamp(0.0, 1.0) * 255.0).round() as u8)
        .collect();
    let mut file = Vec::new();
    let mut encoder = png::Encoder::new(&mut file, width as u32, height as u32);
    encoder.set_color(colour);
    encoder.set_depth(png::BitDepth::Eight);
    encoder.write_header()?.write_image_data(&bytes)?;
    Ok(format!("data:image/png;base64,{}", STANDARD.encode(file)))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Would catch a stated factor that is not the one used, or one that clips.
    #[test]
    fn perturbations_are_amplified_to_fit() {
        let with = |change: f32| amplification(&[0.5, 0.5], &[0.5 + change, 0.5]);
        assert_eq!(with(0.1), 5);
        assert_eq!(with(8.0 / 255.0), 15);
        assert_eq!(with(0.5), 1);
        assert_eq!(with(0.0), 1);
        assert_eq!(with(1e-6), 100);
    }
}
