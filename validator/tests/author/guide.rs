//! The guide to the author's tools: each command prints what the guide says.

use std::fs;
use std::path::Path;
use std::process::Command;

use super::workplace::Workplace;

/// `CORNERCAST_BLESS=1` writes what the commands print into the guide.
#[test]
fn transcripts_are_true() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../spec/guides/author-tools.md");
    let text = fs::read_to_string(&path).unwrap();
    let run = transcribed(&text);
    if std::env::var_os("CORNERCAST_BLESS").is_some_and(|value| value == "1") {
        fs::write(&path, &run).unwrap();
    } else {
        assert!(run == text, "the guide does not say what the commands print; CORNERCAST_BLESS=1 writes it:\n{run}");
    }
}

/// The text with what its `console` blocks print now, all run in one folder.
fn transcribed(text: &str) -> String {
    let here = Workplace::new();
    let mut out = String::new();
    let mut inside = false;
    let mut commands = 0;
    for line in text.lines() {
        if line.starts_with("```") {
            inside = line == "```console";
        }
        if !inside || line.starts_with("```") {
            out.push_str(&format!("{line}\n"));
        } else if let Some(command) = line.strip_prefix("$ ") {
            out.push_str(&format!("{line}\n{}", shell(&here, command)));
            commands += 1;
        }
    }
    assert!(commands > 0, "there is no transcript");
    out
}

fn shell(here: &Workplace, command: &str) -> String {
    let program = Path::new(env!("CARGO_BIN_EXE_cornercast")).parent().unwrap().to_str().unwrap().to_owned();
    let path = format!("{program}:{}", std::env::var("PATH").unwrap());
    let script = format!("umask 022; exec 2>&1; {command}");
    let mut shell = Command::new("sh");
    let output = shell.args(["-c", &script]).current_dir(here.path("")).env("PATH", path).output().unwrap();
    String::from_utf8(output.stdout).unwrap()
}
