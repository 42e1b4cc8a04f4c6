//! The book: every link of the specification and of the other texts leads somewhere.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Component, Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

fn texts() -> Vec<PathBuf> {
    let mut out: Vec<PathBuf> = [
        "README.md",
        "CONTRIBUTING.md",
        "CHANGELOG.md",
        "validator/ARCHITECTURE.md",
        "fixtures/README.md",
        "fixtures/sample-repository/README.md",
        "fixtures/third-party/README.md",
        "fixtures/CATALOGUE.md",
        "conformance/adapters/README.md",
    ]
    .iter()
    .map(|name| root().join(name))
    .collect();
    for folder in ["spec", "spec/guides", "spec/reference"] {
        for entry in fs::read_dir(root().join(folder)).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|extension| extension == "md") {
                out.push(path);
            }
        }
    }
    out.sort();
    out
}

/// The text without fenced and inline code.
fn prose(text: &str) -> String {
    let mut out = String::new();
    let mut fenced = false;
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
        } else if !fenced {
            out.push_str(&line.split('`').step_by(2).collect::<Vec<_>>().join("code"));
            out.push('\n');
        }
    }
    out
}

/// The targets of inline links.
fn links(text: &str) -> Vec<String> {
    let prose = prose(text);
    prose.split("](").skip(1).filter_map(|rest| rest.split(')').next()).map(str::to_owned).collect()
}

/// What a link can name in a page: its headings as mdBook names them, and the anchors of clauses.
fn anchors(text: &str) -> BTreeSet<String> {
    let mut out: BTreeSet<String> =
        text.split("<a id=\"").skip(1).filter_map(|rest| rest.split('"').next()).map(str::to_owned).collect();
    for heading in
        text.lines().filter_map(|line| line.trim_start_matches('#').strip_prefix(' ').filter(|_| line.starts_with('#')))
    {
        let slug: String = heading
            .to_lowercase()
            .chars()
            .filter_map(|character| match character {
                ' ' | '-' => Some('-'),
                character if character.is_alphanumeric() || character == '_' => Some(character),
                _ => None,
            })
            .collect();
        out.insert(slug);
    }
    out
}

fn normal(path: &Path) -> PathBuf {
    let mut out = PathBuf::new();
    for component in path.components() {
        match component {
            Component::ParentDir => {
                out.pop();
            }
            other => out.push(other),
        }
    }
    out
}

#[test]
fn every_link_leads_somewhere() {
    let mut broken = Vec::new();
    for file in texts() {
        let text = fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        for link in links(&text) {
            if link.starts_with("https://") {
                continue;
            }
            let (path, anchor) =
                link.split_once('#').map_or((link.as_str(), None), |(path, anchor)| (path, Some(anchor)));
            let target = if path.is_empty() { file.clone() } else { normal(&file.parent().unwrap().join(path)) };
            let found = match anchor {
                None => target.exists(),
                Some(anchor) => fs::read_to_string(&target).is_ok_and(|text| anchors(&text).contains(anchor)),
            };
            if !found {
                broken.push(format!("{}: {link}", file.strip_prefix(root()).unwrap().display()));
            }
        }
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

/// Every page is in the summary, and nothing else is.
#[test]
fn the_summary_is_complete() {
    let summary = fs::read_to_string(root().join("spec/SUMMARY.md")).unwrap();
    let named: BTreeSet<PathBuf> = links(&summary).iter().map(|link| root().join("spec").join(link)).collect();
    let spec = root().join("spec");
    for page in texts().iter().filter(|path| path.starts_with(&spec) && !path.ends_with("SUMMARY.md")) {
        assert!(named.contains(page), "{} is not in spec/SUMMARY.md", page.display());
    }
}

/// Nothing that was to be filled in is left.
#[test]
fn no_placeholder_is_left() {
    for file in texts() {
        let text = fs::read_to_string(&file).unwrap();
        assert!(!text.contains("@@"), "{} has a placeholder", file.display());
    }
}
