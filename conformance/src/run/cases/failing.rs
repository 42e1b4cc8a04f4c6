//! Failing (RUN-090 to RUN-093) and reports (RUN-094 to RUN-098).

use std::fs;

use cornercast_engine::report::{Outcome, RunReport};
use serde_json::{Value, json};

use crate::run::evidence::{ensure, same};
use crate::run::image::{Image, capable, plain};
use crate::run::scenario::{Judged, Scenario, case};
use crate::suite::Entry;

/// A program at `/usr/bin/program`, which is run.
fn program(mode: u32, content: &'static [u8]) -> impl Fn(&mut Image) + Send + Sync {
    move |image| {
        image.file("usr/bin/program", plain(mode, 0), content);
        image.app.exec = vec!["/usr/bin/program".to_owned()];
    }
}

pub(super) fn failing() -> Vec<Entry> {
    let hidden = |clause: &'static str| {
        Scenario::failed(clause)
            .host(|place| fs::create_dir(place.path("data")))
            .options(|place| json!({"volumes": {"data": {"source": place.text("data")}}}))
            .image(|image| {
                image.mount("data", "/opt", false, false);
                image.file("opt/program", plain(0o755, 0), b"#!/usr/lib/cornercast/probe\n");
                image.app.exec = vec!["/opt/program".to_owned()];
            })
    };
    let mut all = vec![
        case("RUN-090/hidden", "a volume hides the program", hidden("RUN-090")),
        case(
            "RUN-090/directory",
            "a volume has a directory in the place of the program",
            hidden("RUN-090").host(|place| fs::create_dir_all(place.path("data/program"))),
        ),
        case(
            "RUN-090/in-proc",
            "the program is below /proc in the image, where it cannot be found",
            Scenario::failed("RUN-090").image(|image| {
                image.dir("proc/self", 0o755, (0, 0), 0);
                image.file("proc/self/exe", plain(0o755, 0), b"#!/usr/lib/cornercast/probe\n");
                image.app.exec = vec!["/proc/self/exe".to_owned()];
            }),
        ),
        case(
            "RUN-090/of-a-volume",
            "a volume has another program in its place, which is run",
            Scenario::new(|evidence| evidence.member("/probe"))
                .host(|place| {
                    use std::os::unix::fs::PermissionsExt;
                    fs::create_dir(place.path("data"))?;
                    let path = place.path("data/program");
                    fs::write(&path, b"#!/usr/lib/cornercast/probe\n")?;
                    fs::set_permissions(&path, fs::Permissions::from_mode(0o755))
                })
                .options(|place| json!({"volumes": {"data": {"source": place.text("data")}}}))
                .image(|image| {
                    image.mount("data", "/opt", false, false);
                    image.file("opt/program", plain(0o755, 0), b"#!/nowhere\n");
                    image.app.exec = vec!["/opt/program".to_owned()];
                }),
        ),
        case(
            "RUN-091/interpreter",
            "the interpreter of a script is missing",
            Scenario::failed("RUN-091").image(program(0o755, b"#!/bin/sh\nexit 0\n")),
        ),
        case(
            "RUN-091/directory",
            "the interpreter is a directory",
            Scenario::failed("RUN-091").image(program(0o755, b"#!/usr/lib\n")),
        ),
        case(
            "RUN-091/relative",
            "the interpreter is looked for nowhere",
            Scenario::failed("RUN-091").image(program(0o755, b"#!env sh\n")),
        ),
        case(
            "RUN-091/empty",
            "there is no interpreter after #!",
            Scenario::failed("RUN-091").image(program(0o755, b"#!\n")),
        ),
        case(
            "RUN-091/exe-of-the-runtime",
            "the interpreter would be the program that makes the container",
            Scenario::failed("RUN-091").image(|image| {
                image.dir("proc/self", 0o755, (0, 0), 0);
                image.file("proc/self/exe", plain(0o755, 0), b"#!/usr/lib/cornercast/probe\n");
                program(0o755, b"#!/proc/self/exe\n")(image);
            }),
        ),
        case(
            "RUN-091/link-to-the-runtime",
            "a link leads to it",
            Scenario::failed("RUN-091").image(|image| {
                image.dir("proc/self", 0o755, (0, 0), 0);
                image.file("proc/self/exe", plain(0o755, 0), b"#!/usr/lib/cornercast/probe\n");
                image.symlink("usr/bin/interpreter", "/proc/self/exe", (0, 0), 0);
                program(0o755, b"#!/usr/bin/interpreter\n")(image);
            }),
        ),
        case(
            "RUN-091/interpreter-of-an-interpreter",
            "the interpreter is a script whose own interpreter would be the program that makes the container",
            Scenario::failed("RUN-091").image(|image| {
                image.dir("proc/self", 0o755, (0, 0), 0);
                image.file("proc/self/exe", plain(0o755, 0), b"#!/usr/lib/cornercast/probe\n");
                image.file("usr/bin/interpreter", plain(0o755, 0), b"#!/proc/self/exe\n");
                program(0o755, b"#!/usr/bin/interpreter\n")(image);
            }),
        ),
        case(
            "RUN-091/nested",
            "a script is the interpreter of a script, and its own interpreter is there",
            Scenario::new(|evidence| evidence.member("/probe")).image(|image| {
                image.file("usr/bin/interpreter", plain(0o755, 0), b"#!/usr/lib/cornercast/probe\n");
                program(0o755, b"#!/usr/bin/interpreter\n")(image);
            }),
        ),
        case(
            "RUN-091/loader",
            "the loader of an ELF file is missing",
            Scenario::failed("RUN-091").image(|image| {
                let elf = elf_with_loader(b"/lib/ld-missing.so.1\0", 120);
                image.file("usr/bin/program", plain(0o755, 0), &elf);
                image.app.exec = vec!["/usr/bin/program".to_owned()];
            }),
        ),
        case(
            "RUN-091/loader-far-behind",
            "the path of the loader stands where a validator does not look, and is the program that makes the container",
            Scenario::failed("RUN-091").image(|image| {
                let elf = elf_with_loader(b"/proc/self/exe\0", 70_000);
                image.file("usr/bin/program", plain(0o755, 0), &elf);
                image.app.exec = vec!["/usr/bin/program".to_owned()];
            }),
        ),
        case(
            "RUN-091/script",
            "a script whose interpreter is there is run with its own path as the argument",
            Scenario::new(|evidence| {
                evidence.is("/arguments", &json!(["/usr/lib/cornercast/probe", "an argument", "/usr/bin/program"]))
            })
            .image(program(0o755, b"#! /usr/lib/cornercast/probe an argument\n")),
        ),
        case(
            "RUN-092/text",
            "a text that a shell would run",
            Scenario::failed("RUN-092").image(program(0o755, b"exit 0\n")),
        ),
        case("RUN-092/empty", "an empty file", Scenario::failed("RUN-092").image(program(0o755, b""))),
        case(
            "RUN-092/other-processor",
            "an ELF file for another processor",
            Scenario::failed("RUN-092").image(|image| {
                let mut elf = elf_with_loader(b"\0", 120);
                if let Some(machine) = elf.get_mut(18..20) {
                    // EM_S390, or EM_RISCV on s390.
                    machine.copy_from_slice(&if std::env::consts::ARCH == "s390x" { [0, 243] } else { [22, 0] });
                }
                image.file("usr/bin/program", plain(0o755, 0), &elf);
                image.app.exec = vec!["/usr/bin/program".to_owned()];
            }),
        ),
        case(
            "RUN-092/four-bytes",
            "a file that ends after the first bytes of an ELF header",
            Scenario::failed("RUN-092").image(program(0o755, b"\x7FELF")),
        ),
        case(
            "RUN-093/mode",
            "the user has no permission to execute the file",
            Scenario::failed("RUN-093").image(|image| {
                program(0o700, b"#!/usr/lib/cornercast/probe\n")(image);
                image.user(1000, 1000);
            }),
        ),
        case(
            "RUN-093/directory",
            "the user has no permission to pass a directory on the way",
            Scenario::failed("RUN-093").image(|image| {
                image.dir("srv/hidden", 0o700, (0, 0), 0);
                image.file("srv/hidden/program", plain(0o755, 0), b"#!/usr/lib/cornercast/probe\n");
                image.app.exec = vec!["/srv/hidden/program".to_owned()];
                image.user(1000, 1000);
            }),
        ),
        case(
            "RUN-093/interpreter",
            "the interpreter is no program, as nobody may execute it",
            Scenario::failed("RUN-093").image(|image| {
                image.file("usr/bin/interpreter", plain(0o644, 0), b"#!/usr/lib/cornercast/probe\n");
                program(0o755, b"#!/usr/bin/interpreter\n")(image);
            }),
        ),
        case(
            "RUN-093/without-end",
            "a script is its own interpreter",
            Scenario::failed("RUN-093").image(program(0o755, b"#!/usr/bin/program\n")),
        ),
        case(
            "RUN-093/group",
            "a group that the user is in may execute the file",
            Scenario::new(|evidence| evidence.member("/probe")).image(|image| {
                program(0o710, b"#!/usr/lib/cornercast/probe\n")(image);
                image.file(
                    "usr/bin/program",
                    cornercast::layer::Attributes { gid: 44, ..plain(0o710, 0) },
                    b"#!/usr/lib/cornercast/probe\n",
                );
                image.user(1000, 1000);
                image.app.user.supplementary_gids = vec![44];
            }),
        ),
    ];
    // CAP_SYS_ADMIN is not among the 14, CAP_NET_BIND_SERVICE is.
    for (name, capability, fails) in [("capability", 21, true), ("capability-within", 10, false)] {
        let scenario =
            if fails { Scenario::failed("RUN-093") } else { Scenario::new(|evidence| evidence.member("/probe")) };
        all.push(case(
            &format!("RUN-093/{name}"),
            if fails {
                "the file has a capability beyond the bounding set"
            } else {
                "its capability is within the set"
            },
            scenario.image(move |image| {
                image.replace_program(capable(&[capability], 0o755));
                image.user(1000, 1000);
            }),
        ));
    }
    all
}

