//! Comparisons of ways to train.

use super::{chance, provenance, resilience_cnn_layers, training};
use crate::comparison::{self, Comparison, Measure, Member, SCHEMA, Verdicts};
use crate::plan::{Stage, ThreatPlan};
use crate::record::{Goal, LabelSource, Scope, TrainingRecord, ValidationRecord};
use crate::summary::{
    Correct, CurvePoint, CurveSummary, DatasetSummary, ModelSummary, Summary, ThreatSummary,
};
use crate::threat::Norm;

/// Images that everything is measured on, and those of robust accuracy.
const N: usize = 400;
const ROBUST: usize = 200;

/// A way to train, as a made-up comparison has it.
pub struct Way {
    pub name: &'static str,
    pub title: &'static str,
    /// None of an ensemble.
    pub recipe: Option<&'static str>,
    pub seeds: &'static [u64],
    /// Rates in the order of [`Measure::ALL`].
    pub rates: [f64; 6],
    pub more: &'static [(&'static str, &'static str)],
}

const SEEDS: &[u64] = &[0, 1, 2];

/// Standard, FGSM, PGD and TRADES (one seed), and an ensemble.
pub fn comparison() -> Comparison {
    let mut comparison = comparison_of(&WAYS[..5]);
    comparison.missing = vec!["trades, seed 1".to_owned(), "trades, seed 2".to_owned()];
    comparison
}

/// As many ways as a suite has.
pub fn large_comparison() -> Comparison {
    comparison_of(&WAYS)
}

pub static WAYS: [Way; 13] = [
    way("standard", "standard", [0.70, 0.09, 0.12, 0.15, 0.0, 0.0], &[]),
    Way {
        recipe: Some("fgsm-joint"),
        ..way("fgsm-joint", "FGSM joint", [0.58, 0.75, 0.3, 0.86, 0.03, 0.01], &[])
    },
    Way {
        recipe: Some("pgd-at"),
        ..way("pgd-at", "PGD AT", [0.47, 0.3, 0.31, 0.6, 0.28, 0.25], &[])
    },
    Way {
        recipe: Some("trades"),
        seeds: &[0],
        ..way("trades", "TRADES", [0.44, 0.3, 0.3, 0.64, 0.28, 0.25], &[])
    },
    Way {
        recipe: None,
        seeds: &[],
        ..way("three-pgd-at", "ensemble of three PGD AT", [0.49, 0.32, 0.33, 0.62, 0.3, 0.27], &[])
    },
    Way {
        recipe: Some("fgsm-joint"),
        ..way(
            "fgsm-joint-0.1",
            "FGSM joint, eps 0.1 (the paper's)",
            [0.55, 0.5, 0.3, 0.8, 0.05, 0.02],
            &[("threat", "linf 0.1")],
        )
    },
    Way {
        recipe: Some("fast-at"),
        ..way("fast-at", "fast AT", [0.46, 0.3, 0.31, 0.6, 0.27, 0.24], &[])
    },
    Way {
        recipe: Some("pgd-at"),
        ..way(
            "pgd-at-0.1",
            "PGD AT, eps 0.1",
            [0.31, 0.24, 0.24, 0.72, 0.23, 0.2],
            &[("threat", "linf 0.1")],
        )
    },
    Way {
        recipe: Some("pgd-at"),
        ..way(
            "pgd-at-mixup",
            "PGD AT + Mixup",
            [0.43, 0.28, 0.29, 0.61, 0.27, 0.24],
            &[("mixup", "Beta(1.4, 1.4)")],
        )
    },
    Way {
        recipe: Some("pgd-at"),
        ..way(
            "pgd-at-cutmix",
            "PGD AT + CutMix",
            [0.42, 0.28, 0.28, 0.61, 0.26, 0.235],
            &[("cutmix", "Beta(1, 1)")],
        )
    },
    Way {
        recipe: Some("trades"),
        ..way(
            "trades-awp",
            "TRADES + AWP",
            [0.42, 0.29, 0.29, 0.65, 0.28, 0.25],
            &[("weight perturbation", "gamma 0.005, from epoch 1")],
        )
    },
    Way {
        recipe: Some("distillation"),
        ..way(
            "distillation",
            "distillation, temperature 20",
            [0.69, 0.12, 0.15, 0.18, 0.0, 0.0],
            &[("temperature", "20")],
        )
    },
    Way {
        recipe: Some("pgd-at"),
        seeds: &[0],
        ..way(
            "resnet20-pgd-at",
            "ResNet-20, PGD AT, one epoch",
            [0.34, 0.22, 0.22, 0.6, 0.21, 0.19],
            &[("epochs", "1")],
        )
    },
];

