//! The process: its arguments, variables, and what else it begins with (RUN-012 to RUN-015, RUN-023, RUN-029 to RUN-034).

use std::collections::BTreeSet;

use cornercast::bundle::CAPABILITIES;
use serde_json::{Value, json};

use crate::run::evidence::{Evidence, ensure};
use crate::run::image::LOOK;
use crate::run::scenario::{Judged, Scenario, case};
use crate::suite::Entry;

/// Arguments that a shell, a separator or a decoder on the way would change.
const ARGUMENTS: [&str; 12] = [
    "",
    " ",
    "two words",
    "--",
    "-x",
    "*",
    "$HOME ${PATH} $(id)",
    "'single' \"double\" `back`",
    "back\\slash\\",
    "%s\t%n\n",
    "grün 💡 e\u{301}",
    "",
];

const PATH: &str = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

pub(super) fn process() -> Vec<Entry> {
    let mut all = arguments();
    all.extend(environment());
    all.extend(state());
    all
}

fn arguments() -> Vec<Entry> {
    let given = |exec: &'static [&str], arguments: &'static [&str]| {
        let all: Vec<&str> =
            std::iter::once(LOOK).chain(exec.iter().copied()).chain(arguments.iter().copied()).collect();
        Scenario::new(move |evidence| evidence.is("/arguments", &json!(all))).image(move |image| {
            image.app.exec.extend(exec.iter().map(|word| (*word).to_owned()));
            image.app.arguments = arguments.iter().map(|word| (*word).to_owned()).collect();
        })
    };
    vec![
        case("RUN-012/exec-alone", "without arguments, there is the program alone", given(&[], &[])),
        case("RUN-012/exec-and-arguments", "arguments follow exec, byte for byte", given(&["of exec", ""], &ARGUMENTS)),
        case(
            "RUN-012/option",
            "the arguments of the options stand in the place of those of the image, after all of exec",
            given(&["of exec"], &["of the image"])
                .options(|_| json!({"arguments": ["of", "", "the options"]}))
                .judged(|evidence| evidence.is("/arguments", &json!([LOOK, "of exec", "of", "", "the options"]))),
        ),
        case(
            "RUN-012/option-empty",
            "no arguments in the options are no arguments",
            given(&[], &["of the image"])
                .options(|_| json!({"arguments": []}))
                .judged(|evidence| evidence.is("/arguments", &json!([LOOK]))),
        ),
        case(
            "RUN-012/link",
            "the program is called by the name that the image gives it, and not by what that leads to",
            Scenario::new(|evidence| evidence.is("/arguments", &json!(["/usr/bin/look"]))).image(|image| {
                image.symlink("usr/bin/look", "../lib/cornercast/probe", (0, 0), 0);
                image.app.exec = vec!["/usr/bin/look".to_owned()];
            }),
        ),
    ]
}

/// Whether the environment is exactly this, with the engine's own.
fn judge_environment(evidence: &Evidence, expected: &[&str]) -> Judged {
    let own = [
        format!("CORNERCAST_IMAGE={}", evidence.image.id),
        format!("CORNERCAST_INSTANCE={}", evidence.instance),
        "CORNERCAST_RUN_DIR=/run/cornercast".to_owned(),
    ];
    let expected: BTreeSet<&str> = expected.iter().copied().chain(own.iter().map(String::as_str)).collect();
    let mut left = expected.clone();
    let mut wrong = Vec::new();
    let seen = evidence.member("/environment")?;
    for variable in seen.as_array().into_iter().flatten() {
        match variable.as_str() {
            Some(text) if left.remove(text) => {}
            Some(text) if expected.contains(text) => wrong.push(format!("`{text}` is there twice")),
            _ => wrong.push(format!("{variable} is not expected")),
        }
    }
    wrong.extend(left.into_iter().map(|variable| format!("`{variable}` is missing")));
    if wrong.is_empty() { Ok(Value::Null) } else { Err(wrong.join("; ")) }
}

