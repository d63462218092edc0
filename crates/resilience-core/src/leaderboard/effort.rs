//! Whether a result was attacked as the published ones were, by what ran and not by what it is called.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What ran, held against `AutoAttack`'s standard suite.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Effort {
    /// Some of the suite's attacks did not run, or with less: a figure that the suite can only lower.
    Less,
    /// All of them, and no other.
    Same,
    /// All of them and others, or with more: a figure that is lower than the suite's, if it differs.
    More,
}

/// An attack that was carried through.
#[derive(Clone, Copy, Debug)]
pub struct Ran<'a> {
    /// Registry id.
    pub id: &'a str,
    /// Every setting by name.
    pub settings: &'a Value,
}

/// An attack of the suite: what it may spend, of which more is more, and what makes it this attack.
struct Part {
    id: &'static str,
    budget: &'static [(&'static str, u64)],
    form: &'static [(&'static str, f64)],
}

/// Croce and Hein 2020, with the settings of fra31/auto-attack.
const STANDARD: [Part; 4] = [
    Part { id: "apgd-ce", budget: &[("steps", 100), ("restarts", 1)], form: &[("rho", 0.75)] },
    Part {
        id: "apgd-t",
        budget: &[("steps", 100), ("restarts", 1), ("targets", 9)],
        form: &[("rho", 0.75)],
    },
    Part {
        id: "fab-t",
        budget: &[("steps", 100), ("restarts", 1), ("targets", 9)],
        form: &[("alpha_max", 0.1), ("eta", 1.05), ("beta", 0.9)],
    },
    Part { id: "square", budget: &[("queries", 5000), ("restarts", 1)], form: &[("p_init", 0.8)] },
];

/// How much was tried, of the attacks that ran on all that was left.
#[must_use]
pub fn effort(ran: &[Ran<'_>]) -> Effort {
    let covered = |part: &Part| ran.iter().any(|ran| part.is_in(ran));
    if !STANDARD.iter().all(covered) {
        return Effort::Less;
    }
    let exact = ran.len() == STANDARD.len()
        && STANDARD.iter().all(|part| ran.iter().any(|ran| part.is(ran)));
    if exact { Effort::Same } else { Effort::More }
}

impl Part {
    /// Whether an attack does at least as much as this one.
    fn is_in(&self, ran: &Ran<'_>) -> bool {
        self.compares(ran, |amount, wanted| amount >= wanted)
    }

    /// Whether it does exactly as much.
    fn is(&self, ran: &Ran<'_>) -> bool {
        self.compares(ran, |amount, wanted| amount == wanted)
    }

    fn compares(&self, ran: &Ran<'_>, enough: fn(u64, u64) -> bool) -> bool {
        let amount = |name: &str| ran.settings.get(name).and_then(Value::as_u64);
        let number = |name: &str| ran.settings.get(name).and_then(Value::as_f64);
        ran.id == self.id
            && self
                .budget
                .iter()
                .all(|&(name, wanted)| amount(name).is_some_and(|amount| enough(amount, wanted)))
            && self.form.iter().all(|&(name, wanted)| {
                number(name).is_some_and(|number| (number - wanted).abs() < 1e-9)
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn standard() -> Vec<(&'static str, Value)> {
        let apgd = json!({"steps": 100, "restarts": 1, "rho": 0.75, "eot": 1});
        let mut targeted = apgd.clone();
        targeted["targets"] = 9.into();
        let fab = json!({"steps": 100, "restarts": 1, "targets": 9, "alpha_max": 0.1, "eta": 1.05,
            "beta": 0.9});
        let square = json!({"queries": 5000, "restarts": 1, "p_init": 0.8});
        vec![("apgd-ce", apgd), ("apgd-t", targeted), ("fab-t", fab), ("square", square)]
    }

    fn tried(attacks: &[(&str, Value)]) -> Effort {
        let ran: Vec<Ran> = attacks.iter().map(|(id, settings)| Ran { id, settings }).collect();
        effort(&ran)
    }

    /// Would catch a suite that is called AutoAttack and does less, and a larger one called the same.
    #[test]
    fn only_what_ran_counts() {
        assert_eq!(tried(&standard()), Effort::Same);
        assert_eq!(tried(&standard()[..2]), Effort::Less);
        assert_eq!(tried(&[]), Effort::Less);
        let changed = |place: usize, name: &str, value: Value| {
            let mut attacks = standard();
            attacks[place].1[name] = value;
            tried(&attacks)
        };
        assert_eq!(changed(0, "steps", 20.into()), Effort::Less);
        assert_eq!(changed(1, "targets", 3.into()), Effort::Less);
        assert_eq!(changed(2, "beta", 0.5.into()), Effort::Less);
        assert_eq!(changed(3, "queries", 20_000.into()), Effort::More);
        let mut more = standard();
        more.push(("pgd", json!({"steps": 50})));
        assert_eq!(tried(&more), Effort::More);
        more.remove(3);
        assert_eq!(tried(&more), Effort::Less);
        // The order changes who finds what, and not what is left.
        let mut turned = standard();
        turned.reverse();
        assert_eq!(tried(&turned), Effort::Same);
    }
}
