//! All models of all runs in one row, under names that tell them apart.

use super::{Exhibit, ReportError, Run, words};
use crate::metric::ALPHA;
use crate::paper;
use crate::record::{LabelSource, Scope};
use crate::summary::{
    AttackSummary, Correct, EvaluationSummary, ModelSummary, PairSummary, Summary,
};

/// What the parts of the page are made from.
pub struct View<'a> {
    /// The runs as given.
    pub runs: &'a [Run],
    /// Their models.
    pub subjects: Vec<Subject<'a>>,
    /// Names of the data sets, each once.
    pub datasets: Vec<String>,
    /// Whether the paper's figures belong beside.
    pub with_paper: bool,
}

/// One model on the page.
pub struct Subject<'a> {
    /// Its name, unique on the page.
    pub name: String,
    /// Place of its run.
    pub run: usize,
    /// Its figures.
    pub model: &'a ModelSummary,
    /// Its examples.
    pub exhibits: &'a [Exhibit],
}

impl<'a> View<'a> {
    /// Lines up the models of the runs.
    pub fn new(runs: &'a [Run]) -> Result<Self, ReportError> {
        if runs.is_empty() {
            return Err(ReportError::NoRun);
        }
        let mut subjects: Vec<Subject<'a>> = Vec::new();
        let mut datasets: Vec<String> = Vec::new();
        for (number, run) in (1..).zip(runs) {
            for (place, model) in run.summary.models.iter().enumerate() {
                let same = |run: &Run| run.summary.models.iter().any(|m| m.name == model.name);
                let shared = runs.iter().filter(|run| same(run)).count() > 1;
                let mut name = model.name.clone();
                if shared {
                    name = format!("{name} (run {number})");
                }
                if subjects.iter().any(|subject| subject.name == name) {
                    name = format!("{name} #{}", place + 1);
                }
                let dataset = words::dataset(&model.dataset.name).to_owned();
                if !datasets.contains(&dataset) {
                    datasets.push(dataset);
                }
                let exhibits = run.exhibits.get(place).map_or(&[][..], Vec::as_slice);
                subjects.push(Subject { name, run: number - 1, model, exhibits });
            }
        }
        let with_paper = runs.iter().any(|run| paper::compares_with(&run.summary));
        Ok(Self { runs, subjects, datasets, with_paper })
    }

    /// What must be read before any figure, each once.
    pub fn notices(&self) -> Vec<String> {
        let mut notices: Vec<String> = Vec::new();
        for run in self.runs {
            let unfinished = (!run.summary.finished).then(|| broken_off(&run.summary));
            for notice in unfinished.into_iter().chain(run.summary.run.notices.iter().cloned()) {
                if !notices.contains(&notice) {
                    notices.push(notice);
                }
            }
        }
        notices
    }

    /// How two models compare at a radius, where one run holds both; positive where the first keeps
    /// more.
    pub fn pair(&self, a: &Subject<'_>, b: &Subject<'_>, at: &EvaluationSummary) -> Option<Ahead> {
        if a.run != b.run {
            return None;
        }
        let pairs = self.runs[a.run].summary.pairs.iter();
        let here = |pair: &&PairSummary| pair.norm == Some(at.norm) && pair.eps == Some(at.eps);
        let (ours, theirs) = (&a.model.name, &b.model.name);
        pairs.filter(here).find_map(|pair| match (&pair.a, &pair.b) {
            names if names == (ours, theirs) => Some(Ahead::of(pair.difference, pair.p)),
            names if names == (theirs, ours) => Some(Ahead::of(-pair.difference, pair.p)),
            _ => None,
        })
    }

    /// The page's title, which names every data set, and says where a run was broken off.
    pub fn title(&self) -> String {
        let all = self.runs.iter().all(|run| run.summary.finished);
        let mark = if all { "" } else { " (incomplete)" };
        format!("Adversarial robustness on {}{mark}", words::listed(&self.datasets))
    }

    /// Whether a figure must say what it is on: more than one data set stands on the page, the
    /// paper's among them.
    pub fn names_datasets(&self) -> bool {
        self.datasets.len() > 1 || self.with_paper
    }

    /// Whether any of our figures are on the paper's data set, without which its figures have
    /// nothing to be drawn beside.
    pub fn on_papers_data(&self) -> bool {
        self.subjects.iter().any(|subject| subject.model.dataset.name == paper::DATASET)
    }
}

fn broken_off(summary: &Summary) -> String {
    format!(
        "The run started {} was broken off: models and attacks that it planned are missing. Go on \
         with it by --resume, or run the command again.",
        summary.run.started
    )
}

/// Whether one model keeps more than another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ahead {
    /// By more than chance explains.
    Clearly,
    /// Not so.
    No,
}

