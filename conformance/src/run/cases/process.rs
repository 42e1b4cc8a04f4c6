//! The process (RUN-012 to RUN-034).

use std::collections::BTreeSet;

use cornercast::bundle::CAPABILITIES;
use cornercast::digest::Digest;
use serde_json::{Value, json};

use crate::run::evidence::{Evidence, ensure, same};
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
    all.extend(directory());
    all.extend(ids());
    all.extend(descriptors());
    all.extend(rest());
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

fn directory() -> Vec<Entry> {
    let starts = |directory: &'static str, expected: &'static str| {
        Scenario::new(move |evidence| evidence.is("/workingDirectory", &json!(expected)))
            .image(move |image| image.app.working_directory = directory.to_owned())
    };
    let refused = |clause: &'static str| Scenario::refused(clause);
    vec![
        case("RUN-017/default", "the process begins in the root", starts("/", "/")),
        case("RUN-017/directory", "it begins in a directory of the image", starts("/srv/drop", "/srv/drop")),
        case(
            "RUN-017/link",
            "it begins in what a link leads to",
            starts("/srv/link", "/usr/bin").image(|image| {
                image.symlink("srv/link", "/usr/../usr/bin", (0, 0), 0);
                image.app.working_directory = "/srv/link".to_owned();
            }),
        ),
        case(
            "RUN-017/link-above-the-root",
            "a link that goes above the root stays in it",
            starts("/srv/link", "/etc").image(|image| {
                image.symlink("srv/link", "../../../../../../etc", (0, 0), 0);
                image.app.working_directory = "/srv/link".to_owned();
            }),
        ),
        case(
            "RUN-017/closed",
            "the user 0 begins in a directory of another user that is closed to all others",
            starts("/srv/closed", "/srv/closed"),
        ),
        case(
            "RUN-017/in-a-volume",
            "it begins in a directory that only the volume has in this place",
            Scenario::new(|evidence| evidence.all_succeed(&["stat:here"]))
                .host(|place| {
                    std::fs::create_dir_all(place.path("data/work"))?;
                    std::fs::write(place.path("data/work/here"), b"")
                })
                .options(|place| json!({"volumes": {"data": {"source": place.text("data")}}}))
                .image(|image| {
                    image.mount("data", "/srv/data", false, false);
                    image.dir("srv/data/work", 0o755, (0, 0), 0);
                    image.app.working_directory = "/srv/data/work".to_owned();
                    image.act(&["stat:here"]);
                }),
        ),
        case(
            "RUN-018/hidden-by-a-volume",
            "the volume has no such directory, and it is not made there",
            refused("RUN-018")
                .host(|place| std::fs::create_dir_all(place.path("data")))
                .options(|place| json!({"volumes": {"data": {"source": place.text("data")}}}))
                .image(|image| {
                    image.mount("data", "/srv/data", false, false);
                    image.dir("srv/data/work", 0o755, (0, 0), 0);
                    image.app.working_directory = "/srv/data/work".to_owned();
                }),
        ),
        case(
            "RUN-018/file-in-a-volume",
            "the volume has a file there",
            refused("RUN-018")
                .host(|place| {
                    std::fs::create_dir_all(place.path("data"))?;
                    std::fs::write(place.path("data/work"), b"")
                })
                .options(|place| json!({"volumes": {"data": {"source": place.text("data")}}}))
                .image(|image| {
                    image.mount("data", "/srv/data", false, false);
                    image.dir("srv/data/work", 0o755, (0, 0), 0);
                    image.app.working_directory = "/srv/data/work".to_owned();
                }),
        ),
        case(
            "RUN-018/link-out-of-a-volume",
            "the volume has a link to a directory of the host that the image does not have",
            refused("RUN-018")
                .host(|place| {
                    std::fs::create_dir_all(place.path("data"))?;
                    std::fs::create_dir_all(place.path("outside"))?;
                    std::os::unix::fs::symlink(place.path("outside"), place.path("data/work"))
                })
                .options(|place| json!({"volumes": {"data": {"source": place.text("data")}}}))
                .image(|image| {
                    image.mount("data", "/srv/data", false, false);
                    image.dir("srv/data/work", 0o755, (0, 0), 0);
                    image.app.working_directory = "/srv/data/work".to_owned();
                }),
        ),
        case(
            "RUN-019/descriptor",
            "a descriptor of the runtime would be a directory of the host",
            refused("RUN-019").image(|image| {
                for path in ["proc/self", "proc/self/fd", "proc/self/fd/7"] {
                    image.dir(path, 0o755, (0, 0), 0);
                }
                image.app.working_directory = "/proc/self/fd/7".to_owned();
            }),
        ),
        case(
            "RUN-019/link",
            "a link leads there",
            refused("RUN-019").image(|image| {
                for path in ["proc/self", "proc/self/fd", "proc/self/fd/8"] {
                    image.dir(path, 0o755, (0, 0), 0);
                }
                image.symlink("srv/link", "/proc/self/fd/8", (0, 0), 0);
                image.app.working_directory = "/srv/link".to_owned();
            }),
        ),
        case(
            "RUN-019/sys",
            "the image has a directory there that is hidden",
            refused("RUN-019").image(|image| {
                image.dir("sys/kernel", 0o755, (0, 0), 0);
                image.app.working_directory = "/sys/kernel".to_owned();
            }),
        ),
    ]
}

