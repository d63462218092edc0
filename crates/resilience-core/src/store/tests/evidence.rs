//! What is no evidence is neither written nor read.

use super::*;
use crate::plan::Shard;
use crate::record::Picture;
use crate::threat::Norm;

fn refusal<T: std::fmt::Debug>(result: Result<T, StoreError>, words: &[&str]) {
    let error = result.unwrap_err();
    assert!(matches!(error, StoreError::Refused { .. }), "{error}");
    let text = error.to_string();
    assert!(words.iter().all(|word| text.contains(word)), "{text}: expected {words:?}");
}

/// Would catch a run whose images cannot be counted, or a hostile file that makes counting them
/// panic.
#[test]
fn a_plan_must_be_countable() {
    let dir = tempfile::tempdir().unwrap();
    let good = sample(10).plan();
    let with = |change: &dyn Fn(&mut Plan)| {
        let mut plan = good.clone();
        change(&mut plan);
        plan
    };
    for (plan, word) in [
        (with(&|plan| plan.block = 0), "block"),
        (with(&|plan| plan.shard = Shard { index: 0, of: 2 }), "shard"),
        (with(&|plan| plan.shard = Shard { index: 1, of: 0 }), "shard"),
        (with(&|plan| plan.shard = Shard { index: 3, of: 2 }), "shard"),
        (with(&|plan| plan.shard = Shard { index: u64::MAX, of: u64::MAX }), "shard"),
        (with(&|plan| plan.dataset.n = u64::MAX), "dataset.n"),
        (with(&|plan| plan.stages[0].n = 11), "stages[0].n"),
        (with(&|plan| plan.models[0].std[1] = f64::NAN), "finite"),
    ] {
        refusal(RunStore::create(dir.path(), &testdata::provenance(), &plan), &[word]);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
        let json = serde_json::to_string(&plan).unwrap();
        let store = sample(10).create(dir.path());
        store.connection.execute("UPDATE run SET plan = ?1", [json]).unwrap();
        drop(store);
        let error = RunStore::open(dir.path()).unwrap_err();
        assert!(matches!(error, StoreError::Damaged { .. }), "{error}");
        assert!(error.to_string().contains("the plan"), "{error}");
        fs::remove_file(dir.path().join(FILE)).unwrap();
    }
}

/// Would catch clean outcomes with holes, or a model that the plan does not know.
#[test]
fn a_model_must_be_the_planned_one_and_complete() {
    let dir = tempfile::tempdir().unwrap();
    let sample = sample(10);
    let mut store = sample.create(dir.path());
    let (record, clean) = (&sample.model, &sample.clean);
    refusal(store.add_model(record, &clean[..9]), &["resnet32", "10", "9"]);
    let with = |change: &dyn Fn(&mut Vec<CleanOutcome>)| {
        let mut clean = clean.clone();
        change(&mut clean);
        clean
    };
    refusal(store.add_model(record, &with(&|c| c.swap(3, 4))), &["image 4", "expected 3"]);
    let broken = with(&|c| c[2].confidence = f64::NAN);
    refusal(store.add_model(record, &broken), &["image 2", "confidence"]);
    refusal(store.add_model(record, &with(&|c| c[2].right = 1.5)), &["image 2", "right"]);
    let mut other = record.clone();
    other.std[0] = f64::INFINITY;
    refusal(store.add_model(&other, clean), &["finite"]);
    let other = ModelRecord { name: "vgg".to_owned(), ..record.clone() };
    refusal(store.add_model(&other, clean), &["'vgg'", "'resnet32'"]);
    let other = ModelRecord { dataset: testdata::dataset(9), ..record.clone() };
    refusal(store.add_model(&other, &clean[..9]), &["10 images"]);
    assert!(store.models().unwrap().is_empty());
    store.add_model(record, clean).unwrap();
    refusal(store.add_model(record, clean), &["no more than the 1 models"]);
}

