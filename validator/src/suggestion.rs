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

/// The id of a clause that is close to `name`. Of a number that no clause of a known chapter has, any other is.
pub(crate) fn close_id<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let known: Vec<&str> = known.into_iter().collect();
    let is_id = name.len() == 7 && name.bytes().skip(4).all(|byte| byte.is_ascii_digit());
    let has_chapter = |id: &str| id.get(..4).zip(name.get(..4)).is_some_and(|(known, seen)| known == seen);
    if is_id && known.iter().any(|id| has_chapter(id)) { None } else { closest(name, known) }
}
