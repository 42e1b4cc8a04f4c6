//! `export`.

use std::fs;
use std::path::PathBuf;

use clap::Args;

use super::{Fixtures, Selection, Trouble};
use crate::protocol::Role;
use crate::run::export::{export as export_case, folder_name};
use crate::run::{Obstacle, probe};
use crate::suite::Task;

/// What the folder has to say of itself.
const README: &str = include_str!("../run/export.md");

/// Writes cases of the role `run` as files: images, instance options, standard input, what is expected.
///
/// All cases take some gigabytes; --case selects. With the same program and probe, the same bytes are written.
#[derive(Debug, Args)]
pub(super) struct ExportArgs {
    #[command(flatten)]
    fixtures: Fixtures,
    /// Only cases whose name, or the part before the `/`, matches; `*` and `?` stand for any characters
    #[arg(long = "case", value_name = "GLOB")]
    cases: Vec<String>,
    /// The probe [default: $CORNERCAST_PROBE, or beside this program]
    #[arg(long, value_name = "FILE")]
    probe: Option<PathBuf>,
    /// The folder, which is made or empty
    #[arg(value_name = "DIR")]
    destination: PathBuf,
}

/// Writes the cases.
pub(super) fn export(arguments: &ExportArgs) -> Result<(), Trouble> {
    let ExportArgs { fixtures, cases: globs, destination: folder, .. } = arguments;
    let cases = fixtures.load()?;
    let selection = Selection { fixtures: fixtures.clone(), role: Some(Role::Run), cases: globs.clone() };
    let selected = selection.select(&cases.entries)?;
    let probe = probe::read(arguments.probe.as_deref()).map_err(|obstacle| match obstacle {
        Obstacle::Host(reason) => Trouble::new(reason),
        Obstacle::Error(error) => error.into(),
    })?;
    let at = || Trouble::at(folder.display());
    fs::create_dir_all(folder).map_err(at())?;
    if fs::read_dir(folder).map_err(at())?.next().is_some() {
        return Err(Trouble::new(format!("{} is not empty", folder.display())));
    }
    for entry in &selected {
        let Task::Run(scenario) = &entry.task else { continue };
        let folder = folder.join(folder_name(&entry.name));
        fs::create_dir(&folder)
            .and_then(|()| export_case(entry, scenario, &probe, &folder))
            .map_err(Trouble::at(&entry.name))?;
    }
    fs::write(folder.join("README.md"), README).map_err(at())?;
    Ok(())
}
