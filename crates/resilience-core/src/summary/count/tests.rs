//! Counting made-up runs.

use super::*;
use crate::record::{AttackOutcome, AttackRecord, CleanOutcome, Goal, LabelSource, Nearest, Scope};
use crate::testdata::{self, add_attack, claim, clean_outcome, outcome};

/// A run of one attack after the other on each of those models.
struct Made {
    _dir: tempfile::TempDir,
    store: RunStore,
}

type Attack = (AttackRecord, Vec<AttackOutcome>);

fn make(models: &[(ModelRecord, Vec<CleanOutcome>)], attacks: &[Vec<Attack>], plan: &Plan) -> Made {
    let dir = tempfile::tempdir().unwrap();
    let mut store = RunStore::create(dir.path(), &testdata::provenance(), plan).unwrap();
    for ((record, clean), attacks) in models.iter().zip(attacks) {
        let model = store.add_model(record, clean).unwrap();
        for (record, outcomes) in attacks {
            add_attack(&mut store, model, record, outcomes, &[]);
        }
    }
    Made { _dir: dir, store }
}

/// Ten images of class 0, of which the last two are wrong when clean.
fn ten() -> (ModelRecord, Vec<CleanOutcome>) {
    let (record, _) = testdata::model("ten", 10);
    (record, (0..10).map(|index| clean_outcome(index, 0, u32::from(index >= 8))).collect())
}

/// An attack of that stage on those images, of which it breaks some.
fn attack(stage: u64, id: &str, eps: &str, on: &[u64], breaks: &[u64]) -> Attack {
    let outcomes: Vec<AttackOutcome> =
        on.iter().map(|i| outcome(*i, 0, u32::from(breaks.contains(i)))).collect();
    let mut record = claim(id, eps, 10);
    record.stage = stage;
    record.suite = Some("quick".to_owned());
    record.attacked = on.len() as u64;
    record.finished = true;
    (record, outcomes)
}

fn count(model: &(ModelRecord, Vec<CleanOutcome>), attacks: &[Attack]) -> ModelSummary {
    let records: Vec<AttackRecord> = attacks.iter().map(|(record, _)| record.clone()).collect();
    let plan = testdata::plan(10, &[&model.0.name], &records);
    let made = make(std::slice::from_ref(model), &[attacks.to_vec()], &plan);
    from_store(&made.store).unwrap().models.remove(0)
}

/// Would catch a figure that is not the count of the outcomes in the store: another model's,
/// over other images, or a curve point taken for a result.
#[test]
fn figures_are_the_counts_of_the_store() {
    let (a, b) = (testdata::model_with("a", 400, 0.6), testdata::model_with("b", 400, 0.9));
    let clean = &a.1;
    let mut attacks = vec![testdata::attack(clean)];
    for eps in [0.05, 0.02, 0.1] {
        let mut point = testdata::attack_with(&clean[..50], LabelSource::True, eps, 0.5);
        point.0.curve = true;
        attacks.push(point);
    }
    for (stage, (record, _)) in (0..).zip(&mut attacks) {
        record.stage = stage;
    }
    let records: Vec<AttackRecord> = attacks.iter().map(|(record, _)| record.clone()).collect();
    let plan = testdata::plan(400, &["a", "b"], &records);
    let none = make(&[], &[], &plan);
    let error = from_store(&none.store).unwrap_err();
    assert!(matches!(error, SummaryError::Empty { .. }), "{error}");

    let made = make(&[a.clone(), b], &[attacks.clone(), vec![]], &plan);
    let summary = from_store(&made.store).unwrap();
    assert!(!summary.finished);
    let [a, b] = &summary.models[..] else { panic!("two models") };
    assert_eq!((a.clean.n, b.clean.n), (400, 400));
    let right = clean.iter().filter(|c| c.label == c.predicted).count() as u64;
    assert_eq!(a.clean.correct, right);
    assert_eq!(a.attacks.len(), 1);
    let attack = &a.attacks[0];
    let outcomes = &attacks[0].1;
    let kept =
        clean.iter().zip(outcomes).filter(|(c, o)| c.predicted == o.predicted).count() as u64;
    assert_eq!(attack.robustness.unchanged, kept);
    assert_eq!(attack.moves.iter().flatten().sum::<u64>(), 400);
    assert_eq!(
        attack.adversarial.correct + attack.paired.lost,
        a.clean.correct + attack.paired.gained
    );
    let [curve] = &a.curves[..] else { panic!("one curve") };
    assert_eq!(curve.clean.n, 50);
    let eps: Vec<f64> = curve.points.iter().map(|point| point.eps).collect();
    assert_eq!(eps, [0.02, 0.05, 0.1]);
    assert!(b.attacks.is_empty() && b.curves.is_empty() && b.evaluations.is_empty());
    let [evaluation] = &a.evaluations[..] else { panic!("one evaluation") };
    let alone = evaluation.attacks[0].alone.unwrap();
    assert_eq!(alone.correct, attack.adversarial.correct - attack.paired.gained);
    assert_eq!(a.robust, Some(evaluation.robust));
}

