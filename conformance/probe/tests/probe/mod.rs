//! Starting the probe under the name by which it acts.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;
use tempfile::TempDir;

/// The program by its own name, by which it looks.
pub const LOOK: &str = env!("CARGO_BIN_EXE_cornercast-probe");

/// A folder with the program in it, named `act`.
pub struct Probe {
    folder: TempDir,
}

impl Probe {
    /// A new folder, where the program is and can be linked to.
    pub fn new() -> Self {
        let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        std::fs::hard_link(LOOK, folder.path().join("act")).unwrap();
        Self { folder }
    }

    /// A path in the folder.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The program, with nothing to read.
    pub fn command<S: AsRef<OsStr>>(&self, steps: impl IntoIterator<Item = S>) -> Command {
        let mut command = Command::new(self.path("act"));
        command.args(steps).current_dir(self.folder.path()).stdin(Stdio::null());
        command
    }

    /// What comes of these steps.
    pub fn act(&self, steps: &[&str]) -> Output {
        self.command(steps).output().unwrap()
    }

    /// The lines of these steps, without what they say of themselves, if that exits with 0.
    pub fn lines(&self, steps: &[&str]) -> Vec<Value> {
        let output = self.act(steps);
        assert_eq!(output.status.code(), Some(0), "{output:?}");
        let lines: Vec<Value> = documents(&output.stdout);
        let without_step = lines.into_iter().map(|mut line| {
            line.as_object_mut().unwrap().remove("step");
            line
        });
        without_step.collect()
    }
}

/// The documents on the lines of an output.
pub fn documents(output: &[u8]) -> Vec<Value> {
    let text = std::str::from_utf8(output).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{line}: {error}"))).collect()
}

/// The text of a path.
pub fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}
