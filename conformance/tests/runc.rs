//! The cases of the role `run` on runc, for real.
//!
//! They need root, runc, and the probe, which is built here. What is missing makes them *ignored*,
//! with the reason, or *failed* if the variable below is 1.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::sync::OnceLock;

use cornercast_conformance::results::{Conclusion, Footer, Line, Verdict};
use cornercast_conformance::run::{Runc, scenarios};
use libtest_mimic::{Arguments, Completion, Failed, Trial};

/// Set this to 1 where runc has to be there.
const REQUIRE: &str = "CORNERCAST_REQUIRE_PEERS";

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    // One test writes a program and starts it; a child of another one would hold it open meanwhile.
    arguments.test_threads = Some(1);
    let mut trials: Vec<Trial> = scenarios()
        .into_iter()
        .map(|entry| Trial::ignorable_test(entry.name.clone(), move || case(&entry.name)))
        .collect();
    trials.push(Trial::ignorable_test("a_wrong_tree_is_seen", wrong_tree));
    trials.push(Trial::ignorable_test("the_script_of_reproduce_works", reproduce));
    trials.push(Trial::ignorable_test("a_bundle_runs_as_the_image_says", bundle));
    trials.push(Trial::test("without_runc_nothing_is_claimed", without_runc));
    libtest_mimic::run(&arguments, trials).exit_code()
}

/// The probe, or why the cases cannot run here.
fn peers() -> Result<&'static Path, Completion> {
    static PROBE: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    let probe = PROBE.get_or_init(|| Runc::find().ready().and_then(|()| build_probe()));
    match probe {
        Ok(probe) => Ok(probe),
        Err(reason) if std::env::var_os(REQUIRE).is_some_and(|value| value == "1") => panic!("{REQUIRE}: {reason}"),
        Err(reason) => Err(Completion::ignored_with(reason)),
    }
}

fn build_probe() -> Result<PathBuf, String> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    // A folder of its own: the same program without the flag is built in the usual one.
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("probe");
    let mut command = Command::new(cargo);
    command.args(["rustc", "--quiet", "--locked", "-p", "cornercast-probe", "--release", "--target-dir"]).arg(&target);
    command.args(["--", "-C", "target-feature=+crt-static"]).current_dir(env!("CARGO_MANIFEST_DIR"));
    let output = command.output().map_err(|error| format!("cargo cannot be run: {error}"))?;
    if !output.status.success() {
        // Not a missing peer: the probe is ours.
        panic!("the probe cannot be built:\n{}", String::from_utf8_lossy(&output.stderr));
    }
    Ok(target.join("release/cornercast-probe"))
}

fn suite(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_cornercast-conformance"));
    command.args(arguments);
    command
}

fn results(command: &mut Command) -> (i32, Vec<Line>, Footer) {
    let output = command.args(["--json", "-"]).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let mut lines: Vec<&str> = text.lines().skip(1).collect();
    let footer = lines.pop().unwrap_or_else(|| panic!("{}", String::from_utf8_lossy(&output.stderr)));
    let lines = lines.into_iter().map(|line| serde_json::from_str(line).unwrap()).collect();
    (output.status.code().unwrap(), lines, serde_json::from_str(footer).unwrap())
}

fn case(name: &str) -> Result<Completion, Failed> {
    let probe = match peers() {
        Ok(probe) => probe,
        Err(ignored) => return Ok(ignored),
    };
    let (status, lines, footer) = results(suite(&["run", "--impl", "runc", "--case", name, "--probe"]).arg(probe));
    let line = &lines[0];
    if line.verdict == Verdict::Unsupported {
        return Ok(Completion::ignored_with(line.reason.clone().unwrap()));
    }
    assert_eq!(line.verdict, Verdict::Pass, "{line:#?}");
    assert_eq!((status, footer.result), (0, Conclusion::Conformant));
    Ok(Completion::Completed)
}