impl Ahead {
    fn of(difference: f64, p: f64) -> Self {
        if difference > 0.0 && p < ALPHA { Self::Clearly } else { Self::No }
    }
}

/// The evaluations that say more than the table of attacks on all images: FGSM alone on all images
/// is told there, with its cautions.
pub fn judged(model: &ModelSummary) -> impl Iterator<Item = &EvaluationSummary> {
    model.evaluations.iter().filter(|evaluation| {
        evaluation.attacks.iter().any(|attack| attack.id != "fgsm" || attack.scope != Scope::All)
    })
}

/// Whether any model was judged so.
pub fn any_judged(view: &View<'_>) -> bool {
    view.subjects.iter().any(|subject| judged(subject.model).next().is_some())
}

/// The evaluation that the headline is about: the one of the plan, else the first that came to its
/// end.
pub fn headline(model: &ModelSummary) -> Option<&EvaluationSummary> {
    let finished = || judged(model).filter(|evaluation| evaluation.finished);
    let planned = model.robust_threat.as_ref().and_then(|threat| {
        finished().find(|evaluation| (evaluation.norm, evaluation.eps) == (threat.norm, threat.eps))
    });
    planned.or_else(|| finished().next())
}

/// The attacks of an evaluation, each name once, in order: `APGD-CE and APGD-T`.
pub fn attack_names(evaluation: &EvaluationSummary) -> String {
    let mut names: Vec<String> = Vec::new();
    let searches = evaluation.attacks.iter().filter(|attack| attack.scope != Scope::Closest);
    for name in searches.map(|attack| words::attack(&attack.id)) {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    words::listed(&names)
}

/// What one step of FGSM claims: adversarial accuracy.
pub struct Claim {
    /// The figure.
    pub correct: Correct,
    /// Whose labels it attacked.
    pub labels: LabelSource,
}

/// The claim at the radius of an evaluation: with true labels where there is such a figure, on as
/// many images as possible.
pub fn claim(model: &ModelSummary, at: &EvaluationSummary) -> Option<Claim> {
    let here = |norm, eps: f64| norm == at.norm && eps.to_bits() == at.eps.to_bits();
    let attacks = model.attacks.iter().filter(|attack| here(attack.norm, attack.eps));
    let attacks = attacks
        .filter(|attack| attack.id == "fgsm" && paper::is_plain(&attack.settings))
        .map(|attack| Claim { correct: attack.adversarial, labels: attack.labels });
    let rungs = at.attacks.iter().filter(|stage| {
        let plain = stage.id == "fgsm" && paper::is_plain(&stage.settings);
        plain && stage.source.is_none() && stage.scope != Scope::All
    });
    let rungs =
        rungs.filter_map(|rung| rung.alone.map(|correct| Claim { correct, labels: rung.labels }));
    let curves = model.curves.iter().filter(|curve| curve.attack == "fgsm");
    let points = curves.flat_map(|curve| {
        let points = curve.points.iter().filter(|point| here(curve.norm, point.eps));
        points.map(|point| Claim { correct: point.adversarial, labels: curve.labels })
    });
    attacks
        .chain(rungs)
        .chain(points)
        .min_by_key(|claim| (claim.labels != LabelSource::True, std::cmp::Reverse(claim.correct.n)))
}

/// An attack in words: `FGSM, linf 0.1, true labels`.
pub fn attack_words(attack: &AttackSummary) -> String {
    format!("{}, {}", threat_words(attack), words::labels(attack.labels))
}

/// An attack without its labels: `FGSM, linf 0.1`.
pub fn threat_words(attack: &AttackSummary) -> String {
    words::threat(&attack.id, attack.norm, &attack.eps_text)
}

/// Images that are right when clean and right when attacked, of all.
pub fn kept(attack: &AttackSummary) -> Correct {
    let correct = attack.adversarial.correct.saturating_sub(attack.paired.gained);
    Correct::of(correct, attack.adversarial.n)
}

/// Clean accuracy on the images that were attacked, which may be fewer than all.
pub fn clean_rate(attack: &AttackSummary) -> f64 {
    let clean = attack.adversarial.correct + attack.paired.lost - attack.paired.gained;
    clean as f64 / attack.adversarial.n as f64
}

/// Whether a model scores higher on examples made with true labels than on clean images, by more
/// than chance explains.
pub fn leaks(model: &ModelSummary) -> bool {
    model.attacks.iter().any(|a| a.labels == LabelSource::True && a.paired.gains())
}

/// Whether FGSM was run on all images, whose limits must then be said.
pub fn has_fgsm(view: &View<'_>) -> bool {
    view.subjects.iter().flat_map(|subject| &subject.model.attacks).any(|a| a.id == "fgsm")
}
