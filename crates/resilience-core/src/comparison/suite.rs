//! What to compare, as data: networks to train, and how all of them are judged.
//!
//! ```toml
//! version = 1
//! about = "what it is to show"
//! seeds = [0, 1, 2]                 # every network is trained once with each
//!
//! [evaluation]
//! norm = "linf"                     # optional
//! eps = "8/255"                     # FGSM with true and predicted labels, PGD-50 and `quick`
//! claim = "0.1"                     # optional: FGSM with true labels at this radius too, as the paper has it
//! robust_images = 1000              # first test images for `quick`; the rest sees all
//! curve = ["2/255", "8/255"]        # radii of the curve (PGD-20)
//! curve_images = 1000               # first test images for the curve
//!
//! [defaults]                        # keys of a method, for every network
//! epochs = 5
//!
//! [[train]]
//! name = "pgd-at"                   # lower-case letters, digits, hyphens
//! title = "PGD adversarial training" # optional
//! recipe = "pgd-at"                 # with any other key of a method
//!
//! [[train]]
//! name = "distillation"
//! recipe = "distillation"
//! with = ["teacher"]                # learns from these networks of the same seed, named above it
//! seeds = [0]                       # optional: fewer seeds
//! shown = false                     # optional: trained for others only, not judged
//!
//! [[ensemble]]
//! name = "three"
//! of = "pgd-at"                     # all seeds of it together
//! vote = "probabilities"
//! ```

use std::path::Path;

use serde::Deserialize;

use super::ComparisonError;
use crate::format::regular;
use crate::method::{self, Method};
use crate::threat::{Eps, Norm, Threat};
use crate::vote::Vote;

/// A checked suite.
#[derive(Clone, Debug, PartialEq)]
pub struct Suite {
    /// The stem of its file.
    pub name: String,
    /// What it is to show.
    pub about: String,
    /// How everything is judged.
    pub evaluation: Evaluation,
    /// The networks, in order: what one learns from stands before it.
    pub networks: Vec<Network>,
    /// The ensembles of them.
    pub ensembles: Vec<Ensemble>,
}

/// How everything is judged.
#[derive(Clone, Debug, PartialEq)]
pub struct Evaluation {
    /// What the attacks may do.
    pub threat: Threat,
    /// The radius at which accuracy under FGSM was claimed for robustness, on all test images.
    pub claim: Option<Eps>,
    /// First test images for the suite of attacks.
    pub robust_images: u64,
    /// Radii of the curve.
    pub curve: Vec<Eps>,
    /// First test images for it.
    pub curve_images: u64,
}

/// A network to be trained, once with each seed.
#[derive(Clone, Debug, PartialEq)]
pub struct Network {
    /// Its name in folders and tables.
    pub name: String,
    /// What it is, for a person.
    pub title: String,
    /// How it is trained.
    pub method: Method,
    /// Names of the networks that it learns from.
    pub with: Vec<String>,
    /// Its seeds.
    pub seeds: Vec<u64>,
    /// Whether it is judged.
    pub shown: bool,
}

