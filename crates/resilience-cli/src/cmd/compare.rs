//! `resilience compare`: trains networks in several ways and judges all of them alike.
//!
//! Every network and seed is a run in a folder of its own, `NAME-seedK`: its weights, its checkpoint and
//! its run store. What is finished there is not done again, wherever it was made.

use std::path::{Path, PathBuf};

use resilience::evaluate;
use resilience::train::{self, Other, Plan as Training};
use resilience::{recipe, zoo};
use resilience_core::comparison::{
    self, ComparisonError, Ensemble, Evaluation, Network, Place, Suite,
};
use resilience_core::dataset::{self, Images, Places, Split};
use resilience_core::format::{FormatError, atomic};
use resilience_core::method::Method;
use resilience_core::plan::{Keep, Kind, ModelPlan, Plan, Shard, Stage, ThreatPlan};
use resilience_core::record::{LabelSource, Scope};
use resilience_core::store::{RunStore, StoreError};
use resilience_core::suggest::did_you_mean;
use resilience_core::view::Precision;
use resilience_core::{report, suite};

use super::train::{self as training, Job};
use crate::args::{Compare, Normalisation};
use crate::environment::Environment;
use crate::error::CliError;
use crate::lock;
use crate::models::{self, Loaded};
use crate::planning::{self, Ground};
use crate::results;
use crate::screen::Screen;

/// Steps of the attack on all test images, and of the curve's.
const STEPS: &str = "50";
const CURVE_STEPS: &str = "20";

/// Their length in units of eps.
const STEP_SIZE: &str = "0.1";

/// Seed of the attacks, the same for all.
const SEED: u64 = 0;

/// Passes that a noisy model's verdicts are the mean of.
const PASSES: u32 = 10;

/// The weights in a run's folder.
const WEIGHTS: &str = "model.pth";

/// Everything that the runs have in common.
struct Common<'a> {
    suite: &'a Suite,
    out: &'a Path,
    train: Images,
    test: Images,
}

/// Trains and judges what is missing, then writes the report of what is there.
pub fn run(
    arguments: &Compare,
    environment: &Environment,
    screen: &mut Screen,
) -> Result<(), CliError> {
    let suite = Suite::read(&arguments.suite)?;
    check(&suite, arguments)?;
    let source = dataset::find(arguments.data.data.as_deref(), &Places::of_user(), screen)?;
    source.check_both_splits()?;
    let n = arguments.n.map(|n| n as usize);
    let train = source.load(Split::Train, n, screen)?;
    let test = source.load(Split::Test, n, screen)?;
    for network in &suite.networks {
        models::check_fit(&network.method.architecture, None, &train)?;
    }
    let common = Common { suite: &suite, out: &arguments.out, train, test };
    let wanted = wanted(&suite, arguments);
    for place in suite.places().filter(|place| !wanted.contains(place)) {
        common.check(&place)?;
    }
    for place in wanted {
        if let Some(network) = suite.networks.iter().find(|network| network.name == place.name) {
            common.network(network, &place, environment, screen)?;
        } else if let Some(ensemble) = suite.ensembles.iter().find(|e| e.name == place.name) {
            common.ensemble(ensemble, &place, environment, screen)?;
        }
    }
    write(&suite, &arguments.out, screen)
}

