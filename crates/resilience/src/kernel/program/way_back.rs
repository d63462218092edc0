//! The way back through a program: which gradient is computed from which.

use super::Program;

/// What a gradient is computed from, in reverse order of the steps.
#[derive(Debug)]
pub struct Back {
    /// The step that is gone back through.
    pub step: usize,
    /// The gradient of what it wrote.
    pub from: usize,
    /// A gradient that is there already and is added.
    pub add: Option<usize>,
    /// The gradient of what it read, or a part of it.
    pub to: usize,
    /// Whether ReLU's mask is laid over it, because nothing will be added any more.
    pub mask: bool,
}

impl Program {
    /// The way back: the gradients in the order in which they are computed, and the slot that each
    /// belongs to. The first is that of the newest slot. None where a slot's gradient would need a
    /// mask of its own that no step lays over it, and where the newest slot is not features in the
    /// order in which logits are read.
    #[must_use]
    pub fn way_back(&self) -> Option<(Vec<Back>, Vec<usize>)> {
        let top = self.slots[self.top];
        if top.relu || top.map.has_margin() || self.image_behind_features().is_some() {
            return None;
        }
        let mut readers = vec![0_usize; self.slots.len()];
        for step in &self.steps {
            readers[step.from] += 1;
            if let Some(add) = step.add {
                readers[add] += 1;
            }
        }
        let mut owners = vec![self.top];
        let mut known: Vec<Option<usize>> = vec![None; self.slots.len()];
        known[self.top] = Some(0);
        let mut way = Vec::with_capacity(self.steps.len());
        for (number, step) in self.steps.iter().enumerate().rev() {
            let from = known[step.to]?;
            if let Some(added) = step.add {
                readers[added] -= 1;
                let alone = readers[added] == 0 && self.slots[added].relu;
                if known[added].is_some() || alone {
                    return None;
                }
                known[added] = Some(from);
            }
            readers[step.from] -= 1;
            owners.push(step.from);
            let to = owners.len() - 1;
            let mask = readers[step.from] == 0 && self.slots[step.from].relu;
            way.push(Back { step: number, from, add: known[step.from], to, mask });
            known[step.from] = Some(to);
        }
        Some((way, owners))
    }
}
