//! What the suite has found: the file `findings.toml`, and the page of the book that is made of it.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde::Deserialize;

use crate::bundles::rule::Rule;
use crate::suite::{self, Entry, Task};

/// The findings of a file.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Findings {
    /// What they are about, in the order of the page.
    #[serde(default, rename = "implementation")]
    pub implementations: Vec<Implementation>,
    /// The findings.
    #[serde(default, rename = "finding")]
    pub findings: Vec<Finding>,
}

/// An implementation.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Implementation {
    /// What a run calls it.
    pub name: String,
    /// What the page calls it.
    pub title: String,
    /// The version that the findings are of.
    pub version: String,
    /// The adapter by which it is reached, if it is not built in.
    pub adapter: Option<String>,
    /// What stands before each command, such as a variable.
    pub before: Option<String>,
}

/// Something that an implementation does otherwise.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Finding {
    /// The name of the implementation.
    pub implementation: String,
    /// What it does, one or two sentences of Markdown.
    pub what: String,
    /// The cases that show it, the plainest first.
    #[serde(default)]
    pub cases: Vec<String>,
    /// Whether the sentences of its cases leave open what it does: a value that is refused can be one that a runtime does
    /// not support, and is recorded.
    #[serde(default)]
    pub open: bool,
    /// The command that shows it, where no case does.
    pub repeat: Option<String>,
    /// Public threads about it.
    #[serde(default)]
    pub threads: Vec<String>,
}

impl Findings {
    /// Reads the text of such a file.
    ///
    /// # Errors
    ///
    /// What is wrong, in words.
    pub fn read(text: &str) -> Result<Self, String> {
        let all: Self = toml::from_str(text).map_err(|error| error.to_string())?;
        for finding in &all.findings {
            let (name, what) = (&finding.implementation, &finding.what);
            if !all.implementations.iter().any(|known| known.name == *name) {
                return Err(format!("`{name}` is no implementation of the file: {what}"));
            }
            if finding.cases.is_empty() == finding.repeat.is_none() {
                return Err(format!("a finding about `{name}` has to have either cases or a command: {what}"));
            }
            if finding.open && finding.cases.is_empty() {
                return Err(format!("a finding about `{name}` that is open has to have cases: {what}"));
            }
            if let Some(thread) = finding.threads.iter().find(|thread| shortened(thread).is_none()) {
                return Err(format!("`{thread}` is no address of a thread, such as https://github.com/a/b/issues/1"));
            }
        }
        Ok(all)
    }

    /// The page of the book. `entries` are all cases.
    ///
    /// # Errors
    ///
    /// The case that there is not.
    pub fn page(&self, entries: &[Entry]) -> Result<String, String> {
        let entries: BTreeMap<&str, &Entry> = entries.iter().map(|entry| (entry.name.as_str(), entry)).collect();
        let mut out = String::from(INTRODUCTION);
        for Implementation { name, title, version, adapter, before } in &self.implementations {
            let named = adapter.as_ref().map_or_else(|| name.clone(), |path| format!("{name}={path}"));
            let _ = write!(out, "\n## {title}\n\nVersion {version}.");
            if let Some(before) = before {
                let _ = write!(out, " Before each command stands `{before}`.");
            }
            out.push_str("\n\n");
            out.push_str("| what | decided by | repeat | threads |\n| --- | --- | --- | --- |\n");
            for finding in self.findings.iter().filter(|finding| finding.implementation == *name) {
                let what = finding.what.replace('|', "\\|");
                let decided = decided(finding, &entries)?;
                let repeat = match (&finding.repeat, finding.cases.first()) {
                    (Some(command), _) => command.clone(),
                    (None, Some(case)) => format!("reproduce {case} --impl {named}"),
                    (None, None) => String::new(),
                };
                let threads = match finding.threads.iter().map(|thread| linked(thread)).collect::<Vec<_>>() {
                    none if none.is_empty() => "none known".to_owned(),
                    some => some.join(", "),
                };
                let _ = writeln!(out, "| {what} | {decided} | `{repeat}` | {threads} |");
            }
        }
        Ok(out)
    }
}

const INTRODUCTION: &str = "# Findings\n\n\
This page is made of `conformance/findings.toml`. It lists what the cases of the suite have shown of real implementations: \
what they do otherwise than a clause or a sentence of the OCI runtime specification says, and what they do otherwise than \
others where nothing decides, which is *recorded*. A finding is no reproach: many are known, some are wanted. Threads were \
looked up; *none known* means that none was found.\n\n\
`cornercast-conformance` stands before each command, which prints a script that repeats a case by hand. Failures are \
expected by `conformance/expected-failures.toml`; a case that passes all the same fails the run.\n";

