//! The requirements of the specification, and the text around them.
//!
//! The text stands in `spec/`. [`extract`] reads it there; `schema/requirements.json` is what it found,
//! and is part of the program, so that `explain` works without the book.

use std::sync::LazyLock;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A requirement of the specification.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Requirement {
    /// The id, such as `MAN-012`.
    #[schemars(regex(pattern = r"^[A-Z]{3}-[0-9]{3}$"))]
    pub id: String,
    /// The keyword: `MUST`, `MUST NOT`, `SHOULD`, `SHOULD NOT` or `MAY`.
    #[schemars(regex(pattern = r"^(MUST|MUST NOT|SHOULD|SHOULD NOT|MAY)$"))]
    pub level: String,
    /// The title of the chapter.
    pub chapter: String,
    /// The clause, in Markdown, without id and observer.
    pub text: String,
    /// The file of the chapter.
    pub file: String,
    /// The line of the clause.
    pub line: u64,
    /// Who can see whether it is met: `validator` and so on, or `not observable: ` and the reason.
    pub observer: String,
    /// The version of the format that has had it first.
    pub since: String,
}

/// The chapters that hold requirements, with their text.
pub const CHAPTERS: [(&str, &str); 14] = [
    ("spec/introduction.md", include_str!("../../spec/introduction.md")),
    ("spec/json.md", include_str!("../../spec/json.md")),
    ("spec/names.md", include_str!("../../spec/names.md")),
    ("spec/manifest.md", include_str!("../../spec/manifest.md")),
    ("spec/layer.md", include_str!("../../spec/layer.md")),
    ("spec/listing.md", include_str!("../../spec/listing.md")),
    ("spec/store.md", include_str!("../../spec/store.md")),
    ("spec/oci.md", include_str!("../../spec/oci.md")),
    ("spec/runtime.md", include_str!("../../spec/runtime.md")),
    ("spec/signatures.md", include_str!("../../spec/signatures.md")),
    ("spec/release.md", include_str!("../../spec/release.md")),
    ("spec/policy.md", include_str!("../../spec/policy.md")),
    ("spec/log.md", include_str!("../../spec/log.md")),
    ("spec/adapter.md", include_str!("../../spec/adapter.md")),
];

/// All requirements, in the order of the chapters.
#[must_use]
pub fn requirements() -> Vec<Requirement> {
    serde_json::from_str(include_str!("../../schema/requirements.json")).unwrap_or_default()
}

/// The requirement `id`.
#[must_use]
pub fn requirement(id: &str) -> Option<&'static Requirement> {
    static ALL: LazyLock<Vec<Requirement>> = LazyLock::new(requirements);
    ALL.iter().find(|requirement| requirement.id == id)
}

/// The public address of the book, with a slash at its end; `None` while it has none.
const BOOK: Option<&str> = None;

/// Where the clause `id` can be read; `None` while the book has no public address.
#[must_use]
pub fn url(id: &str) -> Option<String> {
    BOOK.and_then(|book| Some(format!("{book}{}", requirement(id)?.page())))
}

impl Requirement {
    /// The page of the book and the anchor in it, such as `manifest.html#MAN-012`.
    #[must_use]
    pub fn page(&self) -> String {
        let chapter = self.file.trim_start_matches("spec/").trim_end_matches(".md");
        format!("{chapter}.html#{}", self.id)
    }
}

/// The requirements in the text of a chapter, and what is wrong with it.
#[must_use]
pub fn extract(file: &str, text: &str) -> (Vec<Requirement>, Vec<String>) {
    let mut requirements: Vec<Requirement> = Vec::new();
    let mut problems = Vec::new();
    let chapter = text.lines().find_map(|line| line.strip_prefix("# ")).unwrap_or_default();
    for Paragraph { line, text } in paragraphs(text) {
        let at = format!("{file}:{line}");
        let found = keywords(&text);
        let Some(rest) = text.strip_prefix("<a id=\"") else {
            if let Some(keyword) = found.first() {
                problems.push(format!(
                    "{at}: {keyword} stands outside a clause; reword it, or make it a clause with an id"
                ));
            }
            continue;
        };
        let id = rest.split('"').next().unwrap_or_default();
        let Some(clause) = rest.strip_prefix(&format!("{id}\"></a>**{id}** ")) else {
            problems.push(format!("{at}: write the clause as <a id=\"{id}\"></a>**{id}** and its text"));
            continue;
        };
        if found.len() != 1 {
            problems.push(format!("{at}: {id} has {} keywords; a clause has exactly one", found.len()));
        }
        let (text, observer) = match clause.rsplit_once(" *(") {
            Some((text, observer)) if observer.ends_with(")*") => (text, observer.trim_end_matches(")*")),
            _ => (clause, "validator"),
        };
        if let Some(last) = requirements.last()
            && last.id.as_str() >= id
        {
            problems.push(format!("{at}: {id} stands after {}; ids ascend in a chapter", last.id));
        }
        requirements.push(Requirement {
            id: id.to_owned(),
            level: found.first().map(|keyword| (*keyword).to_owned()).unwrap_or_default(),
            chapter: chapter.to_owned(),
            text: text.to_owned(),
            file: file.to_owned(),
            line,
            observer: observer.to_owned(),
            since: "1.0".to_owned(),
        });
    }
    (requirements, problems)
}

