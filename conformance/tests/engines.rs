//! The adapters around engines of other images: what they ask of an engine, what they report, and that nothing is left.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

/// A podman that notes how it is called, and runs nothing. With a file `said` it says what stands there, and does not start
/// the instance; with a file `broken` it does not work at all.
const PODMAN: &str = r#"#!/bin/sh
printf '%s\n' "$@" >>"$FOLDER/notes"
while [ $# -gt 0 ]; do
    case $1 in
    --root | --runroot | --tmpdir) shift 2 ;;
    --version) echo "podman version 9.8"; exit ;;
    load) exit ;;
    create) [ ! -e "$FOLDER/broken" ] || { echo "it is broken" >&2; exit 125; }; printf 1234 >"$3"; exit ;;
    start) printf output; [ ! -e "$FOLDER/said" ] || { cat "$FOLDER/said" >&2; exit 125; }; exit ;;
    container) [ ! -e "$FOLDER/broken" ] || exit 125; cat "$FOLDER/seen"; exit ;;
    *) exit ;;
    esac
done
"#;

/// An adapter around that podman, in a folder of its own.
struct Fixture {
    folder: tempfile::TempDir,
    image: PathBuf,
}

impl Fixture {
    fn new(status: u8) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::create_dir_all(at("bin")).unwrap();
        script(&at("bin/podman"), PODMAN);
        // What the converter says of an image is here what an image would say of itself.
        let manifest = json!({"image": format!("sha256:{}", "1".repeat(64)), "manifest": {"app": {
            "exec": ["/bin/app"], "user": {"uid": 1, "gid": 2, "supplementaryGids": [3]}, "stop": {"graceSeconds": 7},
            "mounts": [{"name": "data", "path": "/srv/data", "readOnly": true}],
            "isolation": {"isolators": {"resource/pids": {"value": {"limit": 16}}}},
        }}});
        fs::write(at("manifest"), manifest.to_string()).unwrap();
        let cornercast = format!(
            "#!/bin/sh\ncase $1 in convert) echo sha256:2 ;; inspect) cat {0}/manifest ;; esac\n",
            at("").display()
        );
        script(&at("bin/cornercast"), &cornercast);
        let config = json!({
            "process": {"args": ["/bin/app"], "capabilities": {"bounding": []}},
            "root": {}, "linux": {"namespaces": [{"type": "pid"}], "resources": {"pids": {"limit": 16}}},
        });
        fs::write(at("config.json"), config.to_string()).unwrap();
        let image = at("image");
        let fixture = Self { folder, image };
        fixture.sees("2", "exited", status);
        fixture
    }

    /// What podman says of the instance.
    fn sees(&self, image: &str, state: &str, status: u8) {
        let seen = json!([{
            "Image": image, "Name": "web-1", "OCIConfigPath": self.at("config.json"),
            "State": {"Status": state, "StartedAt": "2026-01-01T00:00:00Z", "ExitCode": status, "Error": ""},
        }]);
        fs::write(self.at("seen"), seen.to_string()).unwrap();
    }

    fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The answer of the adapter to a message with these instance options.
    fn answer(&self, options: &str) -> Value {
        for name in ["scratch", "place/podman"] {
            fs::create_dir_all(self.at(name)).unwrap();
        }
        fs::write(self.at("options"), options).unwrap();
        fs::write(self.at("input"), "").unwrap();
        let message = json!({
            "message": "run", "seq": 1, "role": "run", "operation": "run", "input": self.image, "as": "archive",
            "options": {"input": self.at("input"), "instance-options": self.at("options")},
            "output": self.at("output"), "scratch": self.at("scratch"),
        });
        let path = format!("{}:{}", self.at("bin").display(), std::env::var("PATH").unwrap());
        let mut adapter = Command::new("python3")
            .arg("-B")
            .arg(adapters().join("podman.py"))
            .env("PATH", path)
            .env("CORNERCAST_ENGINES", self.at("place"))
            .env("FOLDER", self.folder.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        writeln!(adapter.stdin.take().unwrap(), "{message}").unwrap();
        let output = adapter.wait_with_output().unwrap();
        serde_json::from_slice(&output.stdout).unwrap()
    }

    fn report(&self, name: &str) -> Value {
        serde_json::from_slice(&fs::read(self.at("output").join(name)).unwrap()).unwrap()
    }
}

fn script(path: &Path, text: &str) {
    fs::write(path, text).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}

fn adapters() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("adapters/engines")
}

