//! Where values lie: nothing that is still needed is overwritten, and margins stay zero.

use super::*;
use crate::kernel::program::Weights;
use crate::layer::Window;
use crate::rng::{self, Purpose};
use crate::zoo::find;
use tch::Kind;

fn numbers(len: usize) -> Vec<f32> {
    let mut numbers = vec![0.0; len];
    rng::fill_uniform(&mut rng::stream(1, Purpose::Draw, 0, 0), &mut numbers);
    numbers
}

fn convolution(
    program: &mut Program,
    from: usize,
    channels: [usize; 2],
    window: Window,
    add: Option<usize>,
) -> usize {
    let size = window.size as usize;
    let numbers = numbers(channels[0] * channels[1] * size * size);
    let weights = Weights { name: "", numbers: &numbers, channels, bias: &numbers[..channels[1]] };
    program.convolution(from, &weights, window, add).unwrap()
}

/// A program with every operation, whose slots are read late and often.
fn tangled() -> Program {
    let mut p = Program::new([3, 9, 11]);
    let first = convolution(&mut p, 0, [3, 8], Window::THREE, None);
    p.relu().unwrap();
    let second = convolution(&mut p, first, [8, 8], Window::THREE, Some(first));
    p.relu().unwrap();
    let third = convolution(&mut p, second, [8, 8], Window::THREE, None);
    let fourth = convolution(&mut p, third, [8, 8], Window::THREE, Some(second));
    let _ = convolution(&mut p, fourth, [8, 8], Window::THREE, Some(third));
    p.affine(&numbers(8), &numbers(8)).unwrap();
    p.relu().unwrap();
    let pooled = p.relu_max_pool().unwrap(); // 4 x 5
    let fifth = convolution(&mut p, pooled, [8, 16], Window::THREE_HALVING, None);
    p.relu().unwrap();
    let around = p.subsample(pooled, 3, 16).unwrap();
    let _ = convolution(&mut p, fifth, [16, 16], Window::THREE, Some(around));
    p.flatten().unwrap();
    let numbers = numbers(16 * 6 * 5);
    p.linear(&Weights { name: "", numbers: &numbers, channels: [96, 5], bias: &numbers[..5] })
        .unwrap();
    p
}

/// The tangled program, and the architectures that are not too large to be packed in a test.
fn engines(keep: Keep) -> Vec<Engine> {
    let small = ["resilience-cnn", "resnet20", "resnet2b", "cifar-wide"];
    let programs = small.iter().map(|name| {
        let network = find(name).unwrap().build(0, Kind::Float).unwrap();
        network.folded().unwrap().lowered().unwrap().unwrap()
    });
    programs.chain([tangled()]).map(|program| Engine::new(program, keep).unwrap()).collect()
}

/// Would catch a buffer that is given to a new value before the last reader of the old one, or to
/// one that lies in it otherwise.
#[test]
fn no_buffer_is_overwritten_while_it_is_needed() {
    for (keep, engine) in [Keep::Masks, Keep::Inputs]
        .into_iter()
        .flat_map(|keep| engines(keep).into_iter().map(move |e| (keep, e)))
    {
        let Engine { program, values, gradients, way, .. } = &engine;
        let mut holds = Holds::new(values, 0);
        for step in &program.steps {
            holds.step([Some(step.from), step.add], step.to);
            assert_eq!(values.maps[values.buffer[step.to]], program.slots[step.to].map);
        }
        holds.step([Some(program.top()), None], usize::MAX);
        // For training the inputs of all weights are there at the end.
        for step in
            program.steps.iter().filter(|step| keep == Keep::Inputs && step.origin.is_some())
        {
            holds.step([Some(step.from), None], usize::MAX);
        }

        let mut holds = Holds::new(gradients, 0);
        for back in way {
            let step = &program.steps[back.step];
            holds.step([Some(back.from), back.add], back.to);
            let map = |number: usize| gradients.maps[gradients.buffer[number]];
            assert_eq!(map(back.from), program.slots[step.to].map);
            assert_eq!(map(back.to), program.slots[step.from].map);
            assert!(back.add.is_none_or(|add| map(add) == map(back.to)));
        }
        holds.step([Some(gradients.buffer.len() - 1), None], usize::MAX);
    }
}

