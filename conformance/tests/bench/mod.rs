//! A folder with cases and adapters, for tests of the suite itself.
#![allow(dead_code, unreachable_pub, clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::RwLock;

use cornercast_conformance::case::Case;
use cornercast_conformance::fixtures::{self, image};
use cornercast_conformance::results::{Conclusion, Footer, Header, Line, Verdict};
use serde_json::{Value, json};
use tempfile::TempDir;

/// Says that it accepts.
pub const ACCEPTS: &str = r#"printf '{"seq":%s,"outcome":"accepted"}\n' "$seq""#;

/// A program cannot be started while it is open for writing, and a child that another test has just
/// forked holds what is open: whoever writes a program takes this, and so does whoever forks.
static FORKS: RwLock<()> = RwLock::new(());

/// Writes a program.
pub fn write_program(path: &Path, script: &str) {
    let _nobody_forks = FORKS.write().unwrap();
    fs::write(path, script).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}

/// Runs a command to its end.
pub fn output(command: &mut Command) -> Output {
    let child = {
        let _nobody_writes = FORKS.read().unwrap();
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    };
    child.wait_with_output().unwrap()
}

/// A folder with a few cases, and room for adapters.
pub struct Bench {
    pub folder: TempDir,
}

impl Bench {
    /// Two near misses with their defects, a case that a recipe makes, and one of a SHOULD clause.
    pub fn new() -> Self {
        let bench = Self { folder: tempfile::tempdir().unwrap() };
        let manifest = |at: &str, value: &str| {
            fixtures::manifest_file(image::canonical(&image::with(image::data_manifest(), at, json!(value))))
        };
        for fixture in [
            fixtures::accepted("CNF-001", "same-version", "1.0 is the reader's own", manifest("/cornercast", "1.0")),
            fixtures::rejected(
                "CNF-001",
                "next-major",
                "2.0 is beyond a reader of 1.0",
                manifest("/cornercast", "2.0"),
            ),
            fixtures::accepted("CNF-002", "linux", "linux is the one os", manifest("/platform/os", "linux")),
            fixtures::rejected("CNF-002", "windows", "the os is not linux", manifest("/platform/os", "windows")),
        ] {
            bench.case(&fixture.folder, &fixture.case, fixture.files.iter());
        }
        let case = |what: Value| serde_json::from_value::<Case>(what).unwrap();
        let recipe = case(json!({
            "clauses": ["LAY-001"], "why": "a layer of zero bytes has no entry", "role": "validate", "as": "layer",
            "recipe": {"parts": [{"hex": "00", "times": 1024}]},
            "expect": {"verdict": "rejected", "findings": [{"id": "LAY-001"}]}
        }));
        bench.case("LAY-001/rejected-zeros", &recipe, std::iter::empty());
        let store = case(json!({
            "clauses": ["STO-004"], "why": "a file beside the layout is passed over", "role": "validate",
            "as": "store", "input": "store",
            "expect": {"verdict": "accepted", "findings": [{"id": "STO-004"}]}
        }));
        let files = [
            ("store/cornercast".to_owned(), cornercast::store::MARKER.to_vec()),
            ("store/index.html".to_owned(), b"hello".to_vec()),
        ];
        bench.case("STO-004/warned-page", &store, files.iter().map(|(path, bytes)| (path, bytes)));
        bench
    }

