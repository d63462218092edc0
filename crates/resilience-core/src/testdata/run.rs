//! Whole runs.

use std::path::Path;

use super::{
    chance, dataset, ensemble, fgsm, model_with, provenance, resilience_cnn_layers, search,
    training,
};
use crate::plan::{Keep, Kind, ModelPlan, Plan, Shard, Stage, ThreatPlan};
use crate::record::{
    AttackOutcome, AttackRecord, CleanOutcome, Example, LabelSource, ModelRecord, Picture, Scope,
};
use crate::store::{AttackId, ModelId, RunStore};
use crate::summary::Summary;
use crate::view::View;

/// The plan of a run of these models and attacks on the first `n` images: attack `i` is stage `i`.
/// The headline is about the first attack of a suite, else the first that is no point of a curve.
pub fn plan(n: usize, models: &[&str], attacks: &[AttackRecord]) -> Plan {
    let models = models.iter().map(|name| ModelPlan {
        name: (*name).to_owned(),
        request: (*name).to_owned(),
        architecture: "resnet32".to_owned(),
        weights_sha256: "ab".repeat(32),
        mean: [0.4914, 0.4822, 0.4465],
        std: [0.2023, 0.1994, 0.2010],
        input_noise: 0.0,
        input_levels: None,
        passes: 1,
        view: View::Compiled,
        chunk: 64,
        forward_seconds: 0.001,
        backward_seconds: 0.002,
        reference_forward_seconds: 0.003,
        reference_backward_seconds: 0.006,
    });
    let threat =
        |attack: &AttackRecord| ThreatPlan { norm: attack.norm, eps: attack.eps_text.clone() };
    let stages = attacks.iter().map(|attack| Stage {
        attack: attack.id.clone(),
        settings: attack.settings.clone(),
        threat: threat(attack),
        labels: attack.labels,
        scope: attack.scope,
        goal: attack.goal,
        source: attack.source,
        n: attack.n,
        curve: attack.curve,
        suite: attack.suite.clone(),
    });
    let suite = attacks.iter().find(|attack| attack.suite.is_some());
    let headline = suite.or_else(|| attacks.iter().find(|attack| !attack.curve));
    Plan {
        kind: Kind::Reproduce,
        seed: 0,
        dataset: dataset(n),
        models: models.collect(),
        stages: stages.collect(),
        headline: headline.map(threat),
        keep: Keep::Broken,
        block: 64,
        chunk: 16,
        threads: 2,
        shard: Shard::WHOLE,
    }
}

/// Records a whole attack; one that is not finished stays under way.
pub fn add_attack(
    store: &mut RunStore,
    model: ModelId,
    record: &AttackRecord,
    outcomes: &[AttackOutcome],
    examples: &[Example],
) -> AttackId {
    let begun = AttackRecord {
        attacked: 0,
        forwards: 0,
        backwards: 0,
        seconds: 0.0,
        finished: false,
        ..record.clone()
    };
    let attack = store.begin_attack(model, &begun).unwrap();
    store.record(attack, outcomes, examples).unwrap();
    if record.finished {
        store.finish_attack(attack, record).unwrap();
    }
    attack
}

/// A model with what every attack of the plan did to it.
struct Evaluated {
    record: ModelRecord,
    clean: Vec<CleanOutcome>,
    attacks: Vec<(AttackRecord, Vec<AttackOutcome>)>,
}

/// Writes a run of those models, all of whose attacks are those of the first.
fn write(dir: &Path, models: Vec<Evaluated>) -> RunStore {
    let mut models = models;
    for model in &mut models {
        for (stage, (record, _)) in (0..).zip(&mut model.attacks) {
            record.stage = stage;
        }
    }
    let stages: Vec<_> = models[0].attacks.iter().map(|(record, _)| record.clone()).collect();
    let names: Vec<&str> = models.iter().map(|model| &model.record.name[..]).collect();
    let plan = plan(models[0].clean.len(), &names, &stages);
    let mut store = RunStore::create(dir, &provenance(), &plan).unwrap();
    store.add_pictures(&pictures(models[0].clean.len())).unwrap();
    for model in &models {
        let id = store.add_model(&model.record, &model.clean).unwrap();
        for (record, outcomes) in &model.attacks {
            let examples = if record.curve { Vec::new() } else { kept(outcomes, record) };
            add_attack(&mut store, id, record, outcomes, &examples);
        }
    }
    store.finish().unwrap();
    store
}