/// What is to be trained and judged, in order: seed by seed, so that a comparison that is broken off has
/// something of everything; what others learn from before these; ensembles last.
fn wanted(suite: &Suite, arguments: &Compare) -> Vec<Place> {
    let named = |name: &str| arguments.only.is_empty() || arguments.only.iter().any(|o| o == name);
    let ensembles = || suite.ensembles.iter().filter(|ensemble| named(&ensemble.name));
    let mut all: Vec<&str> =
        suite.networks.iter().map(|n| &n.name[..]).filter(|n| named(n)).collect();
    // An ensemble needs all seeds.
    if arguments.seed.is_empty() {
        all.extend(ensembles().map(|ensemble| &ensemble.of[..]));
    }
    // What a network learns from stands before it, so that one way back finds everything.
    for network in suite.networks.iter().rev().filter(|network| !network.with.is_empty()) {
        if all.contains(&&network.name[..]) {
            all.extend(network.with.iter().map(String::as_str));
        }
    }
    let mut seeds: Vec<u64> = suite.networks.iter().flat_map(|n| n.seeds.iter().copied()).collect();
    seeds.sort_unstable();
    seeds.dedup();
    seeds.retain(|seed| arguments.seed.is_empty() || arguments.seed.contains(seed));
    let mut places = Vec::new();
    for seed in seeds {
        let networks = suite.networks.iter().filter(|n| n.seeds.contains(&seed));
        let networks = networks.filter(|n| all.contains(&&n.name[..]));
        places.extend(networks.map(|n| Place { name: n.name.clone(), seed: Some(seed) }));
    }
    if arguments.seed.is_empty() {
        places.extend(ensembles().map(|e| Place { name: e.name.clone(), seed: None }));
    }
    places
}

/// Whether a method can be carried out that learns from so many other models.
fn check_method(method: &Method, others: usize) -> Result<(), CliError> {
    let spec = recipe::find(&method.recipe)?;
    spec.resolve(&method.settings)?;
    spec.check(method.threat.norm(), others)?;
    train::check(spec, method)?;
    zoo::find(&method.architecture)?;
    Ok(())
}

/// Whether everything can be done that is asked for, before anything is loaded.
fn check(suite: &Suite, arguments: &Compare) -> Result<(), CliError> {
    for network in &suite.networks {
        check_method(&network.method, network.with.len())?;
    }
    stages(&suite.evaluation, 1, 10)?;
    let names = || {
        let networks = suite.networks.iter().map(|network| network.name.as_str());
        networks.chain(suite.ensembles.iter().map(|ensemble| ensemble.name.as_str()))
    };
    let seeds = || suite.networks.iter().flat_map(|network| network.seeds.iter());
    if let Some(seed) = arguments.seed.iter().find(|seed| seeds().all(|known| known != *seed)) {
        return Err(CliError::Usage(format!(
            "--seed {seed}: the suite has no network with that seed"
        )));
    }
    for only in &arguments.only {
        if !names().any(|name| name == only) {
            return Err(CliError::Usage(format!(
                "--only {only}: the suite has no such name{}; it has {}",
                did_you_mean(only, names()),
                names().collect::<Vec<_>>().join(", ")
            )));
        }
    }
    Ok(())
}

