//! The small networks of the literature on certified robustness: convolutions with biases and ReLU, then
//! fully connected layers, in a row whose places are the names of the state dict.

use super::architecture::{CHANNELS, classes, size};
use super::{Architecture, ArchitectureSpec, Guess, Shapes};
use crate::error::EngineError;
use crate::layer::{Builder, Conv, Flatten, Layers, Linear, Pad, Relu, Window};
use crate::settings::{Range, Setting};

/// The row of a network, but for its width.
struct Row {
    /// Zero pixels around the image before the first convolution: a place of its own.
    pad: Option<Pad>,
    /// Of each convolution how many times the width it gives, and its window.
    convs: &'static [(i64, Window)],
    /// How many fully connected layers of `hidden` features come before the last one.
    hidden: usize,
}

/// The window that most of these networks halve the image with.
const HALVING: Window = Window { size: 4, stride: 2, padding: 1 };

const WIDE: Row = Row { pad: None, convs: &[(1, HALVING), (2, HALVING)], hidden: 1 };

const DEEP: Row = Row {
    pad: None,
    convs: &[(1, HALVING), (1, Window::THREE), (1, Window::THREE), (1, HALVING)],
    hidden: 1,
};

const FOUR_B: Row = Row {
    pad: Some(Pad([1, 2, 1, 2])),
    convs: &[(1, Window { size: 5, stride: 2, padding: 0 }), (4, HALVING)],
    hidden: 1,
};

const SMALL: Row = Row {
    pad: None,
    convs: &[(1, Window { padding: 0, ..HALVING }), (2, Window { padding: 0, ..HALVING })],
    hidden: 1,
};

const BIG: Row = Row {
    pad: None,
    convs: &[(1, Window::THREE), (1, HALVING), (2, Window::THREE), (2, HALVING)],
    hidden: 2,
};

pub(super) static CIFAR_WIDE: ArchitectureSpec = ArchitectureSpec {
    id: "cifar-wide",
    title: "CIFAR wide",
    source: "Wong et al. 2018, Scaling Provable Adversarial Defenses; named in Lu and Kumar 2020, \
             Neural Network Branching for Neural Network Verification",
    about: "Two 4x4 convolutions of 16 and 32 channels, each halving the image and followed by \
            ReLU, then fully connected layers of 100 features and as many as there are classes. It is \
            Wong and Kolter's small network (for MNIST with size=28,channels=1, and with width=32 \
            their large one) and the cnn_4layer of alpha-beta-CROWN; OVAL's base network has width=8. \
            Its state dict has the numbers of the layers for names: 0, 2, 5 and 7.",
    parameters: &[classes(10), size(32), CHANNELS, width(16), hidden(100)],
    positional: &[],
    unseen: &[],
    idle: &[],
    small: &[],
    guess: |file| guess(file, &WIDE),
    build: |builder, form| build(builder, form, &WIDE),
};

pub(super) static CIFAR_DEEP: ArchitectureSpec = ArchitectureSpec {
    id: "cifar-deep",
    title: "CIFAR deep",
    source: "Lu and Kumar 2020, Neural Network Branching for Neural Network Verification (OVAL)",
    about: "Four convolutions of 8 channels with ReLU, 4x4, 3x3, 3x3 and 4x4, of which the first and \
            the last halve the image, then fully connected layers of 100 features and as many as \
            there are classes. Its state dict has the numbers of the layers for names: 0, 2, 4, 6, 9 \
            and 11.",
    parameters: &[classes(10), size(32), CHANNELS, width(8), hidden(100)],
    positional: &[],
    unseen: &[],
    idle: &[],
    small: &[],
    guess: |file| guess(file, &DEEP),
    build: |builder, form| build(builder, form, &DEEP),
};

pub(super) static CNN_4LAYER_B: ArchitectureSpec = ArchitectureSpec {
    id: "cnn-4layer-b",
    title: "CNN of four layers, B",
    source: "alpha-beta-CROWN (cnn_4layer_b); Dathathri et al. 2020, Enabling Certification of \
             Verification-Agnostic Networks via Memory-Efficient Semidefinite Programming (CNN-B)",
    about: "A 5x5 convolution of 32 channels and a 4x4 one of 128, each halving the image and followed \
            by ReLU, then fully connected layers of 250 features and as many as there are classes. The \
            image has a margin of one zero pixel to the left and above and of two to the right and \
            below, which is a layer of its own. Its state dict has the numbers of the layers for names: \
            1, 3, 6 and 8.",
    parameters: &[classes(10), size(32), CHANNELS, width(32), hidden(250)],
    positional: &[],
    unseen: &[],
    idle: &[],
    small: &[("width", "8")],
    guess: |file| guess(file, &FOUR_B),
    build: |builder, form| build(builder, form, &FOUR_B),
};

