//! Figures and names as people read them; one place for each form.

use crate::dataset::spec;
use crate::record::LabelSource;
use crate::summary::DatasetSummary;
use crate::threat::Norm;

/// A share as per cent with two decimals, without the sign: `85.57`.
pub fn percent(rate: f64) -> String {
    format!("{:.2}", 100.0 * rate)
}

/// An interval of shares in per cent: `[84.87, 86.25]`.
pub fn interval([low, high]: [f64; 2]) -> String {
    format!("[{}, {}]", percent(low), percent(high))
}

/// A count with commas: `10,000`.
#[must_use]
pub fn count(n: u64) -> String {
    let digits = n.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A data set's name. Only a data set itself is called so.
pub fn dataset(name: &str) -> &str {
    match name {
        "cifar10-altered" => "altered CIFAR-10",
        "cifar100-altered" => "altered CIFAR-100",
        "mnist-altered" => "altered MNIST",
        "fashionmnist-altered" => "altered Fashion-MNIST",
        other => spec(other).map_or(other, |spec| spec.title),
    }
}

/// The images that a rate is over: `CIFAR-10, 1,000 test images`.
pub fn images(dataset: &DatasetSummary) -> String {
    format!("{}, {} {} images", self::dataset(&dataset.name), count(dataset.n), dataset.split)
}

/// An attack's name: `FGSM`, `APGD-T`, `uniform noise`.
pub fn attack(id: &str) -> String {
    match id {
        "square" => "Square".to_owned(),
        "deepfool" => "DeepFool".to_owned(),
        "hopskipjump" => "HopSkipJump".to_owned(),
        "cw" => "C&W".to_owned(),
        "noise-uniform" => "uniform noise".to_owned(),
        "noise-gaussian" => "Gaussian noise".to_owned(),
        other => other.to_uppercase(),
    }
}

/// What an attack may spend on an image, of its settings: `100 steps, 5 restarts`. The summary has
/// all of them.
pub fn budget(settings: &serde_json::Value) -> String {
    let named = [
        ("search_steps", "constants"),
        ("steps", "steps"),
        ("queries", "queries"),
        ("samples", "samples"),
        ("restarts", "restarts"),
        ("classes", "target classes"),
        ("eot", "passes a gradient"),
    ];
    let amounts = named.into_iter().filter_map(|(key, unit)| {
        let amount = settings.get(key)?.as_u64()?;
        // One of these is none.
        let said = amount != 1 || ["steps", "queries", "classes"].contains(&key);
        let unit = if amount == 1 { &unit[..unit.len() - 1] } else { unit };
        said.then(|| format!("{}\u{a0}{unit}", count(amount)))
    });
    amounts.collect::<Vec<_>>().join(", ")
}

/// An attack with its steps or queries and its restarts, short: `PGD 100 × 10`.
pub fn rung(id: &str, settings: &serde_json::Value) -> String {
    let amount = |key: &str| settings.get(key).and_then(serde_json::Value::as_u64);
    let mut text = attack(id);
    if let Some(steps) = amount("steps").or_else(|| amount("queries")) {
        text = format!("{text} {}", count(steps));
    }
    if let Some(restarts) = amount("restarts").filter(|&restarts| restarts != 1) {
        text = format!("{text} × {restarts}");
    }
    let decay = settings.get("decay").and_then(serde_json::Value::as_f64);
    if decay.is_some_and(|decay| decay > 0.0) { text + " with momentum" } else { text }
}

/// All settings: `rho 0.75, steps 100`.
pub fn settings(settings: &serde_json::Value) -> String {
    let Some(fields) = settings.as_object() else { return String::new() };
    let known = fields.iter().filter(|(_, value)| !value.is_null());
    let said = known.map(|(name, value)| match value.as_str() {
        Some(text) => format!("{name}\u{a0}{text}"),
        None => format!("{name}\u{a0}{value}"),
    });
    said.collect::<Vec<_>>().join(", ")
}

/// A norm and a radius that stay on one line: `linf 8/255`.
pub fn radius(norm: Norm, eps_text: &str) -> String {
    format!("{norm}\u{a0}{eps_text}")
}

/// An attack with its norm and radius: `FGSM, linf 0.1`.
pub fn threat(id: &str, norm: Norm, eps_text: &str) -> String {
    format!("{}, {}", attack(id), radius(norm, eps_text))
}

/// Whose labels were attacked: `true labels`.
pub const fn labels(source: LabelSource) -> &'static str {
    match source {
        LabelSource::True => "true labels",
        LabelSource::Predicted => "predicted labels",
    }
}

/// What the two conventions of labels are.
pub const LABELS_EXPLAINED: &str = "True labels: the attack pushes away from the true class, as torchattacks does. Predicted \
     labels: it pushes away from the class that the model itself predicts, as ART does when no \
     labels are given. The two are different attacks and give different figures.";

/// A p-value as it is written: `0.0123`, `below 0.0001`.
pub fn p_value(p: f64) -> String {
    if p < 0.0001 { "below 0.0001".to_owned() } else { format!("{p:.4}") }
}

/// The p-value of McNemar's test in a sentence: `p = 0.0123`, `p below 0.0001`.
pub fn p_clause(p: f64) -> String {
    let equals = if p < 0.0001 { "" } else { "= " };
    format!("p {equals}{}", p_value(p))
}

/// A difference of shares in percentage points, without its sign: `3.2`.
pub fn points(difference: f64) -> String {
    format!("{:.1}", 100.0 * difference.abs())
}