impl Common<'_> {
    fn folder(&self, place: &Place) -> PathBuf {
        self.out.join(place.folder())
    }

    /// Trains a network with a seed, where that is not done, and judges it.
    fn network(
        &self,
        network: &Network,
        place: &Place,
        environment: &Environment,
        screen: &mut Screen,
    ) -> Result<(), CliError> {
        let _alone = lock::claim(&self.folder(place))?;
        let weights = self.folder(place).join(WEIGHTS);
        let plan = self.training(network, place)?;
        let title = format!("{}, seed {}", network.title, plan.seed);
        let loaded = if let Some(loaded) = self.trained(&plan, &weights)? {
            loaded
        } else {
            let checkpoint = weights.with_extension("checkpoint");
            let resume = checkpoint.exists();
            let plan = plan.with_checkpoint(checkpoint, resume);
            let job = Job { name: title, plan, images: &self.train, out: weights };
            training::train(job, environment, screen)?
        };
        if network.shown {
            self.judge(loaded, place, environment, screen)?;
        }
        Ok(())
    }

    /// Whether a run that is there, and is not asked for now, is this suite's: its figures count too.
    fn check(&self, place: &Place) -> Result<(), CliError> {
        let dir = self.folder(place);
        let store = match RunStore::open(&dir) {
            Err(StoreError::Missing { .. }) => return Ok(()),
            store => store?,
        };
        if !store.finished()? {
            return Ok(());
        }
        let manifest = dir.join(WEIGHTS).with_extension("toml");
        let Some(network) = self.suite.networks.iter().find(|n| n.name == place.name) else {
            let request = manifest.to_string_lossy();
            let described = models::resolve(&request, None, &Normalisation::default())?;
            return self.same(&store, &models::load(&request, described, None)?, &dir);
        };
        match self.trained(&self.training(network, place)?, &dir.join(WEIGHTS))? {
            Some(loaded) => self.same(&store, &loaded, &dir),
            None => Err(foreign(&dir, "its run has no weights beside it")),
        }
    }

    /// How a network is trained with a seed.
    fn training(&self, network: &Network, place: &Place) -> Result<Training, CliError> {
        let others = network.with.iter().map(|other| {
            let other = Place { name: other.clone(), seed: place.seed };
            let manifest = self.folder(&other).join(WEIGHTS).with_extension("toml");
            training::other(&manifest.to_string_lossy(), None)
        });
        let others: Vec<Other> = others.collect::<Result<_, _>>()?;
        let seed = place.seed.unwrap_or_default();
        Ok(Training::new(network.method.clone(), seed, others)?)
    }

    /// Judges all seeds of a network as one model.
    fn ensemble(
        &self,
        ensemble: &Ensemble,
        place: &Place,
        environment: &Environment,
        screen: &mut Screen,
    ) -> Result<(), CliError> {
        let Some(network) = self.suite.networks.iter().find(|n| n.name == ensemble.of) else {
            return Ok(());
        };
        let member = |&seed| Place { name: network.name.clone(), seed: Some(seed) };
        let members: Vec<Place> = network.seeds.iter().map(member).collect();
        let missing = members.iter().find(|m| !self.folder(m).join(WEIGHTS).exists());
        if let Some(missing) = missing {
            screen.note(&format!("{}: {} is not trained yet", ensemble.title, missing.title()));
            return Ok(());
        }
        let _alone = lock::claim(&self.folder(place))?;
        let manifest = self.folder(place).join("model.toml");
        write_manifest(ensemble, &members, &manifest)?;
        let request = manifest.to_string_lossy();
        let resolved = models::resolve(&request, None, &Normalisation::default())?;
        let loaded = models::load(&request, resolved, None)?;
        self.judge(loaded, place, environment, screen)
    }

    /// The network, where it was trained so already.
    fn trained(&self, plan: &Training, weights: &Path) -> Result<Option<Loaded>, CliError> {
        let manifest = weights.with_extension("toml");
        if !manifest.exists() || !weights.with_extension("training.json").exists() {
            return Ok(None);
        }
        let request = manifest.to_string_lossy();
        let described = models::resolve(&request, None, &Normalisation::default())?;
        let loaded = models::load(&request, described, None)?;
        let dir = weights.parent().unwrap_or(weights);
        let Some(training) = loaded.describe.training() else {
            return Err(foreign(dir, "nothing is known of how its weights were trained"));
        };
        let settings = plan.settings();
        let other = settings.iter().find(|setting| !training.settings.contains(setting));
        if let Some((name, value)) = other {
            return Err(foreign(dir, &format!("its {name} is not '{value}'")));
        }
        if training.settings.len() != settings.len() || training.dataset != self.train.record() {
            let what = "it was trained with other options, or on other images";
            return Err(foreign(dir, what));
        }
        Ok(Some(loaded))
    }

    /// Attacks a model as all of them are, where that is not done.
    fn judge(
        &self,
        loaded: Loaded,
        place: &Place,
        environment: &Environment,
        screen: &mut Screen,
    ) -> Result<(), CliError> {
        let dir = self.folder(place);
        let mut loaded = [loaded];
        let old = match RunStore::open(&dir) {
            Err(StoreError::Missing { .. }) => None,
            store => Some(store?),
        };
        let finished = old.as_ref().map(RunStore::finished).transpose()?;
        if let (Some(old), Some(true)) = (&old, finished) {
            return self.same(old, &loaded[0], &dir);
        }
        let how = (PASSES, Precision::Auto, Shard::WHOLE);
        let models = results::probe(&mut loaded, &self.test, how, environment)?;
        let plan = self.plan(models)?;
        let begun = old.is_some();
        let known = old.as_ref().map(|old| evaluate::completed(old.plan())).transpose()?;
        let same = known.is_some_and(|known| plan.clone().measured_as(&known) == known);
        let resumed = old.filter(|_| same);
        if begun && resumed.is_none() {
            screen.note(&format!(
                "what was begun in {} is of other weights, attacks or threads: begun anew",
                dir.display()
            ));
        }
        let (plan, mut store) = if let Some(store) = resumed {
            (store.plan().clone(), store)
        } else {
            let provenance = environment.provenance(SEED, self.test.notices().to_vec());
            (plan.clone(), RunStore::replace(&dir, &provenance, &plan)?)
        };
        results::look(&mut loaded, &plan)?;
        results::evaluate(&plan, &loaded, &self.test, &mut store, environment, screen)
    }

    /// Whether a finished run is of this model and these attacks, wherever it was made.
    fn same(&self, store: &RunStore, loaded: &Loaded, dir: &Path) -> Result<(), CliError> {
        let old = &evaluate::completed(store.plan())?;
        let now = self.plan(old.models.clone())?;
        let weights = old.models.first().map(|model| model.weights_sha256.as_str());
        let what = if weights != Some(&*loaded.describe.weights_sha256()) {
            "its run.sqlite is of other weights than those beside it"
        } else if (&now.stages, &now.dataset, &now.headline)
            != (&old.stages, &old.dataset, &old.headline)
        {
            "its run.sqlite is of other attacks or other images (without that file it is judged again)"
        } else {
            return Ok(());
        };
        Err(foreign(dir, what))
    }

    fn plan(&self, models: Vec<ModelPlan>) -> Result<Plan, CliError> {
        let n = self.test.len() as u64;
        let classes = self.test.classes().len() as u32;
        Ok(Plan {
            kind: Kind::Compare,
            seed: SEED,
            dataset: self.test.record(),
            models,
            stages: stages(&self.suite.evaluation, n, classes)?,
            headline: Some(ThreatPlan::of(self.suite.evaluation.threat)),
            keep: Keep::Broken,
            block: evaluate::BLOCK,
            chunk: evaluate::CHUNK,
            threads: resilience::threads(),
            shard: Shard::WHOLE,
        })
    }
}

