//! Images before and after: clean, the perturbation made visible, adversarial.

use askama::Template;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::record::{Example, LabelSource};
use crate::report::view::{Subject, View};
use crate::report::{Exhibit, ReportError, words};

/// As many examples of one attack on one model are shown.
const MOST: usize = 6;

#[derive(Template)]
#[template(path = "report/gallery.html")]
struct GalleryTemplate {
    rooms: Vec<Room>,
}

/// The examples of one attack on one model.
struct Room {
    name: String,
    attack: String,
    /// Whether it is the model's first, which is open; the others open on demand.
    first: bool,
    shown: Vec<Shown>,
    kept: usize,
    /// Of those, as many are the same pixels as in the room of the other labels.
    equal: usize,
}

struct Shown {
    index: u64,
    label: String,
    images: [String; 3],
    factor: u32,
    clean: Said,
    adversarial: Said,
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
        for exhibit in subject.exhibits {
            let record = &exhibit.attack;
            let threat = words::threat(&record.id, record.norm, &record.eps_text);
            let attack = format!("{threat}, {}", words::labels(record.labels));
            let name = subject.name.clone();
            if rooms.last().is_none_or(|room| (&room.name, &room.attack) != (&name, &attack)) {
                let first = rooms.last().is_none_or(|room| room.name != name);
                rooms.push(Room { name, attack, first, shown: Vec::new(), kept: 0, equal: 0 });
            }
            let Some(room) = rooms.last_mut() else { continue };
            room.kept += 1;
            if is_repeated(exhibit, subject.exhibits) {
                room.equal += 1;
            } else if room.shown.len() < MOST {
                room.shown.push(shown(subject, exhibit)?);
            }
        }
    }
    if rooms.is_empty() {
        return Ok(String::new());
    }
    Ok(GalleryTemplate { rooms }.render()?)
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
                && other.example.adversarial == exhibit.example.adversarial
        })
}

fn shown(subject: &Subject<'_>, exhibit: &Exhibit) -> Result<Shown, ReportError> {
    let classes = &subject.model.dataset.classes;
    let said = |(class, confidence): (u32, f64)| Said {
        class: words::class(classes, class),
        percent: words::percent(confidence),
        wrong: class != exhibit.label,
    };
    let example = &exhibit.example;
    let factor = amplification(example);
    let difference: Vec<f32> = example
        .clean
        .iter()
        .zip(&example.adversarial)
        .map(|(clean, adversarial)| 0.5 + (adversarial - clean) * factor as f32)
        .collect();
    let picture = |pixels: &[f32]| picture(subject, example, pixels);
    Ok(Shown {
        index: example.index,
        label: words::class(classes, exhibit.label),
        images: [picture(&example.clean)?, picture(&difference)?, picture(&example.adversarial)?],
        factor,
        clean: said(exhibit.clean),
        adversarial: said(exhibit.adversarial),
        distance: format!("{:.4} in {}", exhibit.distance, exhibit.attack.norm),
    })
}

/// The largest whole factor at which the perturbation around grey still fits between black and
/// white, at least 1 and at most 100.
fn amplification(example: &Example) -> u32 {
    let changes = example.clean.iter().zip(&example.adversarial).map(|(a, b)| (a - b).abs());
    let most = changes.fold(0.0_f32, f32::max);
    // Rounding of pixels must not turn a factor of 5 into 4.
    if most > 0.0 { (0.5 / most + 1e-3).floor().clamp(1.0, 100.0) as u32 } else { 1 }
}

/// Pixels, channel by channel in [0, 1], as the data URI of a PNG.
fn picture(
    subject: &Subject<'_>,
    example: &Example,
    pixels: &[f32],
) -> Result<String, ReportError> {
    let [channels, height, width] = example.shape;
    let colour = match channels {
        1 => png::ColorType::Grayscale,
        3 => png::ColorType::Rgb,
        _ => {
            let (model, index) = (subject.name.clone(), example.index);
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
        let with = |change: f32| Example {
            index: 0,
            shape: [1, 1, 2],
            clean: vec![0.5, 0.5],
            adversarial: vec![0.5 + change, 0.5],
        };
        assert_eq!(amplification(&with(0.1)), 5);
        assert_eq!(amplification(&with(8.0 / 255.0)), 15);
        assert_eq!(amplification(&with(0.5)), 1);
        assert_eq!(amplification(&with(0.0)), 1);
        assert_eq!(amplification(&with(1e-6)), 100);
    }
}