/// The clauses and sentences that the cases of a finding test.
fn decided(finding: &Finding, entries: &BTreeMap<&str, &Entry>) -> Result<String, String> {
    let mut decided: Vec<String> = Vec::new();
    for case in &finding.cases {
        let entry = entries.get(case.as_str()).ok_or_else(|| format!("there is no case `{case}`"))?;
        let by: Vec<String> = match &entry.task {
            _ if finding.open => vec!["recorded".to_owned()],
            Task::Bundle(case) => match &case.rule {
                Some(Rule { sentence, .. }) => {
                    vec![format!("[OCI {}, {}]({})", sentence.page, sentence.section, sentence.address())]
                }
                None => vec!["recorded".to_owned()],
            },
            _ => entry.clauses.iter().map(|id| clause(id)).collect(),
        };
        for one in by {
            if !decided.contains(&one) {
                decided.push(one);
            }
        }
    }
    Ok(if decided.is_empty() { "–".to_owned() } else { decided.join(", ") })
}

/// A clause with its place in the book.
fn clause(id: &str) -> String {
    let file = suite::clause(id).map(|clause| clause.file.trim_start_matches("spec/").to_owned());
    file.map_or_else(|| id.to_owned(), |file| format!("[{id}](../{file}#{id})"))
}

/// `owner/repository#number` of an address.
fn shortened(thread: &str) -> Option<String> {
    let path = thread.strip_prefix("https://github.com/")?;
    let [owner, repository, kind, number] = path.split('/').collect::<Vec<_>>()[..] else { return None };
    let is_thread = ["issues", "pull"].contains(&kind) && number.parse::<u32>().is_ok();
    is_thread.then(|| format!("{owner}/{repository}#{number}"))
}

fn linked(thread: &str) -> String {
    format!("[{}]({thread})", shortened(thread).unwrap_or_default())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_is_named() {
        let wrong = |text: &str| Findings::read(text).unwrap_err();
        let one = "[[implementation]]\nname = \"a\"\ntitle = \"A\"\nversion = \"1\"\n[[finding]]\nwhat = \"x\"\n";
        assert!(wrong(&format!("{one}implementation = \"b\"\ncases = [\"c\"]")).contains("`b` is no implementation"));
        assert!(wrong(&format!("{one}implementation = \"a\"")).contains("either cases or a command"));
        let open = "implementation = \"a\"\nrepeat = \"r\"\nopen = true";
        assert!(wrong(&format!("{one}{open}")).contains("that is open has to have cases"));
        let thread = "implementation = \"a\"\ncases = [\"c\"]\nthreads = [\"https://example.com/1\"]";
        assert!(wrong(&format!("{one}{thread}")).contains("no address of a thread"));
        let missing = Findings::read(&format!("{one}implementation = \"a\"\ncases = [\"c/d\"]")).unwrap();
        assert_eq!(missing.page(&[]).unwrap_err(), "there is no case `c/d`");
    }

    #[test]
    fn a_row_says_who_decides_and_how_to_repeat_it() {
        let text = "[[implementation]]\nname = \"a\"\ntitle = \"A\"\nversion = \"1\"\n\
            [[finding]]\nimplementation = \"a\"\nwhat = \"It is | so.\"\ncases = [\"cwd/relative\", \"cwd/missing\"]\n\
            threads = [\"https://github.com/a/b/pull/7\"]\n\
            [[finding]]\nimplementation = \"a\"\nwhat = \"Y.\"\nrepeat = \"make it\"\n\
            [[finding]]\nimplementation = \"a\"\nwhat = \"Z.\"\ncases = [\"user/high\"]\nopen = true\n";
        let page = Findings::read(text).unwrap().page(&crate::bundles::cases()).unwrap();
        assert!(page.contains("| It is \\| so. | [OCI config.md, Process](https://github.com/opencontainers/runtime-spec/blob/v1.3.0/config.md#configProcess), recorded | `reproduce cwd/relative --impl a` | [a/b#7](https://github.com/a/b/pull/7) |"), "{page}");
        assert!(page.contains("| Z. | recorded | `reproduce user/high --impl a` |"), "{page}");
        assert!(page.contains("| Y. | – | `make it` | none known |"), "{page}");
    }
}