fn ids() -> Vec<Entry> {
    let judge = |evidence: &Evidence, uid: u32, gid: u32| {
        for name in ["uid", "euid", "suid"] {
            evidence.is(&format!("/{name}"), &json!(uid))?;
        }
        for name in ["gid", "egid", "sgid"] {
            evidence.is(&format!("/{name}"), &json!(gid))?;
        }
        Ok(Value::Null)
    };
    let user = move |uid: u32, gid: u32| {
        Scenario::new(move |evidence| judge(evidence, uid, gid)).image(move |image| image.user(uid, gid))
    };
    vec![
        case("RUN-020/root", "the ids are 0", user(0, 0)),
        case("RUN-020/user", "user and group are different numbers that no file names", user(1234, 5678)),
        case("RUN-020/user-and-root-group", "a user other than 0 has the group 0", user(1000, 0)),
        case("RUN-020/root-and-group", "the user 0 has another group", user(0, 1000)),
        case(
            "RUN-020/large",
            "the ids are the greatest that every runtime can represent",
            user(2_147_483_647, 2_147_483_646),
        ),
        case(
            "RUN-020/passwd",
            "the files of the image that would have other numbers are not asked",
            user(1000, 1000).image(|image| {
                let attributes = crate::run::image::plain(0o644, 0);
                image.file("etc/passwd", attributes.clone(), b"1000:x:0:0:root:/:/bin/sh\n");
                image.file("etc/group", attributes, b"1000:x:0:\n");
                image.user(1000, 1000);
            }),
        ),
        case(
            "RUN-020/passwd-link",
            "a user file that leads out of the image is not opened",
            user(1000, 1000).image(|image| {
                image.symlink("etc/passwd", "/proc/1/environ", (0, 0), 0);
                image.user(1000, 1000);
            }),
        ),
        case(
            "RUN-021/none",
            "the primary group is among the supplementary ones",
            Scenario::new(|evidence| evidence.is("/groups", &json!([1001]))).image(|image| image.user(1000, 1001)),
        ),
        case(
            "RUN-021/root",
            "the user 0 has the group 0 and no others, such as those of the caller",
            Scenario::new(|evidence| evidence.is("/groups", &json!([0]))),
        ),
        case(
            "RUN-021/given",
            "the groups are those that are given, and the primary one",
            Scenario::new(|evidence| evidence.is("/groups", &json!([5, 44, 1001, 70_000]))).image(|image| {
                image.user(1000, 1001);
                image.app.user.supplementary_gids = vec![5, 44, 70_000];
            }),
        ),
        case(
            "RUN-021/group-file",
            "the group file of the image adds none",
            Scenario::new(|evidence| evidence.is("/groups", &json!([1000]))).image(|image| {
                let attributes = crate::run::image::plain(0o644, 0);
                image.file("etc/passwd", attributes.clone(), b"app:x:1000:1000::/:/bin/sh\n");
                image.file("etc/group", attributes, b"root:x:0:app\nwheel:x:10:app\n");
                image.user(1000, 1000);
            }),
        ),
        case(
            "RUN-021/1024",
            "there are as many as a manifest can have",
            Scenario::new(|evidence| {
                let groups: Vec<u32> = (100..1124).chain([70_000]).collect();
                evidence.is("/groups", &json!(groups))?;
                Ok(Value::Null)
            })
            .image(|image| {
                image.user(1000, 70_000);
                image.app.user.supplementary_gids = (100..1124).collect();
            }),
        ),
        case("RUN-022/user", "the user is the greatest that there is", large(4_294_967_294, 0)),
        case("RUN-022/group", "the group is the greatest that there is", large(0, 4_294_967_294)),
        case("RUN-022/above-2-31", "the user is the first that some cannot represent", large(2_147_483_648, 1)),
        case(
            "RUN-023/umask",
            "the umask is 0022, whatever that of the caller is",
            Scenario::new(|evidence| evidence.is("/umask", &json!(0o022))),
        ),
    ]
}

