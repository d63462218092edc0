//! The settings of attacks and recipes: what there is to set, read from arguments and files, checked
//! once.

use std::collections::BTreeMap;

use resilience_core::suggest::nearest;
use serde_json::Value;

use crate::error::EngineError;

/// Something that can be set, with its default.
#[derive(Debug)]
pub struct Setting {
    /// The name in arguments and suites.
    pub name: &'static str,
    /// Its default and what it may be.
    pub value: Range,
    /// What it is, in a few words, with its unit.
    pub about: &'static str,
}

/// A default and what else may be given.
#[derive(Clone, Copy, Debug)]
pub enum Range {
    /// A whole number: default, smallest, largest.
    Count(u32, u32, u32),
    /// A number: default, smallest, largest.
    Real(f64, f64, f64),
    /// One of these words; the first is the default.
    Choice(&'static [&'static str]),
}

impl Range {
    /// The default.
    #[must_use]
    pub fn default(self) -> Value {
        match self {
            Self::Count(value, ..) => value.into(),
            Self::Real(value, ..) => value.into(),
            Self::Choice(words) => words[0].into(),
        }
    }

    /// What may be given, in words.
    #[must_use]
    pub fn expected(self) -> String {
        match self {
            Self::Count(_, low, high) => format!("a whole number from {low} to {high}"),
            Self::Real(_, low, high) => format!("a number from {low} to {high}"),
            Self::Choice(words) => format!("one of {}", words.join(", ")),
        }
    }

    fn read(self, text: &str) -> Option<Value> {
        match self {
            Self::Count(_, low, high) => {
                let value: u32 = text.parse().ok()?;
                (low..=high).contains(&value).then(|| value.into())
            }
            Self::Real(_, low, high) => {
                let value: f64 = text.parse().ok()?;
                (low..=high).contains(&value).then(|| value.into())
            }
            Self::Choice(words) => words.contains(&text).then(|| text.into()),
        }
    }
}

/// Every setting of an attack or a recipe by name.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings(BTreeMap<String, Value>);

impl Settings {
    /// The defaults of `what` (`attack pgd`), with the `given` ones, name and text, in their place.
    pub fn resolve(
        what: &str,
        known: &'static [Setting],
        given: &[(String, String)],
    ) -> Result<Self, EngineError> {
        let mut values: BTreeMap<String, Value> =
            known.iter().map(|s| (s.name.to_owned(), s.value.default())).collect();
        for (name, text) in given {
            let Some(setting) = known.iter().find(|setting| setting.name == name) else {
                return Err(EngineError::UnknownSetting {
                    what: what.to_owned(),
                    setting: name.clone(),
                    near: nearest(name, known.iter().map(|s| s.name)).map(str::to_owned),
                    known: names(known),
                });
            };
            let value = setting.value.read(text.trim()).ok_or_else(|| EngineError::Setting {
                what: what.to_owned(),
                setting: setting.name,
                expected: setting.value.expected(),
                found: text.clone(),
            })?;
            values.insert(name.clone(), value);
        }
        Ok(Self(values))
    }

    /// A whole number.
    #[must_use]
    pub fn count(&self, name: &str) -> u32 {
        self.value(name).as_u64().map_or(0, |value| value as u32)
    }

    /// A number.
    #[must_use]
    pub fn real(&self, name: &str) -> f64 {
        self.value(name).as_f64().unwrap_or(0.0)
    }

    /// A word.
    #[must_use]
    pub fn choice(&self, name: &str) -> &str {
        self.value(name).as_str().unwrap_or("")
    }

    /// All of them, as they are kept in a plan.
    #[must_use]
    pub fn to_json(&self) -> Value {
        Value::Object(self.0.clone().into_iter().collect())
    }

    /// Who asks for what its own list does not have, has a bug.
    fn value(&self, name: &str) -> &Value {
        self.0.get(name).unwrap_or_else(|| panic!("there is no setting '{name}'"))
    }
}

/// The names of settings, for a message.
fn names(known: &[Setting]) -> String {
    if known.is_empty() {
        return "none".to_owned();
    }
    known.iter().map(|setting| setting.name).collect::<Vec<_>>().join(", ")
}

/// Passes whose mean a gradient is, for models that answer differently each time.
pub const EOT: Setting = Setting {
    name: "eot",
    value: Range::Count(1, 1, 10_000),
    about: "passes that each gradient is the mean of; more than 1 for noisy models only",
};

/// How often to begin anew.
pub const RESTARTS: Setting = Setting {
    name: "restarts",
    value: Range::Count(1, 1, 10_000),
    about: "times to begin anew on the images that are left",
};

#[cfg(test)]
mod tests {
    use super::*;

    static KNOWN: [Setting; 3] = [
        Setting { name: "steps", value: Range::Count(10, 1, 100), about: "" },
        Setting { name: "rho", value: Range::Real(0.75, 0.0, 1.0), about: "" },
        Setting { name: "loss", value: Range::Choice(&["ce", "dlr"]), about: "" },
    ];

    fn resolve(given: &[(&str, &str)]) -> Result<Settings, EngineError> {
        let given: Vec<_> = given.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
        Settings::resolve("x", &KNOWN, &given)
    }

    /// Would catch a default that is lost, or a value that is read as something else.
    #[test]
    fn what_is_given_replaces_the_default() {
        let settings = resolve(&[("steps", "50"), ("loss", "dlr")]).unwrap();
        assert_eq!(settings.count("steps"), 50);
        assert!((settings.real("rho") - 0.75).abs() < 1e-12);
        assert_eq!(settings.choice("loss"), "dlr");
    }

    /// Would catch a setting that is ignored because it is misspelt or makes no sense.
    #[test]
    fn nonsense_is_refused_by_name() {
        for (name, value, words) in [
            ("step", "5", &["'step'", "did you mean 'steps'", "rho"][..]),
            ("steps", "0", &["steps", "from 1 to 100", "'0'"]),
            ("steps", "1.5", &["whole number"]),
            ("rho", "nan", &["from 0 to 1"]),
            ("loss", "l2", &["ce, dlr"]),
        ] {
            let error = resolve(&[(name, value)]).unwrap_err().to_string();
            assert!(words.iter().all(|word| error.contains(word)), "{error}");
        }
    }
}
