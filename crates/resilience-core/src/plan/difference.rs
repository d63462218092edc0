//! Where two plans, or two records, part.

use serde::Serialize;
use serde_json::Value;

/// A field that is not as it was expected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// Its place, `models[0].weights_sha256`.
    pub field: String,
    /// What was expected there.
    pub expected: String,
    /// What is there.
    pub found: String,
}

/// The first field in which `found` is not as `expected`.
pub fn difference<T: Serialize>(expected: &T, found: &T) -> Option<Difference> {
    // What was read from JSON is JSON again.
    let json = |value: &T| serde_json::to_value(value).unwrap_or(Value::Null);
    first(&json(expected), &json(found))
}

fn first(expected: &Value, found: &Value) -> Option<Difference> {
    let here = |expected: String, found: String| {
        Some(Difference { field: String::new(), expected, found })
    };
    match (expected, found) {
        (Value::Object(a), Value::Object(b)) => {
            let names = a.keys().chain(b.keys().filter(|name| !a.contains_key(*name)));
            let entry = |map: &serde_json::Map<String, Value>, name: &str| {
                map.get(name).cloned().unwrap_or(Value::Null)
            };
            names
                .map(|name| Some(first(&entry(a, name), &entry(b, name))?.below(name)))
                .find_map(|deeper| deeper)
        }
        (Value::Array(a), Value::Array(b)) if a.len() == b.len() => a
            .iter()
            .zip(b)
            .enumerate()
            .find_map(|(place, (a, b))| Some(first(a, b)?.below(&format!("[{place}]")))),
        (Value::Array(a), Value::Array(b)) => {
            here(format!("{} entries", a.len()), format!("{} entries", b.len()))
        }
        (a, b) if a == b => None,
        (a, b) => here(a.to_string(), b.to_string()),
    }
}

impl Difference {
    /// The same, seen from what has it as its part `name`.
    fn below(mut self, name: &str) -> Self {
        let dot = if self.field.is_empty() || self.field.starts_with('[') { "" } else { "." };
        self.field = format!("{name}{dot}{}", self.field);
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// Would catch a difference that is overlooked, or named by another place than its own.
    #[test]
    fn the_first_difference_is_named_by_its_place() {
        let plan = json!({ "models": [{ "mean": [0.5, 0.25] }], "seed": 0 });
        assert_eq!(difference(&plan, &plan), None);
        for (other, field, found) in [
            (
                json!({ "models": [{ "mean": [0.5, 0.75] }], "seed": 0 }),
                "models[0].mean[1]",
                "0.75",
            ),
            (json!({ "models": [], "seed": 0 }), "models", "0 entries"),
            (json!({ "models": [{ "mean": [0.5, 0.25] }], "seed": 0, "n": 1 }), "n", "1"),
        ] {
            let different = difference(&plan, &other).unwrap();
            assert_eq!((different.field.as_str(), different.found.as_str()), (field, found));
        }
    }
}
