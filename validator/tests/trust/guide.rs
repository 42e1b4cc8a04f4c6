//! The guide to signing and verifying is one script, which plays both sides.

use std::fs;
use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

#[test]
fn the_guide_plays_through() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../spec/guides/trust.md");
    let text = fs::read_to_string(path).unwrap();
    let mut script = "set -eux\numask 022\n".to_owned();
    let mut inside = false;
    for line in text.lines() {
        if line.starts_with("```") {
            inside = line == "```sh play";
        } else if inside {
            script.push_str(&format!("{line}\n"));
        }
    }
    assert!(script.lines().count() > 80, "the script was not found");
    let folder = TempDir::new().unwrap();
    let program = Path::new(env!("CARGO_BIN_EXE_cornercast")).parent().unwrap().to_str().unwrap().to_owned();
    let path = format!("{program}:{}", std::env::var("PATH").unwrap());
    let mut shell = Command::new("sh");
    let output = shell.args(["-c", &script]).current_dir(folder.path()).env("PATH", path).output().unwrap();
    let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{said}");
}
