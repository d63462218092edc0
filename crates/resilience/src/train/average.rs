//! An average of the weights that follows them exponentially (Polyak averaging as Gowal et al. 2020 and
//! Rebuffi et al. 2021 use it): after update number n, from 0, the average keeps
//! `min(decay, (1 + n) / (10 + n))` of itself. Running statistics of batch norm are copied.

use resilience_core::method::Ema;
use tch::Tensor;

use crate::error::EngineError;
use crate::model::Native;
use crate::zoo::Trainable;

/// A model whose weights are the average.
pub struct Average {
    model: Native,
    ema: Ema,
    /// Updates after the warm-up.
    updates: u64,
}

impl Average {
    /// An average that begins as the model.
    pub(super) fn new(model: &Native, ema: Ema) -> Result<Self, EngineError> {
        let network = model.network().architecture().build(0, model.network().kind())?;
        network.load_state_dict(&model.network().state_dict()?)?;
        network.set_trainable(Trainable::No)?;
        Ok(Self { model: model.with_network(network), ema, updates: 0 })
    }

    /// The model with the averaged weights.
    pub(super) const fn model(&self) -> &Native {
        &self.model
    }

    /// Updates so far, for a checkpoint.
    pub(super) const fn updates(&self) -> u64 {
        self.updates
    }

    /// Goes on after so many updates.
    pub(super) const fn set_updates(&mut self, updates: u64) {
        self.updates = updates;
    }

    /// Follows the weights after a step of an epoch, from 1.
    pub(super) fn follow(&mut self, model: &Native, epoch: u32) -> Result<(), EngineError> {
        let warm = epoch <= self.ema.warmup;
        let keep = if warm { 0.0 } else { kept(self.ema.decay, self.updates) };
        self.updates += u64::from(!warm);
        let _guard = tch::no_grad_guard();
        for (average, now) in self.model.network().parameters().zip(model.network().parameters()) {
            let mut tensor: Tensor = average.tensor.shallow_clone();
            if now.trainable && !warm {
                let _ = tensor.f_lerp_(&now.tensor, 1.0 - keep)?;
            } else {
                tensor.f_copy_(&now.tensor)?;
            }
        }
        Ok(())
    }
}

/// What the average keeps of itself at update number `n`, from 0.
#[must_use]
pub fn kept(decay: f64, n: u64) -> f64 {
    let n = n as f64;
    decay.min((1.0 + n) / (10.0 + n))
}

#[cfg(test)]
mod tests {
    use super::*;
    use tch::Kind;

    /// The model's weights, all equal to a number.
    fn fill(model: &Native, value: f64) {
        let _guard = tch::no_grad_guard();
        for parameter in model.network().parameters() {
            let _ = parameter.tensor.shallow_clone().fill_(value);
        }
    }

    /// The first trained number of the average, and the first running one.
    fn numbers(average: &Average) -> [f64; 2] {
        let of = |trainable| {
            let mut all = average.model().network().parameters();
            let found = all.find(|parameter| parameter.trainable == trainable).unwrap();
            found.tensor.mean(Kind::Float).double_value(&[])
        };
        [true, false].map(of)
    }

    /// Would catch an average that does not wait for its warm-up, that averages running statistics, that
    /// follows the model by sharing its memory, or that trains.
    #[test]
    fn it_waits_then_follows_and_copies_statistics() {
        let model = Native::initial("resnet20", 0, [0.0; 3], [1.0; 3]).unwrap();
        let mut average = Average::new(&model, Ema { decay: 0.995, warmup: 1 }).unwrap();
        fill(&model, 1.0);
        average.follow(&model, 1).unwrap();
        assert!(numbers(&average).iter().all(|number| (number - 1.0).abs() < 1e-12));
        fill(&model, 2.0);
        assert!(numbers(&average).iter().all(|number| (number - 1.0).abs() < 1e-12));
        average.follow(&model, 2).unwrap();
        // The first update keeps a tenth.
        let [weight, running] = numbers(&average);
        assert!((weight - 1.9).abs() < 1e-6 && (running - 2.0).abs() < 1e-6, "{weight} {running}");
        average.follow(&model, 2).unwrap();
        let [weight, _] = numbers(&average);
        assert!((weight - (1.9 * 2.0 + 2.0 * 9.0) / 11.0).abs() < 1e-6, "{weight}");
        assert!(average.model().network().trainable().all(|p| !p.tensor.requires_grad()));
    }
}
