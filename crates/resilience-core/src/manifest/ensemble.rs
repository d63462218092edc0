//! Several models that vote.
//!
//! ```toml
//! name = "Three PGD-trained networks"
//! members = ["a.toml", "b.toml", "c.toml"]   # manifests, relative to this one; at least two
//! vote = "probabilities"                     # or "logits", or "majority"
//! source = "who put them together, and why"
//! notes = "what else to know"                # optional
//! ```

use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::{Manifest, ManifestError, check_texts, toml};
use crate::vote::Vote;

/// A checked manifest of an ensemble.
#[derive(Clone, Debug, PartialEq)]
pub struct Ensemble {
    /// What the ensemble is called in tables.
    pub name: String,
    /// Its members, in order; at least two. They may have different architectures.
    pub members: Vec<Manifest>,
    /// How they are joined.
    pub vote: Vote,
    /// Where it comes from, for a person.
    pub source: String,
    /// What else to know.
    pub notes: Option<String>,
}

/// The file's form, before it is checked.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    name: String,
    members: Vec<PathBuf>,
    vote: String,
    source: String,
    notes: Option<String>,
}

impl Ensemble {
    /// Checks the text of such a manifest, which stands at `path`, and reads those of its members.
    pub(super) fn parse(path: &Path, text: &str) -> Result<Self, ManifestError> {
        let raw: Raw = toml(path, text)?;
        let wrong = |field: &'static str, expected: String, found: String| {
            Err(ManifestError::Value { path: path.to_owned(), field, expected, found })
        };
        check_texts(path, &[("name", &raw.name), ("source", &raw.source)])?;
        if raw.members.len() < 2 {
            let expected = "the manifests of two models at least".to_owned();
            return wrong("members", expected, format!("{} of them", raw.members.len()));
        }
        let Some(vote) = Vote::find(&raw.vote) else {
            let expected = format!("one of {}", Vote::ALL.map(Vote::name).join(", "));
            return wrong("vote", expected, format!("'{}'", raw.vote));
        };
        let folder = path.parent().unwrap_or_else(|| Path::new(""));
        let members = raw
            .members
            .iter()
            .map(|member| Manifest::read(&folder.join(member)))
            .collect::<Result<Vec<_>, _>>()?;
        check_datasets(path, &members)?;
        Ok(Self { name: raw.name, members, vote, source: raw.source, notes: raw.notes })
    }
}

/// Members that name a data set have to name the same.
fn check_datasets(path: &Path, members: &[Manifest]) -> Result<(), ManifestError> {
    let mut named = members.iter().filter_map(|member| Some((member, member.dataset.as_ref()?)));
    let Some((first, of_first)) = named.next() else { return Ok(()) };
    match named.find(|(_, dataset)| *dataset != of_first) {
        Some((other, of_other)) => Err(ManifestError::Datasets {
            path: path.to_owned(),
            first: first.name.clone(),
            of_first: of_first.clone(),
            other: other.name.clone(),
            of_other: of_other.clone(),
        }),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::super::Described;
    use super::*;

    const MEMBER: &str = "name = 'A'\nfile = 'a.pt'\narchitecture = 'resnet32'\n\
                          mean = [0.5, 0.5, 0.5]\nstd = [0.5, 0.5, 0.5]\nsource = 'a paper'\n";
    const GOOD: &str = "name = 'Both'\nmembers = ['in/a.toml', 'b.toml']\nvote = 'majority'\n\
                        source = 'a test'\n";

    /// A folder with two members, one of them for another data set, and an ensemble of this text.
    fn read(text: &str) -> Result<Described, ManifestError> {
        let folder = tempfile::tempdir().unwrap();
        let at = folder.path();
        fs::create_dir(at.join("in")).unwrap();
        fs::write(at.join("in/a.toml"), MEMBER).unwrap();
        fs::write(at.join("b.toml"), format!("{MEMBER}dataset = 'cifar10'")).unwrap();
        fs::write(at.join("c.toml"), format!("{MEMBER}dataset = 'shapes10'")).unwrap();
        fs::write(at.join("other.toml"), GOOD).unwrap();
        fs::write(at.join("all.toml"), text).unwrap();
        Described::read(&at.join("all.toml"))
    }

    /// Would catch members that are looked for where the program is started, or put in another
    /// order.
    #[test]
    fn members_are_beside_the_manifest_in_order() {
        let described = read(GOOD).unwrap();
        assert_eq!(described.name(), "Both");
        let files: Vec<_> = described.networks().iter().map(|member| &member.file).collect();
        assert!(files[0].ends_with("in/a.pt") && files[1].ends_with("a.pt"), "{files:?}");
        assert!(!files[1].ends_with("in/a.pt"), "{files:?}");
        let Described::Ensemble(ensemble) = described else { panic!("it is one model") };
        assert_eq!((ensemble.vote, ensemble.notes), (Vote::Majority, None));
        assert!(matches!(read(MEMBER).unwrap(), Described::Model(_)));
    }

    /// Would catch an ensemble that is not what its manifest says, and an error that does not say
    /// what to do.
    #[test]
    fn nonsense_is_refused() {
        for (from, to, expect) in [
            ("members =", "member =", "did you mean 'members'?"),
            ("'majority'", "'median'", "logits, probabilities, majority"),
            ("'in/a.toml', ", "", "two models at least, found 1"),
            ("'b.toml'", "'none.toml'", "cannot read manifest"),
            ("'b.toml'", "'all.toml'", "list that ensemble's own members"),
            ("'b.toml'", "'other.toml'", "other.toml describes an ensemble"),
            ("'in/a.toml'", "'c.toml'", "is for shapes10, but 'A' for cifar10"),
            ("vote =", "file = 'a.pt'\nvote =", "either one model"),
            ("vote = 'majority'\n", "", "missing field `vote`"),
            ("'Both'", "''", "name"),
            (&GOOD[GOOD.find("members").unwrap()..], "source = 'a'", "the members and vote of an"),
        ] {
            assert!(GOOD.contains(from), "{from}");
            let error = read(&GOOD.replace(from, to)).unwrap_err().to_string();
            assert!(error.contains(expect), "{to}: {error}");
        }
    }
}