/// Wall time: `12.3 s`, `4 min 10 s`, `2 h 5 min`.
pub fn time(seconds: f64) -> String {
    let whole = seconds.round() as u64;
    match whole {
        0..60 => format!("{seconds:.1}\u{a0}s"),
        60..3600 => format!("{}\u{a0}min {}\u{a0}s", whole / 60, whole % 60),
        _ => format!("{}\u{a0}h {}\u{a0}min", whole / 3600, whole % 3600 / 60),
    }
}

/// A time that is only foreseen: `40 s`, `12 min`, `3.5 h`, `2.1 days`.
#[must_use]
pub fn foreseen(seconds: f64) -> String {
    match seconds.max(0.0) {
        s if s < 1.0 => "below 1\u{a0}s".to_owned(),
        s if s < 99.5 => format!("{s:.0}\u{a0}s"),
        s if s < 99.5 * 60.0 => format!("{:.0}\u{a0}min", s / 60.0),
        s if s < 48.0 * 3600.0 => format!("{:.1}\u{a0}h", s / 3600.0),
        s => format!("{:.1}\u{a0}days", s / 86400.0),
    }
}

/// So many a second: `12.3`, `1,050`.
#[must_use]
pub fn rate(per_second: f64) -> String {
    if per_second < 99.95 { format!("{per_second:.1}") } else { count(per_second.round() as u64) }
}

/// A large count, shortened: `950`, `12.3 k`, `4.6 M`.
pub fn amount(n: u64) -> String {
    match n as f64 {
        n if n < 1e4 => count(n as u64),
        n if n < 1e6 => format!("{:.1}\u{a0}k", n / 1e3),
        n if n < 1e9 => format!("{:.1}\u{a0}M", n / 1e6),
        n => format!("{:.1}\u{a0}G", n / 1e9),
    }
}

/// The class of a label, or its number where it has no name.
pub fn class(classes: &[String], label: u32) -> String {
    classes.get(label as usize).cloned().unwrap_or_else(|| format!("class {label}"))
}

/// A distance; in Linf also in steps of 8-bit pixels: `0.0213 (5.4/255)`.
pub fn distance(norm: Norm, distance: f64) -> String {
    match norm {
        Norm::Linf => format!("{distance:.4} ({:.1}/255)", 255.0 * distance),
        _ => format!("{distance:.3}"),
    }
}

/// Words in a row: `a, b and c`.
pub fn listed(items: &[String]) -> String {
    match items {
        [] => String::new(),
        [one] => one.clone(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dataset::{ALTERED, DATASETS, Origin};

    /// Would catch a figure that is printed with other decimals or separators.
    #[test]
    fn figures() {
        assert_eq!(percent(0.8557), "85.57");
        assert_eq!(percent(1.0), "100.00");
        assert_eq!(interval([0.0, 0.064_56]), "[0.00, 6.46]");
        let counts = [0, 999, 1000, 545_098, 1_234_567].map(count);
        assert_eq!(counts, ["0", "999", "1,000", "545,098", "1,234,567"]);
        assert_eq!(listed(&["a".into(), "b".into(), "c".into()]), "a, b and c");
        assert_eq!(p_value(1e-9), "below 0.0001");
        for spec in DATASETS {
            let altered = format!("{}{ALTERED}", spec.id);
            assert_eq!(dataset(spec.id), spec.title);
            // What is drawn is never altered.
            let made = matches!(spec.origin, Origin::Generated(_));
            assert!(made || dataset(&altered) == format!("altered {}", spec.title), "{altered}");
        }
        assert_eq!(dataset("my own"), "my own");
        assert_eq!([9_999, 12_340, 4_560_000].map(amount), ["9,999", "12.3\u{a0}k", "4.6\u{a0}M"]);
        let times = [3.21, 250.0, 7500.0].map(time);
        assert_eq!(times, ["3.2\u{a0}s", "4\u{a0}min 10\u{a0}s", "2\u{a0}h 5\u{a0}min"]);
        assert_eq!([12.34, 99.96, 1049.6].map(rate), ["12.3", "100", "1,050"]);
        let times = [-1.0, 41.3, 99.6, 5_969.0, 5_970.0, 250_000.0].map(foreseen);
        let times = times.map(|time| time.replace('\u{a0}', " "));
        assert_eq!(times, ["below 1 s", "41 s", "2 min", "99 min", "1.7 h", "2.9 days"]);
    }

    /// Would catch an attack under another name than the literature's, and a budget that hides
    /// what makes it strong.
    #[test]
    fn attacks() {
        let ids = ["fgsm", "apgd-ce", "apgd-t", "fab-t", "square", "noise-uniform"].map(attack);
        assert_eq!(ids, ["FGSM", "APGD-CE", "APGD-T", "FAB-T", "Square", "uniform noise"]);
        let momentum = serde_json::json!({"steps": 40, "restarts": 2, "decay": 1.0});
        assert_eq!(rung("pgd", &momentum), "PGD 40 × 2 with momentum");
        assert_eq!(["spsa", "hopskipjump"].map(attack), ["SPSA", "HopSkipJump"]);
        let said = |json| budget(&serde_json::from_str(json).unwrap());
        let directions = r#"{"steps": 100, "samples": 128, "restarts": 1}"#;
        assert_eq!(said(directions), "100\u{a0}steps, 128\u{a0}samples");
        assert_eq!(said(r#"{"steps": 100, "restarts": 1, "rho": 0.75}"#), "100\u{a0}steps");
        assert_eq!(
            said(r#"{"queries": 5000, "restarts": 5, "eot": 20}"#),
            "5,000\u{a0}queries, 5\u{a0}restarts, 20\u{a0}passes a gradient"
        );
        assert_eq!(said("{}"), "");
    }
}
