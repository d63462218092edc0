//! What an attack may see that works with labels alone.

use resilience::EngineError;
use resilience::attack::{Attack, Rows, hopskipjump};
use resilience::geometry;
use resilience::model::{Classifier, Differentiable, Oracle, Pass};
use resilience::rows::select;
use resilience::settings::Settings;
use resilience_core::threat::Norm;
use tch::{Kind, Tensor};

use super::{Case, Linear, images, labels, plan, threat};

/// A model that says which class comes first, and nothing else.
struct Verdicts<'a>(&'a Linear);

impl Classifier for Verdicts<'_> {
    fn logits(&self, images: &Tensor) -> Result<Tensor, EngineError> {
        let logits = self.0.logits(images)?;
        let first = logits.argmax(1, true);
        Ok(logits.zeros_like().scatter_value(1, &first, 1.0))
    }
}

impl Differentiable for Verdicts<'_> {
    fn pass(&self, _: &Tensor) -> Result<Pass, EngineError> {
        panic!("there is no gradient of a label");
    }
}

/// As many queries as several steps take, on images so small.
const QUERIES: &str = "400";

fn walking(norm: Norm) -> Box<dyn Attack> {
    let given = [("queries", QUERIES), ("samples", "12")];
    let given: Vec<_> = given.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
    let spec = &hopskipjump::SPEC;
    let settings = Settings::resolve(spec.id, spec.settings, &given).unwrap();
    plan(spec, threat(norm, "0.1"), 3, &settings).unwrap().attack
}

/// The candidates of all steps. Before these steps rows leave, by place among those that are left.
fn run(
    attack: &dyn Attack,
    model: &dyn Differentiable,
    rows: &Rows,
    leaving: &[(usize, &[usize])],
) -> Vec<Tensor> {
    let oracle = Oracle::new(model, 128, 1, None);
    let mut state = attack.start(rows).unwrap();
    let mut n = rows.indices.len();
    let mut found = Vec::new();
    for step in 0..attack.steps() as usize {
        if let Some((_, gone)) = leaving.iter().find(|(at, _)| *at == step) {
            let kept: Vec<usize> = (0..n).filter(|place| !gone.contains(place)).collect();
            let places = kept.iter().map(|&place| place as i64).collect::<Vec<_>>();
            for tensor in state.tensors() {
                *tensor = select(tensor, &Tensor::from_slice(&places)).unwrap();
            }
            state.keep(&kept);
            n = kept.len();
        }
        found.push(state.step(&oracle).unwrap().images);
    }
    found
}

/// Would catch an attack that looks at a logit, a probability or a margin: where the model says a class
/// only, every query is the same to the bit.
#[test]
fn a_label_is_all_that_hopskipjump_sees() {
    let shape = [5, 3, 5, 6];
    let (model, x) = (Linear::new(shape, 3), images(shape));
    let y = labels(&model, &x);
    for &norm in hopskipjump::SPEC.norms {
        let attack = walking(norm);
        let case = Case::new(&hopskipjump::SPEC, attack.as_ref(), &model, (&x, &y));
        let rows = case.rows(0);
        let whole = run(attack.as_ref(), &model, &rows, &[]);
        let blind = run(attack.as_ref(), &Verdicts(&model), &rows, &[]);
        assert!(whole == blind, "{norm}");
        let near =
            |found: &Tensor| geometry::distance(norm, found, &x).unwrap().max().double_value(&[]);
        let (first, last) = (near(&whole[0]), near(&whole[whole.len() - 1]));
        assert!(last < 0.5 * first, "{norm}: it came from {first} to {last}");
    }
}