/// Would catch an image that is counted twice or forgotten between attacks and radii.
#[test]
fn attacks_of_a_suite_share_the_images() {
    let attacks = [
        attack(0, "apgd-ce", "4/255", &[0, 1, 2, 3, 4, 5, 6, 7], &[0, 1]),
        attack(1, "apgd-ce", "8/255", &[2, 3, 4, 5, 6, 7], &[2, 3, 4]),
        attack(2, "apgd-t", "8/255", &[5, 6, 7], &[5]),
    ];
    let model = count(&ten(), &attacks);
    let [small, large] = &model.evaluations[..] else { panic!("two radii") };
    assert_eq!((small.robust.correct, small.carried, small.n), (6, 0, 10));
    assert_eq!((large.robust.correct, large.carried, large.clean.correct), (2, 2, 8));
    let rows: Vec<_> = large
        .attacks
        .iter()
        .map(|a| (a.attacked, a.broke, a.adds, a.remaining.correct, a.alone.is_some()))
        .collect();
    assert_eq!(rows, [(6, 3, 3, 3, false), (3, 1, 1, 2, false)]);
    assert_eq!(large.suite.as_deref(), Some("quick"));
    assert!(large.finished && !large.individual);
    let cost: Vec<_> = large.cost.iter().map(|point| (point.passes, point.correct)).collect();
    assert_eq!(cost, [(0, 6), (2, 3), (4, 2)]);
    // The headline is about the first of the suite's radii.
    assert_eq!(model.robust, Some(small.robust));
    assert_eq!(model.robust_threat.unwrap().eps_text, "4/255");
}

/// Would catch a ladder whose rungs are taken for a sequence.
#[test]
fn individual_attacks_stand_alone() {
    let all = [0, 1, 2, 3, 4, 5, 6, 7];
    let attacks = [("fgsm", &[0, 1][..]), ("pgd", &[1, 2, 3]), ("square", &[0])];
    let attacks = (0..).zip(attacks).map(|(stage, (id, breaks))| {
        let mut attack = attack(stage, id, "8/255", &all, breaks);
        attack.0.scope = Scope::Correct;
        attack
    });
    let model = count(&ten(), &attacks.collect::<Vec<_>>());
    let [evaluation] = &model.evaluations[..] else { panic!("one radius") };
    assert!(evaluation.individual);
    let rungs: Vec<_> = evaluation
        .attacks
        .iter()
        .map(|a| (a.broke, a.adds, a.remaining.correct, a.alone.unwrap().correct))
        .collect();
    assert_eq!(rungs, [(2, 2, 6, 6), (3, 2, 4, 5), (1, 0, 4, 7)]);
}

/// Would catch a point of a curve whose finds are left out, so that an image which the next attack
/// passed over counts as robust.
#[test]
fn what_a_curve_broke_is_broken() {
    let mut point = attack(0, "fgsm", "2/255", &[0, 1, 2, 3], &[3]);
    (point.0.curve, point.0.scope, point.0.n) = (true, Scope::All, 4);
    let attacks = [point, attack(1, "apgd-ce", "8/255", &[0, 1, 2, 4, 5, 6, 7], &[0])];
    let model = count(&ten(), &attacks);
    let [evaluation] = &model.evaluations[..] else { panic!("one radius") };
    assert_eq!((evaluation.carried, evaluation.robust.correct), (1, 6));
}

/// Would catch an attack that was broken off, or never began, being taken for robustness.
#[test]
fn what_is_unfinished_is_no_evidence() {
    let whole = attack(0, "apgd-ce", "8/255", &[0, 1, 2, 3, 4, 5, 6, 7], &[0, 1]);
    let mut broken_off = attack(1, "apgd-t", "8/255", &[2, 3, 4, 5, 6, 7], &[2]);
    broken_off.1.truncate(2);
    broken_off.0.finished = false;
    let (record, clean) = ten();
    let records = [whole.0.clone(), broken_off.0.clone()];
    let plan = testdata::plan(10, &[&record.name, "next"], &records);
    let mut next = (record.clone(), clean.clone());
    "next".clone_into(&mut next.0.name);
    for attacks in [vec![whole.clone()], vec![whole.clone(), broken_off.clone()]] {
        let begun = attacks.len();
        let models = [(record.clone(), clean.clone()), next.clone()];
        let made = make(&models, &[attacks, vec![whole.clone()]], &plan);
        let summary = from_store(&made.store).unwrap();
        let model = &summary.models[0];
        let [evaluation] = &model.evaluations[..] else { panic!("one radius") };
        assert!(!evaluation.finished);
        assert_eq!(evaluation.attacks.len(), begun);
        assert_eq!((model.robust, model.robust_threat.as_ref()), (None, None));
        // Only clean accuracy is compared.
        assert_eq!(summary.pairs.len(), 1);
        assert_eq!(summary.pairs[0].eps_text, None);
    }
    let mut all = attack(0, "fgsm", "8/255", &[0, 1, 2], &[0]);
    (all.0.scope, all.0.finished) = (Scope::All, false);
    let model = count(&(record, clean), &[all]);
    assert!(model.attacks.is_empty(), "a rate over some images is none");
    assert!(!model.evaluations[0].finished);
}