fn environment() -> Vec<Entry> {
    let image = |variables: &'static [(&str, &str)]| {
        move |image: &mut crate::run::image::Image| {
            let owned = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
            image.app.environment = owned.collect();
        }
    };
    vec![
        case(
            "RUN-013/image",
            "the variables of the image are there as they are",
            Scenario::new(|evidence| {
                let all = [
                    "EMPTY=",
                    "EQUALS=a=b=c",
                    "HOME=/",
                    "QUOTES='a' \"b\" $HOME `c` \\",
                    "TEXT=grün 💡",
                    "lower-case.name= spaces ",
                    PATH,
                ];
                judge_environment(evidence, &all)
            })
            .image(image(&[
                ("EMPTY", ""),
                ("EQUALS", "a=b=c"),
                ("QUOTES", "'a' \"b\" $HOME `c` \\"),
                ("TEXT", "grün 💡"),
                ("lower-case.name", " spaces "),
            ])),
        ),
        case(
            "RUN-013/loader",
            "variables that loaders and shells obey are the application's alone, and reach nothing of the engine's",
            Scenario::new(|evidence| {
                let all = [
                    "BASH_ENV=/nowhere",
                    "GCONV_PATH=/srv",
                    "HOME=/",
                    "LD_LIBRARY_PATH=/srv",
                    "LD_PRELOAD=/srv/future",
                    PATH,
                ];
                ensure(evidence.errors.is_empty(), "something was written to standard error")?;
                judge_environment(evidence, &all)
            })
            .image(image(&[
                ("BASH_ENV", "/nowhere"),
                ("GCONV_PATH", "/srv"),
                ("LD_LIBRARY_PATH", "/srv"),
                ("LD_PRELOAD", "/srv/future"),
            ])),
        ),
        case(
            "RUN-013/option",
            "a variable of the options stands in the place of the image's, or beside them",
            Scenario::new(|evidence| {
                judge_environment(evidence, &["A=of the options", "B=of the image", "C=", "HOME=/", PATH])
            })
            .image(image(&[("A", "of the image"), ("B", "of the image")]))
            .options(|_| json!({"environment": {"A": "of the options", "C": ""}})),
        ),
        case(
            "RUN-013/caller",
            "nothing of the caller's environment is there",
            Scenario::new(|evidence| judge_environment(evidence, &["HOME=/", PATH])),
        ),
        case(
            "RUN-014/defaults",
            "HOME and PATH have their defaults where the image has neither, whatever the user is",
            Scenario::new(|evidence| judge_environment(evidence, &["HOME=/", PATH])).image(|image| {
                image.file("etc/passwd", crate::run::image::plain(0o644, 0), b"app:x:1000:1000::/home/app:/bin/sh\n");
                image.user(1000, 1000);
            }),
        ),
        case(
            "RUN-014/given",
            "they are those of the image where it has them, also if they are empty",
            Scenario::new(|evidence| judge_environment(evidence, &["HOME=/srv/home of app", "PATH="]))
                .image(image(&[("HOME", "/srv/home of app"), ("PATH", "")])),
        ),
        case(
            "RUN-014/option",
            "they are those of the options where these have them",
            Scenario::new(|evidence| judge_environment(evidence, &["HOME=/a", "PATH=/b"]))
                .options(|_| json!({"environment": {"HOME": "/a", "PATH": "/b"}})),
        ),
        case(
            "RUN-015/own",
            "the image id, the instance id and the directory of the engine are there",
            Scenario::new(|evidence| judge_environment(evidence, &["HOME=/", PATH])),
        ),
    ]
}

/// RUN-023 and RUN-029 to RUN-034: umask, terminal, signals, stack, capabilities.
fn state() -> Vec<Entry> {
    let all_of_root = json!(CAPABILITIES);
    let none = json!([]);
    let caps = move |set: &'static str, expected: Value, uid: u32| {
        Scenario::new(move |evidence| evidence.is(&format!("/capabilities/{set}"), &expected))
            .image(move |image| image.user(uid, uid))
    };
    vec![
        case(
            "RUN-023/umask",
            "the umask is 0022, whatever that of the caller is",
            Scenario::new(|evidence| evidence.is("/umask", &json!(0o022))),
        ),
        case(
            "RUN-029/no-terminal",
            "there is no terminal that signals could come from",
            Scenario::new(|evidence| evidence.all_fail(&["open:/dev/tty"], &["ENXIO", "EIO"]))
                .image(|image| image.act(&["open:/dev/tty:rw"])),
        ),
        case(
            "RUN-030/signals",
            "no signal is ignored or blocked, not even one that the runtime ignores itself",
            Scenario::new(|evidence| evidence.is("/signals", &json!({"blocked": [], "ignored": []}))),
        ),
        case(
            "RUN-030/signals-of-a-user",
            "so it is for a user other than 0",
            Scenario::new(|evidence| evidence.is("/signals", &json!({"blocked": [], "ignored": []})))
                .image(|image| image.user(1000, 1000)),
        ),
        case("RUN-031/stack", "the stack can have 8 MiB", Scenario::new(stack)),
        case(
            "RUN-031/stack-of-the-caller",
            "so it can where the stack of whoever starts the engine can have 1 MiB",
            Scenario::new(stack).with_stack(1024),
        ),
        case("RUN-032/root", "the bounding set is the 14", caps("bounding", all_of_root.clone(), 0)),
        case("RUN-032/user", "so it is for a user other than 0", caps("bounding", all_of_root.clone(), 1000)),
        case(
            "RUN-033/permitted",
            "the user 0 is permitted what is bounding",
            caps("permitted", all_of_root.clone(), 0),
        ),
        case("RUN-033/effective", "and it is in effect", caps("effective", all_of_root, 0)),
        case("RUN-033/permitted-of-a-user", "another user is permitted nothing", caps("permitted", none.clone(), 1000)),
        case("RUN-033/effective-of-a-user", "and nothing is in effect", caps("effective", none.clone(), 1000)),
        case("RUN-034/inheritable", "nothing is inheritable for the user 0", caps("inheritable", none.clone(), 0)),
        case("RUN-034/inheritable-of-a-user", "nor for another", caps("inheritable", none.clone(), 1000)),
        case("RUN-034/ambient", "nothing is ambient", caps("ambient", none, 1000)),
    ]
}

/// RUN-031
fn stack(evidence: &Evidence) -> Judged {
    let limit = evidence.member("/limits")?;
    let soft = limit.get("STACK").or_else(|| limit.get("RLIMIT_STACK")).map(|limit| limit["soft"].clone());
    let soft = soft.ok_or("the probe does not name the limit of the stack")?;
    ensure(soft.is_null() || soft.as_u64().is_some_and(|soft| soft >= 8 << 20), format!("the limit is {soft}"))?;
    Ok(soft)
}
