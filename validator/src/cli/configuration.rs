//! The lint configuration of a run: where it is, and what it makes of findings.

use std::fs;
use std::path::{Component, Path, PathBuf};

use crate::config::{self, Config};
use crate::diagnostic::{Diagnostic, Findings, Place, Severity, Violation};
use crate::notice;
use crate::report::CheckedInput;

/// The file that is looked for in this directory and all above.
const NAME: &str = "cornercast.toml";

/// Errors in one file that are reported.
const MAX_ERRORS: usize = 100;

pub(super) struct Configuration {
    config: Config,
    /// The absolute path of the folder with the file; globs begin there.
    folder: Option<PathBuf>,
}

impl Configuration {
    /// The configuration `named`, or the one of this directory or the closest above.
    ///
    /// # Errors
    ///
    /// What is wrong with the file, as a report of it.
    pub(super) fn find(named: Option<&Path>) -> Result<Self, CheckedInput> {
        let Some(file) = named.map(Path::to_owned).or_else(closest) else {
            return Ok(Self { config: Config::default(), folder: None });
        };
        let mut findings = Findings::new(file.display().to_string(), MAX_ERRORS);
        let config = match fs::read(&file) {
            Ok(source) => {
                let (config, violations) = config::read(&source);
                violations.into_iter().take(MAX_ERRORS).for_each(|violation| findings.interrupted(violation));
                config
            }
            Err(error) => {
                let message = format!("the configuration cannot be read: {error}");
                let help = "check the path and who may read it";
                findings.interrupted(Violation::new(&notice::CFG_001, Place::default(), message).help(help));
                Config::default()
            }
        };
        if findings.list().is_empty() {
            let folder = absolute(&file).and_then(|file| file.parent().map(Path::to_owned));
            return Ok(Self { config, folder });
        }
        Err(CheckedInput {
            name: findings.input().to_owned(),
            is_directory: false,
            findings: findings.list().to_vec(),
            errors: 0,
            warnings: 0,
        })
    }

    /// The findings of the input at `path` as they are reported.
    pub(super) fn apply(&self, path: &Path, findings: Findings) -> CheckedInput {
        let from_folder = self.folder.as_ref().and_then(|folder| {
            let path = absolute(path)?;
            path.strip_prefix(folder).ok().map(|path| path.to_string_lossy().into_owned())
        });
        let (mut errors, mut warnings) = (findings.errors, findings.warnings);
        let mut kept = Vec::new();
        for finding in findings.list() {
            let clause = crate::clause::all().find(|clause| clause.id == finding.id);
            // A notice is no clause.
            let Some(clause) = clause else {
                kept.push(finding.clone());
                continue;
            };
            let severity = self.config.severity(clause, from_folder.as_deref());
            match finding.severity {
                Severity::Error => errors -= 1,
                Severity::Warning => warnings -= 1,
            }
            errors += u64::from(severity == Some(Severity::Error));
            warnings += u64::from(severity == Some(Severity::Warning));
            kept.extend(severity.map(|severity| Diagnostic { severity, ..finding.clone() }));
        }
        CheckedInput {
            name: findings.input().to_owned(),
            is_directory: path.is_dir(),
            findings: kept,
            errors,
            warnings,
        }
    }
}

/// The closest file of that name, as it is called from here: no report names a folder of the machine.
fn closest() -> Option<PathBuf> {
    let here = std::env::current_dir().ok()?;
    let depth = here.ancestors().position(|folder| folder.join(NAME).is_file())?;
    let mut path: PathBuf = std::iter::repeat_n(Component::ParentDir, depth).collect();
    path.push(NAME);
    Some(path)
}

/// The path from the root without `.` and `..`; links are not followed, as globs are about names.
fn absolute(path: &Path) -> Option<PathBuf> {
    let mut out = PathBuf::new();
    for component in std::path::absolute(path).ok()?.components() {
        match component {
            Component::ParentDir => {
                out.pop();
            }
            component => out.push(component),
        }
    }
    Some(out)
}
