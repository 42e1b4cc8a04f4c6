//! Isolation (RUN-082 to RUN-089), as far as it goes until there is a chapter for it.

use cornercast_engine::report::Verdict;
use serde_json::{Value, json};

use crate::run::evidence::{Evidence, UNTOLD, ensure, same};
use crate::run::image::plain;
use crate::run::scenario::{Scenario, case};
use crate::suite::Entry;

pub(super) fn isolation() -> Vec<Entry> {
    let mut all = limits();
    all.extend(system_calls());
    all.extend(privileges());
    all.extend(refusals());
    all.extend(reports());
    all
}

/// Options with one isolator.
fn option(name: &str, value: Value) -> Value {
    json!({"isolation": {"isolators": {name: {"value": value}}}})
}

/// RUN-082: limits
fn limits() -> Vec<Entry> {
    let memory = |evidence: &Evidence| {
        let killed = evidence.report.signal.as_deref() == Some("SIGKILL");
        let refused = evidence.step("allocate:").is_ok_and(|came| came.is_err());
        ensure(killed || refused, "256 MiB could be taken")?;
        Ok(Value::Null)
    };
    vec![
        case(
            "RUN-082/memory",
            "an application that takes four times its memory does not get it, or is killed",
            Scenario::signaled(memory).or_exits().image(|image| {
                image.isolator("resource/memory", json!({"limit": 64 << 20}), true);
                image.act(&["allocate:268435456"]);
            }),
        ),
        case(
            "RUN-082/memory-enough",
            "an application that takes half its memory gets it",
            Scenario::new(|evidence| evidence.came_to("allocate:", &json!(33_554_432))).image(|image| {
                image.isolator("resource/memory", json!({"limit": 64 << 20}), true);
                image.act(&["allocate:33554432"]);
            }),
        ),
        case(
            "RUN-082/memory-option",
            "the options set a limit",
            Scenario::signaled(memory)
                .or_exits()
                .options(|_| option("resource/memory", json!({"limit": 64 << 20})))
                .image(|image| image.act(&["allocate:268435456"])),
        ),
        case(
            "RUN-082/memory-smaller",
            "of the limits of image and options the smaller one holds",
            Scenario::signaled(memory)
                .or_exits()
                .options(|_| option("resource/memory", json!({"limit": 64 << 20})))
                .image(|image| {
                    image.isolator("resource/memory", json!({"limit": 1_073_741_824}), true);
                    image.act(&["allocate:268435456"]);
                }),
        ),
        case(
            "RUN-082/pids",
            "there are no more processes than the limit",
            Scenario::new(|evidence| {
                let lines = evidence.lines();
                let line = lines.iter().find(|line| line["step"] == "fork:64").ok_or("the step said nothing")?;
                let started = line["ok"].as_u64().unwrap_or(64);
                ensure(started <= 31, format!("{started} processes could be started"))?;
                ensure(started >= 16, format!("only {started} processes could be started"))?;
                Ok(started.into())
            })
            .image(|image| {
                image.isolator("resource/pids", json!({"limit": 32}), true);
                image.act(&["fork:64"]);
            }),
        ),
        case(
            "RUN-082/cpu",
            "the application gets a fifth of a core",
            Scenario::new(|evidence| {
                let Ok(used) = evidence.step("cpu:")? else { return Err("the step failed".to_owned()) };
                let used = used.as_u64().ok_or("the step says no number")?;
                ensure(used <= 700, format!("it had a processor for {used} of 1500 ms"))?;
                Ok(Value::Null)
            })
            .image(|image| {
                image.isolator("resource/cpu", json!({"limit": 200}), true);
                image.act(&["cpu:1500"]);
            }),
        ),
        case(
            "RUN-082/nofile",
            "the limits of descriptors are as they are given",
            Scenario::new(|evidence| evidence.is("/limits/RLIMIT_NOFILE", &json!({"hard": 256, "soft": 128})))
                .image(|image| image.isolator("resource/nofile", json!({"hard": 256, "soft": 128}), true)),
        ),
        case(
            "RUN-082/nofile-smaller",
            "each of the two is the smaller one",
            Scenario::new(|evidence| evidence.is("/limits/RLIMIT_NOFILE", &json!({"hard": 256, "soft": 64})))
                .options(|_| option("resource/nofile", json!({"hard": 256, "soft": 64})))
                .image(|image| image.isolator("resource/nofile", json!({"hard": 512, "soft": 128}), true)),
        ),
        case(
            "RUN-082/nofile-in-force",
            "no more descriptors can be opened",
            Scenario::new(|evidence| {
                let lines = evidence.lines();
                let line =
                    lines.iter().find(|line| line["step"] == "descriptors:500").ok_or("the step said nothing")?;
                same("error", &json!("EMFILE"), &line["error"])
            })
            .image(|image| {
                image.isolator("resource/nofile", json!({"hard": 256, "soft": 128}), true);
                image.act(&["descriptors:500"]);
            }),
        ),
    ]
}