fn foreign(dir: &Path, what: &str) -> CliError {
    CliError::Comparison(ComparisonError::Foreign { path: dir.to_owned(), what: what.to_owned() })
}

/// The manifest of an ensemble in its folder, of manifests in the folders beside it.
fn write_manifest(ensemble: &Ensemble, members: &[Place], path: &Path) -> Result<(), CliError> {
    let members: Vec<String> = members
        .iter()
        .map(|member| format!("../{}/{}", member.folder(), WEIGHTS.replace(".pth", ".toml")))
        .collect();
    let table = toml::Table::from_iter([
        ("name".to_owned(), ensemble.title.clone().into()),
        ("members".to_owned(), members.into()),
        ("vote".to_owned(), ensemble.vote.name().into()),
        ("source".to_owned(), format!("all seeds of {}", ensemble.of).into()),
    ]);
    let text = toml::to_string(&table).expect("texts can be written as TOML");
    let io = |source| CliError::Io { doing: "write", path: path.to_owned(), source };
    std::fs::create_dir_all(path.parent().unwrap_or(path)).map_err(io)?;
    Ok(atomic::write(path, text.as_bytes()).map_err(FormatError::from)?)
}

/// FGSM in both conventions and PGD-50 on all images, PGD-20 over the radii of the curve, and the suite
/// `quick` on the first images.
fn stages(evaluation: &Evaluation, n: u64, classes: u32) -> Result<Vec<Stage>, CliError> {
    let Evaluation { threat, .. } = *evaluation;
    let norm = threat.norm();
    let ground = |n| Ground { norm, n, classes };
    let pgd = |steps: &str| {
        [("steps", steps), ("step_size", STEP_SIZE)].map(|(a, b)| (a.to_owned(), b.to_owned()))
    };
    let mut stages = Vec::new();
    for labels in [LabelSource::True, LabelSource::Predicted] {
        stages.push(planning::stage("fgsm", &[], threat, (labels, Scope::All), ground(n))?);
    }
    let how = (LabelSource::True, Scope::All);
    if let Some(claim) = evaluation.claim {
        let at = planning::threat(norm, claim)?;
        stages.push(planning::stage("fgsm", &[], at, how, ground(n))?);
    }
    stages.push(planning::stage("pgd", &pgd(STEPS), threat, how, ground(n))?);
    let first = ground(n.min(evaluation.curve_images));
    for &eps in &evaluation.curve {
        let at = planning::threat(norm, eps)?;
        let stage = planning::stage("pgd", &pgd(CURVE_STEPS), at, how, first)?;
        stages.push(Stage { curve: true, ..stage });
    }
    let first = ground(n.min(evaluation.robust_images));
    let quick = suite::find("quick")?;
    stages.extend(planning::suite_stages(&quick, &[threat.eps()], (false, true), first)?.stages);
    Ok(stages)
}