pub(super) static CONV_SMALL: ArchitectureSpec = ArchitectureSpec {
    id: "conv-small",
    title: "ConvSmall",
    source: "Singh et al. 2019, An Abstract Domain for Certifying Neural Networks (ERAN's ConvSmall)",
    about: "Two 4x4 convolutions of 16 and 32 channels with stride 2, without padding and followed by \
            ReLU, then fully connected layers of 100 features and as many as there are classes. For \
            MNIST with size=28,channels=1. Its state dict has the numbers of the layers for names: 0, 2, \
            5 and 7, as that of cifar-wide; the sizes differ.",
    parameters: &[classes(10), size(32), CHANNELS, width(16), hidden(100)],
    positional: &[],
    unseen: &[],
    idle: &[],
    small: &[],
    guess: |file| guess(file, &SMALL),
    build: |builder, form| build(builder, form, &SMALL),
};

pub(super) static CONV_BIG: ArchitectureSpec = ArchitectureSpec {
    id: "conv-big",
    title: "ConvBig",
    source: "Wong et al. 2018, Scaling Provable Adversarial Defenses (the large network); Singh et al. \
             2019, An Abstract Domain for Certifying Neural Networks (ERAN's ConvBig)",
    about: "Four convolutions with ReLU, 3x3 and 4x4 of 32 channels, then 3x3 and 4x4 of 64; the 4x4 ones \
            halve the image. Then two fully connected layers of 512 features and one of as many as there \
            are classes. For MNIST with size=28,channels=1. Its state dict has the numbers of the layers \
            for names: 0, 2, 4, 6, 9, 11 and 13.",
    parameters: &[classes(10), size(32), CHANNELS, width(32), hidden(512)],
    positional: &[],
    unseen: &[],
    idle: &[],
    small: &[("width", "8"), ("hidden", "64")],
    guess: |file| guess(file, &BIG),
    build: |builder, form| build(builder, form, &BIG),
};

const fn width(default: u32) -> Setting {
    Setting {
        name: "width",
        value: Range::Count(default, 1, 4096),
        about: "channels of the first convolution",
    }
}

const fn hidden(default: u32) -> Setting {
    Setting {
        name: "hidden",
        value: Range::Count(default, 1, 65_536),
        about: "features of each hidden fully connected layer",
    }
}

impl Row {
    /// The side of the image behind all convolutions.
    fn shrunk(&self, size: i64) -> i64 {
        let padded = self.pad.map_or(size, |Pad([left, right, ..])| size + left + right);
        self.convs.iter().fold(padded, |side, (_, Window { size, stride, padding })| {
            (side + 2 * padding - size) / stride + 1
        })
    }

    /// The places of its convolutions and of its fully connected layers.
    fn places(&self) -> (Vec<String>, Vec<String>) {
        let first = usize::from(self.pad.is_some());
        let name = |place: usize| place.to_string();
        let flat = first + 2 * self.convs.len();
        let convs = (0..self.convs.len()).map(|number| name(first + 2 * number)).collect();
        // A flattening stands between the two kinds.
        let linears = (0..=self.hidden).map(|number| name(flat + 1 + 2 * number)).collect();
        (convs, linears)
    }
}

fn guess(file: &Shapes, row: &Row) -> Guess {
    let (convs, linears) = row.places();
    let weight = |place: &str, dimension| file.side(&format!("{place}.weight"), dimension);
    let channels = convs.last().and_then(|last| weight(last, 0)).filter(|&channels| channels > 0);
    let features = linears.first().and_then(|first| weight(first, 1));
    // Of several sizes that give the same features, that of the usual images, if it is one.
    let fits = |size: &i64| {
        let area = row.shrunk(*size).pow(2) as usize;
        channels.zip(features).is_some_and(|(channels, features)| channels * area == features)
    };
    let size = [32, 28].into_iter().chain(8..=256).find(fits).map(|size| size as usize);
    Guess::default()
        .with("classes", linears.last().and_then(|last| weight(last, 0)))
        .with("channels", weight(&convs[0], 1))
        .with("width", weight(&convs[0], 0))
        .with("hidden", linears.first().and_then(|first| weight(first, 0)))
        .with("size", size)
}

fn build(builder: &mut Builder, form: &Architecture, row: &Row) -> Result<Layers, EngineError> {
    let (convs, linears) = row.places();
    let mut layers: Layers = Vec::new();
    if let Some(pad) = row.pad {
        layers.push(Box::new(pad));
    }
    let mut input = form.channels();
    for (&(times, window), name) in row.convs.iter().zip(&convs) {
        let output = times * form.count("width");
        layers.push(Box::new(Conv::with_bias(builder, name, [input, output], window)?));
        layers.push(Box::new(Relu));
        input = output;
    }
    layers.push(Box::new(Flatten));
    let mut features = input * row.shrunk(form.size()).pow(2);
    for (number, name) in linears.iter().enumerate() {
        if number > 0 {
            layers.push(Box::new(Relu));
        }
        let output = if number < row.hidden { form.count("hidden") } else { form.classes };
        layers.push(Box::new(Linear::new(builder, name, [features, output])?));
        features = output;
    }
    Ok(layers)
}