/// Would catch an image that counts as robust because an attack left it out.
#[test]
fn what_was_not_tried_is_refused() {
    let attacks = [attack(0, "apgd-ce", "8/255", &[0, 1, 2, 3, 4, 5, 6], &[0, 1])];
    let records = [attacks[0].0.clone()];
    let model = ten();
    let plan = testdata::plan(10, &[&model.0.name], &records);
    let made = make(&[model], &[attacks.to_vec()], &plan);
    let error = from_store(&made.store).unwrap_err();
    assert!(matches!(error, SummaryError::Untried { index: 7, .. }), "{error}");
}

/// Would catch a noisy model that is judged by one draw.
#[test]
fn noisy_models_are_counted_in_shares() {
    let (mut record, mut clean) = ten();
    record.passes = 10;
    clean[0].right = 0.7;
    clean[9].right = 0.4;
    let mut found = attack(0, "apgd-ce", "8/255", &[0, 1, 2, 3, 4, 5, 6, 7], &[1]);
    for (place, right) in [(0, 0.6), (1, 0.1), (2, 0.8)] {
        found.1[place].right = right;
    }
    let model = count(&(record, clean), &[found]);
    assert_eq!(model.passes, 10);
    assert!((model.clean.rate - 0.81).abs() < 1e-12);
    assert_eq!(model.clean.correct, 8);
    let robust = model.robust.unwrap();
    // 0.6 + 0.1 + 0.8 + 5 + 0.4 of ten.
    assert!((robust.rate - 0.69).abs() < 1e-12, "{robust:?}");
    assert_eq!(robust.correct, 7);
    assert_eq!(robust.ci95.map(f64::to_bits), metric::clopper_pearson(7, 10).map(f64::to_bits));
    assert_eq!(model.evaluations[0].attacks[0].broke, 1);
}

/// Would catch models that are compared on other images, or in the wrong direction.
#[test]
fn models_are_compared_image_by_image() {
    let all = [0, 1, 2, 3, 4, 5, 6, 7];
    let ours = attack(0, "apgd-ce", "8/255", &all, &[0]);
    let theirs = attack(0, "apgd-ce", "8/255", &all, &[1, 2, 3, 4, 5, 6]);
    let (record, clean) = ten();
    let named =
        |name: &str| (ModelRecord { name: name.to_owned(), ..record.clone() }, clean.clone());
    let mut elsewhere = named("c");
    elsewhere.0.dataset.sha256 = "00".repeat(32);
    let models = [named("a"), named("b"), elsewhere];
    let plan = testdata::plan(10, &["a", "b", "c"], std::slice::from_ref(&ours.0));
    let made = make(&models, &[vec![ours.clone()], vec![theirs], vec![ours]], &plan);
    let summary = from_store(&made.store).unwrap();
    let [clean, attacked] = &summary.pairs[..] else { panic!("clean and one radius") };
    assert_eq!((&attacked.a[..], &attacked.b[..], attacked.n), ("a", "b", 10));
    assert_eq!((clean.only_a, clean.only_b, clean.p), (0, 0, 1.0));
    assert_eq!((attacked.only_a, attacked.only_b), (6, 1));
    assert!((attacked.difference - 0.5).abs() < 1e-12);
    assert!(attacked.ci95[0] < 0.5 && attacked.ci95[1] > 0.5);
    assert!((attacked.p - metric::mcnemar(6, 1)).abs() < 1e-12);
}

