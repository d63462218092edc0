//! All models of all runs in one row, under names that tell them apart.

use super::{Exhibit, ReportError, Run, words};
use crate::paper;
use crate::summary::{AttackSummary, ModelSummary};

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
    pub fn notices(&self) -> Vec<&'a str> {
        let mut notices = Vec::new();
        for notice in self.runs.iter().flat_map(|run| &run.summary.run.notices) {
            if !notices.contains(&notice.as_str()) {
                notices.push(notice.as_str());
            }
        }
        notices
    }

    /// The page's title, which names every data set.
    pub fn title(&self) -> String {
        format!("Adversarial robustness on {}", words::listed(&self.datasets))
    }
}

/// An attack in words: `FGSM, linf eps 0.1, true labels`.
pub fn attack_words(attack: &AttackSummary) -> String {
    let (id, labels) = (words::attack(&attack.id), words::labels(attack.labels));
    format!("{id}, {} eps {}, {labels}", attack.norm, attack.eps_text)
}

/// Clean accuracy on the images that were attacked, which may be fewer than all.
pub fn clean_rate(attack: &AttackSummary) -> f64 {
    let clean = attack.adversarial.correct + attack.paired.lost - attack.paired.gained;
    clean as f64 / attack.adversarial.n as f64
}

/// Whether FGSM was run, whose limits must then be said.
pub fn has_fgsm(view: &View<'_>) -> bool {
    view.subjects.iter().flat_map(|subject| &subject.model.attacks).any(|a| a.id == "fgsm")
}