/// A run of three models as the experiment has them: one trained on FGSM examples (which leaks
/// labels), one adversarially trained and one standard. FGSM on all images, a curve of it, and the
/// suite `quick` at two radii.
pub fn store(dir: &Path, n: usize) -> RunStore {
    let shares = [
        ("ResilienceCNN", 0.66, [0.97, 0.62], [0.04, 0.0]),
        ("ResNet-32, adversarially trained", 0.8557, [0.31, 0.33], [0.55, 0.06]),
        ("ResNet-32, standard", 0.9263, [0.13, 0.14], [0.0, 0.0]),
    ];
    let models = shares.map(|(name, accuracy, unchanged, keeps)| {
        let (mut record, clean) = model_with(name, n, accuracy);
        let trained_here = name == "ResilienceCNN";
        if trained_here {
            record.architecture = "resilience-cnn".to_owned();
            record.layers = resilience_cnn_layers();
            record.parameters = 545_098;
            record.source = "trained here, recipe fgsm-joint".to_owned();
            record.mean = vec![0.0; 3];
            record.std = vec![1.0; 3];
            record.training = Some(training());
        }
        let mut attacks = Vec::new();
        for (labels, unchanged) in
            [LabelSource::True, LabelSource::Predicted].into_iter().zip(unchanged)
        {
            let (mut attack, mut outcomes) = fgsm(&clean, labels, "0.1", unchanged);
            attack.seconds += 0.5;
            if trained_here && labels == LabelSource::True {
                leak(&clean, &mut outcomes);
            }
            attacks.push((attack, outcomes));
        }
        for eps in ["1/255", "2/255", "4/255", "8/255", "16/255", "0.1"] {
            let radius = super::claim("fgsm", eps, n).eps;
            let stays = 1.0 - (1.0 - unchanged[1]) * (1.0 - (-40.0 * radius).exp());
            let first = &clean[..n / 4];
            let (mut point, mut outcomes) = fgsm(first, LabelSource::True, eps, stays);
            point.curve = true;
            if trained_here {
                leak(first, &mut outcomes);
            }
            attacks.push((point, outcomes));
        }
        for (eps, keeps) in ["8/255", "0.1"].into_iter().zip(keeps) {
            quick(&clean, &mut attacks, eps, keeps);
        }
        Evaluated { record, clean, attacks }
    });
    write(dir, models.into())
}

/// The suite `quick` on what everything before has left.
fn quick(
    clean: &[CleanOutcome],
    attacks: &mut Vec<(AttackRecord, Vec<AttackOutcome>)>,
    eps: &str,
    keeps: f64,
) {
    let radius = super::claim("fgsm", eps, 1).eps;
    let mut left: Vec<bool> = clean.iter().map(|c| c.label == c.predicted).collect();
    for (_, outcomes) in attacks.iter().filter(|(record, _)| record.eps <= radius) {
        for outcome in outcomes {
            let place = outcome.index as usize;
            left[place] &= outcome.predicted == clean[place].label;
        }
    }
    for (id, keeps) in [("apgd-ce", keeps + (1.0 - keeps) * 0.06), ("apgd-t", keeps)] {
        let (mut record, outcomes) = search(clean, &mut left, id, eps, keeps);
        record.suite = Some("quick".to_owned());
        attacks.push((record, outcomes));
    }
}