/// Would catch a shard that is counted over the images of the whole run.
#[test]
fn shards_count_their_own_images() {
    let (record, clean) = testdata::model("a", 200);
    let (mut attack, outcomes) = testdata::attack(&clean);
    attack.attacked = 64;
    let mut plan = testdata::plan(200, &["a"], &[attack.clone()]);
    plan.shard = "2/3".parse().unwrap();
    let range = plan.shard.images(200, plan.block);
    let range = range.start as usize..range.end as usize;
    assert_eq!(range, 64..128);
    let part = (attack, outcomes[range.clone()].to_vec());
    let made = make(&[(record, clean[range.clone()].to_vec())], &[vec![part]], &plan);
    let summary = from_store(&made.store).unwrap();
    let model = &summary.models[0];
    assert_eq!(
        (model.clean.n, model.attacks[0].adversarial.n, model.evaluations[0].n),
        (64, 64, 64)
    );
    let right = clean[range].iter().filter(|c| c.label == c.predicted).count() as u64;
    assert_eq!(model.clean.correct, right);
    let notice = summary.run.notices.join(" ");
    assert!(notice.contains("shard 2/3") && notice.contains("images 64 to 127 of 200"), "{notice}");
}

/// Would catch a damaged class number that asks for a matrix of all memory.
#[test]
fn impossible_classes_are_refused() {
    let (record, mut clean) = testdata::model("a", 5);
    clean[3].predicted = u32::MAX;
    let plan = testdata::plan(5, &["a"], &[]);
    let made = make(&[(record, clean)], &[vec![]], &plan);
    let error = from_store(&made.store).unwrap_err();
    assert!(matches!(error, SummaryError::Class { class: u32::MAX, .. }), "{error}");
}

/// Would catch a point that is not the nearest of all attacks, an image that counts though it is wrong when
/// clean, what another attack broke being left out or counted at its radius, and a curve or ranges that do
/// not add up.
#[test]
fn distances_are_those_of_the_nearest_points() {
    let on: Vec<u64> = (0..8).collect();
    let mut attacks = vec![
        attack(0, "fmn", "4/255", &on, &[0, 1, 2]),
        attack(1, "fab-t", "4/255", &on, &[]),
        attack(2, "pgd", "0.2", &on[3..], &[6]),
    ];
    for (record, _) in &mut attacks[..2] {
        (record.goal, record.scope) = (Goal::Nearest, Scope::Correct);
    }
    // Those of the first two attacks, by image; what the first broke lies at its outcomes' distance.
    for (_, outcomes) in &mut attacks {
        for outcome in outcomes {
            outcome.distance = 0.15;
        }
    }
    let found: [&[(u64, f64)]; 2] = [
        &[(0, 0.01), (1, 0.02), (2, 0.03), (3, 0.08)],
        &[(0, 0.02), (3, 0.04), (4, 0.1), (6, 0.3)],
    ];
    let model = ten();
    let records: Vec<AttackRecord> = attacks.iter().map(|(record, _)| record.clone()).collect();
    let plan = testdata::plan(10, &[&model.0.name], &records);
    let dir = tempfile::tempdir().unwrap();
    let mut store = RunStore::create(dir.path(), &testdata::provenance(), &plan).unwrap();
    let id = store.add_model(&model.0, &model.1).unwrap();
    for (place, (record, outcomes)) in attacks.iter().enumerate() {
        let begun = AttackRecord { finished: false, ..record.clone() };
        let attack = store.begin_attack(id, &begun).unwrap();
        store.record(attack, outcomes, &[]).unwrap();
        let points: Vec<Nearest> = found
            .get(place)
            .into_iter()
            .flat_map(|points| points.iter())
            .map(|&(index, distance)| Nearest { distance, ..testdata::nearest(index) })
            .collect();
        if !points.is_empty() {
            store.record_nearest(attack, &points, &[]).unwrap();
        }
        store.finish_attack(attack, record).unwrap();
    }
    let summary = from_store(&store).unwrap().models.remove(0);
    let [distances] = &summary.distances[..] else { panic!("one norm") };
    assert_eq!((distances.clean.correct, distances.right, distances.found), (8, 8, 6));
    // 0.01, 0.02, 0.03, 0.04, 0.1, 0.15 and two of which nothing is known.
    assert_eq!(distances.quartiles, [Some(0.02), Some(0.04), Some(0.15)]);
    let own: Vec<_> = distances.attacks.iter().map(|a| (a.found, a.median, a.nearest)).collect();
    assert_eq!(own, [(4, Some(0.08), 3), (4, Some(0.3), 2)]);
    assert!(
        distances.points.is_sorted_by(|a, b| {
            a.eps < b.eps && a.adversarial.correct >= b.adversarial.correct
        })
    );
    assert_eq!(distances.points.last().unwrap().adversarial.correct, 2);
    let counted: u64 = distances.bins.iter().map(|bin| bin.images).sum();
    assert_eq!((counted + distances.beyond, distances.bins[0].low), (6, 0.0));
    let evaluation = summary.evaluations.iter().find(|at| at.eps_text == "4/255").unwrap();
    assert_eq!(evaluation.robust.correct, 5, "within the radius it counts as any attack");
}
