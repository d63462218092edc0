//! Pixels that do not arrive as the model knows them.

use tch::{Kind, Tensor};

use super::{Answer, DoubtSpec, Subject, of, share};
use crate::error::EngineError;
use crate::loss;

/// The registry's entry.
pub static SPEC: DoubtSpec = DoubtSpec {
    id: "normalisation",
    title: "pixels do not arrive as the model was trained on them",
    about: "Whether all pixels lie in [0, 1]; and clean accuracy once more with the pixels normalised by \
            the usual statistics (CIFAR-10's, ImageNet's, 0.5 and 0.5), scaled to 255, or with such a \
            normalisation undone. Founded where that makes a tenth of the images right that are not.",
    why: "A model whose normalisation is missing, doubled or outside of it is attacked as another model \
          than the one that is used, and eps is measured on another scale.",
    remedy: "Give mean and std of its training to the manifest (or --mean, --std), and pixels in [0, 1].",
    check,
};

/// What models are usually normalised with: a name, mean and standard deviation of the channels.
const USUAL: [(&str, [f64; 3], [f64; 3]); 4] = [
    ("CIFAR-10's mean and deviation", [0.4914, 0.4822, 0.4465], [0.2471, 0.2435, 0.2616]),
    ("ImageNet's mean and deviation", [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]),
    ("mean 0.5 and deviation 0.5", [0.5; 3], [0.5; 3]),
    ("a scale of 255", [0.0; 3], [1.0 / 255.0; 3]),
];

fn check(subject: &Subject) -> Result<Answer, EngineError> {
    let images = &subject.batch().images;
    let n = images.size()[0] as usize;
    let (low, high) = (images.f_min()?.f_double_value(&[])?, images.f_max()?.f_double_value(&[])?);
    if low < 0.0 || high > 1.0 {
        let what = format!("Pixels lie between {low:.3} and {high:.3}.");
        return Ok(Answer::doubt_if(true, what, &[("lowest", low), ("highest", high)]));
    }
    if images.size()[1] != 3 {
        return Ok(Answer::unknown("The images have other channels than red, green and blue."));
    }
    let clean = subject.count_right();
    let mut best = (clean, String::new());
    for (name, mean, std) in USUAL {
        let channels = |values: [f64; 3]| {
            Ok::<_, EngineError>(
                Tensor::f_from_slice(&values)?.f_view([1, 3, 1, 1])?.f_to_kind(Kind::Float)?,
            )
        };
        let (mean, std) = (channels(mean)?, channels(std)?);
        let done = images.f_sub(&mean)?.f_div(&std)?;
        let undone = images.f_mul(&std)?.f_add(&mean)?;
        for (how, images) in [("with", done), ("without", undone)] {
            let logits = subject.logits(&images)?;
            let right = loss::correct(&logits, &subject.batch().labels)? as usize;
            if right > best.0 {
                best = (right, format!("{how} {name}"));
            }
        }
    }
    let (right, how) = best;
    let what = if right > clean {
        format!("As they are {} of the images are right, {how} {}.", of(clean, n), of(right, n))
    } else {
        format!(
            "As they are {} of the images are right, and no usual normalisation gives more.",
            of(clean, n)
        )
    };
    let numbers = [("clean_accuracy", share(clean, n)), ("best_otherwise", share(right, n))];
    Ok(Answer::doubt_if((right - clean) * 10 > n, what, &numbers))
}