    pub fn case<'a>(&self, name: &str, case: &Case, files: impl Iterator<Item = (&'a String, &'a Vec<u8>)>) {
        let folder = self.fixtures().join(name);
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("case.json"), serde_json::to_vec_pretty(case).unwrap()).unwrap();
        for (path, bytes) in files {
            let path = folder.join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, bytes).unwrap();
        }
    }

    pub fn fixtures(&self) -> PathBuf {
        self.folder.path().join("fixtures")
    }

    /// An adapter that says hello, and does `body` with the line in `$line` and its seq in `$seq`.
    pub fn adapter(&self, name: &str, body: &str) -> String {
        let path = self.folder.path().join(name);
        let script = format!(
            r#"#!/bin/sh
IFS= read -r line
seq=$(printf '%s\n' "$line" | sed -n 's/.*"seq":\([0-9]*\).*/\1/p')
case $line in
*'"hello"'*) echo '{{"message":"hello","protocol":1,"name":"{name}","version":"1","roles":["validate"]}}' ;;
*) {body} ;;
esac
"#
        );
        write_program(&path, &script);
        format!("{name}={}", path.display())
    }

    /// An adapter that does `body` with each line until `bye`, and has these roles.
    pub fn session(&self, name: &str, role: &str, body: &str) -> String {
        let hello = format!(
            r#"{{"message":"hello","protocol":1,"name":"{name}","version":"1","roles":["{role}"],"sessions":true}}"#
        );
        let script = format!(
            r#"while IFS= read -r line; do
seq=$(printf '%s\n' "$line" | sed -n 's/.*"seq":\([0-9]*\).*/\1/p')
case $line in
*'"hello"'*) echo '{hello}' ;;
*'"bye"'*) exit 0 ;;
*) {body} ;;
esac
done
"#
        );
        self.program(name, &script)
    }

    /// An adapter of the role `run` that does `body` in the directory that it has to make.
    pub fn engine(&self, name: &str, body: &str) -> String {
        let hello = format!(r#"{{"message":"hello","protocol":1,"name":"{name}","version":"1","roles":["run"]}}"#);
        let script = format!(
            r#"IFS= read -r line
seq=$(printf '%s\n' "$line" | sed -n 's/.*"seq":\([0-9]*\).*/\1/p')
output=$(printf '%s\n' "$line" | sed -n 's/.*"output":"\([^"]*\)".*/\1/p')
id=$(printf '%s\n' "$line" | sed -n 's/.*"instance-options":"\([^"]*\)".*/\1/p' | xargs -r sed -n 's/.*"instance":"\([^"]*\)".*/\1/p')
report() {{
    printf '{{"cornercast":"1.0","engine":{{"name":"x","version":"1"}},%s"instance":"%s","kind":"run-report","outcome":%s}}' \
        "$1" "$id" "$2" >run-report.json
    printf '{{"cornercast":"1.0","isolators":[%s],"kind":"isolation-report"}}' "$rows" >isolation-report.json
}}
exited() {{ report "\"exitCode\":$1," '"exited"'; }}
refused() {{ report '' '"refused","reasons":[{{"message":"no"}}]'; }}
answer() {{ printf '{{"seq":%s,"outcome":"%s"}}\n' "$seq" "$1"; }}
case $line in
*'"hello"'*) echo '{hello}' ;;
*) mkdir "$output" && cd "$output" || exit
{body} ;;
esac
"#
        );
        self.program(name, &script)
    }

    /// An adapter that is this script, as the command line names it.
    pub fn program(&self, name: &str, script: &str) -> String {
        let path = self.folder.path().join(name);
        write_program(&path, &format!("#!/bin/sh\n{script}"));
        format!("{name}={}", path.display())
    }

    pub fn command(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_cornercast-conformance"));
        output(command.args(arguments).arg("--fixtures").arg(self.fixtures()))
    }

    /// `run` with JSON lines on standard output.
    pub fn run(&self, arguments: &[&str]) -> Run {
        Run::new(&self.command(&[&["run", "--json", "-"], arguments].concat()))
    }

    /// The same of cases of the role `run`, with a probe that none of these adapters executes.
    pub fn run_images(&self, arguments: &[&str]) -> Run {
        let mut command = self.images();
        Run::new(&output(command.args(arguments)))
    }

    /// The command that runs cases of the role `run`.
    pub fn images(&self) -> Command {
        let probe = self.folder.path().join("probe");
        fs::write(&probe, b"no program").unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_cornercast-conformance"));
        command.args(["run", "--json", "-", "--role", "run", "--probe"]).arg(probe);
        command
    }

    /// The text of `run`, with this bench's paths taken out.
    pub fn text(&self, arguments: &[&str]) -> String {
        let output = self.command(&[&["run"], arguments].concat());
        let text = String::from_utf8(output.stdout).unwrap();
        text.replace(&self.folder.path().display().to_string(), "/BENCH").replace(env!("CARGO_PKG_VERSION"), "X.Y.Z")
    }
}

pub struct Run {
    pub status: i32,
    pub header: Header,
    pub lines: Vec<Line>,
    pub footer: Footer,
}

impl Run {
    pub fn new(output: &Output) -> Self {
        let text = String::from_utf8(output.stdout.clone()).unwrap();
        let mut lines: Vec<&str> = text.lines().collect();
        assert!(lines.len() >= 2, "no results: {}", String::from_utf8_lossy(&output.stderr));
        let header = serde_json::from_str(lines.remove(0)).unwrap();
        let footer = serde_json::from_str(lines.pop().unwrap()).unwrap();
        let lines = lines.into_iter().map(|line| serde_json::from_str(line).unwrap()).collect();
        Self { status: output.status.code().unwrap(), header, lines, footer }
    }

    pub fn verdict(&self, case: &str) -> Verdict {
        self.line(case).verdict
    }

    pub fn line(&self, case: &str) -> &Line {
        self.lines.iter().find(|line| line.case == case).unwrap()
    }

    /// Every case errored, the run is incomplete, and each reason holds `reason`.
    pub fn all_errored(&self, reason: &str) {
        for line in &self.lines {
            assert_eq!(line.verdict, Verdict::Errored, "{line:?}");
            assert!(line.reason.as_ref().unwrap().contains(reason), "{line:?}");
        }
        assert_eq!((self.status, self.footer.result), (2, Conclusion::Incomplete));
    }
}

/// The process whose id is in the file is dead; whoever adopts it may not have buried it yet.
pub fn assert_gone(note: &Path) {
    let pid = fs::read_to_string(note).unwrap();
    let stat = fs::read_to_string(format!("/proc/{}/stat", pid.trim())).unwrap_or_default();
    assert!(stat.is_empty() || stat.contains(") Z "), "still there: {stat}");
}
