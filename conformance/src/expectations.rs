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
    reason: String,
    link: Option<String>,
}

impl Expectations {
    /// Reads the file `path`.
    ///
    /// # Errors
    ///
    /// If it cannot be read, is malformed, gives no reason, or has the same case twice.
    pub fn read(path: &Path) -> io::Result<Self> {
        let malformed = |what: String| io::Error::new(io::ErrorKind::InvalidData, what);
        let document: Document =
            toml::from_str(&std::fs::read_to_string(path)?).map_err(|error| malformed(error.to_string()))?;
        let mut expectations = BTreeMap::new();
        for expect in document.expect {
            let key = (expect.implementation.clone(), expect.case.clone());
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

    /// Turns an expected `fail` into `xfail` and a `pass` that is not expected into `xpass`.
    ///
    /// A case that did not run says nothing about the expectation, and a false claim is never excused.
    pub fn apply(&self, line: &mut Line) {
        let Some(expect) = self.0.get(&(line.implementation.clone(), line.case.clone())) else { return };
        let Expect { reason, link, .. } = expect;
        let why = link.as_ref().map_or_else(|| reason.clone(), |link| format!("{reason} ({link})"));
        let seen = line.reason.clone().unwrap_or_default();
        (line.verdict, line.reason) = match line.verdict {
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
