//! One round of an attack on one model whose examples are shown to another: the attack runs to its end
//! without a word from the model that is judged, which is asked once.

use resilience_core::context::Context;
use resilience_core::record::AttackOutcome;
use tch::{Kind, Tensor};

use super::check_cancelled;
use super::pool::{Decided, Hear, Pool};
use super::verdict::check_finite;
use crate::attack::Rows;
use crate::error::EngineError;
use crate::geometry;
use crate::loss;
use crate::model::Passes;
use crate::rows::{choose, copied, lay_over};

impl Pool<'_> {
    /// Carries out a round at the oracle's model, of that name, and shows the judge what came out: of each image the
    /// candidate in ball and box that the oracle's model was most sure of taking for another class. No
    /// image leaves before. The rest is as in [`Pool::round`].
    pub fn round_elsewhere(
        &self,
        context: &mut Context,
        source: &str,
        (rows, truth): (&Rows, &[u32]),
        spent: Passes,
        hear: &mut Hear,
    ) -> Result<Vec<Decided>, EngineError> {
        let mut state = self.attack.start(rows)?;
        let mut best = copied(&rows.images)?;
        let n = rows.indices.len();
        let kind = (rows.images.kind(), rows.images.device());
        let mut margin = Tensor::f_full([n as i64], f64::INFINITY, kind)?;
        let mut found = vec![1_u32; n];
        let mut cost = spent;
        self.oracle.take_cost();
        for step in 1..=self.attack.steps() {
            check_cancelled(context)?;
            let candidates = state.step(self.oracle)?;
            let images = candidates.images.f_detach()?;
            let logits = match candidates.logits {
                Some(logits) => logits,
                None => self.oracle.logits(&images)?,
            };
            cost += self.oracle.take_cost();
            check_finite(source, &logits, &rows.indices)?;
            let limit = |share: f64| share * self.threat.eps().value() + geometry::TOLERANCE;
            let reach = geometry::reach(self.threat.norm(), &images, &rows.images)?;
            for (&index, &(distance, inside)) in rows.indices.iter().zip(&reach) {
                if !inside || distance > limit(state.reach()) {
                    let (attack, threat) = (self.id, self.threat);
                    return Err(EngineError::OutsideThreat { attack, index, distance, threat });
                }
            }
            let may = reach.iter().map(|&(distance, _)| distance <= limit(1.0));
            let may = Tensor::f_from_slice(&may.collect::<Vec<bool>>())?;
            let margins = loss::margins(&logits, &rows.labels)?;
            let better = margins.f_lt_tensor(&margin)?.f_logical_and(&may)?;
            margin = choose(&better, &margins, &margin)?;
            let better = Vec::<bool>::try_from(better)?;
            lay_over(&mut best, better.iter().copied(), &images)?;
            for (found, better) in found.iter_mut().zip(better) {
                if better {
                    *found = step;
                }
            }
            hear(context, Vec::new(), step)?;
        }
        let verdicts = self.judge.judge(&best, &rows.labels, truth, &rows.indices)?;
        let distances = geometry::distance(self.threat.norm(), &best, &rows.images)?;
        let distances = Vec::<f64>::try_from(distances.f_to_kind(Kind::Double)?)?;
        let mut decided = Vec::with_capacity(n);
        for (row, (verdict, distance)) in verdicts.into_iter().zip(distances).enumerate() {
            let outcome = AttackOutcome {
                index: rows.indices[row],
                predicted: verdict.predicted,
                confidence: verdict.confidence,
                distance,
                margin: verdict.margin,
                right: verdict.right,
                round: rows.round,
                step: found[row],
                forwards: cost.forwards + self.judge.cost(),
                backwards: cost.backwards,
            };
            let image = best.f_get(row as i64)?;
            decided.push(Decided { outcome, broken: verdict.held <= 0.0, image, nearest: None });
        }
        Ok(decided)
    }
}