/// How a call fails that is denied, or that the kernel of the instance does not have: its effect is not to be had. Not every
/// kernel says so in the same way.
fn denials(step: &str) -> &'static [&'static str] {
    match step {
        "open-by-handle" => &["EPERM", "EACCES", "ENOSYS", "EOPNOTSUPP"],
        "perf" => &["EPERM", "EACCES", "ENOSYS", "ENODEV"],
        // There can be no such namespace, or none that can be told.
        _ if step.starts_with("setns:") => &["EPERM", "EACCES", "ENOSYS", "EOPNOTSUPP", "ENOENT"],
        _ => &["EPERM", "EACCES", "ENOSYS"],
    }
}

/// RUN-082: the baseline of system calls, which the level has in force by itself
fn system_calls() -> Vec<Entry> {
    const DENIED: [(&str, &str); 30] = [
        ("mount", "mount:/srv/drop"),
        ("remount", "remount:/sys"),
        ("umount", "umount:/proc"),
        ("pivot-root", "pivot-root"),
        ("unshare-user", "unshare:user"),
        ("unshare-mount", "unshare:mount"),
        ("clone-user", "clone:user"),
        ("clone-mount", "clone:mount"),
        ("setns", "setns:/proc/self/ns/mnt"),
        ("init-module", "init-module"),
        ("delete-module", "delete-module"),
        ("kexec", "kexec"),
        ("reboot", "reboot"),
        ("settimeofday", "settimeofday"),
        ("swapon", "swapon:/srv/future"),
        ("swapoff", "swapoff:/srv/future"),
        ("bpf", "bpf"),
        ("perf", "perf"),
        ("keyctl", "keyctl"),
        ("add-key", "add-key"),
        ("request-key", "request-key"),
        ("userfaultfd", "userfaultfd"),
        ("open-by-handle", "open-by-handle"),
        ("process-vm-readv", "process-vm-readv:1"),
        ("iopl", "iopl"),
        ("clock-settime", "clock-settime"),
        ("adjtimex", "adjtimex"),
        ("unshare-net", "unshare:net"),
        ("sethostname", "sethostname:other"),
        ("setns-net", "setns:/proc/1/ns/net"),
    ];
    let mut all = Vec::new();
    for (name, step) in DENIED {
        all.push(case(
            &format!("RUN-082/no-{name}"),
            "the effect is not to be had, not even for the user 0",
            Scenario::new(move |evidence| evidence.all_fail(&[step], denials(step)))
                .image(move |image| image.act(&[step])),
        ));
    }
    all.push(case(
        "RUN-082/no-clone3",
        "the newer call, whose flags no filter sees, is not there, so that programs take the older one",
        Scenario::new(|evidence| evidence.all_fail(&["clone3:user"], &["ENOSYS", "EPERM"]))
            .image(|image| image.act(&["clone3:user"])),
    ));
    all
}