/// Would catch a walk that waits for another, takes its answers or its random numbers, or goes on with the
/// wrong image when others leave, in whatever phase: alone, and left over, it does the same to the bit.
#[test]
fn a_walk_does_not_depend_on_its_company() {
    let shape = [6, 3, 5, 6];
    let (model, x) = (Linear::new(shape, 3), images(shape));
    let y = labels(&model, &x);
    for &norm in hopskipjump::SPEC.norms {
        let attack = walking(norm);
        let case = Case::new(&hopskipjump::SPEC, attack.as_ref(), &model, (&x, &y));
        let whole = run(attack.as_ref(), &model, &case.rows(0), &[]);
        // Of 0 to 5 are left 0 2 3 5, then 2 3 5, then 3.
        let leaving: [(usize, &[usize]); 3] = [(9, &[1, 4]), (60, &[0]), (201, &[0, 2])];
        let fewer = run(attack.as_ref(), &model, &case.rows(0), &leaving);
        for (step, (whole, fewer)) in whole.iter().zip(&fewer).enumerate() {
            let left: &[i64] = match step {
                ..9 => &[0, 1, 2, 3, 4, 5],
                9..60 => &[0, 2, 3, 5],
                60..201 => &[2, 3, 5],
                _ => &[3],
            };
            let expected = whole.index_select(0, &Tensor::from_slice(left));
            assert!(*fewer == expected, "{norm}, step {step}");
        }
        for row in [0, 3, 5] {
            let (x, y) = (x.narrow(0, row, 1), y.narrow(0, row, 1));
            let case = Case::new(&hopskipjump::SPEC, attack.as_ref(), &model, (&x, &y));
            let alone = Case { first: row as u64, ..case }.rows(0);
            let alone = run(attack.as_ref(), &model, &alone, &[]);
            let same = whole.iter().zip(&alone).all(|(whole, one)| whole.narrow(0, row, 1) == *one);
            assert!(same, "{norm}, row {row}");
        }
    }
}

/// Would catch an attack that fails, or that leaves the box, where no noise is misclassified, and one that
/// gives up after some of it: there it goes on drawing.
#[test]
fn without_a_start_it_goes_on_looking() {
    let shape = [3, 3, 5, 6];
    let (x, y) = (images(shape), Tensor::zeros([3], (Kind::Int64, tch::Device::Cpu)));
    let model = Linear::constant(shape, &[9.0, 1.0, 0.5]);
    for &norm in hopskipjump::SPEC.norms {
        let attack = walking(norm);
        let case = Case::new(&hopskipjump::SPEC, attack.as_ref(), &model, (&x, &y));
        let found = run(attack.as_ref(), &model, &case.rows(0), &[]);
        for pair in found.windows(2) {
            let moved = (&pair[0] - &pair[1]).abs().mean(Kind::Double).double_value(&[]);
            assert!((0.25..0.42).contains(&moved), "{norm}: {moved} is not that of noise");
        }
    }
}

/// Would catch a direction, a step or a bisection that is worse than the published: on a linear model of
/// two classes 5,000 queries come within a tenth of the nearest boundary, which is known.
#[test]
fn the_boundary_of_a_linear_model_is_found_nearly_where_it_is() {
    let shape = [3, 3, 5, 5];
    let model = Linear::new(shape, 2);
    let x = Tensor::full(shape, 0.5, super::CPU) + (images(shape) - 0.5) * 0.1;
    let y = labels(&model, &x);
    let margins = resilience::loss::margins(&model.logits(&x).unwrap(), &y).unwrap();
    for &norm in hopskipjump::SPEC.norms {
        let spec = &hopskipjump::SPEC;
        let given = [("queries".to_owned(), "5000".to_owned())];
        let settings = Settings::resolve(spec.id, spec.settings, &given).unwrap();
        let attack = plan(spec, threat(norm, "0.1"), 2, &settings).unwrap().attack;
        let case = Case::new(spec, attack.as_ref(), &model, (&x, &y));
        let mut nearest = vec![f64::INFINITY; 3];
        for found in case.round(0).unwrap() {
            let margins = resilience::loss::margins(&model.logits(&found).unwrap(), &y).unwrap();
            let broken = Vec::<bool>::try_from(margins.le(0.0)).unwrap();
            let away = geometry::distance(norm, &found, &x).unwrap();
            for (row, away) in Vec::<f64>::try_from(away).unwrap().into_iter().enumerate() {
                if broken[row] {
                    nearest[row] = away.min(nearest[row]);
                }
            }
        }
        for (row, found) in (0..).zip(nearest) {
            let falls = model.falls(norm, y.int64_value(&[row])).double_value(&[0]);
            let truth = margins.double_value(&[row]) / falls;
            assert!((0.999..1.1).contains(&(found / truth)), "{norm}: {found}, not {truth}");
        }
    }
}