/// All seeds of a network as one model.
#[derive(Clone, Debug, PartialEq)]
pub struct Ensemble {
    /// Its name.
    pub name: String,
    /// What it is, for a person.
    pub title: String,
    /// The network.
    pub of: String,
    /// How members become one answer.
    pub vote: Vote,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    version: i64,
    about: String,
    seeds: Vec<u64>,
    evaluation: RawEvaluation,
    #[serde(default)]
    defaults: toml::Table,
    train: Vec<toml::Table>,
    #[serde(default)]
    ensemble: Vec<RawEnsemble>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawEvaluation {
    #[serde(default = "linf")]
    norm: Norm,
    eps: toml::Value,
    claim: Option<toml::Value>,
    #[serde(default = "thousand")]
    robust_images: u64,
    #[serde(default)]
    curve: Vec<toml::Value>,
    #[serde(default = "thousand")]
    curve_images: u64,
}

const fn linf() -> Norm {
    Norm::Linf
}

const fn thousand() -> u64 {
    1000
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawEnsemble {
    name: String,
    title: Option<String>,
    of: String,
    #[serde(default = "probabilities")]
    vote: String,
}

fn probabilities() -> String {
    "probabilities".to_owned()
}

/// Version of the files that this program reads.
const VERSION: i64 = 1;

impl Suite {
    /// Reads the file.
    pub fn read(path: &Path) -> Result<Self, ComparisonError> {
        let text = regular::read_text(path, regular::TEXT)
            .map_err(|source| ComparisonError::Read { path: path.to_owned(), source })?;
        Self::parse(path, &text)
    }

    /// Checks a suite's text, which stands at `path`.
    pub fn parse(path: &Path, text: &str) -> Result<Self, ComparisonError> {
        let raw: Raw = toml::from_str(text).map_err(|source| ComparisonError::Toml {
            path: path.to_owned(),
            source: Box::new(source),
        })?;
        let wrong = |what: String| ComparisonError::Suite { path: path.to_owned(), what };
        if raw.version != VERSION {
            let found = raw.version;
            return Err(wrong(format!("it is of version {found}, this program reads {VERSION}")));
        }
        check_seeds("seeds", &raw.seeds).map_err(wrong)?;
        let mut networks: Vec<Network> = Vec::new();
        for table in raw.train {
            let network = network(path, table, &raw.defaults, &raw.seeds)?;
            check_name(&network.name, networks.iter().map(|n| n.name.as_str())).map_err(wrong)?;
            check_seeds(&format!("the seeds of {}", network.name), &network.seeds)
                .map_err(wrong)?;
            for other in &network.with {
                let before = networks.iter().find(|before| before.name == *other);
                if before.is_none_or(|b| network.seeds.iter().any(|seed| !b.seeds.contains(seed))) {
                    return Err(wrong(format!(
                        "{} learns from '{other}', which must stand before it, with the same seeds",
                        network.name
                    )));
                }
            }
            networks.push(network);
        }
        let mut ensembles: Vec<Ensemble> = Vec::new();
        for RawEnsemble { name, title, of, vote } in raw.ensemble {
            let known = networks.iter().map(|n| &n.name).chain(ensembles.iter().map(|e| &e.name));
            check_name(&name, known.map(String::as_str)).map_err(wrong)?;
            if networks.iter().find(|n| n.name == of).is_none_or(|n| n.seeds.len() < 2) {
                return Err(wrong(format!(
                    "ensemble {name} is of '{of}', which must be a network with two seeds or more"
                )));
            }
            if networks.iter().any(|n| n.seeds.iter().any(|seed| name == n.folder(*seed))) {
                return Err(wrong(format!("ensemble {name} has the folder of a network's run")));
            }
            let Some(vote) = Vote::find(&vote) else {
                let known = Vote::ALL.map(Vote::name).join(", ");
                return Err(wrong(format!("ensemble {name} votes by '{vote}'; expected {known}")));
            };
            let title = title.unwrap_or_else(|| name.clone());
            ensembles.push(Ensemble { name, title, of, vote });
        }
        let name = path.file_stem().unwrap_or(path.as_os_str()).to_string_lossy().into_owned();
        let evaluation = evaluation(&raw.evaluation).map_err(wrong)?;
        Ok(Self { name, about: raw.about, evaluation, networks, ensembles })
    }
}

impl Network {
    /// The folder of a seed's run within the comparison's.
    #[must_use]
    pub fn folder(&self, seed: u64) -> String {
        format!("{}-seed{seed}", self.name)
    }
}

/// A seed that is there twice would count for two trainings.
fn check_seeds(what: &str, seeds: &[u64]) -> Result<(), String> {
    let mut sorted = seeds.to_vec();
    sorted.sort_unstable();
    sorted.dedup();
    if sorted.is_empty() || sorted.len() < seeds.len() {
        return Err(format!("{what} must be one number or more, each once; found {seeds:?}"));
    }
    Ok(())
}

fn evaluation(raw: &RawEvaluation) -> Result<Evaluation, String> {
    let eps = |value: &toml::Value| -> Result<Eps, String> {
        method::text(value).parse().map_err(|error: crate::threat::ThreatError| error.to_string())
    };
    let threat = Threat::new(raw.norm, eps(&raw.eps)?).map_err(|error| error.to_string())?;
    if raw.robust_images == 0 || raw.curve_images == 0 {
        return Err("robust_images and curve_images must be above 0".to_owned());
    }
    Ok(Evaluation {
        threat,
        claim: raw.claim.as_ref().map(eps).transpose()?,
        robust_images: raw.robust_images,
        curve: raw.curve.iter().map(eps).collect::<Result<_, _>>()?,
        curve_images: raw.curve_images,
    })
}

/// Takes a network's own keys out of its table; what is left, over the defaults, is its method.
fn network(
    path: &Path,
    mut table: toml::Table,
    defaults: &toml::Table,
    seeds: &[u64],
) -> Result<Network, ComparisonError> {
    #[derive(Deserialize)]
    struct Own {
        name: String,
        title: Option<String>,
        #[serde(default)]
        with: Vec<String>,
        seeds: Option<Vec<u64>>,
        #[serde(default = "yes")]
        shown: bool,
    }
    const fn yes() -> bool {
        true
    }
    let keys = ["name", "title", "with", "seeds", "shown"];
    let own: toml::Table =
        keys.iter().filter_map(|&key| Some((key.to_owned(), table.remove(key)?))).collect();
    let own: Own = own.try_into().map_err(|source| ComparisonError::Toml {
        path: path.to_owned(),
        source: Box::new(source),
    })?;
    let mut keys = defaults.clone();
    keys.extend(table);
    let method = Method::from_table(&format!("{}, {}", path.display(), own.name), &keys)?;
    Ok(Network {
        title: own.title.unwrap_or_else(|| own.name.clone()),
        name: own.name,
        method,
        with: own.with,
        seeds: own.seeds.unwrap_or_else(|| seeds.to_vec()),
        shown: own.shown,
    })
}

/// A name is a folder's too, and there once.
fn check_name<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Result<(), String> {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '.';
    if name.is_empty() || name.starts_with('.') || !name.chars().all(plain) {
        return Err(format!(
            "'{name}' is no name: expected lower-case letters, digits, hyphens and dots"
        ));
    }
    if known.into_iter().any(|other| other == name) {
        return Err(format!("the name '{name}' is there twice"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: &str = "version = 1\nabout = 'x'\nseeds = [0, 1]\n[evaluation]\neps = '8/255'\n";

    fn parse(more: &str) -> Result<Suite, ComparisonError> {
        Suite::parse(Path::new("my.toml"), &format!("{START}{more}"))
    }

    /// Would catch defaults that are not laid under a network's own keys.
    #[test]
    fn a_network_has_its_own_keys_over_the_defaults() {
        let suite = parse(
            "[defaults]\nepochs = 3\nbatch = 64\n\
             [[train]]\nname = 'a'\nrecipe = 'standard'\nepochs = 7\n\
             [[train]]\nname = 'b'\nrecipe = 'distillation'\nwith = ['a']\nseeds = [1]\n\
             [[ensemble]]\nname = 'c'\nof = 'a'\n",
        )
        .unwrap();
        let [a, b] = &suite.networks[..] else { panic!("two networks") };
        assert_eq!((a.method.epochs, a.method.batch), (7, 64));
        assert_eq!((a.seeds.len(), &b.seeds[..]), (2, &[1][..]));
        assert_eq!(b.with, ["a"]);
        assert_eq!(suite.ensembles[0].vote, Vote::Probabilities);
    }

    /// Would catch a suite that fails only after hours of training.
    #[test]
    fn what_cannot_be_done_is_refused_by_name() {
        let a = "[[train]]\nname = 'a'\nrecipe = 'standard'\n";
        for (text, words) in [
            (String::new(), &["train"][..]),
            (format!("{a}{a}"), &["'a' is there twice"]),
            ("[[train]]\nname = 'A/b'\nrecipe = 'x'\n".to_owned(), &["'A/b' is no name"]),
            (format!("{a}epoch = 3\n"), &["'epoch'", "did you mean 'epochs'"]),
            (format!("{a}with = ['b']\n"), &["learns from 'b'", "before it"]),
            (format!("{a}[[ensemble]]\nname = 'c'\nof = 'b'\n"), &["'b'", "two seeds"]),
            (format!("{a}[[ensemble]]\nname = 'a'\nof = 'a'\n"), &["twice"]),
            (format!("{a}[[ensemble]]\nname = 'a-seed0'\nof = 'a'\n"), &["folder"]),
            (format!("{a}[[ensemble]]\nname = 'c'\nof = 'a'\nvote = 'x'\n"), &["'x'", "majority"]),
            (format!("{a}seeds = [0, 0]\n"), &["seeds of a", "each once"]),
            (format!("{a}seeds = []\n"), &["seeds of a", "one number"]),
        ] {
            let error = parse(&text).unwrap_err().to_string();
            assert!(words.iter().all(|word| error.contains(word)), "{text}: {error}");
        }
    }
}