#[test]
fn what_is_asked_for_is_a_flag() {
    let fixture = Fixture::new(0);
    let data = fixture.at("data").display().to_string();
    let options = json!({
        "instance": "web-1", "arguments": ["a b"], "environment": {"A": "x"}, "hostname": "web",
        "volumes": {"data": {"source": data}},
        "isolation": {"isolators": {"cornercast/capabilities": {"value": ["CAP_KILL"]}}},
    });
    assert_eq!(fixture.answer(&options.to_string()), json!({"seq": 1, "outcome": "completed"}));
    let notes = fs::read_to_string(fixture.at("notes")).unwrap();
    let words: Vec<&str> = notes.lines().collect();
    let mount = format!("type=bind,source={data},destination=/srv/data,bind-nonrecursive,nosuid,nodev,ro");
    for flags in [
        &["--name", "web-1"][..],
        &["--env", "A=x"],
        &["--hostname", "web"],
        &["--group-add", "3"],
        &["--stop-timeout", "7"],
        &["--pids-limit", "16"],
        &["--mount", &mount],
        &["--network", "none"],
        &["--cap-drop", "CAP_CHOWN"],
        &["--entrypoint", "/bin/app", "sha256:2", "a b"],
    ] {
        assert!(words.windows(flags.len()).any(|window| window == flags), "{flags:?} is not in {notes}");
    }
    assert!(!notes.contains("CAP_KILL"), "a capability that is there stays:\n{notes}");
}

#[test]
fn reports_say_what_the_engine_says() {
    let fixture = Fixture::new(3);
    fixture.answer("{\"instance\":\"web-1\"}");
    assert_eq!(fs::read(fixture.at("output/stdout")).unwrap(), b"output");
    let run = fixture.report("run-report.json");
    assert_eq!([&run["outcome"], &run["exitCode"], &run["instance"]], [&json!("exited"), &json!(3), &json!("web-1")]);
    assert_eq!(run["engine"], json!({"backend": "runc", "name": "podman", "version": "9.8"}));
    let isolation = fixture.report("isolation-report.json");
    let verdict = |name: &str| {
        let rows = isolation["isolators"].as_array().unwrap();
        rows.iter().find(|row| row["name"] == name).unwrap()["verdict"].clone()
    };
    // Claimed is only what the description of the instance shows.
    assert_eq!(verdict("resource/pids"), "enforced");
    assert_eq!(verdict("cornercast/process-view"), "enforced");
    for name in ["capabilities", "devices", "ipc", "network", "syscalls", "sysinfo"] {
        assert_eq!(verdict(&format!("cornercast/{name}")), "not-enforced", "{name}");
    }
}

#[test]
fn a_status_can_be_that_of_a_signal() {
    let fixture = Fixture::new(139);
    fixture.answer("{}");
    let run = fixture.report("run-report.json");
    assert_eq!([&run["outcome"], &run["signal"]], [&json!("signaled"), &json!("SIGSEGV")]);
}

#[test]
fn what_has_no_words_is_skipped() {
    for (options, why) in [
        ("{", "reads none"),
        ("{\"hostName\":\"a\"}", "`hostName`"),
        ("{\"hostname\":\"a\",\"hostname\":\"b\"}", "twice"),
        ("{\"volumes\":{\"other\":{\"empty\":true}}}", "`other`"),
        ("{\"isolation\":{\"level\":\"sealed\"}}", "level \"sealed\""),
        ("{\"isolation\":{\"level\":\"open\"}}", "level \"open\""),
        ("{\"isolation\":{\"isolators\":{\"example.com/seal\":{\"value\":1}}}}", "`example.com/seal`"),
        (
            "{\"isolation\":{\"isolators\":{\"example.com/seal\":{\"required\":false,\"value\":1}}}}",
            "`example.com/seal`",
        ),
        ("{\"isolation\":{\"isolators\":{\"resource/pids\":{\"value\":{\"limit\":16}}}}}", "one each"),
        ("{\"volumes\":{\"data\":{\"readOnly\":false,\"source\":\"/a\"}}}", "read-only"),
        ("{\"volumes\":{\"data\":{\"source\":\"/a=b\"}}}", "`=`"),
        ("{\"isolation\":{\"isolators\":{\"cornercast/capabilities\":{\"value\":[\"CAP_A,CAP_B\"]}}}}", "`,`"),
        ("{\"arguments\":[\"\\u0000\"]}", "U+0000"),
        ("{\"environment\":{\"A=B\":\"x\"}}", "A=B"),
    ] {
        let fixture = Fixture::new(0);
        let answer = fixture.answer(options);
        let reason = answer["reason"].as_str().unwrap();
        assert_eq!(answer["outcome"], "skipped", "{options}");
        assert!(reason.starts_with("podman has ") && reason.contains(why), "{options}: {reason}");
        let called = fs::read_to_string(fixture.at("notes")).unwrap_or_default();
        assert!(!called.lines().any(|word| word == "create"), "{options}: podman was asked");
    }
}

#[test]
fn what_parts_a_flag_is_quoted() {
    let fixture = Fixture::new(0);
    fixture.answer("{\"volumes\":{\"data\":{\"source\":\"/a,b \\\"c\\\"\"}}}");
    let notes = fs::read_to_string(fixture.at("notes")).unwrap();
    let mount = r#"type=bind,"source=/a,b ""c""",destination=/srv/data,bind-nonrecursive,nosuid,nodev,ro"#;
    assert!(notes.lines().any(|word| word == mount), "{mount} is not in {notes}");
}

