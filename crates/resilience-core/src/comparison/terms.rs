//! On what terms a run was judged: the same for all of a comparison.

use crate::plan::{Plan, Stage};

/// What all runs of a comparison have in common.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Terms {
    /// The attacks, in order.
    pub stages: Vec<Stage>,
    /// Name and checksum of the images.
    dataset: (String, String),
}

impl Terms {
    /// Those of a run.
    pub fn of(plan: &Plan) -> Self {
        let dataset = (plan.dataset.name.clone(), plan.dataset.sha256.clone());
        Self { stages: plan.stages.clone(), dataset }
    }

    /// What another run's differ in, in words; none where they are the same.
    pub fn unlike(&self, other: &Self) -> Option<String> {
        if self.dataset != other.dataset {
            let [ours, theirs] = [self, other].map(|Self { dataset: (name, sha256), .. }| {
                format!("{name} (SHA-256 {}...)", sha256.get(..12).unwrap_or(sha256))
            });
            return Some(format!("it was judged on {theirs}, the others on {ours}"));
        }
        let both = self.stages.iter().zip(&other.stages);
        let agree = self.stages.len() == other.stages.len()
            && both.into_iter().all(|(ours, theirs)| ours.agrees_with(theirs));
        (!agree).then(|| "it was judged by other attacks than the others".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::testdata;

    /// Would catch runs on other images, or by other attacks, that are compared image by image.
    #[test]
    fn other_images_and_attacks_are_told_apart() {
        let plan = testdata::plan(5, &["a"], &[]);
        let ours = Terms::of(&plan);
        assert_eq!(ours.unlike(&ours.clone()), None);
        let mut images = plan.clone();
        images.dataset.sha256 = "ab".repeat(32);
        let said = ours.unlike(&Terms::of(&images)).unwrap();
        assert!(said.contains("judged on cifar10 (SHA-256 abababababab...)"), "{said}");
        let mut named = plan.clone();
        named.dataset.name = "shapes10".to_owned();
        assert!(ours.unlike(&Terms::of(&named)).unwrap().contains("judged on shapes10"));
        let mut attacks = plan;
        attacks.stages.clear();
        let stages = Terms { stages: testdata::comparison().stages, ..ours };
        assert!(stages.unlike(&Terms::of(&attacks)).unwrap().contains("other attacks"));
        let with = |settings: serde_json::Value| {
            let mut terms = stages.clone();
            terms.stages[0].settings = settings;
            terms
        };
        let before = with(json!({"steps": 20}));
        let since = with(json!({"steps": 20, "sparsity": 0.01}));
        assert_eq!(before.unlike(&since), None, "written down by a version without that setting");
        assert!(before.unlike(&with(json!({"steps": 21}))).is_some());
    }
}
