//! The built command, as the tests call it.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

pub(crate) fn cornercast(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_cornercast"))
        .args(arguments)
        .current_dir(folder)
        .env_remove("SOURCE_DATE_EPOCH")
        .stdin(Stdio::null())
        .output()
        .unwrap()
}

/// Exit status, standard output and standard error, as one text for a snapshot.
#[allow(dead_code, reason = "not all tests take snapshots")]
pub(crate) fn transcript(folder: &Path, arguments: &[&str]) -> String {
    let output = cornercast(folder, arguments);
    format!(
        "$ cornercast {}\n{}{}[exit status {}]\n",
        arguments.join(" "),
        String::from_utf8(output.stdout).unwrap(),
        String::from_utf8(output.stderr).unwrap(),
        output.status.code().unwrap()
    )
}

#[allow(dead_code, reason = "not all tests take cases")]
pub(crate) fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures")
}
