//! `resilience list`: what the registries hold.

use std::fmt::Write as _;

use resilience::attack::ATTACKS;
use resilience::audit::DOUBTS;
use resilience::recipe::RECIPES;
use resilience::zoo::ARCHITECTURES;
use resilience_core::dataset::DATASETS;
use resilience_core::report::count;
use resilience_core::{method, suite};

use crate::args::{List, Registry};
use crate::error::CliError;
use crate::models;
use crate::screen::Screen;

/// Prints one registry, or all of them.
pub fn run(arguments: &List, screen: &Screen) -> Result<(), CliError> {
    let all = [
        Registry::Architectures,
        Registry::Datasets,
        Registry::Attacks,
        Registry::Suites,
        Registry::Doubts,
        Registry::Recipes,
        Registry::Methods,
        Registry::Models,
    ];
    let wanted: Vec<Registry> = arguments.what.map_or(all.to_vec(), |one| vec![one]);
    let mut text = String::new();
    for registry in wanted {
        let (title, rows) = rows(registry)?;
        let width = rows.iter().map(|(id, _)| id.len()).max().unwrap_or(0);
        let _ = writeln!(text, "{title}");
        for (id, about) in rows {
            let _ = writeln!(text, "  {id:width$}  {about}");
        }
        text.push('\n');
    }
    text.push_str("`resilience explain NAME` tells more of each.");
    screen.print(&text);
    Ok(())
}

/// A title, and each entry with what it is.
type Rows = (&'static str, Vec<(&'static str, String)>);

fn rows(registry: Registry) -> Result<Rows, CliError> {
    Ok(match registry {
        Registry::Architectures => (
            "architectures",
            ARCHITECTURES.iter().map(|spec| (spec.id, spec.title.to_owned())).collect(),
        ),
        Registry::Datasets => (
            "data sets",
            DATASETS
                .iter()
                .map(|spec| {
                    let (train, test) = (spec.train, spec.test);
                    (spec.id, format!("{}: {train} training and {test} test images", spec.title))
                })
                .collect(),
        ),
        Registry::Attacks => (
            "attacks",
            ATTACKS
                .iter()
                .map(|spec| {
                    let norms: Vec<&str> = spec.norms.iter().map(|norm| norm.name()).collect();
                    (spec.id, format!("{} ({})", spec.title, norms.join(", ")))
                })
                .collect(),
        ),
        Registry::Suites => (
            "suites (attacks in order)",
            suite::names()
                .map(|name| {
                    let attacks = suite::find(name)?.attacks;
                    let ids: Vec<String> = attacks.into_iter().map(|attack| attack.id).collect();
                    Ok((name, ids.join(", ")))
                })
                .collect::<Result<_, CliError>>()?,
        ),
        Registry::Doubts => (
            "doubts (what an audit looks for)",
            DOUBTS.iter().map(|spec| (spec.id, spec.title.to_owned())).collect(),
        ),
        Registry::Recipes => {
            ("recipes", RECIPES.iter().map(|spec| (spec.id, spec.title.to_owned())).collect())
        }
        Registry::Methods => (
            "methods (a recipe with everything around it, as published)",
            method::known_names()
                .filter_map(|name| Some((name, method::known_method(name).transpose()?)))
                .map(|(name, method)| Ok((name, method?.title.unwrap_or_default())))
                .collect::<Result<_, CliError>>()?,
        ),
        Registry::Models => (
            "known models (`resilience pull NAME` fetches the weights of those that have a size)",
            models::known()
                .filter_map(|name| Some((name, models::manifest(name)?)))
                .map(|(name, manifest)| {
                    let manifest = manifest?;
                    let size = manifest.size.filter(|_| manifest.url.is_some());
                    let size = size.map(|size| format!(", {} bytes", count(size)));
                    let size = size.unwrap_or_default();
                    Ok((name, format!("{} ({}{size})", manifest.name, manifest.architecture)))
                })
                .collect::<Result<_, CliError>>()?,
        ),
    })
}
