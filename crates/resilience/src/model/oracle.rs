//! What an attack may ask of a model: logits and gradients for any number of rows. It computes in
//! chunks, fills small ones up, averages over a noisy model's passes and counts what it costs.

use std::cell::Cell;
use std::ops::AddAssign;

use tch::Tensor;

use super::{Differentiable, Graph, Pass};
use crate::error::EngineError;
use crate::rng::{Key, Purpose};

/// Chunks are filled up to a multiple of so many rows. libtorch chooses other kernels for very
/// small batches, which add in another order; from here on a row's result was the same to the bit
/// in batches of every size, on the machines where that was measured (METHODOLOGY.md).
const MULTIPLE: i64 = 8;

/// A model as an attack sees it.
pub struct Oracle<'a> {
    model: &'a dyn Differentiable,
    chunk: i64,
    eot: u32,
    noise: Option<Noise>,
    cost: Cell<Passes>,
}

/// Passes that each row of the pool has cost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Passes {
    /// Forward passes.
    pub forwards: u64,
    /// Backward passes.
    pub backwards: u64,
}

impl AddAssign for Passes {
    fn add_assign(&mut self, more: Self) {
        self.forwards += more.forwards;
        self.backwards += more.backwards;
    }
}

/// Seeds for a model's own noise: a new one for every pass, the same in every run.
struct Noise {
    key: Key,
    next: Cell<u64>,
}

impl Noise {
    fn seed(&self) {
        let pass = self.next.replace(self.next.get() + 1);
        let mut rng = self.key.stream(Purpose::ModelNoise, pass);
        tch::manual_seed((crate::rng::uniform(&mut rng) * 9e15) as i64);
    }
}

/// The rows that a chunk covers.
#[derive(Clone, Copy, Debug)]
pub struct Span {
    start: i64,
    len: i64,
}

impl Span {
    /// The rows of a tensor `[n, …]` that belong to the chunk.
    pub fn of(self, tensor: &Tensor) -> Result<Tensor, EngineError> {
        Ok(tensor.f_narrow(0, self.start, self.len)?)
    }
}

/// Makes several objectives, `[m]` each, of a chunk's logits `[m,k]`.
pub type Objectives<'a> = dyn Fn(&Tensor, Span) -> Result<Vec<Tensor>, EngineError> + 'a;

/// Logits, losses and the gradient of the losses at some images.
#[derive(Debug)]
pub struct Ascent {
    /// `[n,k]`; of the last pass where there were several.
    pub logits: Tensor,
    /// `[n]`, likewise.
    pub losses: Tensor,
    /// Like the images; the mean of the passes.
    pub gradient: Tensor,
}

impl<'a> Oracle<'a> {
    /// Computes `chunk` rows at once. The mean of `eot` passes is taken for a gradient (expectation
    /// over transformation, Athalye et al. 2018). Where the model is noisy its randomness is keyed:
    /// by a key, and the index of the first image, so that groups of images differ.
    #[must_use]
    pub fn new(
        model: &'a dyn Differentiable,
        chunk: u64,
        eot: u32,
        noise: Option<(Key, u64)>,
    ) -> Self {
        let noise = noise.map(|(key, first)| Noise { key, next: Cell::new(first << 32) });
        let chunk = (chunk as i64).max(1);
        Self { model, chunk, eot: eot.max(1), noise, cost: Cell::default() }
    }

    /// Takes what each row has cost since the last call.
    pub fn take_cost(&self) -> Passes {
        self.cost.take()
    }

    /// Logits `[n,k]`, without a graph.
    pub fn logits(&self, images: &Tensor) -> Result<Tensor, EngineError> {
        self.logits_of_many(images, 1)
    }

    /// Logits `[m n,k]` of m images for each row of the pool, which cost every row m passes: together
    /// they fill the chunks when few rows are left.
    pub fn logits_of_many(&self, images: &Tensor, m: u64) -> Result<Tensor, EngineError> {
        self.add(Passes { forwards: m, backwards: 0 });
        let mut parts = Vec::new();
        for span in self.spans(images) {
            self.seed();
            let logits = self.model.logits(&self.filled(&span.of(images)?)?)?;
            parts.push(logits.f_narrow(0, 0, span.len)?);
        }
        joined(parts)
    }

