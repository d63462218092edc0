//! What is compared, under names and numbers that tell it apart.

use crate::comparison::{Comparison, Difference, Figure, Group, Measure};
use crate::report::words;

/// What the parts of the page are made from.
pub struct View<'a> {
    /// The figures.
    pub comparison: &'a Comparison,
    /// The groups, in the suite's order.
    pub subjects: Vec<Subject<'a>>,
}

/// One group on the page.
pub struct Subject<'a> {
    /// Its number, from 1.
    pub number: usize,
    /// Its title, unique on the page.
    pub name: String,
    /// Its figures.
    pub group: &'a Group,
}

impl<'a> View<'a> {
    /// Numbers the groups.
    pub fn new(comparison: &'a Comparison) -> Self {
        let groups = &comparison.groups;
        let subjects = (1..).zip(groups).map(|(number, group)| {
            let twins = groups.iter().filter(|other| other.title == group.title).count();
            let name = if twins > 1 {
                format!("{} ({})", group.title, group.name)
            } else {
                group.title.clone()
            };
            Subject { number, name, group }
        });
        Self { comparison, subjects: subjects.collect() }
    }

    /// The page's title, which names every data set, and says where runs are missing.
    pub fn title(&self) -> String {
        let mark = if self.comparison.missing.is_empty() { "" } else { " (incomplete)" };
        let sets = self.datasets();
        if sets.is_empty() {
            return format!("Training methods compared{mark}");
        }
        format!("Training methods compared on {}{mark}", words::listed(&sets))
    }

    /// Names of the data sets, each once.
    pub fn datasets(&self) -> Vec<String> {
        let mut sets: Vec<String> = Vec::new();
        for model in self.members().flat_map(|member| &member.summary.models) {
            let set = words::dataset(&model.dataset.name).to_owned();
            if !sets.contains(&set) {
                sets.push(set);
            }
        }
        sets
    }

    /// What must be read before any figure, each once: what is missing, then what the runs say.
    pub fn notices(&self) -> Vec<String> {
        let missing = &self.comparison.missing;
        let mut notices = Vec::new();
        if !missing.is_empty() {
            notices.push(format!(
                "Incomplete: of what the suite asks for there is no finished run of {}. Figures are over \
                 the seeds that are there.",
                missing.join("; ")
            ));
        }
        for notice in self.members().flat_map(|member| &member.summary.run.notices) {
            if !notices.contains(notice) {
                notices.push(notice.clone());
            }
        }
        notices
    }

    /// The measures that a method's row of the table has, in order.
    pub fn columns(&self) -> impl Iterator<Item = Measure> + use<> {
        let claim = self.comparison.claim.as_ref().map(|_| Measure::Claim);
        let attacked = [Measure::Clean, Measure::FgsmTrue, Measure::FgsmPredicted];
        let left = [Measure::Pgd, Measure::Robust, Measure::Stability];
        attacked.into_iter().chain(claim).chain(left)
    }

    /// What a measure's column is called: `FGSM 0.1, true labels` where it is of another radius than the others.
    pub fn column(&self, measure: Measure) -> String {
        match (&self.comparison.claim, measure) {
            (Some(claim), Measure::Claim) => format!("FGSM {}, true labels", claim.eps_text),
            _ => measure.title().to_owned(),
        }
    }

    /// Every member of every group.
    pub fn members(&self) -> impl Iterator<Item = &'a crate::comparison::Member> {
        self.comparison.groups.iter().flat_map(|group| &group.members)
    }

    /// The norm and radius that all were attacked at: `linf 8/255`.
    pub fn threat(&self) -> String {
        let threat = &self.comparison.threat;
        words::radius(threat.norm, &threat.eps_text)
    }

    /// A curve's attack with its steps, where it is told of them: `PGD-20`.
    pub fn curve_attack(&self, attack: &str) -> String {
        let stages = self.comparison.stages.iter();
        let mut steps = stages
            .filter(|stage| stage.curve && stage.attack == attack)
            .map(|stage| stage.settings.get("steps").and_then(serde_json::Value::as_u64));
        match steps.next().flatten() {
            Some(steps) => format!("{}-{steps}", words::attack(attack)),
            None => words::attack(attack),
        }
    }

    /// The groups that have a figure, the highest mean first; equal ones in the suite's order.
    pub fn ranked(&self, measure: Measure) -> Vec<(&Subject<'a>, &'a Figure)> {
        let have = |subject| Some((subject, figure(subject, measure)?));
        let mut ranked: Vec<_> = self.subjects.iter().filter_map(have).collect();
        ranked.sort_by(|(_, a), (_, b)| b.mean.total_cmp(&a.mean));
        ranked
    }

    /// How two groups differ, positive where the first is higher.
    pub fn difference(&self, a: &Subject<'_>, b: &Subject<'_>, of: Measure) -> Option<Difference> {
        self.comparison.difference(&a.group.name, &b.group.name, of)
    }

    /// The number of images of a measure, where all groups have the same.
    pub fn images(&self, measure: Measure) -> Option<u64> {
        let mut all = self.subjects.iter().filter_map(|subject| figure(subject, measure));
        let first = all.next()?.n;
        all.all(|figure| figure.n == first).then_some(first)
    }
}

/// A figure of a group, with the group's lifetime.
pub fn figure<'a>(subject: &Subject<'a>, measure: Measure) -> Option<&'a Figure> {
    subject.group.figure(measure)
}

impl Subject<'_> {
    /// How many models its figures are the mean of: `3 seeds`, `1 seed`, `ensemble`.
    pub fn seeds(&self) -> String {
        let seeds = self.group.members.iter().filter(|member| member.seed.is_some()).count();
        match seeds {
            0 => "ensemble".to_owned(),
            1 => "1 seed".to_owned(),
            n => format!("{n} seeds"),
        }
    }

    /// The same with the seeds' numbers: `3 seeds (0, 1, 2)`.
    pub fn seeds_in_full(&self) -> String {
        let seeds = self.group.members.iter().filter_map(|member| member.seed);
        let seeds: Vec<String> = seeds.map(|seed| seed.to_string()).collect();
        if seeds.is_empty() {
            return "ensemble, one model".to_owned();
        }
        format!("{} ({})", self.seeds(), seeds.join(", "))
    }
}

/// Names in a row; in quotes where a name has a comma itself.
pub fn names<'a>(subjects: impl IntoIterator<Item = &'a Subject<'a>>) -> String {
    let names: Vec<String> = subjects.into_iter().map(|subject| subject.name.clone()).collect();
    if names.len() > 1 && names.iter().any(|name| name.contains(',')) {
        let quoted: Vec<String> = names.iter().map(|name| format!("“{name}”")).collect();
        return words::listed(&quoted);
    }
    words::listed(&names)
}

/// A rate with its interval: `31.20 % [28.10, 34.30]`.
pub fn rate(figure: &Figure) -> String {
    format!("{}\u{a0}% {}", words::percent(figure.mean), words::interval(figure.ci95))
}

/// An interval of differences in points: `[-0.3, 2.1]`.
pub fn points_interval([low, high]: [f64; 2]) -> String {
    format!("[{}, {}]", signed(low, ""), signed(high, ""))
}

/// A difference in points with its sign: `+3.2`, `-0.1`, `0.0`.
pub fn signed(difference: f64, plus: &str) -> String {
    let points = words::points(difference);
    match difference {
        _ if points == "0.0" => points,
        d if d < 0.0 => format!("-{points}"),
        _ => format!("{plus}{points}"),
    }
}
