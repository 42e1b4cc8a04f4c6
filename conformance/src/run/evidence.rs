//! What there is to see of a run: the streams, the reports, and what the suite knows of the image.

use std::path::PathBuf;

use cornercast_engine::report::{IsolationReport, RunReport};
use serde_json::Value;

use super::image::Packed;
use super::scenario::{Judged, Place};

/// Why it cannot be said whether a case passes: an isolator that is not disproved is no false claim.
pub const UNTOLD: &str = "the kernel of the instance does not tell";

/// What there is to see of a run.
#[derive(Debug)]
pub struct Evidence {
    /// The image that was run.
    pub image: Packed,
    /// The instance id that was given.
    pub instance: String,
    /// Where the case has files of the host.
    pub place: Place,
    /// The directory of the instances, if the suite knows it.
    pub state: Option<PathBuf>,
    /// What came on standard output.
    pub output: Vec<u8>,
    /// What came on standard error.
    pub errors: Vec<u8>,
    /// The run report.
    pub report: RunReport,
    /// The isolation report.
    pub isolation: Result<IsolationReport, String>,
    /// The file or directory of the image, and whether it is what it was before.
    pub image_path: PathBuf,
    /// See [`Evidence::image_path`].
    pub image_is_same: bool,
}

impl Evidence {
    /// The document of a probe that has looked.
    ///
    /// # Errors
    ///
    /// If there is none.
    pub fn seen(&self) -> Result<Value, String> {
        serde_json::from_slice(&self.output).map_err(|error| {
            let words = String::from_utf8_lossy(&self.errors);
            format!("the probe's answer cannot be read: {error} (it said: {})", words.trim())
        })
    }

    /// A member of that document, by a JSON pointer.
    ///
    /// # Errors
    ///
    /// If there is none.
    pub fn member(&self, pointer: &str) -> Result<Value, String> {
        let seen = self.seen()?;
        let member = seen.pointer(pointer).ok_or_else(|| format!("the probe's answer has no {pointer}"))?;
        match member.get("error").and_then(Value::as_str) {
            Some(error) => Err(format!("the probe cannot see {pointer}: {error}")),
            None => Ok(member.clone()),
        }
    }

    /// Whether a member of the document is `expected`.
    ///
    /// # Errors
    ///
    /// What it is.
    pub fn is(&self, pointer: &str, expected: &Value) -> Judged {
        same(pointer.trim_start_matches('/'), expected, &self.member(pointer)?)
    }

    /// The lines of a probe that has acted.
    #[must_use]
    pub fn lines(&self) -> Vec<Value> {
        let text = String::from_utf8_lossy(&self.output);
        text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
    }

    /// What a step said that begins with `step`: its value, or the symbol of its error.
    ///
    /// # Errors
    ///
    /// If it said nothing.
    pub fn step(&self, step: &str) -> Result<Result<Value, String>, String> {
        let lines = self.lines();
        let of_step = |line: &&Value| line["step"].as_str().is_some_and(|name| name.starts_with(step));
        let line = lines.iter().find(of_step).ok_or_else(|| {
            let errors = String::from_utf8_lossy(&self.errors);
            format!("the step {step} said nothing ({})", errors.trim())
        })?;
        Ok(match line["error"].as_str() {
            Some(error) => Err(error.to_owned()),
            None => Ok(line["ok"].clone()),
        })
    }

    /// Whether a step came to this value.
    ///
    /// # Errors
    ///
    /// What it came to.
    pub fn came_to(&self, step: &str, expected: &Value) -> Judged {
        match self.step(step)? {
            Ok(value) => same(step, expected, &value),
            Err(error) => Err(format!("{step}: expected {expected}, got the error {error}")),
        }
    }

    /// Whether all steps that begin with `steps` failed with one of these errors.
    ///
    /// # Errors
    ///
    /// Which did not.
    pub fn all_fail(&self, steps: &[&str], errors: &[&str]) -> Judged {
        let mut seen = Vec::new();
        for step in steps {
            match self.step(step)? {
                Err(error) if errors.contains(&error.as_str()) => seen.push(Value::from(format!("{step}: {error}"))),
                Err(error) => return Err(format!("{step}: expected {}, got {error}", errors.join(" or "))),
                Ok(value) => return Err(format!("{step}: expected {}, got {value}", errors.join(" or "))),
            }
        }
        Ok(seen.into())
    }

    /// Whether all steps that begin with `steps` succeeded.
    ///
    /// # Errors
    ///
    /// Which did not.
    pub fn all_succeed(&self, steps: &[&str]) -> Judged {
        for step in steps {
            if let Err(error) = self.step(step)? {
                return Err(format!("{step}: expected success, got {error}"));
            }
        }
        Ok(steps.to_vec().into())
    }
}

/// Whether a value is what is expected.
///
/// # Errors
///
/// What it is.
pub fn same(what: &str, expected: &Value, got: &Value) -> Judged {
    if expected == got { Ok(got.clone()) } else { Err(format!("{what}: expected {expected}, got {got}")) }
}

/// Whether `condition` holds.
///
/// # Errors
///
/// The message, if not.
pub fn ensure(condition: bool, message: impl Into<String>) -> Result<(), String> {
    if condition { Ok(()) } else { Err(message.into()) }
}