const fn way(
    name: &'static str,
    title: &'static str,
    rates: [f64; 6],
    more: &'static [(&'static str, &'static str)],
) -> Way {
    Way { name, title, recipe: Some("standard"), seeds: SEEDS, rates, more }
}

/// A comparison of these, counted as a real one is.
pub fn comparison_of(ways: &[Way]) -> Comparison {
    let verdicts: Vec<Vec<Verdicts>> = (0..).zip(ways).map(|(at, way)| verdicts(at, way)).collect();
    let group = |(way, found): (&Way, &Vec<Verdicts>)| {
        comparison::group([way.name, way.title], found, members(way))
    };
    let groups: Vec<_> = ways.iter().zip(&verdicts).map(group).collect();
    let differences = comparison::compare(&groups, &verdicts);
    Comparison {
        schema: SCHEMA,
        name: "recipes".to_owned(),
        about: "What FGSM training is worth against the defences.".to_owned(),
        threat: ThreatSummary { norm: Norm::Linf, eps: 8.0 / 255.0, eps_text: "8/255".to_owned() },
        claim: Some(ThreatSummary { norm: Norm::Linf, eps: 0.1, eps_text: "0.1".to_owned() }),
        stages: stages(),
        groups,
        differences,
        missing: Vec::new(),
    }
}

/// Images differ in how hard they are, the same for all; the rest is the seed's and the way's.
fn verdicts(at: u64, way: &Way) -> Vec<Verdicts> {
    let of = |seed: u64, rate: f64, n: usize| {
        let rate = if rate > 0.0 { rate + 0.02 * (chance(31 * seed + at) - 0.5) } else { 0.0 };
        let right = |image: u64| {
            let own = chance(image) < 0.15;
            let key = if own { image + 1000 * (1 + seed + 100 * at) } else { image + 500_000 };
            chance(key) < rate
        };
        (0..n as u64).map(right).collect::<Vec<bool>>()
    };
    let measures = |given: Option<u64>| {
        let seed = given.unwrap_or(7);
        let [clean, fgsm, predicted, stability, pgd, robust] = way.rates;
        let right = [
            of(seed, clean, N),
            of(seed, fgsm, N),
            of(seed, predicted, N),
            of(seed, stability, N),
            // Where FGSM claims more than the clean accuracy, it does so the more at a large radius.
            of(seed, if fgsm > clean { fgsm } else { 0.5 * fgsm }, N),
            of(seed, pgd, N),
            of(seed, robust, ROBUST),
        ];
        Verdicts { seed: given, right: Measure::ALL.into_iter().zip(right).collect() }
    };
    seeds(way).into_iter().map(measures).collect()
}

/// None of an ensemble, once.
fn seeds(way: &Way) -> Vec<Option<u64>> {
    match way.seeds {
        [] => vec![None],
        seeds => seeds.iter().copied().map(Some).collect(),
    }
}

fn members(way: &Way) -> Vec<Member> {
    seeds(way).into_iter().map(|seed| member(way, seed)).collect()
}

fn member(way: &Way, seed: Option<u64>) -> Member {
    let folder = seed.map_or(way.name.to_owned(), |seed| format!("{}-seed{seed}", way.name));
    let training = way.recipe.map(|recipe| trained(way, recipe, seed.unwrap_or_default()));
    let curves = vec![curve(way, seed.unwrap_or_default())];
    let model = ModelSummary {
        name: seed.map_or(way.title.to_owned(), |seed| format!("{}, seed {seed}", way.title)),
        architecture: "resilience-cnn".to_owned(),
        weights_sha256: format!("{:02x}", seed.unwrap_or(171)).repeat(32),
        source: "trained here".to_owned(),
        parameters: 545_098,
        mean: vec![0.0; 3],
        std: vec![1.0; 3],
        input_levels: None,
        layers: resilience_cnn_layers(),
        ensemble: None,
        training: training.clone(),
        dataset: DatasetSummary {
            name: "cifar10".to_owned(),
            split: "test".to_owned(),
            n: N as u64,
            sha256: "5f".repeat(32),
            classes: super::CLASSES.map(str::to_owned).to_vec(),
        },
        passes: 1,
        clean: Correct::of((way.rates[0] * N as f64) as u64, N as u64),
        robust: None,
        robust_threat: None,
        evaluations: Vec::new(),
        attacks: Vec::new(),
        curves: curves.clone(),
        distances: Vec::new(),
        audit: None,
    };
    let mut run = provenance();
    run.command = "resilience compare suites/recipes.toml --out runs/example".to_owned();
    let summary = Summary {
        schema: crate::summary::SCHEMA,
        tool: run.tool.clone(),
        run,
        finished: true,
        models: vec![model],
        pairs: Vec::new(),
    };
    Member { seed, folder, training, curves, summary }
}

