//! The near name for a typing error.

/// The candidate that `name` was probably meant to be, if any is near enough.
#[must_use]
pub fn nearest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let name = name.to_lowercase();
    candidates
        .into_iter()
        .map(|candidate| (strsim::damerau_levenshtein(&name, &candidate.to_lowercase()), candidate))
        .filter(|(distance, candidate)| *distance <= 1.max(candidate.chars().count() / 3))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// The words `; did you mean 'x'?`, or nothing where no candidate is near.
#[must_use]
pub fn did_you_mean<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> String {
    nearest(name, candidates).map_or_else(String::new, |near| format!("; did you mean '{near}'?"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Would catch a suggestion that is far-fetched, or none for a plain slip.
    #[test]
    fn near_names_only() {
        let names = ["cifar10", "shapes10"];
        assert_eq!(nearest("cifr10", names), Some("cifar10"));
        assert_eq!(nearest("CIFAR-10", names), Some("cifar10"));
        assert_eq!(nearest("mnist", names), None);
        assert_eq!(did_you_mean("shape10", names), "; did you mean 'shapes10'?");
    }
}
