//! Results: a header line, one line a case and implementation, a footer line, each a JSON object.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::protocol::{Hello, PROTOCOL, Role};

/// The first line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Header {
    /// `cornercast-conformance`.
    pub suite: String,
    /// The version of the suite.
    pub version: String,
    /// The version of the format.
    pub format: String,
    /// The version of the adapter protocol.
    pub protocol: u32,
    /// Where the suite runs.
    pub host: Host,
    /// What is tested, in the order of the results.
    pub implementations: Vec<Implementation>,
    /// How many result lines follow.
    pub results: usize,
}

/// Facts about the machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Host {
    /// The operating system, as Rust calls it.
    pub os: String,
    /// The processor, as Rust calls it.
    pub architecture: String,
    /// The release of the kernel, where it can be told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String")]
    pub kernel: Option<String>,
    /// Processors that the suite can use.
    pub cpus: usize,
}

/// An implementation, as it presents itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Implementation {
    /// What this run calls it.
    pub name: String,
    /// What it calls itself.
    pub product: String,
    /// Its version.
    pub version: String,
    /// Where to read about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String")]
    pub homepage: Option<String>,
    /// Where to report bugs of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String")]
    pub issues: Option<String>,
    /// What it is.
    pub roles: Vec<Role>,
}

/// What an implementation made of a case.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Line {
    /// The case.
    pub case: String,
    /// The clauses that the case tests.
    pub clauses: Vec<String>,
    /// The implementation.
    #[serde(rename = "impl")]
    pub implementation: String,
    /// The role that is tested.
    pub role: Role,
    /// What came of it.
    pub verdict: Verdict,
    /// Why it is that, unless it is `pass`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String")]
    pub reason: Option<String>,
    /// What was seen, judged or not.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub values: BTreeMap<String, Value>,
    /// How long it took, in milliseconds.
    pub duration_ms: u64,
}

/// What came of a case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// It did what the clauses say.
    Pass,
    /// It did something else.
    Fail,
    /// It claims what is not so.
    FalseClaim,
    /// The implementation or the host cannot do this.
    Unsupported,
    /// It crashed, took too long, or answered what is no answer.
    Errored,
    /// The adapter does not do this.
    Skipped,
    /// It did something else, as expected.
    Xfail,
    /// It did what the clauses say, which was not expected.
    Xpass,
    /// Nothing says what is right.
    Recorded,
}

impl Verdict {
    /// All verdicts, the best first.
    pub const ALL: [Self; 9] = [
        Self::Pass,
        Self::Recorded,
        Self::Xfail,
        Self::Skipped,
        Self::Unsupported,
        Self::Errored,
        Self::Xpass,
        Self::Fail,
        Self::FalseClaim,
    ];

    /// The name of the verdict.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Fail => "fail",
            Self::FalseClaim => "false-claim",
            Self::Unsupported => "unsupported",
            Self::Errored => "errored",
            Self::Skipped => "skipped",
            Self::Xfail => "xfail",
            Self::Xpass => "xpass",
            Self::Recorded => "recorded",
        }
    }

    /// How bad it is: more than that of each verdict that is better.
    #[must_use]
    pub fn badness(self) -> usize {
        Self::ALL.iter().position(|known| *known == self).unwrap_or(Self::ALL.len())
    }

    /// Whether the case did run and went wrong.
    #[must_use]
    pub fn is_failure(self) -> bool {
        matches!(self, Self::Fail | Self::FalseClaim | Self::Xpass)
    }

    /// Whether somebody has to look at it: it did not pass, and something decides.
    #[must_use]
    pub fn is_of_interest(self) -> bool {
        !matches!(self, Self::Pass | Self::Recorded)
    }

    /// Whether the case did not run.
    #[must_use]
    pub fn is_missing(self) -> bool {
        matches!(self, Self::Unsupported | Self::Errored | Self::Skipped)
    }
}

/// The last line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Footer {
    /// How often each verdict was given, by implementation.
    pub counts: BTreeMap<String, BTreeMap<Verdict, u64>>,
    /// Expected failures of cases that do not exist.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub stale: Vec<Stale>,
    /// What the run as a whole says.
    pub result: Conclusion,
}

/// An expected failure of a case that does not exist.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Stale {
    /// The implementation.
    #[serde(rename = "impl")]
    pub implementation: String,
    /// The case.
    pub case: String,
}

/// What a run says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Conclusion {
    /// Nothing decides any of the cases.
    Recorded,
    /// Every case passed, but for cases of SHOULD clauses that did not run, and those that nothing decides.
    Conformant,
    /// Every case passed but for the expected failures.
    ConformantWithExceptions,
    /// A case of a MUST clause did not run.
    Incomplete,
    /// A case failed, or passed against expectation, or an expectation is stale.
    NotConformant,
}

impl Conclusion {
    /// What one verdict lets a run say at best.
    #[must_use]
    pub fn of(verdict: Verdict, is_must: bool) -> Self {
        match verdict {
            verdict if verdict.is_failure() => Self::NotConformant,
            verdict if verdict.is_missing() && is_must => Self::Incomplete,
            Verdict::Xfail => Self::ConformantWithExceptions,
            Verdict::Recorded => Self::Recorded,
            _ => Self::Conformant,
        }
    }

    /// The exit status of the run.
    #[must_use]
    pub fn status(self) -> u8 {
        match self {
            Self::Conformant | Self::Recorded | Self::ConformantWithExceptions => 0,
            Self::NotConformant => 1,
            Self::Incomplete => 2,
        }
    }

    /// The conclusion in words.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Self::Conformant => "conformant",
            Self::Recorded => "recorded",
            Self::ConformantWithExceptions => "conformant but for expected failures",
            Self::Incomplete => "incomplete",
            Self::NotConformant => "not conformant",
        }
    }
}

impl Header {
    /// The header of a run of `implementations` that has `results` lines.
    #[must_use]
    pub fn new(implementations: Vec<Implementation>, results: usize) -> Self {
        let kernel = std::fs::read_to_string("/proc/sys/kernel/osrelease").ok().map(|text| text.trim().to_owned());
        Self {
            suite: env!("CARGO_PKG_NAME").to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            format: cornercast::manifest::FORMAT_VERSION.to_owned(),
            protocol: PROTOCOL,
            host: Host {
                os: std::env::consts::OS.to_owned(),
                architecture: std::env::consts::ARCH.to_owned(),
                kernel,
                cpus: std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
            },
            implementations,
            results,
        }
    }
}

impl Implementation {
    /// The implementation that this run calls `name` and that says `hello`.
    #[must_use]
    pub fn new(name: &str, hello: Hello) -> Self {
        let Hello { name: product, version, homepage, issues, roles, .. } = hello;
        Self { name: name.to_owned(), product, version, homepage, issues, roles }
    }
}

impl Footer {
    /// The footer of a run. `lines` are the results, each with whether its case tests a MUST clause.
    #[must_use]
    pub fn new<'a>(lines: impl IntoIterator<Item = (&'a Line, bool)>, stale: Vec<Stale>) -> Self {
        let mut counts: BTreeMap<String, BTreeMap<Verdict, u64>> = BTreeMap::new();
        let mut worst = None;
        for (line, is_must) in lines {
            *counts.entry(line.implementation.clone()).or_default().entry(line.verdict).or_default() += 1;
            worst = worst.max(Some(Conclusion::of(line.verdict, is_must)));
        }
        let of_cases = worst.unwrap_or(Conclusion::Conformant);
        let result = if stale.is_empty() { of_cases } else { Conclusion::NotConformant };
        Self { counts, stale, result }
    }
}
