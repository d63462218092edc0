//! From files to claims, strictly.

use super::{Claim, LeaderboardError, ThreatModel};

/// The files, `dataset/threat/id.toml`, with their texts; `build.rs` lists them.
const FILES: &[(&str, &str)] = &include!(concat!(env!("OUT_DIR"), "/leaderboard.rs"));

/// The suite that every claim against an attack is by, so that they can be ranked together.
const SUITE: &str = "autoattack-standard";

/// All claims that come with the program.
pub fn published() -> Result<Vec<Claim>, LeaderboardError> {
    FILES.iter().map(|(path, text)| parse(path, text)).collect()
}

/// Checks the text of one claim, which stands at `path` in the folder of claims.
pub fn parse(path: &str, text: &str) -> Result<Claim, LeaderboardError> {
    let claim: Claim = toml::from_str(text).map_err(|source| LeaderboardError::Toml {
        path: path.to_owned(),
        source: Box::new(source),
    })?;
    match wrong(path, &claim) {
        Some((field, expected, found)) => Err(LeaderboardError::Value {
            path: path.to_owned(),
            field,
            expected: expected.to_owned(),
            found,
        }),
        None => Ok(claim),
    }
}

/// The first field that contradicts the file's place or another field, with what it should be.
fn wrong(path: &str, claim: &Claim) -> Option<(&'static str, &'static str, String)> {
    let place = format!("{}/{}/{}.toml", claim.dataset, claim.threat, claim.id);
    if path != place {
        return Some(("dataset, threat and id", "those of the file's path", place));
    }
    let set = |is: bool| if is { "set" } else { "not set" }.to_owned();
    let of_attack = [
        ("robust", claim.robust.is_some()),
        ("eps", claim.eps.is_some()),
        ("suite", claim.suite.is_some()),
    ];
    let about_attack =
        [("best_known", claim.best_known.is_some()), ("unreliable", claim.unreliable.is_some())];
    let against_corruptions = claim.threat == ThreatModel::Corruptions;
    if let Some((field, is)) = of_attack.into_iter().find(|(_, is)| *is == against_corruptions) {
        return Some((field, "a field of claims against an attack, and of all of those", set(is)));
    }
    if let Some((field, is)) = about_attack.into_iter().find(|(_, is)| *is && against_corruptions) {
        return Some((field, "a field of claims against an attack only", set(is)));
    }
    if claim.corrupted.is_some() != against_corruptions {
        let expected = "a field of claims against corruptions, and of all of those";
        return Some(("corrupted", expected, set(claim.corrupted.is_some())));
    }
    if let Some(suite) = claim.suite.as_ref().filter(|suite| *suite != SUITE) {
        return Some(("suite", SUITE, format!("'{suite}'")));
    }
    if claim.figure() > claim.clean {
        return Some(("clean", "no less than what is left of it", claim.clean.to_string()));
    }
    if let Some(best) = claim.best_known.filter(|best| *best >= claim.figure()) {
        return Some(("best_known", "less than what the suite left", best.to_string()));
    }
    if claim.n == 0 || claim.passes == 0 {
        return Some(("n and passes", "at least 1", "0".to_owned()));
    }
    if !["https://", "http://"].iter().any(|scheme| claim.link.starts_with(scheme)) {
        return Some(("link", "the publication's address, https://…", format!("'{}'", claim.link)));
    }
    let texts =
        [("architecture", &claim.architecture), ("title", &claim.title), ("source", &claim.source)];
    let empty = texts.into_iter().find(|(_, text)| text.trim().is_empty());
    empty.map(|(field, text)| (field, "a text that is not empty", format!("'{text}'")))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATH: &str = "cifar10/linf/Somebody2026.toml";
    const GOOD: &str = r#"
id = "Somebody2026"
dataset = "cifar10"
threat = "linf"
eps = "8/255"
suite = "autoattack-standard"
robust = 50.12
best_known = 49.00
unreliable = true
clean = 85.0
n = 10000
architecture = "ResNet-18"
additional_data = false
title = "A defence"
link = "https://example.org/"
source = "the paper's table 1"
"#;

    /// Would catch a claim that comes along and cannot be read, or stands in the wrong place: all of
    /// them go through the checks of `parse`.
    #[test]
    fn every_claim_that_comes_along_holds() {
        let claims = published().unwrap();
        assert_eq!(claims.len(), FILES.len());
        for claim in &claims {
            let (figure, clean) = (claim.figure().share(), claim.clean.share());
            assert!((0.0..=clean).contains(&figure) && clean <= 1.0, "{}", claim.id);
            assert!(!claim.title.contains(['<', '\\']), "{}: {}", claim.id, claim.title);
            let note = claim.footnote.as_deref().unwrap_or_default();
            assert!(!note.contains(['<', '\\']), "{}: {note}", claim.id);
            assert_eq!(claim.n, if claim.dataset == "imagenet" { 5_000 } else { 10_000 });
        }
        // As RobustBench counts them.
        let count = |dataset: &str, threat: &str| {
            let here = |c: &&Claim| c.dataset == dataset && c.threat.name() == threat;
            claims.iter().filter(here).count()
        };
        assert!(count("cifar10", "linf") >= 99 && count("cifar10", "l2") >= 21);
        assert!(count("imagenet", "linf") >= 30 && count("cifar10", "corruptions") >= 23);
    }

    /// Would catch a list in which a folder or a file was left out.
    #[test]
    fn every_file_is_built_in() {
        let mut folders = vec![std::path::PathBuf::from("../../leaderboard")];
        let mut files = 0;
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                files += usize::from(path.extension().is_some_and(|ext| ext == "toml"));
                folders.extend(path.is_dir().then_some(path));
            }
        }
        assert_eq!(files, FILES.len());
    }

    /// Would catch a slip in a new claim being read as something else, or an accuracy under corruptions
    /// among those under attack.
    #[test]
    fn what_cannot_be_is_refused_by_name() {
        let claim = parse(PATH, GOOD).unwrap();
        assert_eq!((claim.passes, claim.figure().to_string()), (1, "50.12".to_owned()));
        for (from, to, words) in [
            ("clean = 85.0", "clean = 85.0\nrobusst = 1.0", "robusst"),
            ("\"linf\"", "\"l7\"", "l7"),
            ("\"linf\"", "\"l2\"", "cifar10/l2/Somebody2026.toml"),
            ("\"cifar10\"", "\"cifar100\"", "path"),
            ("eps = \"8/255\"", "", "eps"),
            ("eps = \"8/255\"", "eps = \"0\"", "radius"),
            ("autoattack-standard", "pgd-10", "suite"),
            ("robust = 50.12", "robust = 0.50123", "two decimals"),
            ("robust = 50.12", "robust = 150.0", "0 to 100"),
            ("robust = 50.12", "robust = 85.01", "clean"),
            ("robust = 50.12", "", "robust"),
            ("clean = 85.0", "clean = 85.0\ncorrupted = 1.0", "corrupted"),
            ("best_known = 49.00", "best_known = 50.12", "best_known"),
            ("n = 10000", "n = 0", "at least 1"),
            ("https://example.org/", "example.org", "https://"),
            ("the paper's table 1", " ", "source"),
        ] {
            let error = parse(PATH, &GOOD.replacen(from, to, 1)).unwrap_err().to_string();
            assert!(error.contains(words) && error.contains(PATH), "{from} -> {to}: {error}");
        }
    }
}
