//! All models of all runs in one row, under names that tell them apart.

use super::{Exhibit, ReportError, Run, words};
use crate::paper;
use crate::record::LabelSource;
use crate::summary::{AttackSummary, Correct, ModelSummary, Summary};

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
                subjects.push(Subject { name, model, exhibits });
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
        "The run started {} was broken off: models and attacks that it planned are missing. Run the \
         command again for all of them.",
        summary.run.started
    )
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

/// Whether FGSM was run, whose limits must then be said.
pub fn has_fgsm(view: &View<'_>) -> bool {
    view.subjects.iter().flat_map(|subject| &subject.model.attacks).any(|a| a.id == "fgsm")
}
