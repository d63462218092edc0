//! Where an evaluation would stand among published claims.

use super::super::EvaluationSummary;
use crate::leaderboard::{self, Claim, Place, Ran, Target};
use crate::plan::{Plan, Shard};
use crate::record::{LabelSource, ModelRecord, Scope};

/// The place of robust accuracy. Claims are of deterministic networks, of test images, and of attacks with
/// true labels that came to their end; what is not, and what a single step or noise left, has none.
pub fn among(
    claims: &[Claim],
    plan: &Plan,
    model: &ModelRecord,
    at: &EvaluationSummary,
) -> Option<Place> {
    let whole = plan.shard == Shard::WHOLE && at.finished && !at.is_weak();
    let alike = model.passes == 1 && model.dataset.split == "test";
    let labels = at.attacks.iter().all(|attack| attack.labels == LabelSource::True);
    if !(whole && alike && labels) {
        return None;
    }
    // Those that came closest are attacked once more after any suite; that is part of how we judge.
    let searches = at.attacks.iter().filter(|attack| attack.scope != Scope::Closest);
    let ran: Vec<Ran> =
        searches.map(|attack| Ran { id: &attack.id, settings: &attack.settings }).collect();
    let target = Target { dataset: &model.dataset.name, norm: at.norm, eps: at.eps };
    leaderboard::place(claims, target, (at.robust.rate, at.robust.ci95), leaderboard::effort(&ran))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::leaderboard::{Effort, published};
    use crate::testdata;

    /// Would catch a place for a figure that no claim is comparable with, and none where there is one.
    #[test]
    fn only_what_can_be_compared_has_a_place() {
        let claims = published().unwrap();
        let plan = testdata::plan(1000, &["a"], &[]);
        let (model, _) = testdata::model("a", 1000);
        let summary = testdata::summary();
        let evaluations = &summary.models[1].evaluations;
        let at = evaluations.iter().find(|at| at.eps_text == "8/255").unwrap();
        let place = among(&claims, &plan, &model, at).unwrap();
        assert_eq!((place.effort, place.claims), (Effort::Less, 99));
        assert_eq!(at.place.as_ref(), Some(&place), "counting a run finds it");
        let none = |change: &dyn Fn(&mut Plan, &mut ModelRecord, &mut EvaluationSummary)| {
            let (mut plan, mut model, mut at) = (plan.clone(), model.clone(), at.clone());
            change(&mut plan, &mut model, &mut at);
            assert_eq!(among(&claims, &plan, &model, &at), None);
        };
        none(&|plan, _, _| plan.shard = Shard { index: 1, of: 2 });
        none(&|_, model, _| model.passes = 10);
        none(&|_, model, _| "train".clone_into(&mut model.dataset.split));
        none(&|_, model, _| "shapes10".clone_into(&mut model.dataset.name));
        none(&|_, _, at| at.finished = false);
        none(&|_, _, at| at.eps = 0.1);
        none(&|_, _, at| at.attacks[0].labels = LabelSource::Predicted);
        none(&|_, _, at| at.attacks.iter_mut().for_each(|a| "fgsm".clone_into(&mut a.id)));
    }
}
