//! The working directory (RUN-017 to RUN-019).

use serde_json::json;

use crate::run::scenario::{Scenario, case};
use crate::suite::Entry;

pub(super) fn directory() -> Vec<Entry> {
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
