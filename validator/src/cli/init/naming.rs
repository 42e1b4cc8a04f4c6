//! Names and versions where the source has none that the format could use.

use std::path::Path;

use crate::limits::Limits;
use crate::name::{judge_name, judge_version};

/// The version of an image that has none.
pub(super) const FIRST_VERSION: &str = "0.1.0";

/// A name after that of a file or folder, below a host that stands for the author's.
pub(super) fn of_path(path: &Path) -> String {
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let name = absolute.file_name().unwrap_or_default().to_string_lossy().into_owned();
    placeholder(name.split('.').next().unwrap_or_default())
}

/// The name and version of a reference such as `registry.example.com/team/app:1.2.3`, or of a tag alone,
/// in the file or folder `path`. The version that the image gives itself comes first.
pub(super) fn of_reference(reference: Option<&str>, version: Option<&str>, path: &Path) -> (String, String) {
    let limits = Limits::FORMAT;
    let whole = reference.unwrap_or_default().split('@').next().unwrap_or_default();
    // A port has a `/` after it.
    let (name, tag) = match whole.rsplit_once(':').filter(|(_, tag)| !tag.contains('/')) {
        Some(parts) => parts,
        None if whole.contains('/') => (whole, ""),
        None => ("", whole),
    };
    let is_good = |version: &&str| judge_version(version, &limits).is_empty();
    let version = version.into_iter().chain([tag]).find(is_good).unwrap_or(FIRST_VERSION).to_owned();
    let name = if judge_name(name, &limits).is_empty() {
        name.to_owned()
    } else if name.is_empty() {
        of_path(path)
    } else {
        placeholder(name.rsplit('/').next().unwrap_or_default())
    };
    (name, version)
}

fn placeholder(name: &str) -> String {
    let words: Vec<String> = name
        .split(|character: char| !character.is_ascii_alphanumeric())
        .filter(|word| !word.is_empty())
        .map(str::to_ascii_lowercase)
        .collect();
    let segment = if words.is_empty() { "image".to_owned() } else { words.join("-") };
    let name = format!("example.com/{segment}");
    if judge_name(&name, &Limits::FORMAT).is_empty() { name } else { "example.com/image".to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_give_names_and_versions() {
        for (reference, version, expected) in [
            ("docker.io/library/nginx:1.27.0", None, ("docker.io/library/nginx", "1.27.0")),
            ("docker.io/library/nginx:latest", Some("1.27.1"), ("docker.io/library/nginx", "1.27.1")),
            ("localhost:5000/Team_A/App", None, ("example.com/app", "0.1.0")),
            ("1.2.3", None, ("example.com/saved", "1.2.3")),
            ("latest", None, ("example.com/saved", "0.1.0")),
            ("", None, ("example.com/saved", "0.1.0")),
        ] {
            let (name, version) = of_reference(Some(reference), version, Path::new("/tmp/saved.tar"));
            assert_eq!((name.as_str(), version.as_str()), expected, "{reference}");
        }
    }
}
