//! `cornercast completions` and `man`

use std::process::{Command, Output};

use super::workplace::{Workplace, names, peer};

fn shell(here: &Workplace, program: &str, arguments: &[&str]) -> Option<Output> {
    peer(program).map(|mut command: Command| command.args(arguments).current_dir(here.path("")).output().unwrap())
}

/// Each script is one that its shell can read.
#[test]
fn completions_are_scripts() {
    let here = Workplace::new();
    for name in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = here.succeed(&["completions", name]);
        assert!(script.contains("inspect") && script.contains("max-findings"), "{name}: {script}");
        here.file(name, 0o644, &script);
    }
    for name in ["bash", "zsh", "fish"] {
        if let Some(read) = shell(&here, name, &["-n", name]) {
            assert!(read.status.success() && read.stderr.is_empty(), "{name}: {read:?}");
        }
    }
}

/// The script for bash completes commands and options.
#[test]
fn bash_completes() {
    let here = Workplace::new();
    here.file("script", 0o644, &here.succeed(&["completions", "bash"]));
    let program = "source ./script; COMP_WORDS=(cornercast ins); COMP_CWORD=1; _cornercast cornercast ins cornercast; echo \"${COMPREPLY[@]}\"";
    if let Some(output) = shell(&here, "bash", &["--norc", "-c", program]) {
        assert_eq!(
            String::from_utf8(output.stdout).unwrap(),
            "inspect\n",
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
}

/// There is a page for the command and each of its commands, and groff has nothing to say against them.
#[test]
fn pages_are_clean() {
    let here = Workplace::new();
    assert_eq!(here.succeed(&["man", "--dir", "pages/man1"]), "");
    let pages = names(&here.path("pages/man1"));
    assert!(pages.contains(&"cornercast.1".to_owned()) && pages.contains(&"cornercast-diff.1".to_owned()), "{pages:?}");
    for page in pages {
        let path = format!("pages/man1/{page}");
        let groff = ["-man", "-Kutf8", "-Tutf8", "-ww", "-z", path.as_str()];
        if let Some(output) = shell(&here, "groff", &groff) {
            assert!(output.status.success() && output.stderr.is_empty(), "{page}: {output:?}");
        }
        let name = page.strip_suffix(".1").unwrap();
        let arguments: Vec<&str> = ["man"].into_iter().chain(name.strip_prefix("cornercast-")).collect();
        assert_eq!(here.succeed(&arguments), std::fs::read_to_string(here.path(&path)).unwrap());
    }
    insta::assert_snapshot!("man_rules", here.succeed(&["man", "rules"]));
    insta::assert_snapshot!("man_error", here.transcript(&["man", "chek"]));
}
