//! `bundles`.

use std::collections::BTreeSet;

use clap::Args;

use super::implementations::Named;
use super::run::{How, Planned, hints};
use super::{Fixtures, Selection, Trouble};
use crate::bundles::Runtime;
use crate::bundles::runtime::KNOWN;
use crate::protocol::{Codec, Role};
use crate::results::Implementation;
use crate::runner::{self, Reach, Subject};

/// Puts bundles to OCI runtimes, by their command line: bundles that no image yields, and calls that no engine makes.
///
/// A case is judged where a sentence of the OCI runtime specification decides. Where none does, its verdict is `recorded`,
/// and the report ends with all that the runtimes did differently. The exit status is that of `run`.
#[derive(Debug, Args)]
pub(super) struct BundlesArgs {
    /// A runtime: runc, crun, youki or runsc, or NAME=PROGRAM with another one that is called in the same way [default: those
    /// that are installed]
    #[arg(long = "impl", value_name = "NAME[=PROGRAM]")]
    implementations: Vec<Runtimes>,
    /// Only cases whose name, or the part before the `/`, matches; `*` and `?` stand for any characters
    #[arg(long = "case", value_name = "GLOB")]
    cases: Vec<String>,
    #[command(flatten)]
    how: How,
}

/// A runtime as the command line names it.
#[derive(Debug, Clone)]
struct Runtimes {
    named: Named,
    runtime: Runtime,
}

impl std::str::FromStr for Runtimes {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let named: Named = text.parse()?;
        let runtime = named.runtime()?;
        Ok(Self { named, runtime })
    }
}

/// Runs the cases; the exit status.
pub(super) fn bundles(arguments: &BundlesArgs) -> Result<u8, Trouble> {
    let cases = Fixtures { folder: None }.load()?;
    let selection =
        Selection { fixtures: Fixtures { folder: None }, role: Some(Role::Runtime), cases: arguments.cases.clone() };
    let selected = selection.select(&cases.entries)?;
    let codec = Codec::new().map_err(Trouble::new)?;
    let given = match arguments.implementations.as_slice() {
        [] => installed()?,
        given => given.to_vec(),
    };
    let mut names = BTreeSet::new();
    let mut subjects = Vec::new();
    for Runtimes { named, runtime } in &given {
        if !names.insert(&named.name) {
            return Err(Trouble::new(format!("two runtimes are called `{}`", named.name)));
        }
        let hello = runtime.hello().map_err(Trouble::new)?;
        let implementation = Implementation::new(&named.name, hello);
        subjects.push(Subject { implementation, reach: Reach::Runtime(runtime.clone()) });
    }
    let jobs = runner::jobs(&subjects, &selected, Some(Role::Runtime));
    let named: Vec<Named> = given.into_iter().map(|given| given.named).collect();
    arguments.how.perform(&Planned {
        jobs: &jobs,
        subjects: &subjects,
        entries: &cases.entries,
        codec: &codec,
        observed: true,
        hints: hints(&named, ""),
    })
}

/// The runtimes that are there, of those that are known.
fn installed() -> Result<Vec<Runtimes>, Trouble> {
    let all = KNOWN.iter().filter_map(|name| name.parse::<Runtimes>().ok());
    let installed: Vec<Runtimes> = all.filter(|known| known.runtime.version().is_ok()).collect();
    if installed.is_empty() {
        let known = KNOWN.join(", ");
        return Err(Trouble::new(format!("no OCI runtime can be used here ({known}); name one: --impl NAME=PROGRAM")));
    }
    Ok(installed)
}