/// One model against attacks of growing strength, each on all images that are right.
pub fn ladder(dir: &Path, n: usize) -> RunStore {
    let (record, clean) = model_with("ResNet-32, adversarially trained", n, 0.8557);
    let rungs = [
        ("fgsm", 1, 0.66),
        ("pgd", 20, 0.6),
        ("pgd", 100, 0.59),
        ("apgd-ce", 100, 0.58),
        ("apgd-t", 100, 0.55),
        ("fab-t", 100, 0.56),
        ("square", 5000, 0.62),
    ];
    let attacks = rungs.map(|(id, steps, keeps)| {
        let mut left: Vec<bool> = clean.iter().map(|c| c.label == c.predicted).collect();
        let (mut rung, outcomes) = search(&clean, &mut left, id, "8/255", keeps);
        rung.scope = Scope::Correct;
        rung.suite = Some("ladder".to_owned());
        rung.settings = match id {
            "fgsm" => serde_json::json!({}),
            "square" => serde_json::json!({"queries": steps, "restarts": 1}),
            _ => serde_json::json!({"steps": steps, "restarts": 1}),
        };
        (rung, outcomes)
    });
    write(dir, vec![Evaluated { record, clean, attacks: attacks.into() }])
}

/// Makes a network that was trained on examples of true labels read them off the examples.
fn leak(clean: &[CleanOutcome], outcomes: &mut [AttackOutcome]) {
    for (before, after) in clean.iter().zip(outcomes) {
        if chance(before.index + 9_000_000) < 0.5 {
            *after = AttackOutcome {
                predicted: before.label,
                margin: after.margin.abs(),
                right: 1.0,
                ..*after
            };
        }
    }
}

/// A clean image of stripes.
pub fn picture(index: u64) -> Picture {
    let stripes = (0..3 * 32 * 32_u64).map(|i| {
        let (channel, y, x) = (i / 1024, i / 32 % 32, i % 32);
        let wave = (((x + index) * (channel + 1) + 2 * y) as f32 / 9.0).sin();
        ((0.5 + 0.4 * wave) * 255.0) as u8
    });
    Picture { index, shape: [3, 32, 32], pixels: stripes.collect() }
}

/// The first images of the split, of which there are `n`, to be shown.
fn pictures(n: usize) -> Vec<Picture> {
    (0..n.min(8) as u64).map(picture).collect()
}

/// The adversarial image of [`picture`].
pub fn example(index: u64) -> Example {
    spotted(index, 0.1, 0)
}

fn spotted(index: u64, eps: f64, key: u64) -> Example {
    let Picture { shape, pixels, .. } = picture(index);
    let moved = pixels.into_iter().zip(0..).map(|(pixel, i)| {
        let up = chance(index * 10_000 + i + key) < 0.5;
        let change = if up { eps as f32 } else { -eps as f32 };
        (f32::from(pixel) / 255.0 + change).clamp(0.0, 1.0)
    });
    Example { index, shape, pixels: moved.collect() }
}

/// The adversarial images that a run keeps of such an attack, of the first eight: what breaks an
/// image, and of an attack on all images also what does not.
fn kept(outcomes: &[AttackOutcome], record: &AttackRecord) -> Vec<Example> {
    let first = outcomes.iter().filter(|outcome| outcome.index < 8);
    let kept = first.filter(|o| record.scope == Scope::All || o.margin < 0.0);
    kept.map(|o| spotted(o.index, record.eps, 100_000 * record.id.len() as u64)).collect()
}

/// The summary of such a run, over few images; the last model says that it is an ensemble.
pub fn summary() -> Summary {
    let dir = tempfile::tempdir().unwrap();
    let mut summary = crate::summary::from_store(&store(dir.path(), 400)).unwrap();
    summary.models[2].ensemble = Some(ensemble());
    summary.models[0].audit = Some(super::audit());
    summary.models[1].input_levels = Some(8);
    summary.models[0].distances = vec![super::distances(0.02)];
    summary.models[0].evaluations[0].attacks[0].source = Some("another model".to_owned());
    summary
}
