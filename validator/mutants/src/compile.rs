//! What the compiler says to files with all mutants in them, and the test programs that it makes.

use std::collections::BTreeMap;
use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde::Deserialize;

use crate::mutant::Outcome;
use crate::switch::Switched;

#[derive(Deserialize)]
#[serde(tag = "reason", rename_all = "kebab-case")]
enum Line {
    CompilerMessage {
        message: Message,
    },
    CompilerArtifact {
        executable: Option<PathBuf>,
    },
    #[serde(other)]
    Other,
}

#[derive(Deserialize)]
struct Message {
    level: String,
    rendered: String,
    spans: Vec<Span>,
}

#[derive(Deserialize)]
struct Span {
    file_name: String,
    byte_start: usize,
    byte_end: usize,
    is_primary: bool,
}

/// The mutants in `files` that the compiler complains of, and what that means.
pub fn refused(tree: &Path, files: &BTreeMap<&str, Switched>) -> Result<BTreeMap<usize, Outcome>, Box<dyn Error>> {
    let mut refused = BTreeMap::new();
    for line in cargo(tree, &["check", "--lib"])?.1 {
        let Line::CompilerMessage { message } = line else { continue };
        if message.level != "error" || message.spans.is_empty() {
            continue;
        }
        let blamed = blamed(&message, files);
        if blamed.is_empty() {
            return Err(format!("no mutant is to blame for this:\n{}", message.rendered).into());
        }
        for (number, outcome) in blamed {
            // What one error makes doubtful stays so.
            let known = refused.entry(number).or_insert(outcome);
            if outcome == Outcome::Alone {
                *known = outcome;
            }
        }
    }
    Ok(refused)
}

/// A mutant whose own text is wrong does not compile; all of an expression that is wrong as a whole are tried alone.
fn blamed(message: &Message, files: &BTreeMap<&str, Switched>) -> Vec<(usize, Outcome)> {
    let mut spans: Vec<&Span> = message.spans.iter().collect();
    spans.sort_by_key(|span| !span.is_primary);
    let places = || spans.iter().filter_map(|span| Some((files.get(&*span.file_name)?, span)));
    for (file, span) in places() {
        let mut changes = file.changes.iter();
        if let Some((_, number)) =
            changes.find(|(range, _)| range.start <= span.byte_start && span.byte_end <= range.end)
        {
            return vec![(*number, Outcome::Unviable)];
        }
    }
    for (file, span) in places() {
        let around = file.expressions.iter().filter(|(range, numbers)| {
            !numbers.is_empty() && range.start <= span.byte_start && span.byte_end <= range.end
        });
        if let Some((_, numbers)) = around.min_by_key(|(range, _)| range.len()) {
            return numbers.iter().map(|number| (*number, Outcome::Alone)).collect();
        }
    }
    Vec::new()
}

/// The test program that cargo builds with `target`; `None` if it does not compile.
pub fn test_program(tree: &Path, target: &[&str]) -> Result<Option<PathBuf>, Box<dyn Error>> {
    let (compiles, lines) = cargo(tree, &[&["test", "--no-run"], target].concat())?;
    let mut programs = lines.into_iter().filter_map(|line| match line {
        Line::CompilerArtifact { executable } => executable,
        _ => None,
    });
    Ok(programs.next_back().filter(|_| compiles))
}

/// Whether cargo ended well, and what it says.
fn cargo(tree: &Path, arguments: &[&str]) -> Result<(bool, Vec<Line>), Box<dyn Error>> {
    let mut command = Command::new("cargo");
    command.args(arguments).args(["--package", "cornercast", "--no-default-features", "--message-format", "json"]);
    let output = command.current_dir(tree).stderr(Stdio::null()).output()?;
    let lines = String::from_utf8(output.stdout)?;
    Ok((output.status.success(), lines.lines().map(serde_json::from_str).collect::<Result<_, _>>()?))
}
