//! What the registry promises: norms, settings, costs, texts.

use resilience::EngineError;
use resilience::attack::{ATTACKS, apgd, pgd};
use resilience::model::{Oracle, Passes};
use resilience::settings::{Range, Settings};
use resilience_core::threat::Norm;
use tch::Tensor;

use super::{Case, Linear, cases, cheap, images, plan, threat};

/// Would catch a norm that an attack claims or denies wrongly: planning refuses the others.
#[test]
fn a_norm_that_an_attack_lacks_is_refused() {
    for spec in ATTACKS {
        for norm in Norm::ALL {
            let planned = plan(spec, threat(norm, "0.1"), 10, &cheap(spec, &[]));
            match planned {
                Ok(_) => assert!(spec.norms.contains(&norm), "{} {norm}", spec.id),
                Err(error) => {
                    assert!(!spec.norms.contains(&norm), "{} {norm}: {error}", spec.id);
                    assert!(matches!(error, EngineError::NormNotSupported { .. }), "{error}");
                }
            }
        }
    }
}

/// Would catch a setting that the attack reads under another name or kind (it panics), or one whose
/// default is outside its own range.
#[test]
fn every_setting_can_be_read_at_its_default_and_its_edges() {
    for (spec, norm) in cases() {
        let defaults = Settings::resolve(spec.id, spec.settings, &[]).unwrap();
        let planned = plan(spec, threat(norm, "0.1"), 10, &defaults).unwrap();
        assert!(planned.notice.is_none(), "{}: {:?}", spec.id, planned.notice);
        for setting in spec.settings {
            let values = match setting.value {
                Range::Count(default, low, high) => [default, low, high].map(|v| v.to_string()),
                Range::Real(default, low, high) => [default, low, high].map(|v| v.to_string()),
                Range::Choice(words) => [0, 0, words.len() - 1].map(|at| words[at].to_owned()),
            };
            assert_eq!(defaults.to_json()[setting.name], setting.value.default());
            for value in values {
                let given = [(setting.name.to_owned(), value.clone())];
                let settings = Settings::resolve(spec.id, spec.settings, &given).unwrap();
                let attack = plan(spec, threat(norm, "0.1"), 10, &settings).unwrap().attack;
                let at = format!("{} {} {value}", spec.id, setting.name);
                assert!(attack.rounds() >= 1 && attack.steps() >= 1, "{at}");
            }
        }
    }
}

/// Would catch passes that are not counted, counted twice or stated wrongly: what a plan predicts is
/// what a round on images that hold costs.
#[test]
fn a_round_costs_what_is_stated() {
    let shape = [5, 3, 5, 5];
    let (x, y) = (images(shape), Tensor::zeros([5], (tch::Kind::Int64, tch::Device::Cpu)));
    let model = Linear::constant(shape, &[9.0, 1.0, 0.5, 0.0, -1.0]);
    for (spec, norm) in cases() {
        for eot in ["1", "3"] {
            let settings = cheap(spec, &[("eot", eot)]);
            let attack = plan(spec, threat(norm, "0.1"), 5, &settings).unwrap().attack;
            let case = Case::new(spec, attack.as_ref(), &model, (&x, &y));
            for round in 0..attack.rounds() {
                // In chunks, of which none may count twice.
                let oracle = Oracle::new(&model, 2, attack.eot(), None);
                let mut state = attack.start(&case.rows(round)).unwrap();
                let mut cost = Passes::default();
                for _ in 0..attack.steps() {
                    let found = state.step(&oracle).unwrap();
                    assert_eq!(found.logits.is_some(), attack.gives_logits(), "{}", spec.id);
                    // Somebody has to ask for the logits that the step did not come by.
                    cost += Passes { forwards: u64::from(found.logits.is_none()), backwards: 0 };
                }
                cost += oracle.take_cost();
                assert_eq!(cost, attack.cost(), "{} {norm}, eot {eot}", spec.id);
                assert_eq!(oracle.take_cost(), Passes::default());
            }
        }
    }
}

/// Would catch more targets than there are wrong classes, ranks out of order, and a loss that
/// needs more classes than there are; all of it said in a notice.
#[test]
fn few_classes_are_noticed() {
    for (spec, given, classes, targets, words) in [
        (&apgd::TARGETED, &[][..], 10, 9, &[][..]),
        (&apgd::TARGETED, &[], 5, 4, &["9 targets", "5 classes there are 4"]),
        (&apgd::TARGETED, &[], 3, 2, &["needs 4 classes", "has 3", "margin", "2 of 9 targets"]),
        (&apgd::TARGETED, &[("targets", "1")], 2, 1, &["needs 4 classes", "has 2", "margin"]),
        (&apgd::DLR, &[], 2, 0, &["needs 3 classes", "has 2", "margin"]),
        (&apgd::DLR, &[], 3, 0, &[]),
        (&apgd::CE, &[], 2, 0, &[]),
        (&pgd::SPEC, &[("loss", "dlr")], 2, 0, &["needs 3 classes"]),
        (&pgd::SPEC, &[("targets", "7")], 4, 3, &["7 targets", "there are 3"]),
    ] {
        let given: Vec<_> =
            given.iter().map(|(n, v): &(&str, &str)| ((*n).to_owned(), (*v).to_owned())).collect();
        let settings = Settings::resolve(spec.id, spec.settings, &given).unwrap();
        let found = plan(spec, threat(Norm::Linf, "0.1"), classes, &settings).unwrap();
        let notice = found.notice.unwrap_or_default();
        assert_eq!(words.is_empty(), notice.is_empty(), "{} {classes}: {notice}", spec.id);
        assert!(words.iter().all(|word| notice.contains(word)), "{} {classes}: {notice}", spec.id);
        let ranks: Vec<_> =
            (0..found.attack.rounds()).map(|r| found.attack.target_rank(r)).collect();
        let expected: Vec<_> =
            if targets == 0 { vec![None] } else { (1..=targets).map(Some).collect() };
        assert_eq!(ranks, expected, "{} {classes}", spec.id);
    }
    let settings = cheap(&apgd::CE, &[]);
    let error = plan(&apgd::CE, threat(Norm::Linf, "0.1"), 1, &settings).err().unwrap();
    assert!(error.to_string().contains("classes"), "{error}");
}

/// Would catch an entry that `list` and `explain` cannot show, or an id used twice.
#[test]
fn the_registries_are_complete() {
    let mut ids: Vec<&str> = ATTACKS.iter().map(|spec| spec.id).collect();
    ids.extend(resilience::recipe::RECIPES.iter().map(|spec| spec.id));
    ids.extend(resilience::zoo::ARCHITECTURES.iter().map(|spec| spec.id));
    let texts = ATTACKS
        .iter()
        .flat_map(|spec| [spec.title, spec.source, spec.about])
        .chain(ATTACKS.iter().flat_map(|spec| spec.settings.iter().map(|s| s.about)))
        .chain(resilience::recipe::RECIPES.iter().flat_map(|s| [s.title, s.source, s.about]))
        .chain(resilience::zoo::ARCHITECTURES.iter().flat_map(|s| [s.title, s.source, s.about]));
    assert!(texts.into_iter().all(|text| text.len() > 3));
    for (index, id) in ids.iter().enumerate() {
        assert!(!ids[..index].contains(id), "{id} twice");
        assert!(id.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-'));
    }
}
