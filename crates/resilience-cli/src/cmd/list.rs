//! `resilience list`: what the registries hold.

use std::fmt::Write as _;

use resilience::attack::ATTACKS;
use resilience::recipe::RECIPES;
use resilience::zoo::ARCHITECTURES;
use resilience_core::dataset::DATASETS;

use crate::args::{List, Registry};
use crate::screen::Screen;

/// Prints one registry, or all of them.
pub fn run(arguments: &List, screen: &Screen) {
    let all = [Registry::Architectures, Registry::Datasets, Registry::Attacks, Registry::Recipes];
    let wanted: Vec<Registry> = arguments.what.map_or(all.to_vec(), |one| vec![one]);
    let mut text = String::new();
    for registry in wanted {
        let (title, rows) = rows(registry);
        let width = rows.iter().map(|(id, _)| id.len()).max().unwrap_or(0);
        let _ = writeln!(text, "{title}");
        for (id, about) in rows {
            let _ = writeln!(text, "  {id:width$}  {about}");
        }
        text.push('\n');
    }
    text.push_str("`resilience explain NAME` tells more of each.");
    screen.print(&text);
}

fn rows(registry: Registry) -> (&'static str, Vec<(&'static str, String)>) {
    match registry {
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
        Registry::Recipes => {
            ("recipes", RECIPES.iter().map(|spec| (spec.id, spec.title.to_owned())).collect())
        }
    }
}
