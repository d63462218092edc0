//! Which classes there are: so many, those of a list, of a file or of a data set that the program knows, or
//! those that are met.

use std::collections::HashMap;
use std::path::Path;

use super::{content, unreadable};
use crate::dataset::{DatasetError, spec};
use crate::format::regular;

/// More classes than any model has.
const MOST: usize = 1 << 16;
/// A list of twenty thousand classes has about a million bytes.
const MAX_FILE: u64 = 16 << 20;

/// Classes as far as they were said.
#[derive(Clone, Debug, Default)]
pub(super) enum Classes {
    /// Nothing was said.
    #[default]
    Met,
    /// So many, called by their numbers.
    Count(usize),
    /// These.
    Listed(Vec<Class>),
}

/// A class: what its folder is called, and what people call it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Class {
    pub folder: String,
    pub title: String,
}

impl Class {
    fn plain(name: &str) -> Self {
        Self { folder: name.to_owned(), title: name.to_owned() }
    }
}

impl Classes {
    /// From a number.
    pub fn count(path: &Path, count: i64) -> Result<Self, DatasetError> {
        match usize::try_from(count) {
            Ok(count) if (1..=MOST).contains(&count) => Ok(Self::Count(count)),
            _ => Err(content(path, "classes", format!("1 to {MOST}"), count.to_string())),
        }
    }

    /// From names, in the order of labels.
    pub fn names(path: &Path, names: &[String]) -> Result<Self, DatasetError> {
        checked(path, names.iter().map(|name| Class::plain(name)).collect())
    }

    /// From the id of a data set that the program knows, or from a file beside the manifest at `path`: a
    /// line for each class in the order of labels (its folder, and perhaps a title behind), or JSON as
    /// `imagenet_class_index.json` has it.
    pub fn named(path: &Path, name: &str) -> Result<Self, DatasetError> {
        if let Some(spec) = spec(name) {
            let names: Vec<String> = spec.classes.iter().map(|&class| class.to_owned()).collect();
            return Self::names(path, &names);
        }
        let file = path.parent().unwrap_or(Path::new("")).join(name);
        let text = regular::read_text(&file, MAX_FILE).map_err(unreadable(&file))?;
        let classes = if text.trim_start().starts_with(['{', '[']) {
            json(&file, &text)?
        } else {
            let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
            lines.map(line).collect()
        };
        checked(&file, classes)
    }

    /// Their titles, where the largest label of all is this one; an error where there is no such class.
    pub fn titles(&self, path: &Path, largest: Option<u32>) -> Result<Vec<String>, DatasetError> {
        let met = largest.map_or(0, |label| label as usize + 1);
        let titles: Vec<String> = match self {
            Self::Met | Self::Count(_) => {
                let count = if let Self::Count(count) = self { *count } else { met };
                if count > MOST {
                    let found = (count - 1).to_string();
                    return Err(content(path, "labels", format!("below {MOST}"), found));
                }
                (0..count.max(1)).map(|label| label.to_string()).collect()
            }
            Self::Listed(classes) => classes.iter().map(|class| class.title.clone()).collect(),
        };
        if met > titles.len() {
            let expected =
                format!("from 0 to {}, as there are {} classes", titles.len() - 1, titles.len());
            return Err(content(path, "labels", expected, format!("{}", met - 1)));
        }
        Ok(titles)
    }
}

fn checked(path: &Path, classes: Vec<Class>) -> Result<Classes, DatasetError> {
    if classes.is_empty() || classes.len() > MOST {
        let found = classes.len().to_string();
        return Err(content(path, "classes", format!("1 to {MOST}"), found));
    }
    let mut seen = HashMap::new();
    for (label, class) in classes.iter().enumerate() {
        if let Some(first) = seen.insert(&class.folder, label) {
            let expected = format!("'{}' once", class.folder);
            return Err(content(path, "classes", expected, format!("at {first} and at {label}")));
        }
    }
    Ok(Classes::Listed(classes))
}

/// `n01440764 tench, Tinca tinca`, or a name alone. What has no digit in its first word is a name of several.
fn line(text: &str) -> Class {
    match text.split_once([' ', '\t']) {
        Some((folder, title)) if folder.contains(|c: char| c.is_ascii_digit()) => {
            Class { folder: folder.to_owned(), title: title.trim().to_owned() }
        }
        _ => Class::plain(text),
    }
}

/// A list of names, or an object of labels, each with its folder and title or with its name.
fn json(path: &Path, text: &str) -> Result<Vec<Class>, DatasetError> {
    let wrong = |found: String| {
        let expected = "a list of names, or an object like {\"0\": [\"n01440764\", \"tench\"], …} with every \
                        label from 0 on";
        content(path, "classes", expected.to_owned(), found)
    };
    let value: serde_json::Value =
        serde_json::from_str(text).map_err(|error| wrong(error.to_string()))?;
    let class = |value: &serde_json::Value| match value {
        serde_json::Value::String(name) => Some(Class::plain(name)),
        serde_json::Value::Array(pair) => Some(Class {
            folder: pair.first()?.as_str()?.to_owned(),
            title: pair.last()?.as_str()?.to_owned(),
        }),
        _ => None,
    };
    let entries: Option<Vec<Class>> = match &value {
        serde_json::Value::Array(all) => all.iter().map(class).collect(),
        serde_json::Value::Object(all) => {
            (0..all.len()).map(|label| class(all.get(&label.to_string())?)).collect()
        }
        _ => None,
    };
    entries.ok_or_else(|| wrong("another form".to_owned()))
}

/// Some names, and how many more there are.
pub(super) fn listed(names: &[String]) -> String {
    let shown = names.iter().take(8).map(String::as_str).collect::<Vec<_>>().join(", ");
    match names.len().saturating_sub(8) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Would catch a folder that is taken for a title, and labels that leave one out.
    #[test]
    fn forms_of_a_class_index() {
        let path = Path::new("classes");
        let tench = Class { folder: "n01440764".to_owned(), title: "tench, Tinca".to_owned() };
        assert_eq!(line("n01440764 tench, Tinca"), tench);
        assert_eq!(line("oak tree"), Class::plain("oak tree"));
        let index = json(path, r#"{"1": ["n2", "b"], "0": ["n1", "a"]}"#).unwrap();
        assert_eq!(index[1], Class { folder: "n2".to_owned(), title: "b".to_owned() });
        assert_eq!(json(path, r#"["a", "b"]"#).unwrap(), ["a", "b"].map(Class::plain));
        for text in [r#"{"1": ["n2", "b"]}"#, "[1]", "{", "3", r#"{"0": []}"#] {
            assert!(json(path, text).is_err(), "{text}");
        }
    }

    /// Would catch a label without a class, and a count of classes that depends on the images read.
    #[test]
    fn labels_have_classes() {
        let path = Path::new("y");
        assert_eq!(Classes::Met.titles(path, Some(2)).unwrap(), ["0", "1", "2"]);
        assert_eq!(Classes::Count(1000).titles(path, Some(2)).unwrap().len(), 1000);
        let two = Classes::names(path, &["a".to_owned(), "b".to_owned()]).unwrap();
        let error = two.titles(path, Some(2)).unwrap_err().to_string();
        assert!(error.contains("from 0 to 1") && error.contains("found 2"), "{error}");
        assert!(Classes::Met.titles(path, Some(u32::MAX)).is_err());
        assert!(Classes::names(path, &["a".to_owned(), "a".to_owned()]).is_err());
        assert!(Classes::count(path, 0).is_err() && Classes::count(path, 1 << 20).is_err());
    }
}
