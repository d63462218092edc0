//! Batch norm as a part of the convolution before it.

use tch::{Kind, Tensor};

use super::translated::{Step, Translated};
use super::translation::Role;
use crate::error::EngineError;

impl Translated {
    /// The same network where each batch norm whose convolution nothing else sees is a part of it: its logits
    /// and gradients are the same but for rounding. None where there is no such batch norm.
    pub fn folded(&self) -> Result<Option<Self>, EngineError> {
        let _guard = tch::no_grad_guard();
        let mut constants: Vec<Option<Tensor>> =
            self.constants.iter().map(|known| known.as_ref().map(Tensor::shallow_clone)).collect();
        let mut steps: Vec<Step> = Vec::with_capacity(self.steps.len());
        for step in &self.steps {
            let before = before(step, &steps).filter(|&at| self.sees(steps[at].outputs[0]) == 1);
            let folded = match before {
                Some(at) => joined(&steps[at], step, &constants)?.map(|made| (at, made)),
                None => None,
            };
            let Some((at, made)) = folded else {
                steps.push(step.clone());
                continue;
            };
            let mut both = steps.remove(at);
            both.inputs.truncate(1);
            for constant in made {
                both.inputs.push(Some(constants.len()));
                constants.push(Some(constant));
            }
            both.outputs.clone_from(&step.outputs);
            steps.push(both);
        }
        Ok((steps.len() < self.steps.len()).then(|| self.with(constants, steps)))
    }

    /// How many steps take a value, the network's own end included.
    fn sees(&self, place: Option<usize>) -> usize {
        let takes = self.steps.iter().flat_map(|step| &step.inputs).filter(|&&at| at == place);
        takes.count() + usize::from(place == Some(self.output))
    }
}

/// The convolution that a batch norm takes its values from.
fn before(step: &Step, steps: &[Step]) -> Option<usize> {
    let Role::BatchNorm(_) = step.role else { return None };
    let value = step.inputs.first().copied().flatten()?;
    let gives = |other: &Step| other.outputs.first().copied().flatten() == Some(value);
    let at = steps.iter().position(gives)?;
    matches!(steps[at].role, Role::Convolution(_)).then_some(at)
}

/// Kernels and bias of the two in one, rounded once, from f64; none where they are not constants.
fn joined(
    conv: &Step,
    norm: &Step,
    constants: &[Option<Tensor>],
) -> Result<Option<[Tensor; 2]>, EngineError> {
    let Role::BatchNorm(epsilon) = norm.role else { return Ok(None) };
    let known = |step: &Step, place: usize| -> Option<Tensor> {
        let at = step.inputs.get(place).copied().flatten()?;
        constants[at].as_ref().map(Tensor::shallow_clone)
    };
    let numbers = [1, 2, 3, 4].map(|place| known(norm, place));
    let ([Some(scale), Some(shift), Some(mean), Some(variance)], Some(kernels)) =
        (numbers, known(conv, 1))
    else {
        return Ok(None);
    };
    let bias = match conv.inputs.get(2).copied().flatten() {
        None => mean.f_zeros_like()?,
        Some(_) => match known(conv, 2) {
            Some(bias) => bias,
            None => return Ok(None),
        },
    };
    let kind = kernels.kind();
    let double = |tensor: &Tensor| tensor.f_to_kind(Kind::Double);
    let deviation = double(&variance)?.f_add_scalar(epsilon)?.f_sqrt()?;
    let scale = double(&scale)?.f_div(&deviation)?;
    let mut shape = vec![1; kernels.dim()];
    shape[0] = -1;
    let kernels = double(&kernels)?.f_mul(&scale.f_view(&shape[..])?)?;
    let bias = double(&bias)?.f_sub(&double(&mean)?)?.f_mul(&scale)?.f_add(&double(&shift)?)?;
    Ok(Some([kernels.f_to_kind(kind)?, bias.f_to_kind(kind)?]))
}
