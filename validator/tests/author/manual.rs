//! `cornercast completions` and `man`

use super::workplace::{Workplace, names};

/// There is a script for each shell. `tests/author_peers.rs` lets the shells read theirs.
#[test]
fn completions_are_scripts() {
    let here = Workplace::new();
    for name in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = here.succeed(&["completions", name]);
        assert!(script.contains("inspect") && script.contains("max-findings"), "{name}: {script}");
    }
}

/// There is a page for the command and each of its commands.
#[test]
fn pages() {
    let here = Workplace::new();
    assert_eq!(here.succeed(&["man", "--dir", "pages/man1"]), "");
    let pages = names(&here.path("pages/man1"));
    assert!(pages.contains(&"cornercast.1".to_owned()) && pages.contains(&"cornercast-diff.1".to_owned()), "{pages:?}");
    for page in pages {
        let path = format!("pages/man1/{page}");
        let name = page.strip_suffix(".1").unwrap();
        let arguments: Vec<&str> = ["man"].into_iter().chain(name.strip_prefix("cornercast-")).collect();
        assert_eq!(here.succeed(&arguments), std::fs::read_to_string(here.path(&path)).unwrap());
    }
    insta::assert_snapshot!("man_rules", here.succeed(&["man", "rules"]));
    insta::assert_snapshot!("man_error", here.transcript(&["man", "chek"]));
}
