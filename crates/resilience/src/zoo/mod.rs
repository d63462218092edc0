//! Architectures, one per file, and the registry of them.

mod cifar_wide;
mod network;
mod preactresnet18;
mod resilience_cnn;
mod resnet18;
mod resnet2b;
mod resnet_cifar;

use tch::Kind;

pub(crate) use network::to_array;
pub use network::{Network, Trainable};

use crate::error::EngineError;
use crate::layer::{Builder, Layers};

/// The architectures that a manifest can name. One line each.
pub static ARCHITECTURES: &[&ArchitectureSpec] = &[
    &resilience_cnn::SPEC,
    &resnet_cifar::RESNET20,
    &resnet_cifar::RESNET32,
    &resnet_cifar::RESNET44,
    &resnet_cifar::RESNET56,
    &resnet_cifar::RESNET110,
    &resnet18::SPEC,
    &preactresnet18::SPEC,
    &resnet2b::SPEC,
    &cifar_wide::SPEC,
];

/// What there is to know about an architecture.
#[derive(Debug)]
pub struct ArchitectureSpec {
    /// The name in arguments and manifests.
    pub id: &'static str,
    /// Its usual name.
    pub title: &'static str,
    /// Where it was published.
    pub source: &'static str,
    /// What it is, for `explain`: whole sentences.
    pub about: &'static str,
    /// Input shape: channels, height, width.
    pub input: [i64; 3],
    /// Number of classes.
    pub classes: i64,
    build: fn(&mut Builder) -> Result<Layers, EngineError>,
}

impl ArchitectureSpec {
    /// A network with initial weights drawn from `seed`, as PyTorch draws them.
    pub fn build(&'static self, seed: u64, kind: Kind) -> Result<Network, EngineError> {
        let mut builder = Builder::new(seed, kind);
        let layers = (self.build)(&mut builder)?;
        Ok(Network::new(self, layers, builder.finish()))
    }
}

/// The architecture of that id.
pub fn find(id: &str) -> Result<&'static ArchitectureSpec, EngineError> {
    crate::registry::find("architecture", id, ARCHITECTURES, |spec| spec.id)
}
