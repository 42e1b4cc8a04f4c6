//! The cases of a run: read from the folder `fixtures/`, or made by the code that makes that folder.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use cornercast::catalogue::{self, Requirement};

use crate::bundles;
use crate::case::Case;
use crate::fixtures::{self, Fixture};
use crate::protocol::{Operation, Role};
use crate::run::{self, Scenario};

/// The folder of whole images that meet every clause.
const WHOLE: &str = "good";

/// A case with its name.
#[derive(Debug, Clone)]
pub struct Entry {
    /// `ID/VERDICT-WHAT` or `good/WHAT`, the folder below `fixtures/`.
    pub name: String,
    /// The clauses that it tests.
    pub clauses: Vec<String>,
    /// What an implementation has to be to run it.
    pub role: Role,
    /// Why the case is there, in one sentence.
    pub why: String,
    /// What is done.
    pub task: Task,
}

/// What a case does.
#[derive(Debug, Clone)]
pub enum Task {
    /// An input is put to the implementation: checked, unpacked, converted.
    Case {
        /// The content of its `case.json`.
        case: Box<Case>,
        /// The absolute path of the folder of the case.
        folder: PathBuf,
    },
    /// An image is run.
    Run(Box<Scenario>),
    /// A bundle is given to an OCI runtime.
    Bundle(Box<bundles::Case>),
}

impl Entry {
    /// Whether a clause with MUST or MUST NOT depends on the case. One that names no clause depends on all.
    #[must_use]
    pub fn is_must(&self) -> bool {
        is_must(&self.clauses)
    }

    /// The prefix of the chapter: `LAY`.
    #[must_use]
    pub fn chapter(&self) -> &str {
        self.name.split(['-', '/']).next().unwrap_or(&self.name)
    }
}

/// Whether one of the clauses has MUST or MUST NOT, is not known, or there are none.
#[must_use]
pub fn is_must(clauses: &[String]) -> bool {
    clauses.is_empty() || clauses.iter().any(|id| clause(id).is_none_or(|clause| clause.level.starts_with("MUST")))
}

/// The clause `id`, from the text of the specification.
#[must_use]
pub fn clause(id: &str) -> Option<&'static Requirement> {
    let (_, clause) = clauses().get(id)?;
    Some(clause)
}

/// The title of the chapter whose clauses begin with `prefix`; empty if there is none.
#[must_use]
pub fn chapter_title(prefix: &str) -> &'static str {
    if prefix == WHOLE {
        return "Whole images";
    }
    let first = clauses().range(prefix.to_owned()..).next();
    first.filter(|(id, _)| id.starts_with(prefix)).map_or("", |(_, (_, clause))| &clause.chapter)
}

/// The place of the clause `id` in the order of the chapters; what is no clause comes last.
#[must_use]
pub fn place(id: &str) -> usize {
    clauses().get(id).map_or(usize::MAX, |(at, _)| *at)
}

/// The place of the chapter whose clauses begin with `prefix`.
#[must_use]
pub fn chapter_place(prefix: &str) -> usize {
    let first = clauses().range(prefix.to_owned()..).next();
    first.filter(|(id, _)| !prefix.is_empty() && id.starts_with(prefix)).map_or(usize::MAX, |(_, (at, _))| *at)
}

/// All clauses by id, each with its place in the order of the chapters.
fn clauses() -> &'static BTreeMap<String, (usize, Requirement)> {
    static CLAUSES: OnceLock<BTreeMap<String, (usize, Requirement)>> = OnceLock::new();
    CLAUSES.get_or_init(|| {
        let all = catalogue::CHAPTERS.iter().flat_map(|(file, text)| catalogue::extract(file, text).0);
        all.enumerate().map(|(at, clause)| (clause.id.clone(), (at, clause))).collect()
    })
}

/// The folder of cases that this program was built beside.
#[must_use]
pub fn checkout() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap_or(Path::new("")).join("fixtures")
}

/// The cases of `folder`, those that are run and those of bundles, in the order of the chapters.
///
/// # Errors
///
/// As [`load`].
pub fn load_all(folder: &Path) -> io::Result<Vec<Entry>> {
    let mut entries = load(folder)?;
    entries.extend(run::cases());
    entries.extend(bundles::cases());
    sort(&mut entries);
    Ok(entries)
}

fn sort(entries: &mut [Entry]) {
    entries.sort_by_cached_key(|entry| {
        let id = entry.name.split('/').next().unwrap_or_default();
        (place(id), entry.name.clone())
    });
}

