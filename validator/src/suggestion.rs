//! What a misspelt name may have been meant to be.

/// The known name that is at most two edits away from `name`, case not counting, if there is one.
pub(crate) fn closest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    // Longer names than any that is known would cost time and be close to none.
    let name: String = name.chars().take(64).collect::<String>().to_lowercase();
    known
        .into_iter()
        .map(|candidate| (strsim::levenshtein(&name, &candidate.to_lowercase()), candidate))
        .filter(|(distance, candidate)| *distance <= 2 && *distance < candidate.len())
        .min()
        .map(|(_, candidate)| candidate)
}