/// A runc that changes the tree before it starts the container is caught.
fn wrong_tree() -> Result<Completion, Failed> {
    use std::os::unix::fs::PermissionsExt;

    let probe = match peers() {
        Ok(probe) => probe,
        Err(ignored) => return Ok(ignored),
    };
    let folder = tempfile::tempdir().unwrap();
    let path = std::env::var("PATH").unwrap();
    for (mutation, seen) in [
        ("chmod 755 \"$1/srv/closed\"", "srv/closed"),
        ("touch -d @5 \"$1/etc\"", "\"path\":\"etc\""),
        ("touch -d @5 \"$1\"", "the root"),
        ("cd \"$1/srv\" && rm linked && cp -a gr[^o]* linked && touch -d @0 .; cd /", "srv/linked"),
        ("echo >> \"$1/etc/os-release\"", "etc/os-release"),
        ("touch \"$1/zzz\" && touch -d @0 \"$1\"", "expected nothing more"),
    ] {
        let runc = folder.path().join("runc");
        // Called as `runc --root STATE run --bundle BUNDLE ID`.
        let script = format!(
            "#!/bin/sh\nPATH='{path}'\nmutate() {{ {mutation}; }}\n[ \"$3\" != run ] || mutate \"$5/rootfs\"\nexec runc \"$@\"\n"
        );
        std::fs::write(&runc, script).unwrap();
        std::fs::set_permissions(&runc, std::fs::Permissions::from_mode(0o755)).unwrap();
        let mut command = suite(&["run", "--impl", "runc", "--case", "RUN/rootfs", "--probe"]);
        command.arg(probe).env("PATH", format!("{}:{path}", folder.path().display()));
        let (status, lines, _) = results(&mut command);
        let line = &lines[0];
        assert_eq!((line.verdict, status), (Verdict::Fail, 1), "{mutation}: {line:#?}");
        assert!(line.reason.as_ref().unwrap().contains(seen), "{mutation}: {line:#?}");
    }
    Ok(Completion::Completed)
}

fn reproduce() -> Result<Completion, Failed> {
    let probe = match peers() {
        Ok(probe) => probe,
        Err(ignored) => return Ok(ignored),
    };
    let script = suite(&["reproduce", "RUN/arguments", "--impl", "runc"]).output().unwrap();
    let script = String::from_utf8(script.stdout).unwrap();
    let output = Command::new("sh").arg("-c").arg(&script).env("CORNERCAST_PROBE", probe).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(said.contains("\"of exec\""), "{script}\n{said}\n{}", String::from_utf8_lossy(&output.stderr));
    Ok(Completion::Completed)
}

/// A bundle that the reference makes of a store is started as it is.
fn bundle() -> Result<Completion, Failed> {
    let probe = match peers() {
        Ok(probe) => probe,
        Err(ignored) => return Ok(ignored),
    };
    let folder = tempfile::tempdir().unwrap();
    let (made, output) = (folder.path().join("made"), folder.path().join("bundle"));
    let status = suite(&["make", "RUN/environment-given"]).arg(&made).arg("--probe").arg(probe).status().unwrap();
    assert!(status.success());
    let message = serde_json::json!({
        "message": "run", "seq": 1, "role": "build", "operation": "bundle", "as": "store",
        "input": made.join("store"), "output": output, "scratch": folder.path(),
    });
    let mut adapter = suite(&["adapter"]);
    let mut adapter = adapter.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    adapter.stdin.take().unwrap().write_all(message.to_string().as_bytes()).unwrap();
    let answer = adapter.wait_with_output().unwrap();
    assert_eq!(String::from_utf8_lossy(&answer.stdout), "{\"seq\":1,\"outcome\":\"completed\"}\n");
    let mut runc = Command::new("runc");
    runc.arg("--root")
        .arg(folder.path().join("state"))
        .arg("run")
        .arg("--bundle")
        .arg(&output)
        .arg("cornercast-bundle");
    let ended = runc.stdin(Stdio::null()).output().unwrap();
    let seen: serde_json::Value = serde_json::from_slice(&ended.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&ended.stderr)));
    let mut variables: Vec<&str> =
        seen["environment"].as_array().unwrap().iter().map(|text| text.as_str().unwrap()).collect();
    variables.sort_unstable();
    let config: serde_json::Value =
        serde_json::from_slice(&std::fs::read(output.join("config.json")).unwrap()).unwrap();
    let said: Vec<&str> =
        config["process"]["env"].as_array().unwrap().iter().map(|text| text.as_str().unwrap()).collect();
    assert_eq!(variables, said);
    assert!(said.contains(&"HOME=/srv/home of app"), "{said:?}");
    assert_eq!(seen["arguments"], config["process"]["args"]);
    Ok(Completion::Completed)
}

/// A missing runtime is said to be missing, and the run is incomplete.
fn without_runc() -> Result<(), Failed> {
    let (status, lines, footer) = results(suite(&["run", "--impl", "runc"]).env("PATH", "/nowhere"));
    assert!(!lines.is_empty());
    for line in lines {
        assert_eq!(line.verdict, Verdict::Unsupported);
        assert_eq!(line.reason.as_deref(), Some("runc is not installed"));
    }
    assert_eq!((status, footer.result), (2, Conclusion::Incomplete));
    Ok(())
}