/// An ELF file for this processor with a program header that names a loader, whose path stands at `offset`, at or behind
/// 120, and nothing else.
fn elf_with_loader(loader: &[u8], offset: usize) -> Vec<u8> {
    let machine: u16 = match std::env::consts::ARCH {
        "aarch64" => 183,
        "riscv64" => 243,
        "loongarch64" => 258,
        _ => 62,
    };
    let mut elf = vec![0x7F, b'E', b'L', b'F', 2, 1, 1, 0];
    elf.resize(16, 0);
    elf.extend([2, 0]);
    elf.extend(machine.to_le_bytes());
    elf.extend(1_u32.to_le_bytes());
    elf.extend([0; 8]);
    elf.extend(64_u64.to_le_bytes());
    elf.extend([0; 8]);
    elf.extend([0; 4]);
    // The sizes of this header and of a program header, and one of the latter.
    for number in [64_u16, 56, 1, 0, 0, 0] {
        elf.extend(number.to_le_bytes());
    }
    elf.extend(3_u32.to_le_bytes());
    elf.extend(4_u32.to_le_bytes());
    for number in [offset as u64, 0, 0, loader.len() as u64, loader.len() as u64, 1] {
        elf.extend(number.to_le_bytes());
    }
    elf.resize(offset, 0);
    elf.extend(loader);
    elf
}