/// Counts what is there, and writes it for people and for machines.
fn write(suite: &Suite, out: &Path, screen: &Screen) -> Result<(), CliError> {
    let comparison = comparison::count(suite, out)?;
    if comparison.groups.is_empty() {
        screen.print("nothing is judged yet: the suite's other networks are still to be trained");
        return Ok(());
    }
    let [json, markdown, page] =
        ["comparison.json", "comparison.md", "report.html"].map(|name| out.join(name));
    comparison.write(&json)?;
    atomic::write(&markdown, report::comparison_markdown(&comparison).as_bytes())
        .map_err(FormatError::from)?;
    report::write_comparison(&comparison, &page)?;
    screen.print(&report::comparison_table(&comparison, Screen::width())?);
    screen.print(&format!(
        "figures: {}\ntable:   {}\nreport:  {}",
        json.display(),
        markdown.display(),
        page.display()
    ));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use resilience_core::method;

    fn everything(suite: &str, only: &[&str], seed: &[u64]) -> Compare {
        Compare {
            suite: suite.into(),
            data: crate::args::DataArgs { data: None },
            n: None,
            only: only.iter().map(|name| (*name).to_owned()).collect(),
            seed: seed.to_vec(),
            out: PathBuf::new(),
        }
    }

    /// Would catch a method or a suite that comes along and names a recipe, a setting, an architecture or
    /// an option that there is not.
    #[test]
    fn what_comes_along_can_be_carried_out() {
        for name in method::known_names() {
            let method = method::known_method(name).unwrap().unwrap();
            check_method(&method, 0).unwrap_or_else(|error| panic!("{name}: {error}"));
        }
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../suites/recipes.toml");
        let suite = Suite::read(&path).unwrap();
        check(&suite, &everything("", &[], &[])).unwrap();
        assert!(suite.networks.len() > 10 && suite.ensembles.len() == 1);
    }

    const CHAIN: &str = "version = 1\nabout = 'x'\nseeds = [0, 1]\n[evaluation]\neps = '8/255'\n\
        [[train]]\nname = 'a'\nrecipe = 'standard'\n\
        [[train]]\nname = 'b'\nrecipe = 'distillation'\nwith = ['a']\n\
        [[train]]\nname = 'c'\nrecipe = 'distillation'\nwith = ['b']\n\
        [[train]]\nname = 'd'\nrecipe = 'standard'\n\
        [[ensemble]]\nname = 'e'\nof = 'd'\n";

    /// Would catch a network without what it learns from, at whatever distance, an ensemble without its
    /// members, and one that is asked for with a single seed.
    #[test]
    fn what_is_needed_comes_along() {
        let suite = Suite::parse(Path::new("chain.toml"), CHAIN).unwrap();
        let names = |only: &[&str], seed: &[u64]| -> Vec<String> {
            let places = wanted(&suite, &everything("", only, seed));
            places.iter().map(Place::folder).collect()
        };
        assert_eq!(names(&["c"], &[1]), ["a-seed1", "b-seed1", "c-seed1"]);
        assert_eq!(names(&["e"], &[]), ["d-seed0", "d-seed1", "e"]);
        assert_eq!(names(&["d"], &[0]), ["d-seed0"]);
        assert_eq!(names(&[], &[]).len(), 9);
    }
}
