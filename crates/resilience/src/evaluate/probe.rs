//! What must be known of a model before a plan is made: whether it answers differently each time,
//! which of its forms is fastest on this machine, and how long that takes.

use resilience_core::context::Clock;
use resilience_core::view::View;
use tch::{Device, Kind, Tensor};

use crate::batch::Batch;
use crate::device::device;
use crate::error::EngineError;
use crate::loss;
use crate::model::{Differentiable, Model, Oracle};
use crate::threads::Threads;

/// Images that forms are compared with.
pub const COMPARED: u64 = 32;
/// How many images at once are tried with the fastest form on a processor.
const CHUNKS: [u64; 4] = [32, 64, 128, 256];
/// And on a CUDA device, which has more to keep busy.
const CUDA_CHUNKS: [u64; 6] = [32, 64, 128, 256, 512, 1024];
/// What the trial of larger chunks is expected to take at most, in seconds.
const BUDGET: f64 = 1.0;
/// A later form has to be faster by this much than an earlier one, so that the same machine chooses the
/// same form the next time.
const CLEARLY: f64 = 1.2;
/// A larger chunk takes more memory, and has to be faster by this much.
const WORTH: f64 = 1.03;

/// How many images at once are tried on the device that networks compute on.
#[must_use]
pub fn chunks() -> &'static [u64] {
    if device().is_cuda() { &CUDA_CHUNKS } else { &CHUNKS }
}

/// The most of them.
#[must_use]
pub fn most_at_once() -> u64 {
    chunks().iter().copied().max().unwrap_or(COMPARED)
}

/// What was found.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Probe {
    /// Whether two passes over the same images differ in any bit, or the model says so itself.
    pub noisy: bool,
    /// What attacks are to look at; the model looks like this already.
    pub choice: Choice,
    /// What the reference takes, in chunks of [`COMPARED`].
    pub reference: Pace,
}

/// A form of a model, how many images it computes at once, and what it takes then.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Choice {
    /// The form.
    pub view: View,
    /// Images at once.
    pub chunk: u64,
    /// What it takes.
    pub pace: Pace,
}

/// Seconds that one image takes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Pace {
    /// Forwards, without a gradient.
    pub forward: f64,
    /// What the gradient takes beyond that.
    pub backward: f64,
}

impl Pace {
    /// Seconds of a forward pass and a gradient.
    #[must_use]
    pub fn both(self) -> f64 {
        self.forward + self.backward
    }

    /// Seconds that [`pace`] is going to take for a chunk, if it is as fast as this.
    #[must_use]
    pub fn trial(self, chunk: u64) -> f64 {
        chunk as f64 * (3.0 * self.both() + 2.0 * self.forward)
    }
}

/// Passes images through the model, twice with other seeds, and through each of these forms of it;
/// the model is left in the one that is chosen.
pub fn probe(
    clock: &dyn Clock,
    model: &mut Model,
    images: &Batch,
    views: &[View],
) -> Result<Probe, EngineError> {
    let batch = images.first(COMPARED)?;
    let noisy = is_noisy(model, &batch)?;
    let mut last = None;
    let mut measure = |view: View, chunk: u64| {
        if last != Some(view) {
            // Where only one form is allowed nothing is compared.
            let tried = views.len() == 1 || view != View::Bf16 || multiplies_faster_in_bf16(clock)?;
            if !tried || !model.takes(view)? {
                return Ok(None);
            }
            last = Some(view);
        }
        Ok(Some(pace(clock, model.search(), &images.first(chunk)?, chunk)?))
    };
    let found = match choose(views, &mut measure)? {
        None if views.len() > 1 => choose(&[View::Reference], &mut measure)?,
        found => found,
    };
    let form = views[0].name();
    let none = || EngineError::NoForm { model: model.name.clone(), form };
    let choice = found.ok_or_else(none)?;
    model.look_at(choice.view)?;
    let reference = match choice {
        Choice { view: View::Reference, pace, .. } => pace,
        _ => pace(clock, model.reference.as_ref(), &batch, COMPARED)?,
    };
    Ok(Probe { noisy, choice, reference })
}

/// Whether two passes over the same images differ in any bit, or the model says so itself.
pub fn is_noisy(model: &Model, batch: &Batch) -> Result<bool, EngineError> {
    let mut answers = Vec::new();
    for seed in [1, 2] {
        tch::manual_seed(seed);
        answers.push(model.reference.logits(&batch.images)?);
    }
    Ok(model.reference.declared_noisy() || answers[0] != answers[1])
}

/// The rule by which attacks are given a form of a model: the first of `views`, unless a later one is
/// clearly faster, and of that as many images at once as are faster by what they take of memory.
/// `measure` is asked only for what the rule needs, and gives none for what there is not or is not
/// tried.
pub fn choose(
    views: &[View],
    measure: &mut dyn FnMut(View, u64) -> Result<Option<Pace>, EngineError>,
) -> Result<Option<Choice>, EngineError> {
    let mut best: Option<Choice> = None;
    for &view in views {
        let Some(pace) = measure(view, COMPARED)? else { continue };
        if best.is_none_or(|best| pace.both() * CLEARLY < best.pace.both()) {
            best = Some(Choice { view, chunk: COMPARED, pace });
        }
    }
    let Some(mut best) = best else { return Ok(None) };
    let mut spent = 0.0;
    for &chunk in chunks().iter().filter(|&&chunk| chunk > COMPARED) {
        spent += best.pace.trial(chunk);
        if spent > BUDGET {
            break;
        }
        let Some(pace) = measure(best.view, chunk)? else { break };
        if pace.both() * WORTH < best.pace.both() {
            best = Choice { chunk, pace, ..best };
        }
    }
    Ok(Some(best))
}

