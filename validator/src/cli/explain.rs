//! `cornercast explain`, `rules` and `schema`: what the program knows of the specification.

use std::fmt::Write as _;
use std::process::ExitCode;

use serde::Deserialize;

use super::{Failure, print};
use crate::catalogue::{self, Requirement};
use crate::clause::{self, Clause};
use crate::notice;
use crate::schema::NAMES;
use crate::suggestion::{close_id, closest};

/// An example of a clause: a case of the conformance suite.
#[derive(Debug, Deserialize)]
struct Example {
    /// The folder of the case below `fixtures/`.
    case: String,
    /// What it shows.
    why: String,
    /// What the validator says of it.
    #[serde(default)]
    message: Option<String>,
    /// The text of the input, if it is short.
    #[serde(default)]
    text: Option<String>,
}

/// The examples of a clause.
#[derive(Debug, Deserialize)]
struct Examples {
    id: String,
    #[serde(default)]
    bad: Option<Example>,
    #[serde(default)]
    good: Option<Example>,
}

pub(super) fn explain(id: &str) -> Result<ExitCode, Failure> {
    let id = id.to_uppercase();
    if let Some((notice, text)) = notice::all().find(|(notice, _)| notice.id == id) {
        return explain_notice(notice, text);
    }
    let Some(requirement) = catalogue::requirement(&id) else {
        let requirements = catalogue::requirements();
        let notices = notice::all().map(|(notice, _)| notice.id);
        let ids = requirements.iter().map(|requirement| requirement.id.as_str()).chain(notices);
        let close = close_id(&id, ids);
        let hint = close
            .map_or_else(|| "`cornercast rules` lists them".to_owned(), |close| format!("did you mean `{close}`?"));
        return Err(Failure::Error(format!("there is no clause `{id}`; {hint}")));
    };
    let bold = anstyle::Style::new().bold();
    let mut out = String::new();
    let Requirement { level, chapter, text, file, line, observer, .. } = requirement;
    let _ = writeln!(out, "{bold}{id}{bold:#} · {chapter} · {level} · {observer}\n\n{}\n", wrapped(text));
    if let Some(clause) = clause::all().find(|clause| clause.id == id) {
        let _ = writeln!(out, "{bold}What to do{bold:#}: {}\n", clause.help);
    }
    let rationale = catalogue::rationale(requirement);
    if !rationale.is_empty() {
        let _ = writeln!(out, "{rationale}\n");
    }
    let examples: Vec<Examples> =
        serde_json::from_str(include_str!("../../../fixtures/examples.json")).unwrap_or_default();
    if let Some(examples) = examples.into_iter().find(|examples| examples.id == id) {
        for (title, example) in [("Bad", examples.bad), ("Good", examples.good)] {
            if let Some(Example { case, why, message, text }) = example {
                let _ = writeln!(out, "{bold}{title}{bold:#}: {why} (fixtures/{case})");
                if let Some(text) = text {
                    let _ = writeln!(out, "    {}", text.replace('\n', "\n    ").trim_end());
                }
                if let Some(message) = message {
                    let _ = writeln!(out, "    → {message}");
                }
                out.push('\n');
            }
        }
    }
    let _ = writeln!(out, "{file}:{line}");
    print(&out)?;
    Ok(ExitCode::SUCCESS)
}

fn explain_notice(notice: &Clause, text: &str) -> Result<ExitCode, Failure> {
    let bold = anstyle::Style::new().bold();
    print(&format!(
        "{bold}{}{bold:#} · notice of `cornercast check`, no clause\n\n{}\n\n{bold}What to do{bold:#}: {}\n",
        notice.id,
        wrapped(text),
        notice.help
    ))?;
    Ok(ExitCode::SUCCESS)
}

/// Text broken into lines of at most 100 characters.
fn wrapped(text: &str) -> String {
    let mut out = String::new();
    let mut width = 0;
    for word in text.split_whitespace() {
        let length = word.chars().count();
        if width > 0 && width + 1 + length > 100 {
            out.push('\n');
            width = 0;
        } else if width > 0 {
            out.push(' ');
            width += 1;
        }
        out.push_str(word);
        width += length;
    }
    out
}

pub(super) fn rules(json: bool) -> Result<ExitCode, Failure> {
    let requirements = catalogue::requirements();
    let mut out = String::new();
    if json {
        let judged: Vec<&Requirement> = clause::all()
            .filter_map(|clause| requirements.iter().find(|requirement| requirement.id == clause.id))
            .collect();
        let _ = writeln!(out, "{}", serde_json::to_string_pretty(&judged).unwrap_or_default());
    } else {
        for clause in clause::all() {
            let text = requirements
                .iter()
                .find(|requirement| requirement.id == clause.id)
                .map_or("", |requirement| &requirement.text);
            let severity = format!("{:?}", clause.severity).to_lowercase();
            let _ = writeln!(out, "{}  {severity:<7}  {text}", clause.id);
        }
    }
    print(&out)?;
    Ok(ExitCode::SUCCESS)
}

fn schema_names() -> String {
    NAMES.iter().map(|name| format!("{name}\n")).collect()
}

pub(super) fn schema(name: Option<&str>) -> Result<ExitCode, Failure> {
    let Some(name) = name else {
        print(&schema_names())?;
        return Ok(ExitCode::SUCCESS);
    };
    let Some(text) = crate::schema::schema(name) else {
        let close = closest(name, NAMES);
        let hint =
            close.map_or_else(|| format!("there are {}", NAMES.join(", ")), |close| format!("did you mean `{close}`?"));
        return Err(Failure::Error(format!("there is no schema `{name}`; {hint}")));
    };
    print(&text)?;
    Ok(ExitCode::SUCCESS)
}
