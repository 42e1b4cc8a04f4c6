//! Runs a test program with a mutant in it.

use std::error::Error;
use std::io;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::compile;
use crate::mutant::{Mutant, Outcome};

/// The tests, the quickest first: the cases, what else is in that program, the tests beside the code, and the laws.
/// What cargo calls the program, and what is run of it.
pub const TESTS: [(&[&str], &[&str]); 4] = [
    (&["--test", "cases"], &["each_case"]),
    (&["--test", "cases"], &["--skip", "each_case"]),
    (&["--lib"], &[]),
    (&["--test", "robustness"], &["holds_of_all_cases", "the_page"]),
];
/// Seconds of computing that a test may take; without a mutant none needs two. Time on the clock would say more
/// about how busy the machine is than about endless loops.
const PATIENCE: &str = "8";
/// How long a test may take if it computes nothing.
const DEADLOCK: Duration = Duration::from_secs(120);
/// The signal that ends a process whose time of computing is up.
const SIGXCPU: i32 = 24;

/// A test program, and what is run of it.
pub struct Test {
    program: PathBuf,
    arguments: &'static [&'static str],
    folder: PathBuf,
}

impl Test {
    /// Builds one of [`TESTS`] in `tree`; `None` if it does not compile.
    pub fn build(
        tree: &Path,
        (target, arguments): (&[&str], &'static [&'static str]),
    ) -> Result<Option<Self>, Box<dyn Error>> {
        let program = compile::test_program(tree, target)?;
        Ok(program.map(|program| Self { program, arguments, folder: tree.join("validator") }))
    }

    /// Whether it passes without a mutant.
    pub fn passes(&self) -> io::Result<bool> {
        Ok(self.command().spawn()?.wait()?.success())
    }

    /// Runs it with a mutant switched on.
    pub fn outcome(&self, number: usize, mutant: &Mutant) -> io::Result<Outcome> {
        let mut command = self.command();
        command.env("MUTANT", number.to_string()).env("CORNERCAST_FIRST", chapters(&mutant.file));
        Ok(match wait(&mut command.spawn()?)? {
            None => Outcome::Late,
            Some(status) if status.signal() == Some(SIGXCPU) => Outcome::Late,
            Some(status) if status.success() => Outcome::Missed,
            Some(_) => Outcome::Noticed,
        })
    }

    fn command(&self) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", "ulimit -t \"$0\" && exec \"$@\"", PATIENCE]).arg(&self.program).args(self.arguments);
        command.current_dir(&self.folder).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        // What one mutant breaks is not to be tried with the next.
        command.env("PROPTEST_DISABLE_FAILURE_PERSISTENCE", "1").env("INSTA_UPDATE", "no").env_remove("MUTANT");
        command
    }
}

/// The chapters whose cases are the first to notice a mutant of a file.
fn chapters(file: &str) -> &'static str {
    match file.split('/').nth(2) {
        Some("json") => "JSN,MAN",
        Some("tar" | "layer") => "LAY,LST",
        Some("manifest") => "MAN",
        Some("store" | "zstd") => "STO",
        Some("oci") => "OCI",
        Some("name.rs") => "NAM",
        Some("trust") => "SIG,REL,POL,LOG",
        _ => "",
    }
}

/// `None` if it had to be ended.
fn wait(test: &mut Child) -> io::Result<Option<ExitStatus>> {
    let start = Instant::now();
    loop {
        if let Some(status) = test.try_wait()? {
            return Ok(Some(status));
        }
        if start.elapsed() > DEADLOCK {
            test.kill()?;
            test.wait()?;
            return Ok(None);
        }
        thread::sleep(Duration::from_millis(5));
    }
}
