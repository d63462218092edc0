//! What an architecture is called, with its parameters: `wideresnet:depth=34,widen=20`.

/// The id and the parameters in a name, each with its value as text; an equals sign that is missing leaves
/// the value empty.
#[must_use]
pub fn split(name: &str) -> (&str, Vec<(String, String)>) {
    let (id, rest) = name.split_once(':').unwrap_or((name, ""));
    let parameters = rest.split(',').map(str::trim).filter(|text| !text.is_empty());
    let pair = |text: &str| {
        let (name, value) = text.split_once('=').unwrap_or((text, ""));
        (name.trim().to_owned(), value.trim().to_owned())
    };
    (id.trim(), parameters.map(pair).collect())
}

/// The name of an architecture with these parameters.
#[must_use]
pub fn join(id: &str, parameters: &[(String, String)]) -> String {
    let words: Vec<_> = parameters.iter().map(|(name, value)| format!("{name}={value}")).collect();
    if words.is_empty() { id.to_owned() } else { format!("{id}:{}", words.join(",")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Would catch a parameter that is lost on the way into a name or out of it.
    #[test]
    fn names_have_their_parameters() {
        for name in ["resnet18", "wideresnet:depth=34,widen=20"] {
            let (id, parameters) = split(name);
            assert_eq!(join(id, &parameters), name);
        }
        let (id, parameters) = split(" wideresnet : depth = 34, widen");
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!((id, parameters), ("wideresnet", vec![pair("depth", "34"), pair("widen", "")]));
    }
}
