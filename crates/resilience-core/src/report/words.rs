//! Figures and names as people read them; one place for each form.

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

/// A data set's name. Only CIFAR-10 itself is called so.
pub fn dataset(name: &str) -> &str {
    match name {
        "cifar10" => "CIFAR-10",
        "cifar10-altered" => "altered CIFAR-10",
        other => other,
    }
}

/// The images that a rate is over: `CIFAR-10, 1,000 test images`.
pub fn images(dataset: &DatasetSummary) -> String {
    format!("{}, {} {} images", self::dataset(&dataset.name), count(dataset.n), dataset.split)
}

/// An attack's name: `FGSM`.
pub fn attack(id: &str) -> String {
    id.to_uppercase()
}

/// An attack with its norm and radius: `FGSM, linf 0.1`.
pub fn threat(id: &str, norm: Norm, eps_text: &str) -> String {
    format!("{}, {norm}\u{a0}{eps_text}", attack(id))
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

/// The class of a label, or its number where it has no name.
pub fn class(classes: &[String], label: u32) -> String {
    classes.get(label as usize).cloned().unwrap_or_else(|| format!("class {label}"))
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
        assert_eq!(dataset("shapes10"), "shapes10");
    }
}
