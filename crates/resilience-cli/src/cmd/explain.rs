//! `resilience explain NAME`: what an entry of a registry is, where it comes from, how it fails.

use std::fmt::Write as _;

use resilience::attack::{ATTACKS, AttackSpec};
use resilience::audit::DOUBTS;
use resilience::recipe::{Others, RECIPES, RecipeSpec};
use resilience::settings::Setting;
use resilience::zoo::{ARCHITECTURES, ArchitectureSpec};
use resilience_core::dataset::DATASETS;
use resilience_core::manifest::Manifest;
use resilience_core::method::{self, Method};
use resilience_core::record::Goal;
use resilience_core::report::count;
use resilience_core::suggest::did_you_mean;
use resilience_core::suite;
use resilience_core::threat::Norm;

use crate::args::Explain;
use crate::error::CliError;
use crate::models;
use crate::screen::Screen;

/// One entry, of whichever registry.
struct Entry {
    kind: &'static str,
    id: &'static str,
    title: String,
    source: String,
    about: String,
    facts: String,
}

/// Prints the entry of that name.
pub fn run(arguments: &Explain, screen: &Screen) -> Result<(), CliError> {
    let entries = entries()?;
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

fn entries() -> Result<Vec<Entry>, CliError> {
    let architectures = ARCHITECTURES.iter().map(|spec| Entry {
        kind: "architecture",
        id: spec.id,
        title: spec.title.to_owned(),
        source: spec.source.to_owned(),
        about: spec.about.to_owned(),
        facts: architecture_facts(spec),
    });
    let datasets = DATASETS.iter().map(|spec| Entry {
        kind: "data set",
        id: spec.id,
        title: spec.title.to_owned(),
        source: spec.source.to_owned(),
        about: spec.doc.to_owned(),
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
        title: spec.title.to_owned(),
        source: spec.source.to_owned(),
        about: spec.about.to_owned(),
        facts: attack_facts(spec),
    });
    let doubts = DOUBTS.iter().map(|spec| Entry {
        kind: "doubt",
        id: spec.id,
        title: spec.title.to_owned(),
        source: "after Carlini et al. 2019, On Evaluating Adversarial Robustness, and Athalye et al. 2018, \
                 Obfuscated Gradients Give a False Sense of Security"
            .to_owned(),
        about: format!("{} {} What to do: {}", spec.about, spec.why, spec.remedy),
        facts: "looked for by `resilience audit` after every evaluation".to_owned(),
    });
    let recipes = RECIPES.iter().map(|spec| Entry {
        kind: "recipe",
        id: spec.id,
        title: spec.title.to_owned(),
        source: spec.source.to_owned(),
        about: spec.about.to_owned(),
        facts: recipe_facts(spec),
    });
    let mut entries: Vec<Entry> =
        architectures.chain(datasets).chain(attacks).chain(doubts).chain(recipes).collect();
    for name in suite::names() {
        entries.push(suite_entry(name)?);
    }
    for name in method::known_names() {
        if let Some(method) = method::known_method(name)? {
            entries.push(method_entry(name, method));
        }
    }
    for name in models::known() {
        if let Some(manifest) = models::manifest(name) {
            entries.push(model_entry(name, manifest?));
        }
    }
    Ok(entries)
}

/// Its parameters as a table.
fn architecture_facts(spec: &ArchitectureSpec) -> String {
    let id = spec.id;
    let mut text =
        format!("parameters, as in --arch {id}:classes=100 and in a manifest's `parameters`:");
    for setting in spec.parameters {
        let (set, about) = (assigned(setting), setting.about);
        let _ = write!(text, "\n  {set:18}  {about}: {}", setting.value.expected());
    }
    text
}

/// Its norms, and its settings as a table.
fn attack_facts(spec: &AttackSpec) -> String {
    format!("norms: {}{}", names(spec.norms), table(spec.settings))
}

/// What it trains on and learns from, and its settings as a table.
fn recipe_facts(spec: &RecipeSpec) -> String {
    let mut text = match spec.norms {
        [] => "trains on clean images".to_owned(),
        norms => format!("trains on attacked images; norms: {}", names(norms)),
    };
    text += match spec.others {
        Others::None => "",
        Others::Teacher => "; learns from a teacher (--with MODEL)",
        Others::Sources => "; learns from examples of other models (--with MODEL, once or more)",
    };
    text + &table(spec.settings)
}

fn names(norms: &[Norm]) -> String {
    norms.iter().map(|norm| norm.name()).collect::<Vec<_>>().join(", ")
}

/// A line for each setting.
fn table(settings: &[Setting]) -> String {
    let mut text = String::new();
    for setting in settings {
        let (set, about) = (assigned(setting), setting.about);
        let _ = write!(text, "\n  --set {set:16}  {about}: {}", setting.value.expected());
    }
    text
}

/// A setting with its default.
fn assigned(setting: &Setting) -> String {
    let default = setting.value.default();
    let default = default.as_str().map_or_else(|| default.to_string(), str::to_owned);
    format!("{}={default}", setting.name)
}

fn suite_entry(id: &'static str) -> Result<Entry, CliError> {
    let suite = suite::find(id)?;
    let mut facts = if suite.individual {
        "each attack on all images:".to_owned()
    } else {
        "each attack on what the ones before it have left:".to_owned()
    };
    for attack in &suite.attacks {
        let words = |settings: &toml::Table| {
            let all = settings.iter().map(|(name, value)| format!("{name}={value}"));
            all.collect::<Vec<_>>().join(" ")
        };
        let mut settings = vec![words(&attack.settings)];
        settings
            .extend(attack.in_norm.iter().map(|(norm, own)| format!("in {norm}: {}", words(own))));
        settings.retain(|text| !text.is_empty());
        if attack.goal == Goal::Nearest {
            settings.push("the nearest points".to_owned());
        }
        let _ = write!(facts, "\n  {:14} {}", attack.id, settings.join("; "));
    }
    if suite.applicable {
        facts += "\n  (those that do not know the norm are left out)";
    }
    let source = format!("suites/{id}.toml; --suite takes a file of the same form");
    let title = "attacks in order".to_owned();
    Ok(Entry { kind: "suite", id, title, source, about: suite.about, facts })
}

fn method_entry(id: &'static str, method: Method) -> Entry {
    let facts = format!(
        "recipe {} for {}, {}, {} epochs in batches of {}; {}, learning rate {}, {}",
        method.recipe,
        method.architecture,
        method.threat,
        method.epochs,
        method.batch,
        method.optimiser.describe(),
        method.optimiser.learning_rate(),
        method.schedule.describe()
    );
    Entry {
        kind: "method",
        id,
        title: method.title.unwrap_or_default(),
        source: format!("{} (recipes/{id}.toml)", method.source.unwrap_or_default()),
        about: format!("Published: {}.", method.published.unwrap_or_default()),
        facts,
    }
}

fn model_entry(id: &'static str, manifest: Manifest) -> Entry {
    let file = manifest.file.display();
    let sha256 = manifest.sha256.unwrap_or_default();
    let address = match (manifest.url, manifest.size) {
        (Some(url), Some(size)) => {
            format!("\n`resilience pull {id}` fetches them: {} bytes, {url}", count(size))
        }
        _ => "\nnot to be pulled: nobody is known to serve this file".to_owned(),
    };
    Entry {
        kind: "known model",
        id,
        title: manifest.name,
        source: manifest.source,
        about: manifest.notes.unwrap_or_default(),
        facts: format!("{}, weights {file}, SHA-256 {sha256}{address}", manifest.architecture),
    }
}
