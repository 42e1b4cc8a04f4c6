//! The end (RUN-075 to RUN-081).

use cornercast_engine::cgroup;
use serde_json::{Value, json};

use crate::run::evidence::{Evidence, ensure, same};
use crate::run::image::{ACT, LOOK};
use crate::run::scenario::{Judged, Scenario, State, case};
use crate::suite::Entry;

pub(super) fn end() -> Vec<Entry> {
    let mut all = Vec::new();
    for code in [0_u8, 1, 42, 125, 126, 127, 128, 137, 255] {
        let step = format!("exit:{code}");
        all.push(case(
            &format!("RUN-075/{code}"),
            "the application exits with this code, which means nothing else",
            Scenario::new(move |evidence| {
                same("exitCode", &json!(code), &json!(evidence.report.exit_code))?;
                not_killed(evidence)
            })
            .exits(code)
            .image(move |image| image.act(&[&step])),
        ));
    }
    // What makes a container waits under these names until it executes the program.
    for (name, file) in [("youki", "youki:[2:INIT]"), ("runc", "runc:[2:INIT]"), ("number", "3")] {
        let path = format!("usr/bin/{file}");
        all.push(case(
            &format!("RUN-075/program-named-like-{name}"),
            "the program is called as what executes it is, which does not hide that it was executed",
            Scenario::new(|evidence| {
                evidence.member("/probe")?;
                not_killed(evidence)
            })
            .image(move |image| {
                image.symlink(&path, LOOK, (0, 0), 7);
                image.app.exec = vec![format!("/{path}")];
            }),
        ));
    }
    all.push(case(
        "RUN-076/fault",
        "the application touches memory that it cannot touch",
        Scenario::signaled(|evidence| {
            same("signal", &json!("SIGSEGV"), &json!(evidence.report.signal))?;
            not_killed(evidence)
        })
        .image(|image| image.act(&["fault"])),
    ));
    all.extend(others());
    all.extend(stops());
    all
}

fn not_killed(evidence: &Evidence) -> Judged {
    ensure(!evidence.report.killed, "the report says that the engine had to kill the application")?;
    Ok(Value::Null)
}

/// RUN-077
fn others() -> Vec<Entry> {
    let judge = |evidence: &Evidence| {
        // The step itself has the word in its line.
        let late = evidence.output.ends_with(b"late");
        ensure(!late, "a process wrote something when the application had ended")?;
        ensure(left(&evidence.instance).is_none(), "a process of the instance is still there")?;
        Ok(Value::Null)
    };
    vec![
        case(
            "RUN-077/orphan",
            "a process that has left the session, and holds the streams open",
            Scenario::new(judge).image(|image| image.act(&["orphan", "exit:0"])),
        ),
        case(
            "RUN-077/late",
            "a process that would write something soon",
            Scenario::new(judge).image(|image| image.act(&["spawn-writer:300:late", "exit:0"])),
        ),
        case("RUN-077/many", "20 processes", Scenario::new(judge).image(|image| image.act(&["fork:20", "exit:0"]))),
        case(
            "RUN-077/after-a-fault",
            "processes of an application that a signal ends",
            Scenario::signaled(judge).image(|image| image.act(&["orphan", "fork:3", "fault"])),
        ),
        case(
            "RUN-028/last-bytes",
            "what was written right before the end comes whole",
            Scenario::new(|evidence| {
                ensure(evidence.output.ends_with(b"the end"), "the last bytes are missing")?;
                same("bytes", &json!(1_000_007), &json!(evidence.output.len()))
            })
            .exits(3)
            .image(|image| image.act(&["flood:1000000", "print:the end", "exit:3"])),
        ),
        case(
            "RUN-099/exited",
            "nothing is left of the instance, whose application has left processes",
            Scenario::new(nothing_left).image(|image| image.act(&["write:/srv/a:x", "fork:3", "exit:0"])),
        ),
        case(
            "RUN-099/deep",
            "nor of one whose application has made a path that is longer than any path can be",
            Scenario::new(nothing_left).image(|image| image.act(&["nest:/srv/deep:1100", "exit:0"])),
        ),
        case(
            "RUN-099/failed",
            "nor of one that failed",
            Scenario::failed("RUN-092").judged(nothing_left).image(|image| {
                image.file("usr/bin/program", crate::run::image::plain(0o755, 0), b"");
                image.app.exec = vec!["/usr/bin/program".to_owned()];
            }),
        ),
        case(
            "RUN-099/refused",
            "nor of one that was refused",
            Scenario::refused("RUN-067")
                .judged(nothing_left)
                .image(|image| image.mount("data", "/srv/data", false, true)),
        ),
        case(
            "RUN-099/stopped",
            "nor of one that was stopped, and had an empty volume",
            Scenario::new(nothing_left)
                .options(|_| json!({"volumes": {"data": {"empty": true}}}))
                .image(|image| {
                    image.mount("data", "/srv/data", false, true);
                    image.act(&["write:/srv/data/a:x", "trap:SIGTERM:0", "ready", "wait"]);
                })
                .stopped(1),
        ),
        case(
            "RUN-081/same-id",
            "the instance of an engine that was killed had the same id",
            Scenario::new(|evidence| same("instance", &json!(evidence.instance), &json!(evidence.report.instance)))
                .image(|image| image.app.exec = vec![ACT.to_owned()])
                .after(State::Killed, &["orphan"])
                .of_the_same_id(),
        ),
        case(
            "RUN-081/killed-engine",
            "an instance whose engine was killed has gone when the next one has started",
            Scenario::new(|evidence| nothing_left_of(&format!("{}-other", evidence.instance), evidence))
                .image(|image| image.app.exec = vec![ACT.to_owned()])
                .after(State::Killed, &["orphan"]),
        ),
    ]
}