    /// Logits, the losses `[m]` that `loss` makes of a chunk's logits `[m,k]`, and their gradient. Of
    /// a model without one the losses are of the logits that stand in for its own ([`Pass::said`]).
    pub fn ascent(
        &self,
        images: &Tensor,
        loss: &dyn Fn(&Tensor, Span) -> Result<Tensor, EngineError>,
    ) -> Result<Ascent, EngineError> {
        let passes = u64::from(self.eot);
        self.add(Passes { forwards: passes, backwards: passes });
        let [mut logits, mut losses, mut gradients] = [const { Vec::new() }; 3];
        for span in self.spans(images) {
            let rows = self.filled(&span.of(images)?)?;
            let mut total: Option<Tensor> = None;
            for pass in 1..=self.eot {
                self.seed();
                let found = self.model.pass(&rows)?;
                let answered = found.logits.f_narrow(0, 0, span.len)?;
                let lost = loss(&answered, span)?;
                let gradient = found.gradient(&lost, Graph::Free)?.f_narrow(0, 0, span.len)?;
                total = Some(match total {
                    Some(sum) => sum.f_add(&gradient)?,
                    None => gradient,
                });
                if pass == self.eot {
                    logits.push(found.said().f_narrow(0, 0, span.len)?.f_detach()?);
                    losses.push(lost.f_detach()?);
                }
            }
            let Some(total) = total else { continue };
            gradients.push(match self.eot {
                1 => total,
                n => total.f_div_scalar(f64::from(n))?,
            });
        }
        Ok(Ascent {
            logits: joined(logits)?,
            losses: joined(losses)?,
            gradient: joined_images(gradients)?,
        })
    }

    /// The gradients of several objectives at the same images, from one forward pass: `objectives`
    /// makes `[m]` each of a chunk's logits `[m,k]`. Gives logits `[n,k]`, and for each objective
    /// its values `[n]` and its gradient, like the images; of what stands in, as in
    /// [`Oracle::ascent`].
    pub fn gradients(
        &self,
        images: &Tensor,
        objectives: &Objectives,
    ) -> Result<(Tensor, Vec<(Tensor, Tensor)>), EngineError> {
        let mut logits = Vec::new();
        let mut found: Vec<(Vec<Tensor>, Vec<Tensor>)> = Vec::new();
        for span in self.spans(images) {
            self.seed();
            let pass: Pass = self.model.pass(&self.filled(&span.of(images)?)?)?;
            let answered = pass.logits.f_narrow(0, 0, span.len)?;
            let objectives = objectives(&answered, span)?;
            found.resize_with(objectives.len(), Default::default);
            let last = objectives.len().saturating_sub(1);
            for (number, objective) in objectives.iter().enumerate() {
                let graph = if number == last { Graph::Free } else { Graph::Keep };
                let gradient = pass.gradient(objective, graph)?.f_narrow(0, 0, span.len)?;
                found[number].0.push(objective.f_detach()?);
                found[number].1.push(gradient);
            }
            logits.push(pass.said().f_narrow(0, 0, span.len)?.f_detach()?);
        }
        self.add(Passes { forwards: 1, backwards: found.len() as u64 });
        let pairs = found
            .into_iter()
            .map(|(values, gradients)| Ok((joined(values)?, joined_images(gradients)?)))
            .collect::<Result<_, EngineError>>()?;
        Ok((joined(logits)?, pairs))
    }

    /// The rows with the last one repeated up to the next full multiple, where that matters.
    fn filled(&self, rows: &Tensor) -> Result<Tensor, EngineError> {
        let rows = crate::layout::channels_last(rows)?;
        let n = rows.size()[0];
        let missing = (MULTIPLE - n % MULTIPLE) % MULTIPLE;
        if missing == 0 || self.model.computes_by_itself() {
            return Ok(rows);
        }
        let mut size = rows.size();
        size[0] = missing;
        let more = rows.f_narrow(0, n - 1, 1)?.f_expand(size.as_slice(), false)?;
        crate::layout::channels_last(&Tensor::f_cat(&[&rows, &more], 0)?)
    }

    fn add(&self, more: Passes) {
        let mut cost = self.cost.get();
        cost += more;
        self.cost.set(cost);
    }

    fn seed(&self) {
        if let Some(noise) = &self.noise {
            noise.seed();
        }
    }

    fn spans(&self, images: &Tensor) -> impl Iterator<Item = Span> + use<> {
        let (n, chunk) = (images.size()[0], self.chunk);
        (0..(n + chunk - 1) / chunk).map(move |part| {
            let start = part * chunk;
            Span { start, len: chunk.min(n - start) }
        })
    }
}

fn joined(mut parts: Vec<Tensor>) -> Result<Tensor, EngineError> {
    if parts.len() == 1 {
        return Ok(parts.swap_remove(0));
    }
    Ok(Tensor::f_cat(&parts, 0)?)
}

fn joined_images(parts: Vec<Tensor>) -> Result<Tensor, EngineError> {
    crate::layout::channels_last(&joined(parts)?)
}
