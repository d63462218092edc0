//! Examples that are none when they are saved as pictures.

use resilience_core::record::Goal;
use tch::{Kind, Tensor};

use super::{Answer, DoubtSpec, Subject, of, share};
use crate::batch::Batch;
use crate::error::EngineError;
use crate::geometry;
use crate::layout::channels_last;
use crate::loss;

/// The registry's entry.
pub static SPEC: DoubtSpec = DoubtSpec {
    id: "rounding",
    title: "examples do not survive 8-bit rounding",
    about: "The run's stored examples at its headline radius, at most 100, rounded to 256 levels. Founded \
            where more than a tenth, and at least 3, are right again.",
    why: "A picture has 256 levels. An attack that only works between them does not work on pictures, and \
          a model that is broken only there hides its gradient behind a fine structure.",
    remedy: "Report the figure of rounded examples beside (resilience verify counts them).",
    check,
};

/// As many examples are looked at.
const MOST: usize = 100;

fn check(subject: &Subject) -> Result<Answer, EngineError> {
    let Some(threat) = subject.threat() else {
        return Ok(Answer::unknown("Nothing was attacked."));
    };
    let mut pixels = Vec::new();
    let mut places = Vec::new();
    // Nearest points lie just across the boundary, and any change may bring them back.
    let stages = subject.stages()?;
    let usual = stages.iter().filter(|done| done.record.goal == Goal::Break);
    for done in usual {
        let broken: Vec<u64> = subject
            .store()
            .outcomes(done.id)?
            .into_iter()
            .filter(|outcome| outcome.right <= 0.0)
            .map(|outcome| outcome.index)
            .collect();
        for index in subject.store().example_indices(done.id)? {
            if places.len() < MOST && broken.binary_search(&index).is_ok() {
                let example = subject.store().example(done.id, index)?;
                pixels.extend(example.into_iter().flat_map(|example| example.pixels));
                places.push(index as usize);
            }
        }
    }
    if places.is_empty() {
        return Ok(Answer::unknown(
            "The run kept no example that broke an image, but for nearest points.",
        ));
    }
    let Batch { images: origins, labels } = Batch::from_rows(subject.images(), &places)?;
    let images = Tensor::f_from_slice(&pixels)?.f_view(origins.size().as_slice())?;
    let images = channels_last(&images)?;
    let rounded = images.f_mul_scalar(255.0)?.f_round()?.f_div_scalar(255.0)?;
    let lost = |images: &Tensor| -> Result<Vec<bool>, EngineError> {
        let margins = loss::margins(&subject.logits(images)?, &labels)?;
        Ok(Vec::try_from(margins.f_le(0.0)?)?)
    };
    let (before, after) = (lost(&images)?, lost(&rounded)?);
    let n = before.iter().filter(|&&lost| lost).count();
    let again = before.iter().zip(&after).filter(|(before, after)| **before && !**after).count();
    let farthest =
        geometry::distance(threat.norm(), &rounded, &origins)?.f_to_kind(Kind::Double)?;
    let what = format!(
        "Rounded to 8 bits {} of the examples that break the model are right again; the farthest then \
         lies at {:.4}.",
        of(again, n),
        farthest.f_max()?.f_double_value(&[])?
    );
    Ok(Answer::doubt_if(again >= 3 && again * 10 > n, what, &[("right_again", share(again, n))]))
}