/// As it learns, and forgets where it is trained on one step with a large radius.
fn trained(way: &Way, recipe: &str, seed: u64) -> TrainingRecord {
    let mut record = training();
    recipe.clone_into(&mut record.recipe);
    record.seed = seed;
    record.kept = Some(5);
    record.settings.insert(0, ("recipe".to_owned(), recipe.to_owned()));
    record.settings.push(("seed".to_owned(), seed.to_string()));
    if way.more.iter().all(|(name, _)| *name != "threat") {
        record.settings.push(("threat".to_owned(), "linf 8/255".to_owned()));
    }
    for (name, value) in way.more {
        record.settings.push(((*name).to_owned(), (*value).to_owned()));
    }
    let [clean, fgsm, _, _, pgd, _] = way.rates;
    for epoch in &mut record.epochs {
        let t = f64::from(epoch.epoch);
        let shape = (1.0 - 0.5 / t) + 0.02 * (chance(seed + u64::from(epoch.epoch)) - 0.5);
        let pgd = if fgsm > clean && epoch.epoch < 3 { fgsm * 0.6 } else { pgd };
        epoch.passes = if recipe == "standard" { 2.0 } else { 4.0 };
        epoch.seconds += 0.1 * seed as f64;
        epoch.validation = Some(ValidationRecord {
            n: 1000,
            clean: clean * shape,
            fgsm: fgsm * shape,
            pgd: pgd * shape,
        });
    }
    record
}

fn curve(way: &Way, seed: u64) -> CurveSummary {
    let n = ROBUST as u64;
    let clean = way.rates[0] + 0.03 * (chance(seed + 77) - 0.5);
    let count = |rate: f64| Correct::of((rate.clamp(0.0, 1.0) * n as f64) as u64, n);
    // Through the clean accuracy at 0 and PGD's at 8/255.
    let decay = ((clean + 0.001) / (way.rates[4] + 0.001)).ln() * 255.0 / 8.0;
    let radii = [1.0, 2.0, 4.0, 8.0, 12.0, 16.0].map(|k| k / 255.0);
    let point = |eps: f64| CurvePoint { eps, adversarial: count(clean * (-decay * eps).exp()) };
    CurveSummary {
        attack: "pgd".to_owned(),
        norm: Norm::Linf,
        labels: LabelSource::True,
        clean: count(clean),
        points: radii.map(point).to_vec(),
    }
}

fn stages() -> Vec<Stage> {
    let stage = |attack: &str, labels, eps: &str, n: usize, steps: Option<u32>| Stage {
        attack: attack.to_owned(),
        settings: steps.map_or(serde_json::json!({}), |steps| serde_json::json!({"steps": steps})),
        threat: ThreatPlan { norm: Norm::Linf, eps: eps.to_owned() },
        labels,
        scope: Scope::All,
        goal: Goal::Break,
        source: None,
        n: n as u64,
        curve: false,
        suite: None,
    };
    let (given, own) = (LabelSource::True, LabelSource::Predicted);
    let mut stages = vec![
        stage("fgsm", given, "8/255", N, None),
        stage("fgsm", own, "8/255", N, None),
        stage("pgd", given, "8/255", N, Some(50)),
    ];
    for eps in ["1/255", "2/255", "4/255", "8/255", "12/255", "16/255"] {
        stages.push(Stage { curve: true, ..stage("pgd", given, eps, ROBUST, Some(20)) });
    }
    for attack in ["apgd-ce", "apgd-t"] {
        stages.push(Stage {
            scope: Scope::Survivors,
            suite: Some("quick".to_owned()),
            ..stage(attack, given, "8/255", ROBUST, Some(100))
        });
    }
    stages
}
