//! What to run, as data: attacks in order, with the settings that differ from their defaults.
//!
//! ```toml
//! version = 1
//! about = "what it is for"          # shown by `resilience list suites`
//! individual = false                # optional: every attack on all images, not on what is left
//! applicable = false                # optional: leave out attacks that do not know the norm
//!
//! [[attack]]
//! id = "apgd-ce"                    # resilience list attacks
//! settings = { steps = 100 }        # optional
//! l1 = { restarts = 5 }             # optional: more of them, in this norm only (linf, l2, l1)
//!
//! [[attack]]
//! id = "fgsm"
//! images = "all"                    # optional: misclassified images too, as the paper does
//! labels = "predicted"              # optional: "true" (the default) or "predicted"
//! eps = "0.1"                       # optional: instead of --eps
//!
//! [[attack]]
//! id = "fmn"
//! goal = "nearest"                  # optional: the nearest points instead of "break" within --eps
//! ```

use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::format::regular;
use crate::record::{Goal, LabelSource};
use crate::suggest::did_you_mean;
use crate::threat::{Eps, Norm, ThreatError};

/// Attacks in order.
#[derive(Clone, Debug, PartialEq)]
pub struct Suite {
    /// Its name, or the stem of its file.
    pub name: String,
    /// What it is for, in whole sentences.
    pub about: String,
    /// Whether each attack runs on all images, not only on those that the ones before have left.
    pub individual: bool,
    /// Whether attacks that do not know the norm are left out rather than refused.
    pub applicable: bool,
    /// The attacks; at least one.
    pub attacks: Vec<SuiteAttack>,
}

/// One attack of a suite.
#[derive(Clone, Debug, PartialEq)]
pub struct SuiteAttack {
    /// Registry id; whether there is such a one, the engine checks.
    pub id: String,
    /// Settings that differ from the defaults; whether there are such, the engine checks.
    pub settings: toml::Table,
    /// Those that differ in one norm only, which come before the others.
    pub in_norm: Vec<(Norm, toml::Table)>,
    /// Whether misclassified images are attacked too.
    pub all_images: bool,
    /// Whose labels it pushes away from.
    pub labels: LabelSource,
    /// What it is run for; whether it can be, the engine checks.
    pub goal: Goal,
    /// A radius of its own.
    pub eps: Option<Eps>,
}

impl SuiteAttack {
    /// Its settings in a norm.
    #[must_use]
    pub fn settings_in(&self, norm: Norm) -> toml::Table {
        let mut settings = self.settings.clone();
        for (_, own) in self.in_norm.iter().filter(|(of, _)| *of == norm) {
            settings.extend(own.clone());
        }
        settings
    }
}

/// The suites that come with the program: name and text.
const BUILT_IN: [(&str, &str); 7] = [
    ("quick", include_str!("../../../suites/quick.toml")),
    ("autoattack-standard", include_str!("../../../suites/autoattack-standard.toml")),
    ("autoattack-rand", include_str!("../../../suites/autoattack-rand.toml")),
    ("full", include_str!("../../../suites/full.toml")),
    ("distances", include_str!("../../../suites/distances.toml")),
    ("ladder", include_str!("../../../suites/ladder.toml")),
    ("paper", include_str!("../../../suites/paper.toml")),
];

/// Version of the files that this program reads.
const VERSION: i64 = 1;

const KEYS: [&str; 5] = ["version", "about", "individual", "applicable", "attack"];
const ATTACK_KEYS: [&str; 9] =
    ["id", "settings", "images", "labels", "goal", "eps", "linf", "l2", "l1"];

/// The names of the suites that come with the program.
pub fn names() -> impl Iterator<Item = &'static str> {
    BUILT_IN.iter().map(|(name, _)| *name)
}