/// The cases of `folder`.
///
/// # Errors
///
/// If the folder cannot be read, has no case, or one whose `case.json` is malformed.
pub fn load(folder: &Path) -> io::Result<Vec<Entry>> {
    let folder = folder.canonicalize()?;
    let mut entries = Vec::new();
    for chapter in sorted(&folder)? {
        if !is_clause_id(&chapter) && chapter != WHOLE {
            continue;
        }
        for name in sorted(&folder.join(&chapter))? {
            let folder = folder.join(&chapter).join(&name);
            // What is left of a case that was removed: version control keeps no empty folder, some tools do.
            if fs::read_dir(&folder)?.next().is_none() {
                continue;
            }
            entries.push(read(&folder, format!("{chapter}/{name}"))?);
        }
    }
    if entries.is_empty() {
        return Err(io::Error::new(io::ErrorKind::NotFound, format!("there is no case in {}", folder.display())));
    }
    sort(&mut entries);
    Ok(entries)
}

/// Writes the cases that the code makes into `folder`.
///
/// # Errors
///
/// Errors of the file system.
pub fn write(folder: &Path) -> io::Result<()> {
    for Fixture { folder: name, case, files } in fixtures::all() {
        let folder = folder.join(name);
        fs::create_dir_all(&folder)?;
        fs::write(folder.join("case.json"), serde_json::to_vec_pretty(&case)?)?;
        for (path, bytes) in files {
            let path = folder.join(path);
            fs::create_dir_all(path.parent().unwrap_or(&folder))?;
            fs::write(path, bytes)?;
        }
    }
    Ok(())
}

fn read(folder: &Path, name: String) -> io::Result<Entry> {
    let path = folder.join("case.json");
    let malformed = |what: String| io::Error::new(io::ErrorKind::InvalidData, format!("{}: {what}", path.display()));
    let bytes = fs::read(&path).map_err(|error| malformed(error.to_string()))?;
    let case: Case = serde_json::from_slice(&bytes).map_err(|error| malformed(error.to_string()))?;
    if case.operation.role() != case.role {
        let (operation, role) = (case.operation.name(), case.role.name());
        return Err(malformed(format!("`{operation}` is nothing that the role `{role}` does")));
    }
    if case.operation == Operation::Run {
        return Err(malformed("what is run is said by code".to_owned()));
    }
    Ok(Entry {
        name,
        clauses: case.clauses.clone(),
        role: case.role,
        why: case.why.clone(),
        task: Task::Case { case: Box::new(case), folder: folder.to_owned() },
    })
}

/// The names of the folders in `folder`, in order.
fn sorted(folder: &Path) -> io::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            names.push(entry.file_name().to_string_lossy().into_owned());
        }
    }
    names.sort();
    Ok(names)
}

fn is_clause_id(name: &str) -> bool {
    let bytes = name.as_bytes();
    bytes.len() == 7
        && bytes.iter().take(3).all(u8::is_ascii_uppercase)
        && bytes.get(3) == Some(&b'-')
        && bytes.iter().skip(4).all(u8::is_ascii_digit)
}

/// Whether `glob` matches the name of a case or a folder above it. `*` stands for any characters, `?` for one.
///
/// ```
/// use cornercast_conformance::suite::matches;
///
/// assert!(matches("LAY-0?1", "LAY-001/rejected-empty"));
/// assert!(matches("*/rejected-*", "LAY-001/rejected-empty"));
/// assert!(!matches("LAY", "LAY-001/rejected-empty"));
/// ```
#[must_use]
pub fn matches(glob: &str, name: &str) -> bool {
    let above = name.match_indices('/').filter_map(|(at, _)| name.get(..at));
    above.chain([name]).any(|name| matches_whole(glob.as_bytes(), name.as_bytes()))
}

/// Goes back to the last `*` only, so the time is at most the product of both lengths.
fn matches_whole(glob: &[u8], name: &[u8]) -> bool {
    let (mut at, mut seen) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while seen < name.len() {
        match glob.get(at) {
            Some(b'*') => {
                star = Some((at, seen));
                at += 1;
            }
            Some(wanted) if *wanted == b'?' || Some(wanted) == name.get(seen) => {
                at += 1;
                seen += 1;
            }
            _ => {
                let Some((back, from)) = star else { return false };
                star = Some((back, from + 1));
                at = back + 1;
                seen = from + 1;
            }
        }
    }
    glob.iter().skip(at).all(|rest| *rest == b'*')
}