/// Whether the members of a run report are there that the table says are there with its outcome, and no others.
fn members(report: &RunReport) -> Judged {
    let begins = matches!(report.outcome, Outcome::Exited | Outcome::Signaled);
    let outcome = report.outcome.name();
    for (name, is_there, is_right) in [
        ("exitCode", report.exit_code.is_some(), report.outcome == Outcome::Exited),
        ("signal", report.signal.is_some(), report.outcome == Outcome::Signaled),
        ("arguments", report.arguments.is_some(), begins),
        ("reasons", !report.reasons.is_empty(), !begins),
        // These can be there where the application has not begun.
        ("image", report.image.is_some(), begins || report.image.is_some()),
        ("instance", report.instance.is_some(), begins || report.instance.is_some()),
        ("killed", report.killed, begins && report.killed),
    ] {
        ensure(is_there == is_right, format!("whether there is `{name}` is wrong with the outcome {outcome}"))?;
    }
    Ok(Value::Null)
}

pub(super) fn reports() -> Vec<Entry> {
    let form = |evidence: &crate::run::evidence::Evidence| {
        same("cornercast", &json!("1.0"), &json!(evidence.report.cornercast))?;
        same("kind", &json!("run-report"), &json!(evidence.report.kind))?;
        ensure(!evidence.report.engine.name.is_empty(), "the engine has no name")?;
        members(&evidence.report)
    };
    let isolation = |evidence: &crate::run::evidence::Evidence| {
        let report = evidence.isolation.clone()?;
        same("cornercast", &json!("1.0"), &json!(report.cornercast))?;
        same("kind", &json!("isolation-report"), &json!(report.kind))?;
        Ok(Value::Null)
    };
    let none = |evidence: &crate::run::evidence::Evidence| {
        let report = evidence.isolation.clone()?;
        ensure(report.isolators.is_empty(), "there are isolators of an application that has not begun")?;
        Ok(Value::Null)
    };
    let refused = || Scenario::refused("RUN-002").image(|image| image.has_app = false);
    let failed = || Scenario::failed("RUN-092").image(program(0o755, b""));
    vec![
        case("RUN-094/exited", "there is a run report", Scenario::new(form)),
        case(
            "RUN-094/signaled",
            "also if a signal ends the application",
            Scenario::signaled(form).image(|image| image.act(&["fault"])),
        ),
        case("RUN-094/refused", "also if the image is refused", refused().judged(form)),
        case("RUN-094/failed", "also if the program cannot be executed", failed().judged(form)),
        case(
            "RUN-094/options",
            "also if the options cannot be read",
            Scenario::refused("RUN-006").raw_options(|_| b"{".to_vec()).judged(form),
        ),
        case("RUN-095/refused", "nothing comes on the streams of an instance that is refused", refused()),
        case("RUN-095/failed", "nor of one that fails before it begins", failed()),
        case(
            "RUN-095/failed-late",
            "nor of one that only the kernel can say no to",
            Scenario::failed("RUN-093").image(|image| {
                program(0o700, b"#!/usr/lib/cornercast/probe\n")(image);
                image.user(1000, 1000);
            }),
        ),
        case(
            "RUN-096/exited",
            "the report has the image id, the instance id and the arguments",
            Scenario::new(|evidence| {
                same("image", &json!(evidence.image.id.to_string()), &json!(evidence.report.image))?;
                same("instance", &json!(evidence.instance), &json!(evidence.report.instance))?;
                let arguments = evidence.member("/arguments")?;
                same("arguments", &arguments, &json!(evidence.report.arguments))?;
                members(&evidence.report)
            })
            .options(|_| json!({"arguments": ["of the options"]})),
        ),
        case(
            "RUN-096/failed",
            "it has no arguments of an application that did not begin",
            failed().judged(|evidence| {
                same("image", &json!(evidence.image.id.to_string()), &json!(evidence.report.image))?;
                members(&evidence.report)
            }),
        ),
        case("RUN-096/refused", "nor of one that is refused", refused().judged(|evidence| members(&evidence.report))),
        case("RUN-097/refused", "the report says why the image is refused", refused()),
        case("RUN-097/failed", "the report says why the program cannot be executed", failed()),
        case(
            "RUN-097/several",
            "it says all reasons that are known at once",
            Scenario::refused("RUN-067")
                .options(|_| json!({"volumes": {"other": {"empty": true}}}))
                .image(|image| {
                    image.mount("data", "/srv/data", false, true);
                    image.isolator("example.com/seal", json!(1), true);
                })
                .judged(|evidence| {
                    let named: Vec<String> =
                        evidence.report.reasons.iter().filter_map(|reason| reason.clause.clone()).collect();
                    Ok(json!(named))
                }),
        ),
        case("RUN-098/exited", "there is an isolation report", Scenario::new(isolation)),
        case("RUN-098/refused", "also if the image is refused", refused().judged(none)),
        case("RUN-098/failed", "also if the program cannot be executed", failed().judged(none)),
    ]
}