/// RUN-099: neither processes, nor control groups, nor a directory.
fn nothing_left(evidence: &Evidence) -> Judged {
    nothing_left_of(&evidence.instance, evidence)
}

fn nothing_left_of(id: &str, evidence: &Evidence) -> Judged {
    ensure(left(id).is_none(), "a process is left")?;
    if let Some(state) = evidence.state.as_ref().and_then(|state| state.canonicalize().ok()) {
        let groups = cgroup::directories(&cgroup::group(&state, id)).map_err(|error| error.to_string())?;
        ensure(groups.is_empty(), format!("control groups are left: {groups:?}"))?;
    }
    let folder = evidence.state.as_ref().map(|state| state.join(id));
    ensure(folder.is_none_or(|folder| !folder.exists()), "the directory of the instance is left")?;
    Ok(Value::Null)
}

/// A process of this host that has the variables of an instance.
fn left(instance: &str) -> Option<String> {
    let variable = format!("CORNERCAST_INSTANCE={instance}");
    let processes = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let names = processes.map(|process| process.file_name().to_string_lossy().into_owned());
    names.filter(|name| name.bytes().all(|byte| byte.is_ascii_digit())).find(|name| {
        let environment = std::fs::read(format!("/proc/{name}/environ")).unwrap_or_default();
        environment.split(|byte| *byte == 0).any(|one| one == variable.as_bytes())
    })
}

/// RUN-078 to RUN-080
fn stops() -> Vec<Entry> {
    let mut all = Vec::new();
    for signal in ["SIGTERM", "SIGINT", "SIGUSR1", "SIGHUP", "SIGQUIT", "SIGWINCH", "SIGRTMIN+0", "SIGRTMIN+5"] {
        let trap = format!("trap:{signal}:43");
        all.push(case(
            &format!("RUN-078/{}", signal.to_lowercase().replace('+', "-")),
            "the application gets the signal that it asks for, and ends as it likes",
            Scenario::new(move |evidence| {
                let caught: Vec<Value> = evidence
                    .lines()
                    .into_iter()
                    .map(|line| line["caught"].clone())
                    .filter(|name| !name.is_null())
                    .collect();
                same("caught", &json!([signal]), &json!(caught))?;
                not_killed(evidence)
            })
            .exits(43)
            .image(move |image| {
                image.app.stop.signal = signal.to_owned();
                image.act(&[&trap, "ready", "wait"]);
            })
            .stopped(1),
        ));
    }
    all.push(case(
        "RUN-078/alone",
        "another process, which has a handler, does not get it",
        Scenario::new(|evidence| {
            let caught = evidence.lines().iter().filter(|line| !line["caught"].is_null()).count();
            same("signals that were caught", &json!(0), &json!(caught))
        })
        // The application itself lingers, so that others have the time to say that they have got it.
        .image(|image| image.act(&["trap:SIGTERM:0", "fork:3", "ignore:SIGTERM", "ready", "sleep:1200", "exit:0"]))
        .stopped(1),
    ));
    all.push(case(
        "RUN-078/output",
        "what it writes while it ends comes to the caller",
        Scenario::new(|evidence| {
            ensure(evidence.output.ends_with(b"{\"caught\":\"SIGTERM\"}\n"), "the last line is missing")?;
            Ok(Value::Null)
        })
        .image(|image| image.act(&["trap:SIGTERM:0", "flood:100000", "ready", "wait"]))
        .stopped(1),
    ));
    for grace in [0_u32, 1] {
        all.push(case(
            &format!("RUN-079/{grace}-seconds"),
            "the application ignores the signal, and is killed after the time",
            Scenario::signaled(|evidence| same("signal", &json!("SIGKILL"), &json!(evidence.report.signal)))
                .image(move |image| {
                    image.app.stop.grace_seconds = grace;
                    image.act(&["ignore:SIGTERM", "fork:2", "ready", "wait"]);
                })
                .stopped(1),
        ));
    }
    all.push(case(
        "RUN-079/in-time",
        "the application takes a while, and less than the time",
        Scenario::new(not_killed)
            .exits(5)
            .image(|image| {
                image.app.stop.grace_seconds = 8;
                image.act(&["ignore:SIGTERM", "ready", "sleep:1200", "exit:5"]);
            })
            .stopped(1),
    ));
    all.push(case(
        "RUN-080/killed",
        "the report says that the engine had to kill the application",
        Scenario::signaled(|evidence| same("killed", &json!(true), &json!(evidence.report.killed)))
            .image(|image| {
                image.app.stop.grace_seconds = 0;
                image.act(&["ignore:SIGTERM", "ready", "wait"]);
            })
            .stopped(1),
    ));
    all.push(case(
        "RUN-080/not-killed",
        "it does not where the application ended by itself",
        Scenario::new(not_killed).image(|image| image.act(&["trap:SIGTERM:0", "ready", "wait"])).stopped(1),
    ));
    all
}