/// RUN-082: capabilities, privileges, devices
fn privileges() -> Vec<Entry> {
    let two = json!(["CAP_CHOWN", "CAP_KILL"]);
    let judge = move |evidence: &Evidence, expected: &Value| {
        for set in ["bounding", "permitted", "effective"] {
            evidence.is(&format!("/capabilities/{set}"), expected)?;
        }
        Ok(Value::Null)
    };
    let (expected, given) = (two.clone(), two.clone());
    vec![
        case(
            "RUN-082/ipc",
            "queues, semaphores and shared memory are the instance's own",
            Scenario::new(|evidence| {
                let own = evidence.member("/namespaces/ipc").map_err(|_| UNTOLD.to_owned())?;
                let host = std::fs::read_link("/proc/self/ns/ipc").map_err(|error| error.to_string())?;
                ensure(own != host.display().to_string(), "they are those of the host")?;
                Ok(Value::Null)
            }),
        ),
        case(
            "RUN-082/required-by-the-image",
            "the options cannot take back that an isolator is required",
            Scenario::new(|evidence| evidence.is("/noNewPrivileges", &json!(true)))
                .options(|_| {
                    json!({"isolation": {"isolators": {"cornercast/no-new-privileges": {"required": false, "value": true}}}})
                })
                .image(|image| image.isolator("cornercast/no-new-privileges", true.into(), true)),
        ),
        case(
            "RUN-085/required-by-the-image",
            "nor of one that cannot be enforced",
            Scenario::refused("RUN-085")
                .options(|_| {
                    json!({"isolation": {"isolators": {"cornercast/user-mapping": {"required": false, "value": "mapped"}}}})
                })
                .image(|image| image.isolator("cornercast/user-mapping", json!("mapped"), true)),
        ),
        case(
            "RUN-082/capabilities",
            "only those are there that the image names",
            Scenario::new(move |evidence| judge(evidence, &expected))
                .image(move |image| image.isolator("cornercast/capabilities", given.clone(), true)),
        ),
        case(
            "RUN-082/capabilities-none",
            "none are there if it names none",
            Scenario::new(move |evidence| judge(evidence, &json!([])))
                .image(|image| image.isolator("cornercast/capabilities", json!([]), true)),
        ),
        case(
            "RUN-082/capabilities-fewer",
            "the options leave fewer",
            Scenario::new(move |evidence| judge(evidence, &json!(["CAP_KILL"])))
                .options(|_| option("cornercast/capabilities", json!(["CAP_KILL"])))
                .image(move |image| image.isolator("cornercast/capabilities", two.clone(), true)),
        ),
        case(
            "RUN-082/no-new-privileges",
            "the attribute is set",
            Scenario::new(|evidence| evidence.is("/noNewPrivileges", &json!(true)))
                .image(|image| image.isolator("cornercast/no-new-privileges", true.into(), true)),
        ),
        case(
            "RUN-082/new-privileges",
            "the attribute is not set if nobody asks for it",
            Scenario::new(|evidence| evidence.is("/noNewPrivileges", &json!(false))),
        ),
        case(
            "RUN-082/set-user-id",
            "a set-user-ID bit has no effect with the attribute",
            Scenario::new(|evidence| same("euid", &json!(1000), &evidence.member("/euid")?)).image(|image| {
                set_user_id(image);
                image.isolator("cornercast/no-new-privileges", true.into(), true);
            }),
        ),
        case(
            "RUN-082/set-user-id-works",
            "it has its effect without",
            Scenario::new(|evidence| same("euid", &json!(0), &evidence.member("/euid")?)).image(set_user_id),
        ),
        case(
            "RUN-082/device",
            "a device that the level does not give cannot be opened, by whatever name",
            Scenario::new(|evidence| match evidence.step("mknod:")? {
                Err(error) => same("mknod", &json!("EPERM"), &json!(error)),
                Ok(_) => evidence.all_fail(&["open:/srv/mem"], &["EPERM", "EACCES"]),
            })
            .image(|image| image.act(&["mknod:/srv/mem:c:1:1", "open:/srv/mem:r"])),
        ),
        case(
            "RUN-082/block-device",
            "nor can the disks of the host",
            Scenario::new(|evidence| match evidence.step("mknod:")? {
                Err(error) => same("mknod", &json!("EPERM"), &json!(error)),
                Ok(_) => evidence.all_fail(&["open:/srv/disk"], &["EPERM", "EACCES", "ENXIO"]),
            })
            .image(|image| image.act(&["mknod:/srv/disk:b:7:0", "open:/srv/disk:r"])),
        ),
    ]
}

