//! An architecture with its parameters: what a name such as `wideresnet:depth=34,widen=20` stands for.

use resilience_core::manifest::architecture;
use tch::Kind;

use super::{ArchitectureSpec, Network};
use crate::error::EngineError;
use crate::layer::{Builder, Layers};
use crate::settings::{Range, Setting, Settings};

/// An entry of the registry, and a value for each of its parameters.
#[derive(Clone, Debug)]
pub struct Architecture {
    spec: &'static ArchitectureSpec,
    settings: Settings,
    /// Input shape: channels, height, width.
    pub input: [i64; 3],
    /// Number of classes.
    pub classes: i64,
}

impl Architecture {
    /// The architecture with the `given` parameters, name and text, and the defaults of all others.
    pub fn new(
        spec: &'static ArchitectureSpec,
        given: &[(String, String)],
    ) -> Result<Self, EngineError> {
        let what = format!("architecture {}", spec.id);
        let settings = Settings::resolve(&what, spec.parameters, given)?;
        let size = i64::from(settings.count("size"));
        let channels = if settings.choice("channels") == "1" { 1 } else { 3 };
        let classes = i64::from(settings.count("classes"));
        Ok(Self { spec, settings, input: [channels, size, size], classes })
    }

    /// What it is an entry of the registry.
    #[must_use]
    pub const fn spec(&self) -> &'static ArchitectureSpec {
        self.spec
    }

    /// Its id, with the parameters that are not the defaults.
    #[must_use]
    pub fn name(&self) -> String {
        architecture::join(self.spec.id, &self.parameters())
    }

    /// Its usual name, with the parameters that are not the defaults.
    #[must_use]
    pub fn title(&self) -> String {
        let pair = |(name, value): (String, String)| format!("{name} {value}");
        let words: Vec<_> = self.parameters().into_iter().map(pair).collect();
        match &words[..] {
            [] => self.spec.title.to_owned(),
            words => format!("{} ({})", self.spec.title, words.join(", ")),
        }
    }

    /// The parameters that are not the defaults, name and text.
    #[must_use]
    pub fn parameters(&self) -> Vec<(String, String)> {
        let values = self.settings.to_json();
        let changed = |setting: &&Setting| values[setting.name] != setting.value.default();
        let text = |setting: &Setting| {
            let value = &values[setting.name];
            let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            (setting.name.to_owned(), text)
        };
        self.spec.parameters.iter().filter(changed).map(text).collect()
    }

    /// A network with initial weights drawn from `seed`, as PyTorch draws them.
    pub fn build(&self, seed: u64, kind: Kind) -> Result<Network, EngineError> {
        self.built_by(Builder::new(seed, kind))
    }

    /// A network whose weights are zero, for a state dict that is to follow.
    pub fn empty(&self, kind: Kind) -> Result<Network, EngineError> {
        self.built_by(Builder::empty(kind))
    }

    /// A network of names and shapes, which takes no memory and computes nothing.
    pub(super) fn outline(&self) -> Result<Network, EngineError> {
        self.built_by(Builder::outline())
    }

    fn built_by(&self, mut builder: Builder) -> Result<Network, EngineError> {
        let layers: Layers = (self.spec.build)(&mut builder, self)?;
        Ok(Network::new(self.clone(), layers, builder.finish()))
    }

    /// The value of a parameter that is a whole number.
    pub(super) fn count(&self, name: &str) -> i64 {
        self.settings.count(name).into()
    }

    /// The value of a parameter that is a word.
    pub(super) fn choice(&self, name: &str) -> &str {
        self.settings.choice(name)
    }

    /// The side of its images, in pixels.
    pub(super) const fn size(&self) -> i64 {
        self.input[1]
    }

    /// Channels of its images.
    pub(super) const fn channels(&self) -> i64 {
        self.input[0]
    }

    /// The error that a parameter's value is none that the architecture can be built with.
    pub(super) fn refused(&self, setting: &'static str, expected: &str) -> EngineError {
        EngineError::Setting {
            what: format!("architecture {}", self.spec.id),
            setting,
            expected: expected.to_owned(),
            found: self.count(setting).to_string(),
        }
    }
}

/// The parameter `classes`, which all have.
pub(super) const fn classes(default: u32) -> Setting {
    Setting {
        name: "classes",
        value: Range::Count(default, 2, 100_000),
        about: "number of classes",
    }
}

/// The parameter `size`, which all have.
pub(super) const fn size(default: u32) -> Setting {
    Setting {
        name: "size",
        value: Range::Count(default, 8, 4096),
        about: "side of the images, in pixels",
    }
}

/// The parameter `channels`, which all have.
pub(super) const CHANNELS: Setting = Setting {
    name: "channels",
    value: Range::Choice(&["3", "1"]),
    about: "channels of the images: 3 of colour, 1 of grey",
};

/// The parameter `width` of networks whose first stage usually has so many channels.
pub(super) const fn width(default: u32) -> Setting {
    Setting {
        name: "width",
        value: Range::Count(default, 1, 4096),
        about: "channels of the first stage",
    }
}

/// The parameter `activation`; the first word is the default.
pub(super) const fn activation(words: &'static [&'static str]) -> Setting {
    Setting {
        name: "activation",
        value: Range::Choice(words),
        about: "what stands behind each batch norm",
    }
}
