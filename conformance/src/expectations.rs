//! Expected failures: a file with a reason for each.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::Path;

use serde::Deserialize;

use crate::results::{Line, Stale, Verdict};

/// Stands between what was seen and why that was expected.
pub(crate) const EXPECTED: &str = "; expected: ";

/// The expected failures of a file.
///
/// ```toml
/// [[expect]]
/// impl = "mine"
/// case = "LAY-003/rejected-second-archive"
/// seen = "b.txt is missing"
/// reason = "stops at the first zero block"
/// link = "https://example.com/mine/issues/12"
/// ```
#[derive(Debug, Clone, Default)]
pub struct Expectations(BTreeMap<(String, String), Expect>);

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    #[serde(default)]
    expect: Vec<Expect>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Expect {
    #[serde(rename = "impl")]
    implementation: String,
    case: String,
    /// What is said of the failure that is expected; any failure if that is nothing.
    seen: Option<String>,
    reason: String,
    link: Option<String>,
}

impl Expectations {
    /// Reads the file `path`.
    ///
    /// # Errors
    ///
    /// If it cannot be read, is malformed, gives no reason, has an empty `seen`, or has the same case twice.
    pub fn read(path: &Path) -> io::Result<Self> {
        let malformed = |what: String| io::Error::new(io::ErrorKind::InvalidData, what);
        let document: Document =
            toml::from_str(&std::fs::read_to_string(path)?).map_err(|error| malformed(error.to_string()))?;
        let mut expectations = BTreeMap::new();
        for expect in document.expect {
            let key = (expect.implementation.clone(), expect.case.clone());
            if expect.seen.as_ref().is_some_and(|seen| seen.trim().is_empty()) {
                let why = "has a `seen` that every failure has";
                return Err(malformed(format!("the failure of `{}` at `{}` {why}", key.0, key.1)));
            }
            if expect.reason.trim().is_empty() {
                return Err(malformed(format!("the failure of `{}` at `{}` has no reason", key.0, key.1)));
            }
            if let Some(expect) = expectations.insert(key, expect) {
                let Expect { implementation, case, .. } = expect;
                return Err(malformed(format!("the failure of `{implementation}` at `{case}` stands there twice")));
            }
        }
        Ok(Self(expectations))
    }

    /// The implementation and the case of each, in their order.
    pub fn keys(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.keys().map(|(implementation, case)| (implementation.as_str(), case.as_str()))
    }

    /// Turns an expected `fail` into `xfail` and a `pass` that is not expected into `xpass`. A failure of which something
    /// else is said than the expectation has as `seen` stays one.
    ///
    /// A case that did not run says nothing about the expectation, and a false claim is never excused.
    pub fn apply(&self, line: &mut Line) {
        let Some(expect) = self.0.get(&(line.implementation.clone(), line.case.clone())) else { return };
        let Expect { reason, link, seen: wanted, .. } = expect;
        let why = link.as_ref().map_or_else(|| reason.clone(), |link| format!("{reason} ({link})"));
        let seen = line.reason.clone().unwrap_or_default();
        (line.verdict, line.reason) = match line.verdict {
            Verdict::Fail if wanted.as_ref().is_some_and(|wanted| !seen.contains(wanted)) => {
                let wanted = wanted.as_deref().unwrap_or_default();
                (Verdict::Fail, Some(format!("{seen}; the failure that is expected is another one, with `{wanted}`")))
            }
            Verdict::Fail => (Verdict::Xfail, Some(format!("{seen}{EXPECTED}{why}"))),
            Verdict::Pass => (Verdict::Xpass, Some(format!("it passes, but a failure is expected: {why}"))),
            verdict => (verdict, line.reason.clone()),
        };
    }

    /// The expectations of `implementations` about none of `cases`.
    #[must_use]
    pub fn stale(&self, implementations: &BTreeSet<&str>, cases: &BTreeSet<&str>) -> Vec<Stale> {
        self.0
            .keys()
            .filter(|(implementation, case)| {
                implementations.contains(implementation.as_str()) && !cases.contains(case.as_str())
            })
            .map(|(implementation, case)| Stale { implementation: implementation.clone(), case: case.clone() })
            .collect()
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::protocol::Role;

    fn read(seen: &str) -> io::Result<Expectations> {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("known.toml");
        std::fs::write(&path, format!("[[expect]]\nimpl = \"mine\"\ncase = \"a/b\"\nreason = \"why\"\n{seen}\n"))?;
        Expectations::read(&path)
    }

    fn line(verdict: Verdict, reason: &str) -> Line {
        Line {
            case: "a/b".to_owned(),
            clauses: Vec::new(),
            implementation: "mine".to_owned(),
            role: Role::Runtime,
            verdict,
            reason: Some(reason.to_owned()),
            values: BTreeMap::new(),
            duration_ms: 0,
        }
    }

    #[test]
    fn an_expectation_excuses_the_failure_that_it_has_seen() {
        let applied = |seen: &str, reason: &str| {
            let mut line = line(Verdict::Fail, reason);
            read(seen).unwrap().apply(&mut line);
            (line.verdict, line.reason.unwrap())
        };
        assert_eq!(applied("", "the uid is 0").0, Verdict::Xfail);
        assert_eq!(
            applied("seen = \"uid is 0\"", "the uid is 0"),
            (Verdict::Xfail, "the uid is 0; expected: why".to_owned())
        );
        let (verdict, reason) = applied("seen = \"uid is 0\"", "it did not run");
        assert_eq!(verdict, Verdict::Fail);
        assert!(reason.starts_with("it did not run; ") && reason.ends_with("with `uid is 0`"), "{reason}");
        let mut passed = line(Verdict::Pass, "");
        read("seen = \"uid\"").unwrap().apply(&mut passed);
        assert_eq!(passed.verdict, Verdict::Xpass);
    }

    #[test]
    fn what_every_failure_has_is_no_expectation() {
        let error = read("seen = \" \"").unwrap_err().to_string();
        assert_eq!(error, "the failure of `mine` at `a/b` has a `seen` that every failure has");
    }
}