/// A program that belongs to the user 0 and has the set-user-ID bit, run by another user.
fn set_user_id(image: &mut crate::run::image::Image) {
    image.replace_program(plain(0o4755, 0));
    image.user(1000, 1000);
}

/// RUN-083 to RUN-088
fn refusals() -> Vec<Entry> {
    let asks = |clause: &'static str, name: &'static str, value: Value| {
        Scenario::refused(clause).image(move |image| image.isolator(name, value.clone(), true))
    };
    let both = |clause: &'static str, name: &'static str, image_value: Value, option_value: Value| {
        Scenario::refused(clause)
            .options(move |_| option(name, option_value.clone()))
            .image(move |image| image.isolator(name, image_value.clone(), true))
    };
    let mut all = Vec::new();
    for level in ["open", "hardened", "sealed"] {
        all.push(case(
            &format!("RUN-083/{level}"),
            "the image asks for another level",
            Scenario::refused("RUN-083").image(move |image| image.app.isolation.level = level.to_owned()),
        ));
    }
    all.push(case(
        "RUN-083/option",
        "the options ask for a higher level",
        Scenario::refused("RUN-083").options(|_| json!({"isolation": {"level": "sealed"}})),
    ));
    all.push(case(
        "RUN-083/option-open",
        "the options cannot lower the level of the image",
        Scenario::new(|evidence| {
            same(
                "level",
                &json!("separated"),
                &json!(evidence.isolation.as_ref().ok().and_then(|report| report.level.clone())),
            )
        })
        .options(|_| json!({"isolation": {"level": "open"}})),
    ));
    all.push(case(
        "RUN-084/unknown",
        "the isolator of somebody else is required",
        asks("RUN-084", "example.com/seal", json!(true)),
    ));
    all.push(case(
        "RUN-084/option",
        "the options require one",
        Scenario::refused("RUN-084").options(|_| option("example.com/seal", json!(1))),
    ));
    all.push(case(
        "RUN-085/network-none",
        "no interface is to be up",
        asks("RUN-085", "cornercast/network", json!("none")),
    ));
    for (name, isolator, value) in
        [("network", "cornercast/network", json!("none")), ("devices", "cornercast/devices", json!(["null"]))]
    {
        all.push(case(
            &format!("RUN-085/{name}-not-required"),
            "the level has the isolator, so it is required even where the image says that it is not",
            Scenario::refused("RUN-085").image(move |image| image.isolator(isolator, value.clone(), false)),
        ));
    }
    all.push(case(
        "RUN-085/mapped",
        "users are to be mapped",
        asks("RUN-085", "cornercast/user-mapping", json!("mapped")),
    ));
    all.push(case(
        "RUN-085/kernel",
        "the kernel is to be another one",
        asks("RUN-085", "cornercast/kernel-boundary", json!("separate")),
    ));
    all.push(case(
        "RUN-085/storage",
        "what is written is to be limited",
        asks("RUN-085", "resource/storage", json!({"limit": 1_000_000})),
    ));
    all.push(case(
        "RUN-085/devices",
        "fewer devices are to be there",
        asks("RUN-085", "cornercast/devices", json!(["null"])),
    ));
    for (name, isolator, value) in [
        ("host", "cornercast/network", json!("host")),
        ("case", "cornercast/network", json!("Private")),
        ("blank", "cornercast/syscalls", json!("baseline ")),
        ("text", "cornercast/readonly-rootfs", json!("true")),
        ("capability", "cornercast/capabilities", json!(["CAP_SYS_ADMIN"])),
        ("capability-name", "cornercast/capabilities", json!(["chown"])),
        ("capability-twice", "cornercast/capabilities", json!(["CAP_KILL", "CAP_KILL"])),
        ("zero", "resource/memory", json!({"limit": 0})),
        ("negative", "resource/pids", json!({"limit": -1})),
        ("number", "resource/memory", json!(67_108_864)),
        ("more", "resource/memory", json!({"limit": 67_108_864, "swap": 1})),
        ("soft-above-hard", "resource/nofile", json!({"hard": 64, "soft": 128})),
    ] {
        all.push(case(
            &format!("RUN-086/{name}"),
            "the isolator cannot have this value, which is not taken for another",
            asks("RUN-086", isolator, value),
        ));
    }
    all.push(case(
        "RUN-086/not-required",
        "so it is if the isolator is not required",
        Scenario::refused("RUN-086").image(|image| image.isolator("cornercast/network", json!("Private"), false)),
    ));
    all.push(case(
        "RUN-087/memory",
        "the options allow more memory than the image",
        both("RUN-087", "resource/memory", json!({"limit": 64 << 20}), json!({"limit": 128 << 20})),
    ));
    all.push(case(
        "RUN-087/capabilities",
        "the options have a capability that the image does not",
        both("RUN-087", "cornercast/capabilities", json!(["CAP_KILL"]), json!(["CAP_CHOWN", "CAP_KILL"])),
    ));
    all.push(case(
        "RUN-087/read-only",
        "the options make the root writable again",
        both("RUN-087", "cornercast/readonly-rootfs", json!(true), json!(false)),
    ));
    all.push(case(
        "RUN-087/nofile",
        "one of two limits is looser",
        both("RUN-087", "resource/nofile", json!({"hard": 256, "soft": 128}), json!({"hard": 512, "soft": 64})),
    ));
    all.push(case(
        "RUN-088/contradiction",
        "two values of an isolator of somebody else are different",
        Scenario::refused("RUN-088")
            .options(|_| json!({"isolation": {"isolators": {"example.com/seal": {"required": false, "value": [2]}}}}))
            .image(|image| image.isolator("example.com/seal", json!([1]), false)),
    ));
    all
}

