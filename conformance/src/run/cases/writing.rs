//! Writing (RUN-062 to RUN-065), and what instances see of each other.

use serde_json::{Value, json};

use crate::run::evidence::{ensure, same};
use crate::run::image::ACT;
use crate::run::scenario::{Scenario, State, case};
use crate::suite::Entry;

/// Steps that change the root tree in every way.
const CHANGES: [&str; 12] = [
    "write:/etc/os-release:changed",
    "append:/srv/future:more",
    "create:/srv/new",
    "mkdir:/srv/directory",
    "rename:/srv/attributes:/srv/renamed",
    "chmod:/srv/future:0600",
    "chown:/srv/future:5:5",
    "link:/srv/future:/srv/another",
    "symlink:/nowhere:/srv/link",
    "setxattr:/srv/future:user.a:b",
    "unlink:/srv/nowhere",
    "mknod:/srv/pipe:p:0:0",
];

/// The names of the steps, which is how their lines begin.
fn names() -> Vec<String> {
    CHANGES.iter().map(|step| step.split(':').take(2).collect::<Vec<_>>().join(":")).collect()
}

pub(super) fn writing() -> Vec<Entry> {
    let names = names();
    let read_only = names.clone();
    vec![
        case(
            "RUN-062/root",
            "the user 0 changes the tree in every way",
            Scenario::new(move |evidence| {
                let names: Vec<&str> = names.iter().map(String::as_str).collect();
                evidence.all_succeed(&names)
            })
            .image(|image| image.act(&CHANGES)),
        ),
        case(
            "RUN-062/user",
            "another user writes where the modes allow it and nowhere else",
            Scenario::new(|evidence| {
                evidence.all_fail(&["create:/srv/a", "write:/etc/os-release"], &["EACCES"])?;
                evidence.all_succeed(&["create:/srv/drop/a"])
            })
            .image(|image| {
                image.user(1000, 1000);
                image.act(&["create:/srv/a", "write:/etc/os-release:x", "create:/srv/drop/a"]);
            }),
        ),
        case(
            "RUN-062/engine-files",
            "the files of the engine in /etc can be changed as well",
            Scenario::new(|evidence| evidence.all_succeed(&["write:/etc/hosts", "append:/etc/resolv.conf"]))
                .image(|image| image.act(&["write:/etc/hosts:x", "append:/etc/resolv.conf:x"])),
        ),
        case(
            "RUN-063/one-after-another",
            "what an instance has written is not there for the next one",
            Scenario::new(|evidence| evidence.all_fail(&["stat:/srv/drop/a", "stat:/dev/shm/a"], &["ENOENT"]))
                .image(|image| {
                    image.app.exec = vec![ACT.to_owned()];
                    image.app.arguments = vec!["stat:/srv/drop/a".to_owned(), "stat:/dev/shm/a".to_owned()];
                })
                .after(State::Ended, &["write:/srv/drop/a:x", "write:/dev/shm/a:x"]),
        ),
        case(
            "RUN-063/at-the-same-time",
            "nor for one that runs at the same time",
            Scenario::new(|evidence| evidence.all_fail(&["stat:/srv/drop/a", "stat:/dev/shm/a"], &["ENOENT"]))
                .image(|image| {
                    image.app.exec = vec![ACT.to_owned()];
                    image.app.arguments = vec!["stat:/srv/drop/a".to_owned(), "stat:/dev/shm/a".to_owned()];
                })
                .after(State::Running, &["write:/srv/drop/a:x", "write:/dev/shm/a:x"]),
        ),
        case(
            "RUN-044/other-instance",
            "the processes of an instance that runs at the same time are not to be seen",
            Scenario::new(|evidence| {
                let lines = evidence.lines();
                let all = lines.iter().find_map(|line| line["processes"].as_array().cloned());
                let all = all.ok_or("the probe says nothing of processes")?;
                ensure(all.len() <= 2, format!("there are {} processes", all.len()))?;
                Ok(Value::Null)
            })
            .image(|image| {
                image.app.exec = vec![ACT.to_owned()];
                image.app.arguments = vec!["look:processes".to_owned()];
            })
            .after(State::Running, &[]),
        ),
        case(
            "RUN-053/other-instance",
            "an instance that runs at the same time cannot be reached",
            Scenario::new(|evidence| evidence.all_fail(&["connect:127.0.0.1"], &["ECONNREFUSED", "ENETUNREACH"]))
                .image(|image| {
                    image.app.exec = vec![ACT.to_owned()];
                    image.app.arguments = vec!["connect:127.0.0.1:8080".to_owned()];
                })
                .after(State::Running, &["bind:8080"]),
        ),
        case(
            "RUN-007/taken",
            "an instance of this id is running",
            Scenario::refused("RUN-007")
                .image(|image| image.app.exec = vec![ACT.to_owned()])
                .after(State::Running, &[])
                .of_the_same_id(),
        ),
        case(
            "RUN-007/free-again",
            "the instance of this id has ended",
            Scenario::new(|evidence| {
                same("the instance id", &json!(evidence.instance), &json!(evidence.report.instance))
            })
            .image(|image| image.app.exec = vec![ACT.to_owned()])
            .after(State::Ended, &[])
            .of_the_same_id(),
        ),
        case(
            "RUN-064/tree",
            "the tree cannot be changed in any way",
            Scenario::new(move |evidence| {
                let names: Vec<&str> = read_only.iter().map(String::as_str).collect();
                evidence.all_fail(&names, &["EROFS"])
            })
            .image(|image| {
                image.isolator("cornercast/readonly-rootfs", true.into(), true);
                image.act(&CHANGES);
            }),
        ),
        case(
            "RUN-064/engine-files",
            "nor can the files of the engine in /etc",
            Scenario::new(|evidence| {
                evidence.all_fail(
                    &["write:/etc/hosts", "append:/etc/hostname", "unlink:/etc/resolv.conf"],
                    &["EROFS", "EBUSY"],
                )
            })
            .image(|image| {
                image.isolator("cornercast/readonly-rootfs", true.into(), true);
                image.act(&["write:/etc/hosts:x", "append:/etc/hostname:x", "unlink:/etc/resolv.conf"]);
            }),
        ),
        case(
            "RUN-064/option",
            "so it is if the options ask for it",
            Scenario::new(|evidence| evidence.all_fail(&["create:/srv/new"], &["EROFS"]))
                .options(|_| json!({"isolation": {"isolators": {"cornercast/readonly-rootfs": {"value": true}}}}))
                .image(|image| image.act(&["create:/srv/new"])),
        ),
        case(
            "RUN-064/false",
            "false asks for nothing",
            Scenario::new(|evidence| evidence.all_succeed(&["create:/srv/new"])).image(|image| {
                image.isolator("cornercast/readonly-rootfs", false.into(), true);
                image.act(&["create:/srv/new"]);
            }),
        ),
        case(
            "RUN-065/writable",
            "/dev/shm and a volume can be written to all the same",
            Scenario::new(|evidence| {
                evidence.all_succeed(&["write:/dev/shm/a", "create:/srv/data/a"])?;
                ensure(evidence.place.path("data/a").is_file(), "the volume has no such file afterwards")?;
                Ok(Value::Null)
            })
            .host(|place| std::fs::create_dir_all(place.path("data")))
            .options(|place| json!({"volumes": {"data": {"source": place.text("data")}}}))
            .image(|image| {
                image.mount("data", "/srv/data", false, true);
                image.isolator("cornercast/readonly-rootfs", true.into(), true);
                image.act(&["write:/dev/shm/a:x", "create:/srv/data/a"]);
            }),
        ),
    ]
}