/// A paragraph with the number of its first line.
struct Paragraph {
    line: u64,
    text: String,
}

/// The paragraphs outside fenced code and block quotes, tables line by line.
fn paragraphs(text: &str) -> Vec<Paragraph> {
    let mut out: Vec<Paragraph> = Vec::new();
    let (mut fenced, mut open) = (false, false);
    for (number, line) in (1..).zip(text.lines()) {
        if line.starts_with("```") {
            fenced = !fenced;
        }
        if fenced || line.starts_with("```") || line.trim().is_empty() || line.starts_with('>') {
            open = false;
        } else if open && let Some(last) = out.last_mut() {
            last.text.push(' ');
            last.text.push_str(line);
        } else {
            out.push(Paragraph { line: number, text: line.to_owned() });
            open = !line.starts_with('|');
        }
    }
    out
}

/// The capitalised keywords of BCP 14 in `text`, outside inline code.
fn keywords(text: &str) -> Vec<&'static str> {
    let prose: String = text.split('`').step_by(2).collect::<Vec<_>>().join(" ");
    let words: Vec<&str> =
        prose.split(|character: char| !character.is_ascii_alphanumeric()).filter(|word| !word.is_empty()).collect();
    let mut out = Vec::new();
    let mut at = 0;
    while let Some(word) = words.get(at) {
        let negated = words.get(at + 1) == Some(&"NOT");
        let keyword = match (*word, negated) {
            ("MUST", false) => Some("MUST"),
            ("MUST", true) => Some("MUST NOT"),
            ("SHOULD", false) => Some("SHOULD"),
            ("SHOULD", true) => Some("SHOULD NOT"),
            ("MAY", _) => Some("MAY"),
            ("SHALL", _) => Some("SHALL"),
            ("REQUIRED", _) => Some("REQUIRED"),
            ("RECOMMENDED", _) => Some("RECOMMENDED"),
            ("OPTIONAL", _) => Some("OPTIONAL"),
            _ => None,
        };
        at += if keyword.is_some() && negated { 2 } else { 1 };
        out.extend(keyword);
    }
    out
}

/// What follows a requirement in the text up to the next one or the next heading: its rationale and
/// examples, in Markdown.
#[must_use]
pub fn rationale(requirement: &Requirement) -> String {
    let Some((_, text)) = CHAPTERS.iter().find(|(file, _)| *file == requirement.file) else { return String::new() };
    let mut lines = text.lines().skip(usize::try_from(requirement.line).unwrap_or(usize::MAX));
    let mut out = Vec::new();
    let mut fenced = false;
    for line in &mut lines {
        if line.starts_with("```") {
            fenced = !fenced;
        }
        if !fenced && (line.starts_with("<a id=\"") || line.starts_with('#')) {
            break;
        }
        out.push(line);
    }
    out.join("\n").trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_a_chapter_with_an_anchor() {
        for requirement in requirements() {
            let page = requirement.page();
            let (file, anchor) = page.split_once(".html#").unwrap();
            let text = CHAPTERS.iter().find(|(chapter, _)| *chapter == format!("spec/{file}.md")).unwrap().1;
            assert!(text.contains(&format!("<a id=\"{anchor}\"></a>")), "{page}");
        }
    }

    #[test]
    fn a_keyword_outside_a_clause_is_a_problem() {
        let (_, problems) = extract("spec/x.md", "# X\n\nIt MUST be so.\n");
        assert_eq!(problems, ["spec/x.md:3: MUST stands outside a clause; reword it, or make it a clause with an id"]);
    }

    #[test]
    fn keywords_in_code_quotes_and_tables_of_code_do_not_count() {
        let text = "# X\n\n> **XYZ-000** A thing MUST be.\n\n`MUST`\n\n```text\nMUST\n```\n";
        assert_eq!(extract("spec/x.md", text).1, Vec::<String>::new());
    }

    #[test]
    fn a_clause_has_one_keyword_and_ids_ascend() {
        let text = "# X\n\n<a id=\"XYZ-002\"></a>**XYZ-002** A MUST B and MUST C.\n\n<a id=\"XYZ-001\"></a>**XYZ-001** A MUST NOT B. *(runtime)*\n";
        let (requirements, problems) = extract("spec/x.md", text);
        assert_eq!(problems.len(), 2);
        assert_eq!(requirements[1].level, "MUST NOT");
        assert_eq!(requirements[1].observer, "runtime");
        assert_eq!(requirements[1].text, "A MUST NOT B.");
    }
}