/// Would catch an attack that is kept under the name of another, begun twice or on no model.
#[test]
fn an_attack_must_be_the_planned_one() {
    let dir = tempfile::tempdir().unwrap();
    let sample = sample(10);
    let mut store = sample.create(dir.path());
    let begun = sample.begun();
    refusal(store.begin_attack(ModelId(1), &begun), &["model 1"]);
    let model = store.add_model(&sample.model, &sample.clean).unwrap();
    let with = |change: &dyn Fn(&mut AttackRecord)| {
        let mut record = begun.clone();
        change(&mut record);
        record
    };
    for (record, word) in [
        (with(&|r| r.stage = 1), "stage"),
        (with(&|r| r.id = "pgd".to_owned()), "id"),
        (with(&|r| r.suite = Some("quick".to_owned())), "suite"),
        (with(&|r| r.norm = Norm::L2), "norm"),
        (with(&|r| r.eps_text = "0.2".to_owned()), "eps_text"),
        (with(&|r| r.curve = true), "curve"),
        (with(&|r| r.n = 9), "n"),
        (with(&|r| r.finished = true), "finished"),
        (with(&|r| r.eps = f64::NAN), "finite"),
    ] {
        refusal(store.begin_attack(model, &record), &[word]);
    }
    assert!(store.attacks(model).unwrap().is_empty());
    store.begin_attack(model, &begun).unwrap();
    refusal(store.begin_attack(model, &begun), &["stage 0", "second time"]);
}

/// Would catch rates over outcomes that are missing, are of other images or are no numbers, and an
/// attack that changes after its end.
#[test]
fn outcomes_must_be_of_the_attack() {
    let dir = tempfile::tempdir().unwrap();
    let sample = sample(200);
    let mut plan = sample.plan();
    plan.shard = Shard { index: 2, of: 2 };
    let mut store = RunStore::create(dir.path(), &testdata::provenance(), &plan).unwrap();
    refusal(store.add_model(&sample.model, &sample.clean), &["72", "200"]);
    let model = store.add_model(&sample.model, &sample.clean[128..]).unwrap();
    let attack = store.begin_attack(model, &sample.begun()).unwrap();
    let good = sample.outcomes[130];
    for (outcome, words) in [
        (AttackOutcome { index: 127, ..good }, ["image 127", "at least 128 and below 200"]),
        (AttackOutcome { index: 200, ..good }, ["image 200", "below 200"]),
        (AttackOutcome { distance: f64::INFINITY, ..good }, ["image 130", "distance"]),
        (AttackOutcome { margin: f64::NAN, ..good }, ["image 130", "margin"]),
        (AttackOutcome { confidence: f64::NAN, ..good }, ["image 130", "confidence"]),
        (AttackOutcome { right: -0.1, ..good }, ["image 130", "right"]),
    ] {
        refusal(store.record(attack, &[sample.outcomes[140], outcome], &[]), &words);
    }
    let example = testdata::example(130);
    let short = Example { pixels: vec![0.0; 11], ..example.clone() };
    refusal(store.record(attack, &[], &[short]), &["image 130", "pixels", "11"]);
    let vast = Example { shape: [usize::MAX; 3], ..example.clone() };
    refusal(store.record(attack, &[], &[vast]), &["image 130", "pixels"]);
    let mut void = example;
    void.pixels[5] = f32::NAN;
    refusal(store.record(attack, &[], &[void]), &["image 130", "pixel", "NaN"]);
    refusal(store.add_pictures(&[testdata::picture(5)]), &["image 5"]);
    let unit = Unit { first: 64, round: 0 };
    refusal(store.finish_unit(attack, unit, &[], &[]), &["image 64"]);
    assert!(store.outcomes(attack).unwrap().is_empty());
    refusal(store.record(AttackId(9), &[], &[]), &["attack 9"]);

    store.record(attack, &sample.outcomes[128..], &[]).unwrap();
    let end = AttackRecord { attacked: 72, ..sample.attack.clone() };
    refusal(store.finish_attack(attack, &sample.attack), &["72 attacked images", "200"]);
    let open = AttackRecord { finished: false, ..end.clone() };
    refusal(store.finish_attack(attack, &open), &["finished"]);
    let other = AttackRecord { eps: 0.2, ..end.clone() };
    refusal(store.finish_attack(attack, &other), &["0.2"]);
    store.finish_attack(attack, &end).unwrap();
    refusal(store.finish_attack(attack, &end), &["under way"]);
    refusal(store.record(attack, &[good], &[]), &["under way"]);
}

type Read = fn(&RunStore) -> Result<(), StoreError>;

