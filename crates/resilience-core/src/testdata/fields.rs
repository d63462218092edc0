//! Fields of a file that machines read, as they are documented and as they are written.

use std::collections::BTreeSet;

use serde_json::Value;

/// Fields that a document lists, one a row of its table: the code at its beginning.
pub fn documented(document: &str) -> BTreeSet<String> {
    document
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split_once('`'))
        .map(|(field, _)| field.to_owned())
        .collect()
}

/// Paths of all leaves and of the objects that hold them: `models[].clean.rate`.
pub fn written(value: &Value) -> BTreeSet<String> {
    let mut fields = BTreeSet::new();
    collect("", value, &mut fields);
    fields
}

fn collect(path: &str, value: &Value, into: &mut BTreeSet<String>) {
    match value {
        Value::Object(fields) if !path.ends_with("settings") || path.contains("training") => {
            for (name, value) in fields {
                let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                into.insert(path.clone());
                collect(&path, value, into);
            }
        }
        Value::Array(items) if items.iter().any(Value::is_object) => {
            for item in items {
                collect(&format!("{path}[]"), item, into);
            }
        }
        _ => {}
    }
}
