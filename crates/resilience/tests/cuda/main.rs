//! A network on a CUDA device beside the same one on the host. It needs such a device, and a libtorch
//! for it: `make test-cuda`.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails right there")]

use resilience::batch::Batch;
use resilience::loss;
use resilience::model::{Classifier, Differentiable, Graph, Learner, Native, Script, Towards};
use resilience::optim::Optimiser;
use resilience::zoo::ARCHITECTURES;
use resilience_core::format::pth;
use resilience_core::method::Optimiser as Rule;
use resilience_core::view::View;
use tch::Tensor;

/// How far two tensors are apart, of the largest number of the second.
fn apart(one: &Tensor, other: &Tensor) -> f64 {
    ((one - other).abs().max() / other.abs().max()).double_value(&[])
}

fn model(architecture: &str) -> Native {
    Native::initial(architecture, 3, [0.5, 0.375, 0.4375], [0.25, 0.1875, 0.3125]).unwrap()
}

/// Logits, and the gradient of the loss with respect to the images.
fn answers(model: &dyn Differentiable, batch: &Batch) -> [Tensor; 2] {
    let pass = model.pass(&batch.images).unwrap();
    let losses = loss::cross_entropies(&pass.logits, &batch.labels).unwrap();
    [pass.logits.detach(), pass.gradient(&losses, Graph::Free).unwrap()]
}

/// How all parameters have changed after two steps of training, joined.
fn learnt(model: &Native, batch: &Batch) -> Tensor {
    let numbers = || {
        let trainable = model.network().trainable();
        let flat = trainable.map(|parameter| parameter.tensor.detach().flatten(0, -1));
        Tensor::cat(&flat.collect::<Vec<_>>(), 0).to_device(tch::Device::Cpu)
    };
    let rule =
        Rule::Sgd { learning_rate: 0.001, momentum: 0.9, nesterov: true, weight_decay: 5e-4 };
    let mut optimiser = Optimiser::new(model.network().trainable(), rule).unwrap();
    let mut learner = Learner::new(model).unwrap();
    let before = numbers();
    for _ in 0..2 {
        let step = learner.learn(|lesson| {
            let pass = lesson.pass(&batch.images, Towards::ImagesToo)?;
            let loss = loss::cross_entropy(&pass.logits, &batch.labels)?;
            lesson.backward_to_images(pass, &loss)
        });
        assert_eq!(step.unwrap().device(), batch.images.device());
        optimiser.step(1.0).unwrap();
    }
    numbers() - before
}

/// The cosine of the angle between two directions.
fn cosine(one: &Tensor, other: &Tensor) -> f64 {
    let product = |a: &Tensor, b: &Tensor| (a * b).sum(tch::Kind::Double).double_value(&[]);
    product(one, other) / (product(one, one) * product(other, other)).sqrt()
}

/// TorchScript modules of the golden cases, by name and the side of their images.
const MODULES: [(&str, i64); 3] = [("small", 32), ("branch", 32), ("wide-trace", 8)];

fn module(name: &str, side: i64) -> Script {
    let path = format!("{}/tests/golden/script/{name}.pt", env!("CARGO_MANIFEST_DIR"));
    let (file, _) = pth::read_script(path.as_ref(), None).unwrap();
    Script::load(&file, [0.5, 0.375, 0.4375], [0.25, 0.1875, 0.3125], Some([side, side])).unwrap()
}

/// Would catch a parameter that stays on the host, a layer whose numbers do not come along, logits or
/// gradients that do not come back, a verdict in TF32 (which is 1e-3 away), a form that is another network,
/// and a step of the optimiser that is another one on the device.
#[test]
fn a_network_on_a_cuda_device_is_the_network() {
    let spec = |place: usize| ARCHITECTURES[place];
    let batches: Vec<Batch> = (0..ARCHITECTURES.len())
        .map(|place| Batch::random(16, spec(place).input, spec(place).classes).unwrap())
        .collect();
    let places = || (0..ARCHITECTURES.len()).zip(&batches);
    let here: Vec<_> = places()
        .map(|(place, batch)| {
            let model = model(spec(place).id);
            let first = answers(&model, batch);
            (first, learnt(&model, batch))
        })
        .collect();
    let modules = MODULES.map(|(name, side)| {
        let batch = Batch::random(16, [3, side, side], 10).unwrap();
        let first = answers(&module(name, side), &batch);
        (name, side, batch, first)
    });
    resilience::set_device("cuda").unwrap();
    assert_eq!(resilience::device_name(), "cuda:0");
    for ((place, batch), (first, change)) in places().zip(&here) {
        let (model, id) = (model(spec(place).id), spec(place).id);
        assert!(model.logits(&batch.images).unwrap().device() == tch::Device::Cpu);
        let compare =
            |model: &dyn Differentiable, expected: &[Tensor; 2], [most, slope]: [f64; 2]| {
                let [logits, gradient] = answers(model, batch);
                let [by, along] = [apart(&logits, &expected[0]), apart(&gradient, &expected[1])];
                assert!(by < most && along < slope, "{id}: logits {by:.1e}, gradient {along:.1e}");
            };
        compare(&model, first, [5e-5, 2e-2]);
        let folded = model.form(View::Folded).unwrap().unwrap();
        compare(folded.as_ref(), first, [5e-5, 2e-2]);
        let half = model.form(View::Bf16).unwrap().unwrap();
        compare(half.as_ref(), first, [0.2, 2.0]);
        assert!(model.form(View::Compiled).unwrap().is_none(), "{id}: kernels are the processor's");
        let along = cosine(&learnt(&model, batch), change);
        // Gradients of weights are in TF32; in ResNet-110, whose batch norms pass that on, 0.93 was seen.
        assert!(along > 0.9, "{id}: two steps go another way, cosine {along:.4}");
    }
    for (name, side, batch, first) in &modules {
        let model = module(name, *side);
        let [logits, gradient] = answers(&model, batch);
        let [by, along] = [apart(&logits, &first[0]), apart(&gradient, &first[1])];
        assert!(by < 5e-5 && along < 2e-2, "{name}: logits {by:.1e}, gradient {along:.1e}");
        assert_eq!(model.twin().is_some(), *name == "wide-trace", "{name}");
    }
}
