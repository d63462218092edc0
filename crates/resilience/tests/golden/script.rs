//! TorchScript modules against PyTorch, and against the network of the zoo that some of them are.

use std::path::{Path, PathBuf};

use resilience::loss;
use resilience::model::{Classifier, Differentiable, Graph, Native, Rows, Script};
use resilience_core::format::pth::{self, Script as File};
use resilience_core::view::View;
use serde_json::Value;
use tch::{Kind, Tensor};

use super::{apart, assert_close, fixture, formula, numbers};

fn path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/golden/script/{name}.pt"))
}

fn file(name: &str) -> File {
    pth::read_script(&path(name), None).unwrap_or_else(|error| panic!("{name}: {error}")).0
}

/// A module without a normalisation.
fn load(name: &str, size: Option<[i64; 2]>) -> Script {
    Script::load(&file(name), [0.0; 3], [1.0; 3], size)
        .unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// Why a module is refused.
fn refused(name: &str) -> String {
    Script::load(&file(name), [0.0; 3], [1.0; 3], None).err().expect(name).to_string()
}

fn images(shape: &[i64]) -> Tensor {
    let count = 3 * shape.iter().product::<i64>();
    let values = formula::unit(9950, count as usize);
    Tensor::from_slice(&values).to_kind(Kind::Float).view([3, shape[0], shape[1], shape[2]])
}

fn labels() -> Tensor {
    Tensor::from_slice(&[1_i64, 4, 6])
}

fn flat(tensor: &Tensor) -> Vec<f64> {
    Vec::try_from(tensor.to_kind(Kind::Double).contiguous().view([-1])).unwrap()
}

/// The cases that are classifiers, with the shape of their images.
fn classifiers() -> Vec<(String, Vec<i64>, Value)> {
    let cases = fixture("script/models.json").as_array().unwrap().clone();
    let named = cases.into_iter().filter(|case| case["shape"].is_array()).map(|case| {
        let shape = numbers(&case["shape"]).into_iter().map(|side| side as i64).collect();
        (case["name"].as_str().unwrap().to_owned(), shape, case)
    });
    named.collect()
}

/// The mean cross-entropy's gradient.
fn gradient(model: &dyn Differentiable, images: &Tensor) -> Tensor {
    let pass = model.pass(images).unwrap();
    let losses = loss::cross_entropies(&pass.logits, &labels()).unwrap();
    pass.gradient(&(losses / 3.0), Graph::Free).unwrap()
}

/// Would catch a module that is computed in another mode than it was exported in, an executor that answers
/// differently after a few passes, images that are laid out otherwise, and a gradient that is not PyTorch's.
#[test]
fn modules_agree_with_pytorch() {
    for (name, shape, case) in classifiers() {
        let model = load(&name, Some([shape[1], shape[2]]));
        assert_eq!(model.shape().as_slice(), shape, "{name}");
        let images = images(&shape);
        let first = model.logits(&images).unwrap();
        assert_close(&name, &flat(&first), &numbers(&case["logits"]), 1e-6);
        for _ in 0..4 {
            assert_eq!(model.logits(&images).unwrap(), first, "{name}");
        }
        let gradient = gradient(&model, &images);
        let norm = case["gradient"]["norm"].as_f64().unwrap_or(0.0);
        assert_eq!(model.is_differentiable(), norm > 0.0, "{name}");
        if case["gradient"].is_null() {
            assert!(gradient.abs().max().double_value(&[]) < f64::MIN_POSITIVE, "{name}");
        } else {
            let found = formula::digest(&gradient.to_kind(Kind::Double), 9951);
            let expected = formula::expected_digest(&case["gradient"]);
            let scale = norm.max(1e-9);
            let [found, expected] = [found, expected]
                .map(|digest| digest.iter().map(|x| x / scale).collect::<Vec<_>>());
            assert_close(&format!("{name}: gradient"), &found, &expected, 1e-5);
        }
    }
}

/// Would catch images shown together to a module that answers for the batch, or that was made for one.
#[test]
fn modules_that_mix_images_get_them_one_by_one() {
    for (name, shape, case) in classifiers() {
        let model = load(&name, Some([shape[1], shape[2]]));
        let one = case["one"].as_bool().unwrap() && name != "branch";
        assert_eq!(*model.rows() != Rows::Together, one, "{name}: {:?}", model.rows());
        assert_eq!(
            model.notices().iter().any(|notice| notice.contains("one by one")),
            one,
            "{name}"
        );
    }
}

/// Would catch weights that are read under other names or in another order than the module has them: the
/// network of the zoo with the weights of the file is the module, logit for logit.
#[test]
fn exports_are_the_network_of_the_zoo() {
    let images = images(&[3, 8, 8]);
    for name in ["wide-trace", "wide-script"] {
        let file = file(name);
        let native = Native::load("cifar-wide:size=8", &file.state, [0.0; 3], [1.0; 3]).unwrap();
        let model = load(name, Some([8, 8]));
        let [found, expected] =
            [model.logits(&images), native.logits(&images)].map(|logits| flat(&logits.unwrap()));
        assert_close(name, &found, &expected, 1e-6);
        assert_eq!(model.parameter_count(), native.network().parameter_count(), "{name}");
    }
}

/// Would catch a module that our kernels could look at and do not, and a form of it that answers otherwise:
/// with a normalisation of its own, and with that of a manifest.
#[test]
fn our_own_forms_of_exports_answer_as_they_do() {
    let images = images(&[3, 8, 8]);
    let (mean, std) = ([0.4, 0.5, 0.6], [0.2, 0.25, 0.3]);
    let given = Script::load(&file("wide-trace"), mean, std, Some([8, 8])).unwrap();
    for (name, model) in [
        ("wide-trace", load("wide-trace", Some([8, 8]))),
        ("wide-script", load("wide-script", Some([8, 8]))),
        ("wide-normalised", load("wide-normalised", Some([8, 8]))),
        ("wide-trace, normalised", given),
    ] {
        assert_eq!(model.twin().as_deref(), Some("cifar-wide:size=8"), "{name}");
        let logits = flat(&model.logits(&images).unwrap());
        let back = flat(&gradient(&model, &images));
        for view in [View::Folded, View::Compiled] {
            let form = model.form(view).unwrap();
            if view == View::Compiled && cfg!(not(target_arch = "x86_64")) {
                continue;
            }
            let form = form.unwrap_or_else(|| panic!("{name} has no form {view:?}"));
            let far = apart(&flat(&form.logits(&images).unwrap()), &logits);
            assert!(far < 1e-5, "{name}, {view:?}: logits {far:.1e}");
            let far = apart(&flat(&gradient(form.as_ref(), &images)), &back);
            assert!(far < 1e-4, "{name}, {view:?}: gradient {far:.1e}");
        }
    }
    // Its weights lie inside its code: they have no names.
    let frozen = load("wide-frozen", Some([8, 8]));
    assert_eq!(frozen.twin(), None);
    assert!(frozen.form(View::Folded).unwrap().is_none());
}

/// Would catch a size that is guessed wrongly where none is stated.
#[test]
fn usual_sizes_are_tried() {
    assert_eq!(load("small", None).shape(), [3, 32, 32]);
    assert_eq!(load("grey", None).shape(), [1, 28, 28]);
    let size =
        Script::load(&file("wide-trace"), [0.0; 3], [1.0; 3], None).err().unwrap().to_string();
    assert!(size.contains("input_size"), "{size}");
    assert_eq!(load("small", Some([20, 12])).shape(), [3, 20, 12]);
}

/// Would catch what is no classifier taken for one, and an error that does not say what to do.
#[test]
fn what_is_no_classifier_is_refused() {
    for (name, expected) in [
        ("pair", "a tuple; export the model so that it gives the logits alone"),
        ("features", "[1, 4, 32, 32]; export the model so that it gives the logits alone"),
        ("two", "missing value for argument 'scale'"),
        ("half", "Half"),
        ("optimised", "without torch.jit.optimize_for_inference"),
        ("one-logit", "two classes at least, found 1"),
    ] {
        let error = refused(name);
        assert!(error.contains(expected), "{name}: {error}");
        assert!(!error.contains('\n'), "{name}: {error}");
    }
}

/// Would catch randomness that is taken for images which mix, and would then be computed one by one in vain.
#[test]
fn noise_is_no_mixing() {
    assert_eq!(*load("noisy", None).rows(), Rows::Together);
}

/// Would catch a blocked gradient that nobody is told of.
#[test]
fn blocked_gradients_are_said() {
    for (name, said) in [
        ("detached", true),
        ("no-grad", true),
        ("argmax", true),
        // There is a gradient, and it is zero.
        ("rounded", true),
        ("small", false),
    ] {
        let notices = load(name, None).notices();
        assert_eq!(notices.iter().any(|notice| notice.contains("no gradient")), said, "{name}");
    }
}