/// RUN-089
fn reports() -> Vec<Entry> {
    let rows = |evidence: &Evidence| evidence.isolation.clone().map(|report| report.isolators);
    let verdict = |name: &'static str, verdict: Verdict| {
        move |evidence: &Evidence| {
            let rows = evidence.isolation.clone()?.isolators;
            let row = rows.iter().find(|row| row.name == name).ok_or_else(|| format!("there is no row for {name}"))?;
            // Whether something stricter is in force is not judged.
            let is_loose = |verdict| verdict == Verdict::NotEnforced;
            ensure(is_loose(row.verdict) == is_loose(verdict), format!("the verdict of {name} is {:?}", row.verdict))?;
            ensure(!row.mechanism.is_empty(), format!("the row for {name} says nothing"))?;
            Ok(Value::Null)
        }
    };
    vec![
        case(
            "RUN-089/level",
            "the rows of the level are there, each once",
            Scenario::new(move |evidence| {
                let rows = rows(evidence)?;
                let names: Vec<&str> = rows.iter().map(|row| row.name.as_str()).collect();
                let expected = [
                    "cornercast/capabilities",
                    "cornercast/devices",
                    "cornercast/ipc",
                    "cornercast/network",
                    "cornercast/process-view",
                    "cornercast/syscalls",
                    "cornercast/sysinfo",
                ];
                let missing = expected.iter().find(|name| names.iter().filter(|other| other == name).count() != 1);
                ensure(missing.is_none(), format!("{missing:?} is not there once"))?;
                let loose = rows.iter().find(|row| row.verdict == Verdict::NotEnforced);
                ensure(loose.is_none(), format!("{loose:?} is not enforced"))?;
                Ok(json!(names))
            }),
        ),
        case(
            "RUN-089/asked",
            "an isolator of the image is there with its value",
            Scenario::new(verdict("resource/pids", Verdict::Enforced))
                .image(|image| image.isolator("resource/pids", json!({"limit": 64}), true)),
        ),
        case(
            "RUN-089/unknown",
            "an unknown isolator that is not required is not in force, and the report says so",
            Scenario::new(verdict("example.com/seal", Verdict::NotEnforced))
                .image(|image| image.isolator("example.com/seal", json!(true), false)),
        ),
        case(
            "RUN-089/unmet",
            "so it is of one that cannot be enforced",
            Scenario::new(verdict("cornercast/user-mapping", Verdict::NotEnforced))
                .image(|image| image.isolator("cornercast/user-mapping", json!("mapped"), false)),
        ),
    ]
}
