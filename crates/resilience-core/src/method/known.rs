//! The methods that come with the program.

use std::path::Path;

use super::{Method, MethodError, place};

/// Name and text of each.
const KNOWN: [(&str, &str); 8] = [
    ("resilience-cnn-paper", include_str!("../../../../recipes/resilience-cnn-paper.toml")),
    ("resnet18-pgd-rice2020", include_str!("../../../../recipes/resnet18-pgd-rice2020.toml")),
    ("resnet18-pgd-l2-rice2020", include_str!("../../../../recipes/resnet18-pgd-l2-rice2020.toml")),
    ("resnet18-pgd-awp", include_str!("../../../../recipes/resnet18-pgd-awp.toml")),
    ("resnet18-trades", include_str!("../../../../recipes/resnet18-trades.toml")),
    ("resnet18-trades-awp", include_str!("../../../../recipes/resnet18-trades-awp.toml")),
    (
        "resnet18-fast-at-wong2020",
        include_str!("../../../../recipes/resnet18-fast-at-wong2020.toml"),
    ),
    ("resnet18-n-fgsm", include_str!("../../../../recipes/resnet18-n-fgsm.toml")),
];

/// The names of the methods that come with the program.
pub fn known_names() -> impl Iterator<Item = &'static str> {
    KNOWN.iter().map(|(name, _)| *name)
}

/// The method of that name, unchecked, so that arguments can take the place of some of its keys; none
/// where there is none of that name.
pub fn known(name: &str) -> Result<Option<toml::Table>, MethodError> {
    let Some((name, text)) = KNOWN.iter().find(|(known, _)| *known == name) else {
        return Ok(None);
    };
    let broken = |source| MethodError::Toml {
        place: place(Path::new(&format!("{name}.toml"))),
        source: Box::new(source),
    };
    toml::from_str(text).map(Some).map_err(broken)
}

/// The method of that name, checked.
pub fn known_method(name: &str) -> Result<Option<Method>, MethodError> {
    let table = known(name)?;
    table.map(|table| Method::from_table(&format!("method {name}"), &table)).transpose()
}