/// What each buffer holds.
struct Holds<'a> {
    layout: &'a Layout,
    values: Vec<Option<usize>>,
}

impl<'a> Holds<'a> {
    fn new(layout: &'a Layout, first: usize) -> Self {
        let mut values = vec![None; layout.maps.len()];
        values[layout.buffer[first]] = Some(first);
        Self { layout, values }
    }

    /// Reads some values, and writes another where it has a place.
    fn step(&mut self, read: [Option<usize>; 2], write: usize) {
        let place = self.layout.buffer.get(write);
        for read in read.into_iter().flatten() {
            let from = self.layout.buffer[read];
            assert_eq!(self.values[from], Some(read));
            assert_ne!(Some(&from), place);
        }
        if let Some(&place) = place {
            self.values[place] = Some(write);
        }
    }
}

/// Would catch a margin that is written to, and a number that is read before it is written: what
/// an earlier call left is replaced with NaN.
#[test]
fn what_earlier_calls_left_is_never_read() {
    if !super::super::available() {
        return;
    }
    for engine in engines(Keep::Inputs) {
        let images = 3;
        let (pixels, towards) = (numbers(images * engine.pixels()), numbers(images * 5));
        let mut space = Workspace::default();
        let first = learnt(&engine, &mut space, &pixels, &towards);
        poison(&engine, &mut space);
        let again = learnt(&engine, &mut space, &pixels, &towards);
        assert!(!first.is_empty() && first.len() == again.len());
        assert!(first.iter().zip(&again).all(|(first, again)| first.to_bits() == again.to_bits()));
    }
    for engine in engines(Keep::Masks) {
        let images = 3;
        let (pixels, towards) = (numbers(images * engine.pixels()), numbers(images * 5));
        let mut space = Workspace::default();
        let fresh = answers(&engine, &mut space, &pixels, &towards);
        poison(&engine, &mut space);
        let fewer = &pixels[..2 * engine.pixels()];
        let again = answers(&engine, &mut space, fewer, &towards[..10]);
        for (again, fresh) in again.iter().zip(&fresh) {
            let same = again.iter().zip(fresh).all(|(a, b)| a.to_bits() == b.to_bits());
            assert!(same && again.len() * 3 == fresh.len() * 2);
        }
        poison(&engine, &mut space);
    }
}

fn answers(
    engine: &Engine,
    space: &mut Workspace,
    pixels: &[f32],
    towards: &[f32],
) -> [Vec<f32>; 2] {
    let mut tape = engine.tape(pixels.len() / engine.pixels());
    let (mut logits, mut gradient) = (vec![0.0; towards.len()], vec![0.0; pixels.len()]);
    engine.forward(space, pixels, &mut logits, Some(&mut tape));
    engine.backward(space, &tape, towards, None, Some(&mut gradient));
    [logits, gradient]
}

/// The gradients of all weights.
fn learnt(engine: &Engine, space: &mut Workspace, pixels: &[f32], towards: &[f32]) -> Vec<f32> {
    let mut tape = engine.tape(pixels.len() / engine.pixels());
    let (mut logits, mut sums) = (vec![0.0; towards.len()], engine.sums());
    engine.forward(space, pixels, &mut logits, Some(&mut tape));
    engine.backward(space, &tape, towards, Some(&mut sums), None);
    let gradients = engine.finish(&mut sums).into_iter();
    gradients.flat_map(|gradient| [gradient.weight, gradient.bias]).flatten().collect()
}

/// Checks that margins are zero, and puts NaN everywhere else.
fn poison(engine: &Engine, space: &mut Workspace) {
    let values = engine.values.maps.iter().zip(&mut space.values);
    for (map, buffer) in values.chain(engine.gradients.maps.iter().zip(&mut space.gradients)) {
        for image in buffer.chunks_exact_mut(map.size()) {
            let mut inside = vec![false; image.len()];
            for (y, x) in (0..map.height).flat_map(|y| (0..map.width).map(move |x| (y, x))) {
                inside[map.at(y, x)..][..map.channels].fill(true);
            }
            for (value, inside) in image.iter_mut().zip(inside) {
                assert!(inside || value.to_bits() == 0, "{map:?}");
                *value = if inside { f32::NAN } else { *value };
            }
        }
    }
    space.patches.products.fill(f32::NAN);
    space.patches.panel.fill(f32::NAN);
}
