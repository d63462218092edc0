//! What a result may not depend on.

use resilience_core::plan::{Plan, Shard};
use resilience_core::record::{AttackRecord, Scope};

use super::models::{convolutional, disguised, linear};
use super::{Found, plan, run, stages};

const N: usize = 100;

/// Would catch an outcome that depends on how many images are computed at once or attacked
/// together.
#[test]
fn chunks_and_blocks_change_no_bit() {
    let models = [(0.01, linear(N)), (0.01, disguised(N)), (0.005, convolutional(N, 0.0))];
    for (eps, (model, images)) in models {
        // How many of those that came closest are attacked again is up to the block they are in.
        let mut whole = stages(N as u64, eps);
        whole.retain(|stage| stage.scope != Scope::Closest);
        for (stages, sizes) in [
            (stages(N as u64, eps), vec![(64, 16), (64, 128), (64, 5)]),
            (whole, vec![(64, 16), (256, 16), (3, 5)]),
        ] {
            let base = plan(&images, stages, 1);
            let of = |(block, chunk)| {
                let mut plan = Plan { block, chunk, ..base.clone() };
                plan.models[0].chunk = chunk;
                run(&plan, &model, &images)
            };
            let first = of(sizes[0]);
            for &size in &sizes[1..] {
                assert_same(&first, &of(size), &format!("block and chunk {size:?}"));
            }
        }
    }
}

fn assert_same(a: &Found, b: &Found, at: &str) {
    assert_eq!(a.clean, b.clean, "{at}");
    for (a, b) in a.attacks.iter().zip(&b.attacks) {
        let id = &a.record.id;
        for (a, b) in a.outcomes.iter().zip(&b.outcomes) {
            assert_eq!(a, b, "{at}, {id}");
        }
        assert_eq!(a.record, b.record, "{at}");
        assert!(a == b, "{at}, {id}: other examples");
    }
    assert!(a == b, "{at}");
}

/// Would catch shards that attack other images, or otherwise, than the whole run does.
#[test]
fn shards_are_parts_of_the_whole() {
    for (eps, (model, images)) in [(0.01, linear(90)), (0.005, convolutional(90, 0.0))] {
        let plan = plan(&images, stages(90, eps), 1);
        let whole = run(&plan, &model, &images);
        let mut parts = (1..=3)
            .map(|index| Plan { shard: Shard { index, of: 3 }, ..plan.clone() })
            .map(|plan| run(&plan, &model, &images));
        let mut together = parts.next().unwrap();
        for part in parts {
            together.clean.extend(part.clean);
            for (all, more) in together.attacks.iter_mut().zip(part.attacks) {
                all.outcomes.extend(more.outcomes);
                all.examples.extend(more.examples);
                all.nearest.extend(more.nearest);
                all.record = AttackRecord {
                    attacked: all.record.attacked + more.record.attacked,
                    forwards: all.record.forwards + more.record.forwards,
                    backwards: all.record.backwards + more.record.backwards,
                    ..more.record
                };
            }
        }
        assert_same(&whole, &together, "three shards");
    }
}