/// Would catch damage inside a record that is read as something else, or that is not named.
#[test]
fn damage_is_named() {
    let sample = sample(200);
    let cases: [(&str, Read, &[&str]); 19] = [
        ("UPDATE run SET provenance = '[]'", |s| s.provenance().map(drop), &["the provenance"]),
        ("DELETE FROM run", |s| s.finished().map(drop), &["'run' is empty"]),
        ("UPDATE model SET record = '{\"name\": 1}'", |s| s.models().map(drop), &["model 1"]),
        (
            "UPDATE model SET record = replace(record, 'resnet32', 'vgg')",
            |s| s.models().map(drop),
            &["model 1", "'vgg'"],
        ),
        ("DELETE FROM clean WHERE \"index\" = 7", clean, &["clean outcomes of model 1", "199"]),
        ("UPDATE clean SET label = -1 WHERE \"index\" = 7", clean, &["model 1", "row 7"]),
        ("UPDATE clean SET right = 2 WHERE \"index\" = 7", clean, &["model 1", "image 7", "right"]),
        ("UPDATE attack SET record = '{}'", |s| s.attacks(ModelId(1)).map(drop), &["attack 1"]),
        ("UPDATE attack SET stage = 5", |s| s.attacks(ModelId(1)).map(drop), &["attack 1", "5"]),
        (
            "UPDATE attack SET stage = 1, record = replace(record, '\"stage\":0', '\"stage\":1')",
            |s| s.outcomes(AttackId(1)).map(drop),
            &["stage 1"],
        ),
        ("UPDATE outcome SET \"index\" = 900 WHERE \"index\" = 9", outcomes, &["image 900"]),
        (
            "UPDATE outcome SET \"index\" = -1 WHERE \"index\" = 9",
            outcomes,
            &["attack 1", "row -1"],
        ),
        ("UPDATE outcome SET margin = 9e999 WHERE \"index\" = 9", outcomes, &["image 9", "margin"]),
        ("UPDATE outcome SET step = -4 WHERE \"index\" = 9", outcomes, &["attack 1", "row 9"]),
        ("UPDATE outcome SET forwards = -4 WHERE \"index\" = 9", outcomes, &["attack 1", "row 9"]),
        ("UPDATE unit SET first = 900", |s| s.units(AttackId(1)).map(drop), &["units", "900"]),
        ("UPDATE example SET pixels = x'0000803f'", examples, &["examples of attack 1", "image 3"]),
        ("UPDATE example SET height = -32", examples, &["examples of attack 1", "row 3"]),
        (
            "UPDATE picture SET width = 9223372036854775807",
            |s| s.pictures().map(drop),
            &["pictures", "image 3"],
        ),
    ];
    for (sql, read, words) in cases {
        let dir = tempfile::tempdir().unwrap();
        let (mut store, _, attack) = sample.under_way(dir.path());
        store.add_pictures(&[testdata::picture(3)]).unwrap();
        let unit = Unit { first: 0, round: 0 };
        store.finish_unit(attack, unit, &sample.outcomes, &[testdata::example(3)]).unwrap();
        read(&store).unwrap();
        assert!(store.connection.execute(sql, []).unwrap() > 0, "{sql}");
        let error = read(&store).unwrap_err();
        assert!(matches!(error, StoreError::Damaged { .. }), "{sql}: {error}");
        let text = error.to_string();
        assert!(words.iter().all(|word| text.contains(word)), "{sql}: {text}");
    }
}

fn clean(store: &RunStore) -> Result<(), StoreError> {
    store.clean(ModelId(1)).map(drop)
}

fn outcomes(store: &RunStore) -> Result<(), StoreError> {
    store.outcomes(AttackId(1)).map(drop)
}

fn examples(store: &RunStore) -> Result<(), StoreError> {
    store.example(AttackId(1), 3)?;
    store.examples(AttackId(1)).map(drop)
}

/// Would catch pixels of a length that is no whole number of floats being cut off.
#[test]
fn a_pixel_that_is_cut_in_two_is_damage() {
    let dir = tempfile::tempdir().unwrap();
    let (mut store, _, attack) = sample(200).under_way(dir.path());
    store.record(attack, &[], &[testdata::example(3)]).unwrap();
    let cut = "UPDATE example SET pixels = substr(pixels, 1, 12287)";
    store.connection.execute(cut, []).unwrap();
    let error = store.examples(attack).unwrap_err().to_string();
    assert!(error.contains("image 3") && error.contains("3 bytes are left over"), "{error}");
    let picture = Picture { pixels: vec![0; 5], ..testdata::picture(3) };
    refusal(store.add_pictures(&[picture]), &["image 3", "5"]);
}
