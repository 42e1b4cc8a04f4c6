//! The adapters around engines of other images: what they ask of an engine, what they report, and that nothing is left.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

/// A podman that notes how it is called, runs nothing, and says that the instance has ended with $STATUS.
const PODMAN: &str = r#"#!/bin/sh
printf '%s\n' "$@" >>"$NOTES"
while [ $# -gt 0 ]; do
    case $1 in
    --root | --runroot | --tmpdir) shift 2 ;;
    --version) echo "podman version 9.8"; exit ;;
    load) exit ;;
    run) printf 1234 >"$3"; printf output; exit "$STATUS" ;;
    container) cat "$SEEN"; exit ;;
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
        let seen = json!([{
            "Name": "web-1", "OCIConfigPath": at("config.json"),
            "State": {"Status": "exited", "StartedAt": "2026-01-01T00:00:00Z", "ExitCode": status, "Error": ""},
        }]);
        fs::write(at("seen"), seen.to_string()).unwrap();
        let image = at("image");
        Self { folder, image }
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
            .env("NOTES", self.at("notes"))
            .env("SEEN", self.at("seen"))
            .env("STATUS", "0")
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
        ("{\"isolation\":{\"level\":\"sealed\"}}", "level `sealed`"),
        ("{\"isolation\":{\"isolators\":{\"example.com/seal\":{\"value\":1}}}}", "`example.com/seal`"),
        ("{\"isolation\":{\"isolators\":{\"resource/pids\":{\"value\":{\"limit\":17}}}}}", "compare"),
        ("{\"arguments\":[\"\\u0000\"]}", "U+0000"),
        ("{\"environment\":{\"A=B\":\"x\"}}", "A=B"),
    ] {
        let fixture = Fixture::new(0);
        let answer = fixture.answer(options);
        let reason = answer["reason"].as_str().unwrap();
        assert_eq!(answer["outcome"], "skipped", "{options}");
        assert!(reason.starts_with("podman has ") && reason.contains(why), "{options}: {reason}");
        let called = fs::read_to_string(fixture.at("notes")).unwrap_or_default();
        assert!(!called.contains("run"), "{options}: podman was asked");
    }
}

/// The places of engines, and the control groups that are called like them.
fn left(of: &str) -> Vec<PathBuf> {
    let mut found = vec![Path::new(of).to_owned()];
    let name = Path::new(of).file_name().unwrap().to_owned();
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
