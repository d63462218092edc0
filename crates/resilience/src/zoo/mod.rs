//! Architectures, one per file, and the registry of them.

mod architecture;
mod cnn;
mod dm_preactresnet;
mod dm_wideresnet;
mod fit;
mod network;
mod preactresnet;
mod resilience_cnn;
mod resnet;
mod resnet2b;
mod resnet_cifar;
mod resnet_imagenet;
mod shapes;
mod wideresnet;

pub use architecture::Architecture;
pub use fit::{Fit, Reshaped, likely};
pub(crate) use network::to_array;
pub use network::{Network, Trainable};
use resilience_core::manifest::architecture::split;
pub use shapes::{Guess, Shapes};

use crate::error::EngineError;
use crate::layer::{Builder, Layers};
use crate::settings::Setting;

/// The architectures that a manifest can name. One line each.
pub static ARCHITECTURES: &[&ArchitectureSpec] = &[
    &resilience_cnn::SPEC,
    &resnet_cifar::RESNET20,
    &resnet_cifar::RESNET32,
    &resnet_cifar::RESNET44,
    &resnet_cifar::RESNET56,
    &resnet_cifar::RESNET110,
    &resnet::RESNET18,
    &resnet::RESNET34,
    &resnet::RESNET50,
    &preactresnet::PREACTRESNET18,
    &preactresnet::PREACTRESNET34,
    &wideresnet::SPEC,
    &dm_wideresnet::SPEC,
    &dm_preactresnet::DM_PREACTRESNET18,
    &dm_preactresnet::DM_PREACTRESNET34,
    &resnet_imagenet::RESNET18,
    &resnet_imagenet::RESNET34,
    &resnet_imagenet::RESNET50,
    &resnet2b::SPEC,
    &cnn::CIFAR_WIDE,
    &cnn::CIFAR_DEEP,
    &cnn::CNN_4LAYER_B,
    &cnn::CONV_SMALL,
    &cnn::CONV_BIG,
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
    /// What it leaves open; `classes`, `size` and `channels` at least.
    pub parameters: &'static [Setting],
    /// Parameters whose values may stand behind the id, in this order: `wideresnet-34-10`.
    pub positional: &'static [&'static str],
    /// Parameters that a state dict does not show.
    pub unseen: &'static [&'static str],
    /// Beginnings of names that published state dicts have and that compute nothing.
    pub idle: &'static [&'static str],
    /// Parameters that make it small, for tests of what all architectures have in common.
    pub small: &'static [(&'static str, &'static str)],
    guess: fn(&Shapes) -> Guess,
    build: fn(&mut Builder, &Architecture) -> Result<Layers, EngineError>,
}

impl ArchitectureSpec {
    /// It with all defaults.
    pub fn usual(&'static self) -> Result<Architecture, EngineError> {
        Architecture::new(self, &[])
    }

    /// It as small as its parameters let it be in a test.
    pub fn small(&'static self) -> Result<Architecture, EngineError> {
        let pair = |&(name, value): &(&str, &str)| (name.to_owned(), value.to_owned());
        Architecture::new(self, &self.small.iter().map(pair).collect::<Vec<_>>())
    }
}

/// The architecture of that name: an id, then its parameters as far as they are not the defaults,
/// `wideresnet:depth=34,widen=20`, or `wideresnet-34-20`.
pub fn find(name: &str) -> Result<Architecture, EngineError> {
    let (id, named) = split(name);
    let numbered = ARCHITECTURES.iter().find_map(|spec| Some((*spec, numbers(spec, id)?)));
    let (spec, mut given) = match numbered {
        Some(found) => found,
        None => {
            (crate::registry::find("architecture", id, ARCHITECTURES, |spec| spec.id)?, Vec::new())
        }
    };
    given.extend(named);
    for (place, (name, value)) in given.iter().enumerate() {
        if let Some((_, other)) = given[..place].iter().find(|(known, _)| known == name) {
            return Err(EngineError::Input {
                what: "parameters of an architecture",
                expected: "each of them once".to_owned(),
                found: format!("{name} = {other} and {name} = {value}"),
            });
        }
    }
    Architecture::new(spec, &given)
}

/// The parameters whose values stand behind the id, where `id` is the entry's and all of them do.
fn numbers(spec: &ArchitectureSpec, id: &str) -> Option<Vec<(String, String)>> {
    let (start, rest) = (id.get(..spec.id.len())?, id.get(spec.id.len()..)?);
    let values: Vec<&str> = rest.strip_prefix('-')?.split('-').collect();
    let fits = start.eq_ignore_ascii_case(spec.id)
        && values.len() == spec.positional.len()
        && values.iter().all(|value| value.parse::<u32>().is_ok());
    let pair = |(name, value): (&&str, &str)| ((*name).to_owned(), value.to_owned());
    fits.then(|| spec.positional.iter().zip(values).map(pair).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Would catch parameters that are lost between a name and a network, and two names of one network that
    /// are not told to be one.
    #[test]
    fn names_have_parameters() {
        for (name, canonical) in [
            ("resnet18", "resnet18"),
            ("ResNet18:classes=10", "resnet18"),
            ("resnet18: classes = 100", "resnet18:classes=100"),
            ("wideresnet-28-10", "wideresnet"),
            ("WideResNet-34-20:activation=silu", "wideresnet:depth=34,widen=20,activation=silu"),
            ("dm-wideresnet-70-16", "dm-wideresnet:depth=70,widen=16"),
            ("cifar-wide:size=28,channels=1", "cifar-wide:size=28,channels=1"),
        ] {
            let architecture = find(name).unwrap();
            assert_eq!(architecture.name(), canonical, "{name}");
            assert_eq!(find(canonical).unwrap().name(), canonical);
        }
        let grey = find("cifar-wide:size=28,channels=1,classes=7").unwrap();
        assert_eq!((grey.input, grey.classes), ([1, 28, 28], 7));
        assert_eq!(find("wideresnet-34-20").unwrap().title(), "WideResNet (depth 34, widen 20)");
    }

    /// Would catch a parameter that is misspelt or makes no sense and is passed over.
    #[test]
    fn nonsense_is_refused_by_name() {
        for (name, words) in [
            ("resnet19", &["did you mean 'resnet1"][..]),
            ("wideresnet-28", &["unknown architecture"]),
            ("resnet18:klasses=10", &["'klasses'", "did you mean 'classes'"]),
            ("resnet18:classes", &["classes", "whole number"]),
            ("cifar-wide:channels=2", &["one of 3, 1"]),
        ] {
            let error = find(name).unwrap_err().to_string();
            assert!(words.iter().all(|word| error.contains(word)), "{name}: {error}");
        }
        let error = find("wideresnet:depth=29").unwrap().outline().err().unwrap().to_string();
        assert!(error.contains("depth") && error.contains("29"), "{error}");
    }
}