/// What a form takes for each image of a batch, in chunks; the better of two goes, after one that
/// sets things up. [`Pace::trial`] counts these passes.
pub fn pace(
    clock: &dyn Clock,
    form: &dyn Differentiable,
    batch: &Batch,
    chunk: u64,
) -> Result<Pace, EngineError> {
    let _quiet = form.computes_by_itself().then(Threads::one);
    let oracle = Oracle::new(form, chunk, 1, None);
    let ascend = || {
        oracle.ascent(&batch.images, &|logits, span| {
            loss::cross_entropies(logits, &span.of(&batch.labels)?)
        })
    };
    ascend()?;
    let rows = batch.labels.size()[0] as f64;
    let (mut forward, mut both) = (f64::INFINITY, f64::INFINITY);
    for _ in 0..2 {
        let began = clock.seconds();
        let _ = oracle.logits(&batch.images)?;
        let between = clock.seconds();
        ascend()?;
        forward = forward.min((between - began) / rows);
        both = both.min((clock.seconds() - between) / rows);
    }
    Ok(Pace { forward, backward: (both - forward).max(0.0) })
}

/// Whether the machine multiplies matrices in bf16 faster than in f32. Where it cannot do it at all,
/// trying a whole network would take minutes: an x86 processor without instructions for it is not
/// asked, since a busy one may answer anything. On a CUDA device a trial of the network costs little.
pub fn multiplies_faster_in_bf16(clock: &dyn Clock) -> Result<bool, EngineError> {
    if device().is_cuda() {
        return Ok(true);
    }
    #[cfg(target_arch = "x86_64")]
    if !is_x86_feature_detected!("avx512bf16") {
        return Ok(false);
    }
    let single = product_seconds(clock, Kind::Float, 192)?;
    Ok(product_seconds(clock, Kind::BFloat16, 192)? < single)
}

/// Seconds that the product of two square matrices takes in libtorch, the best of three.
pub fn product_seconds(clock: &dyn Clock, kind: Kind, side: i64) -> Result<f64, EngineError> {
    let matrix = Tensor::f_ones([side, side], (kind, Device::Cpu))?;
    let mut best = f64::INFINITY;
    for _ in 0..4 {
        let began = clock.seconds();
        let _ = matrix.f_matmul(&matrix)?;
        best = best.min(clock.seconds() - began);
    }
    Ok(best)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Paces in milliseconds an image, forwards and back; what the rule asked for.
    fn chosen(views: &[View], paces: &[(View, u64, f64)]) -> (Option<(View, u64)>, Vec<u64>) {
        let mut asked = Vec::new();
        let choice = choose(views, &mut |view, chunk| {
            asked.push(chunk);
            let found = paces.iter().find(|(v, c, _)| (*v, *c) == (view, chunk));
            Ok(found.map(|&(_, _, ms)| Pace { forward: ms / 3000.0, backward: ms / 1500.0 }))
        });
        (choice.unwrap().map(|choice| (choice.view, choice.chunk)), asked)
    }

    /// Would catch a slower form being chosen, memory spent for nothing, a trial of chunks that takes
    /// longer than it is worth, and a form that the model does not have.
    #[test]
    fn the_fastest_form_is_chosen_and_then_its_chunk() {
        use View::{Compiled, Folded};
        let views = [Compiled, Folded];
        let paces = |compiled: f64, at_64: f64| {
            [(Compiled, 32, compiled), (Compiled, 64, at_64), (Folded, 32, 1.0), (Folded, 64, 0.9)]
        };
        // A trial of 64 images at 1 ms takes 64 * (3 + 2/3) ms, and of 128 another 0.47 s.
        assert_eq!(chosen(&views, &paces(0.9, 0.8)).0, Some((Compiled, 64)));
        assert_eq!(chosen(&views, &paces(0.9, 0.89)).0, Some((Compiled, 32)), "not worth it");
        assert_eq!(chosen(&views, &paces(1.0, 0.5)).0, Some((Compiled, 64)), "the first of equals");
        assert_eq!(chosen(&views, &paces(1.3, 0.5)).0, Some((Folded, 64)), "compared at 32");
        assert_eq!(chosen(&views, &paces(1.1, 0.5)).0, Some((Compiled, 64)), "not clearly");
        assert_eq!(chosen(&views, &paces(1.1, 0.5)[2..]).0, Some((Folded, 64)), "the only one");
        assert_eq!(chosen(&views, &[]).0, None);
        let slow: Vec<_> = CHUNKS.map(|chunk| (Compiled, chunk, 2.0)).to_vec();
        assert_eq!(chosen(&[Compiled], &slow), (Some((Compiled, 32)), vec![32, 64]));
        let fast: Vec<_> = CHUNKS.map(|chunk| (Compiled, chunk, 0.1)).to_vec();
        assert_eq!(chosen(&[Compiled], &fast).1, CHUNKS);
    }
}