/// Ids that an engine gives to the process or refuses.
fn large(uid: u32, gid: u32) -> Scenario {
    Scenario::new(move |evidence| {
        evidence.is("/uid", &json!(uid))?;
        evidence.is("/euid", &json!(uid))?;
        evidence.is("/gid", &json!(gid))?;
        evidence.is("/groups", &json!([gid]))
    })
    .or_refused("RUN-022")
    .image(move |image| image.user(uid, gid))
}

fn descriptors() -> Vec<Entry> {
    let pipes = |evidence: &Evidence| {
        for fd in [1, 2] {
            evidence.is(&format!("/descriptors/{fd}/kind"), &json!("pipe"))?;
        }
        let targets = (evidence.member("/descriptors/1/target")?, evidence.member("/descriptors/2/target")?);
        ensure(targets.0 != targets.1, format!("both are {}", targets.0))?;
        Ok(Value::Null)
    };
    let flood = |output: usize, errors: usize| {
        Scenario::new(move |evidence| {
            judge_flood("standard output", &evidence.output, output)?;
            judge_flood("standard error", &evidence.errors, errors)
        })
    };
    vec![
        case(
            "RUN-024/descriptors",
            "0, 1 and 2 are open, and nothing that the engine or the runtime has left open",
            Scenario::new(|evidence| {
                let seen = evidence.member("/descriptors")?;
                let open: Vec<&Value> = seen.as_array().into_iter().flatten().map(|one| &one["fd"]).collect();
                same("the descriptors", &json!([0, 1, 2]), &json!(open))
            }),
        ),
        case("RUN-025/pipes", "output and errors are pipes, each its own", Scenario::new(pipes)),
        case(
            "RUN-025/pipes-of-a-user",
            "so they are for a user other than 0",
            Scenario::new(pipes).image(|image| image.user(1000, 1000)),
        ),
        case(
            "RUN-026/nothing",
            "without input, reading ends at once",
            Scenario::new(|evidence| evidence.came_to("stdin", &json!({"bytes": 0, "sha256": digest(b"")})))
                .image(|image| image.act(&["stdin"])),
        ),
        case(
            "RUN-026/bytes",
            "the bytes of the caller come as they are, and then the end",
            Scenario::new(|evidence| {
                evidence.came_to("stdin", &json!({"bytes": 300_000, "sha256": digest(&pattern(300_000))}))
            })
            .image(|image| image.act(&["stdin"]))
            .input(pattern(300_000)),
        ),
        case(
            "RUN-026/unread",
            "an application that reads nothing ends all the same",
            Scenario::new(|_| Ok(Value::Null)).exits(7).image(|image| image.act(&["exit:7"])).input(pattern(1_000_000)),
        ),
        case(
            "RUN-027/terminals",
            "none of the three is a terminal",
            Scenario::new(|evidence| {
                let seen = evidence.member("/descriptors")?;
                let of = |one: &Value| one["terminal"].clone();
                let terminals: Vec<Value> = seen.as_array().into_iter().flatten().map(of).collect();
                same("terminals", &json!([false, false, false]), &json!(terminals))
            }),
        ),
        case(
            "RUN-028/bytes",
            "all values of bytes come to the caller, each stream by itself",
            flood(1000, 502).image(|image| image.act(&["flood:1000", "flood-error:502"])),
        ),
        case(
            "RUN-028/large",
            "16 MiB come whole, and as many errors as the caller reads",
            flood(16 << 20, 40_000).image(|image| image.act(&["flood:16777216", "flood-error:40000"])),
        ),
        case(
            "RUN-028/echo",
            "what is read and written at the same time comes whole",
            Scenario::new(|evidence| {
                ensure(evidence.output == pattern(3_000_000), "other bytes came back")?;
                Ok(Value::Null)
            })
            .image(|image| image.act(&["echo"]))
            .input(pattern(3_000_000)),
        ),
        case(
            "RUN-028/no-newline",
            "nothing is added to what has no newline at its end",
            Scenario::new(|evidence| {
                same("standard output", &json!("a"), &json!(String::from_utf8_lossy(&evidence.output)))?;
                same("standard error", &json!("b"), &json!(String::from_utf8_lossy(&evidence.errors)))
            })
            .image(|image| image.act(&["print:a", "error:b"])),
        ),
        case(
            "RUN-028/nothing",
            "an application that writes nothing has empty streams",
            Scenario::new(|evidence| {
                ensure(evidence.output.is_empty() && evidence.errors.is_empty(), "something came on the streams")?;
                Ok(Value::Null)
            })
            .image(|image| image.act(&["exit:0"])),
        ),
    ]
}

