//! `resilience explain NAME`: what an entry of a registry is, where it comes from, how it fails.

use resilience::attack::ATTACKS;
use resilience::recipe::RECIPES;
use resilience::zoo::ARCHITECTURES;
use resilience_core::dataset::DATASETS;
use resilience_core::suggest::did_you_mean;

use crate::args::Explain;
use crate::error::CliError;
use crate::screen::Screen;

/// One entry, of whichever registry.
struct Entry {
    kind: &'static str,
    id: &'static str,
    title: &'static str,
    source: &'static str,
    about: &'static str,
    facts: String,
}

/// Prints the entry of that name.
pub fn run(arguments: &Explain, screen: &Screen) -> Result<(), CliError> {
    let entries = entries();
    let name = arguments.name.trim();
    let Some(entry) = entries.iter().find(|entry| entry.id.eq_ignore_ascii_case(name)) else {
        let near = did_you_mean(name, entries.iter().map(|entry| entry.id));
        return Err(CliError::Usage(format!(
            "nothing is called '{name}'{near}; `resilience list` shows every name"
        )));
    };
    let Entry { kind, id, title, source, about, facts } = entry;
    let about = textwrap::fill(about, 90);
    let source = textwrap::fill(source, textwrap::Options::new(90).subsequent_indent("        "));
    screen.print(&format!("{id} ({kind}): {title}\n{facts}\n\n{about}\n\nsource: {source}"));
    Ok(())
}

fn entries() -> Vec<Entry> {
    let architectures = ARCHITECTURES.iter().map(|spec| Entry {
        kind: "architecture",
        id: spec.id,
        title: spec.title,
        source: spec.source,
        about: spec.about,
        facts: format!(
            "input {:?} (channels, height, width), {} classes",
            spec.input, spec.classes
        ),
    });
    let datasets = DATASETS.iter().map(|spec| Entry {
        kind: "data set",
        id: spec.id,
        title: spec.title,
        source: spec.source,
        about: spec.doc,
        facts: format!(
            "{} training and {} test images of shape {:?}; classes: {}",
            spec.train,
            spec.test,
            spec.shape,
            spec.classes.join(", ")
        ),
    });
    let attacks = ATTACKS.iter().map(|spec| Entry {
        kind: "attack",
        id: spec.id,
        title: spec.title,
        source: spec.source,
        about: spec.about,
        facts: format!(
            "norms: {}",
            spec.norms.iter().map(|norm| norm.name()).collect::<Vec<_>>().join(", ")
        ),
    });
    let recipes = RECIPES.iter().map(|spec| Entry {
        kind: "recipe",
        id: spec.id,
        title: spec.title,
        source: spec.source,
        about: spec.about,
        facts: if spec.adversarial {
            "trains on attacked images"
        } else {
            "trains on clean images"
        }
        .to_owned(),
    });
    architectures.chain(datasets).chain(attacks).chain(recipes).collect()
}