#[test]
fn what_an_engine_says_stays_on_the_streams() {
    let fixture = Fixture::new(0);
    fixture.sees("2", "created", 0);
    fs::write(fixture.at("said"), "first\nlast\n").unwrap();
    assert_eq!(fixture.answer("{}"), json!({"seq": 1, "outcome": "completed"}));
    let run = fixture.report("run-report.json");
    assert_eq!(run["outcome"], "refused");
    assert_eq!(run["reasons"], json!([{"clause": "start-125", "message": "last"}]));
    assert_eq!(fs::read(fixture.at("output/stdout")).unwrap(), b"output");
    assert_eq!(fs::read(fixture.at("output/stderr")).unwrap(), b"first\nlast\n");
}

#[test]
fn what_nothing_is_known_of_is_errored() {
    let broken = Fixture::new(0);
    fs::write(broken.at("broken"), "").unwrap();
    let running = Fixture::new(0);
    running.sees("2", "running", 0);
    let silent = Fixture::new(0);
    silent.sees("2", "created", 0);
    let other = Fixture::new(0);
    other.sees("3", "exited", 0);
    for (fixture, why) in [
        (broken, "podman does not answer: it is broken"),
        (running, "podman says that the instance, whose streams have ended, is running"),
        (silent, "podman did not start the instance, and does not say why"),
        (other, "podman says that it ran another image, 3"),
    ] {
        let answer = fixture.answer("{}");
        let reason = answer["reason"].as_str().unwrap();
        assert_eq!(answer["outcome"], "errored", "{reason}");
        assert!(reason.starts_with(why), "{reason}");
        assert!(!fixture.at("output/run-report.json").exists(), "{why}: there is a report");
    }
}

/// The places of engines, and the control groups that are called like them, of either version.
fn left(of: &str) -> Vec<PathBuf> {
    let mut found = vec![Path::new(of).to_owned()];
    let name = Path::new(of).file_name().unwrap().to_owned();
    found.push(Path::new("/sys/fs/cgroup").join(&name));
    for tree in fs::read_dir("/sys/fs/cgroup").unwrap().flatten() {
        found.push(tree.path().join(&name));
    }
    found.retain(|path| path.exists());
    found
}

#[test]
fn nothing_is_left_of_what_is_killed() {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let is_root = status.lines().any(|line| line.starts_with("Uid:\t0\t0"));
    if !is_root {
        assert!(std::env::var_os("CORNERCAST_REQUIRE_PEERS").is_none_or(|value| value != "1"), "the user 0 is needed");
        eprintln!("ignored: engines of one's own need the user 0");
        return;
    }
    // The command makes a control group as engines do, and leaves a process that has left everything.
    let command =
        "mkdir /sys/fs/cgroup/pids/${CORNERCAST_ENGINES##*/} /sys/fs/cgroup/${CORNERCAST_ENGINES##*/} 2>/dev/null
        setsid sleep 12321 & echo $CORNERCAST_ENGINES; wait";
    for is_whole_group in [false, true] {
        let mut serve = Command::new("python3");
        serve.arg("-B").arg(adapters().join("serve.py")).args(["podman", "--", "bash", "-c", command]);
        let mut serve = serve.stdout(Stdio::piped()).spawn().unwrap();
        let mut place = String::new();
        BufReader::new(serve.stdout.take().unwrap()).read_line(&mut place).unwrap();
        let place = place.trim();
        assert!(Path::new(place).is_dir(), "{place:?} is not there");
        if is_whole_group {
            // The guard is the child that has not gone on as `unshare`; the next one that begins removes the place.
            for child in children(serve.id()) {
                let _ = Command::new("kill").arg("-KILL").arg(child.to_string()).status();
            }
        }
        serve.kill().unwrap();
        serve.wait().unwrap();
        if is_whole_group {
            let next = Command::new("python3").arg("-B").arg(adapters().join("serve.py")).args(["--", "true"]).status();
            assert!(next.unwrap().success());
        }
        let end = Instant::now() + Duration::from_secs(30);
        while !left(place).is_empty() && Instant::now() < end {
            std::thread::sleep(Duration::from_millis(50));
        }
        assert_eq!(left(place), Vec::<PathBuf>::new(), "whole group: {is_whole_group}");
        let processes = Command::new("pgrep").args(["-f", "^sleep 12321$"]).output().unwrap();
        assert!(processes.stdout.is_empty(), "a process is left");
    }
}

fn children(of: u32) -> Vec<u32> {
    let path = format!("/proc/{of}/task/{of}/children");
    fs::read_to_string(path).unwrap().split_whitespace().map(|pid| pid.parse().unwrap()).collect()
}