/// The suite of that name, or in that file.
pub fn find(request: &str) -> Result<Suite, SuiteError> {
    if let Some((name, text)) = BUILT_IN.iter().find(|(name, _)| *name == request) {
        return parse(Path::new(&format!("{name}.toml")), text);
    }
    let path = Path::new(request);
    if !path.is_file() {
        return Err(SuiteError::Unknown {
            name: request.to_owned(),
            known: names().collect::<Vec<_>>().join(", "),
            suggestion: did_you_mean(request, names()),
        });
    }
    let text = regular::read_text(path, regular::TEXT)
        .map_err(|source| SuiteError::Read { path: path.to_owned(), source })?;
    parse(path, &text)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    version: i64,
    about: String,
    #[serde(default)]
    individual: bool,
    #[serde(default)]
    applicable: bool,
    attack: Vec<RawAttack>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawAttack {
    id: String,
    #[serde(default)]
    settings: toml::Table,
    linf: Option<toml::Table>,
    l2: Option<toml::Table>,
    l1: Option<toml::Table>,
    #[serde(default)]
    images: Images,
    #[serde(default = "true_labels")]
    labels: LabelSource,
    #[serde(default)]
    goal: Goal,
    eps: Option<String>,
}

#[derive(Clone, Copy, Default, Deserialize, PartialEq)]
#[serde(rename_all = "lowercase")]
enum Images {
    All,
    #[default]
    Correct,
}

const fn true_labels() -> LabelSource {
    LabelSource::True
}

/// Checks a suite's text, which stands at `path`.
pub fn parse(path: &Path, text: &str) -> Result<Suite, SuiteError> {
    let broken = |error: toml::de::Error| SuiteError::Toml {
        path: path.to_owned(),
        source: Box::new(error),
    };
    let table: toml::Table = toml::from_str(text).map_err(broken)?;
    check_keys(path, "the suite", &table, &KEYS)?;
    let attacks = table.get("attack").and_then(toml::Value::as_array);
    for (number, attack) in (1..).zip(attacks.into_iter().flatten()) {
        if let Some(table) = attack.as_table() {
            check_keys(path, &format!("attack {number}"), table, &ATTACK_KEYS)?;
        }
    }
    // Once more from the text, so that the message shows the line.
    let raw: Raw = toml::from_str(text).map_err(broken)?;
    if raw.version != VERSION {
        return Err(SuiteError::Version { path: path.to_owned(), found: raw.version });
    }
    if raw.attack.is_empty() {
        return Err(SuiteError::Empty { path: path.to_owned() });
    }
    let Raw { about, individual, applicable, attack, .. } = raw;
    let attacks = attack
        .into_iter()
        .map(|attack| {
            let eps = attack.eps.map(|eps| eps.parse::<Eps>()).transpose();
            Ok(SuiteAttack {
                eps: eps.map_err(|source| SuiteError::Eps { path: path.to_owned(), source })?,
                id: attack.id,
                settings: attack.settings,
                in_norm: [(Norm::Linf, attack.linf), (Norm::L2, attack.l2), (Norm::L1, attack.l1)]
                    .into_iter()
                    .filter_map(|(norm, settings)| Some((norm, settings?)))
                    .collect(),
                all_images: attack.images == Images::All,
                labels: attack.labels,
                goal: attack.goal,
            })
        })
        .collect::<Result<_, SuiteError>>()?;
    let name = path.file_stem().unwrap_or(path.as_os_str()).to_string_lossy().into_owned();

    Ok(Suite { name, about, individual, applicable, attacks })
}

fn check_keys(
    path: &Path,
    place: &str,
    table: &toml::Table,
    known: &[&'static str],
) -> Result<(), SuiteError> {
    let Some(key) = table.keys().find(|key| !known.contains(&key.as_str())) else { return Ok(()) };
    Err(SuiteError::UnknownKey {
        path: path.to_owned(),
        place: place.to_owned(),
        key: key.clone(),
        suggestion: did_you_mean(key, known.iter().copied()),
        known: known.join(", "),
    })
}

/// A suite that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SuiteError {
    /// Neither a built-in one nor a file.
    #[error(
        "'{name}' is no suite{suggestion}; expected one of {known}, or a file (see suites/ in the \
         source for the form)"
    )]
    Unknown {
        /// What was asked for.
        name: String,
        /// The built-in ones.
        known: String,
        /// A near name.
        suggestion: String,
    },
    /// The operating system refused.
    #[error("cannot read suite {path}: {source}")]
    Read {
        /// The file.
        path: PathBuf,
        /// Its reason.
        source: std::io::Error,
    },
    /// Not TOML, or a key is missing or of another type.
    #[error("suite {path}: {source}")]
    Toml {
        /// The file.
        path: PathBuf,
        /// What and in which line.
        source: Box<toml::de::Error>,
    },
    /// A key that suites do not have.
    #[error("suite {path}, {place}: unknown key '{key}'{suggestion}; the keys are {known}")]
    UnknownKey {
        /// The file.
        path: PathBuf,
        /// `attack 2`.
        place: String,
        /// The key.
        key: String,
        /// A near one.
        suggestion: String,
        /// All of them.
        known: String,
    },
    /// Another version of the form.
    #[error("suite {path} is of version {found}, but this program reads version {VERSION}")]
    Version {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: i64,
    },
    /// No attack.
    #[error("suite {path} names no attack; add an [[attack]] with its id")]
    Empty {
        /// The file.
        path: PathBuf,
    },
    /// A radius that makes no sense.
    #[error("suite {path}: {source}")]
    Eps {
        /// The file.
        path: PathBuf,
        /// Why.
        source: ThreatError,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(text: &str) -> String {
        parse(Path::new("my.toml"), text).unwrap_err().to_string()
    }

    /// Would catch a built-in suite that does not parse.
    #[test]
    fn the_suites_that_come_along_can_be_read() {
        for name in names() {
            let suite = find(name).unwrap();
            assert_eq!(suite.name, name);
            assert!(suite.about.len() > 20 && !suite.attacks.is_empty(), "{name}");
        }
    }

    /// Would catch settings of one norm that hold in another, or do not come before the others.
    #[test]
    fn settings_can_differ_in_a_norm() {
        let text = "version = 1\nabout = 'x'\n[[attack]]\nid = 'pgd'\n\
                    settings = { steps = 9, restarts = 1 }\nl1 = { restarts = 5, sparsity = 0.1 }\n";
        let suite = parse(Path::new("my.toml"), text).unwrap();
        let settings = |norm| suite.attacks[0].settings_in(norm).to_string();
        for norm in [Norm::Linf, Norm::L2] {
            assert_eq!(settings(norm), "restarts = 1\nsteps = 9\n");
        }
        assert_eq!(settings(Norm::L1), "restarts = 5\nsparsity = 0.1\nsteps = 9\n");
        let standard = find("autoattack-standard").unwrap();
        let restarts = |norm| standard.attacks[0].settings_in(norm).get("restarts").cloned();
        assert_eq!([restarts(Norm::Linf), restarts(Norm::L1)], [None, Some(5.into())]);
    }

    /// Would catch a mistyped key that is read as if it were not there.
    #[test]
    fn what_is_not_understood_is_refused_by_name() {
        let attack = "[[attack]]\nid = 'fgsm'\n";
        let start = "version = 1\nabout = 'x'\n";
        assert!(parse(Path::new("my.toml"), &format!("{start}{attack}")).is_ok());
        for (text, words) in [
            (format!("{start}indvidual = true\n{attack}"), &["indvidual", "'individual'"][..]),
            (format!("{start}{attack}lables = 'true'\n"), &["attack 1", "'labels'"]),
            (format!("{start}{attack}eps = '8/0'\n"), &["8/0", "radius"]),
            (format!("{start}{attack}images = 'some'\n"), &["some", "line 5"]),
            (start.to_owned(), &["attack"]),
            (format!("{start}attack = []\n"), &["no attack"]),
            (format!("version = 2\nabout = 'x'\n{attack}"), &["version 2"]),
            ("[".to_owned(), &["my.toml"]),
        ] {
            let error = error(&text);
            assert!(words.iter().all(|word| error.contains(word)), "{text}: {error}");
        }
        let unknown = find("quik").unwrap_err().to_string();
        assert!(unknown.contains("did you mean 'quick'"), "{unknown}");
    }
}