fn rest() -> Vec<Entry> {
    let all_of_root = json!(CAPABILITIES);
    let none = json!([]);
    let caps = move |set: &'static str, expected: Value, uid: u32| {
        Scenario::new(move |evidence| evidence.is(&format!("/capabilities/{set}"), &expected))
            .image(move |image| image.user(uid, uid))
    };
    vec![
        case(
            "RUN-029/no-terminal",
            "there is no terminal that signals could come from",
            Scenario::new(|evidence| evidence.all_fail(&["open:/dev/tty"], &["ENXIO"]))
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
        case(
            "RUN-031/stack",
            "the stack can have 8 MiB",
            Scenario::new(|evidence| {
                let limit = evidence.member("/limits")?;
                let soft = limit.get("STACK").or_else(|| limit.get("RLIMIT_STACK")).map(|limit| limit["soft"].clone());
                let soft = soft.ok_or("the probe does not name the limit of the stack")?;
                ensure(
                    soft.is_null() || soft.as_u64().is_some_and(|soft| soft >= 8 << 20),
                    format!("the limit is {soft}"),
                )?;
                Ok(soft)
            }),
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

/// Bytes in which each position can be told from its neighbours.
fn pattern(length: usize) -> Vec<u8> {
    (0..length).map(|at| u8::try_from((at * 7 + at / 256) % 256).unwrap_or(0)).collect()
}

fn digest(bytes: &[u8]) -> String {
    Digest::of(bytes).to_string().trim_start_matches("sha256:").to_owned()
}

fn judge_flood(what: &str, got: &[u8], expected: usize) -> Judged {
    ensure(got.len() == expected, format!("{what}: expected {expected} bytes, got {}", got.len()))?;
    let at = got.iter().enumerate().find(|(at, byte)| usize::from(**byte) != at % 251);
    match at {
        None => Ok(Value::Null),
        Some((at, byte)) => Err(format!("{what}: byte {at} is {byte}, not {}", at % 251)),
    }
}
