//! Volumes (RUN-066 to RUN-074).

use std::fs;
use std::io;
use std::os::unix::fs::{PermissionsExt, symlink};

use serde_json::{Value, json};

use crate::run::evidence::{ensure, same};
use crate::run::image::Image;
use crate::run::scenario::{Place, Scenario, case};
use crate::suite::Entry;

/// Makes the directory `data` with a file.
fn data(place: &Place) -> io::Result<()> {
    fs::create_dir_all(place.path("data/below"))?;
    fs::set_permissions(place.path("data"), fs::Permissions::from_mode(0o777))?;
    fs::write(place.path("data/file"), b"of the host")
}

fn given(place: &Place) -> Value {
    json!({"volumes": {"data": {"source": place.text("data")}}})
}

/// A mount that is called `data`, and an application that does these steps.
fn mounted(steps: &'static [&'static str]) -> impl Fn(&mut Image) + Send + Sync {
    move |image| {
        image.mount("data", "/srv/data", false, false);
        image.act(steps);
    }
}

pub(super) fn volumes() -> Vec<Entry> {
    let mut all = vec![
        case(
            "RUN-066/unknown",
            "the image has no mount of this name",
            Scenario::refused("RUN-066").host(data).options(given),
        ),
        case(
            "RUN-066/misspelt",
            "the name of the mount is misspelt, and the data would be lost",
            Scenario::refused("RUN-066")
                .host(data)
                .options(|place| json!({"volumes": {"date": {"source": place.text("data")}}}))
                .image(mounted(&[])),
        ),
        case(
            "RUN-067/missing",
            "the mount needs a volume, and there is none",
            Scenario::refused("RUN-067").image(|image| image.mount("data", "/srv/data", false, true)),
        ),
        case(
            "RUN-067/other",
            "there is a volume for another mount",
            Scenario::refused("RUN-067").options(|_| json!({"volumes": {"cache": {"empty": true}}})).image(|image| {
                image.mount("data", "/srv/data", false, true);
                image.mount("cache", "/srv/cache", false, false);
            }),
        ),
        case(
            "RUN-069/content",
            "what is in the directory of the host is at the mount",
            Scenario::new(|evidence| evidence.came_to("read:", &json!({"size": 11, "text": "of the host"})))
                .host(data)
                .options(given)
                .image(mounted(&["read:/srv/data/file"])),
        ),
        case(
            "RUN-069/required",
            "so it is where a volume is required",
            Scenario::new(|evidence| evidence.came_to("list:", &json!(["below", "file"])))
                .host(data)
                .options(given)
                .image(|image| {
                    image.mount("data", "/srv/data", false, true);
                    image.act(&["list:/srv/data"]);
                }),
        ),
        case(
            "RUN-069/written",
            "what the application writes is in the directory of the host",
            Scenario::new(|evidence| {
                evidence.all_succeed(&["write:"])?;
                let written = fs::read_to_string(evidence.place.path("data/new")).unwrap_or_default();
                same("the file of the host", &json!("new"), &json!(written))
            })
            .host(data)
            .options(given)
            .image(mounted(&["write:/srv/data/new:new"])),
        ),
        case(
            "RUN-069/two",
            "two volumes are each at its own mount",
            Scenario::new(|evidence| {
                evidence.came_to("read:/srv/one", &json!({"size": 1, "text": "1"}))?;
                evidence.came_to("read:/srv/two", &json!({"size": 1, "text": "2"}))
            })
            .host(|place| {
                for (name, content) in [("one", "1"), ("two", "2")] {
                    fs::create_dir(place.path(name))?;
                    fs::write(place.path(name).join("file"), content)?;
                }
                Ok(())
            })
            .options(
                |place| json!({"volumes": {"a": {"source": place.text("two")}, "b": {"source": place.text("one")}}}),
            )
            .image(|image| {
                image.mount("b", "/srv/one", false, false);
                image.mount("a", "/srv/two", false, false);
                image.act(&["read:/srv/one/file", "read:/srv/two/file"]);
            }),
        ),
        case(
            "RUN-069/link-above",
            "a link on the way to the source is followed, as only the last component counts",
            Scenario::new(|evidence| evidence.came_to("list:", &json!([])))
                .host(|place| {
                    data(place)?;
                    symlink(place.path("data"), place.path("link"))
                })
                .options(|place| json!({"volumes": {"data": {"source": place.text("link/below")}}}))
                .image(mounted(&["list:/srv/data"])),
        ),
        case(
            "RUN-070/flags",
            "a volume has neither set-user-ID bits nor devices",
            Scenario::new(|evidence| {
                let Ok(seen) = evidence.step("statfs:")? else {
                    return Err("the mount cannot be looked at".to_owned());
                };
                same("nosuid, nodev", &json!([true, true]), &json!([seen["nosuid"], seen["nodev"]]))
            })
            .host(data)
            .options(given)
            .image(mounted(&["statfs:/srv/data"])),
        ),
        case(
            "RUN-070/device",
            "a device that the application makes in a volume cannot be opened",
            Scenario::new(|evidence| {
                evidence.all_succeed(&["mknod:"])?;
                evidence.all_fail(&["open:"], &["EACCES"])
            })
            .host(data)
            .options(given)
            .image(mounted(&["mknod:/srv/data/null:c:1:3", "open:/srv/data/null:w"])),
        ),
        case(
            "RUN-070/empty",
            "nor has an empty one",
            Scenario::new(|evidence| {
                let Ok(seen) = evidence.step("statfs:")? else {
                    return Err("the mount cannot be looked at".to_owned());
                };
                same("nosuid, nodev", &json!([true, true]), &json!([seen["nosuid"], seen["nodev"]]))
            })
            .options(|_| empty())
            .image(mounted(&["statfs:/srv/data"])),
        ),
        case(
            "RUN-073/image",
            "without a volume, the directory of the image stands there",
            Scenario::new(|evidence| evidence.came_to("list:", &json!(["of-the-image"]))).image(|image| {
                image.mount("data", "/srv/data", false, false);
                image.dir("srv/data/of-the-image", 0o755, (0, 0), 0);
                image.act(&["list:/srv/data"]);
            }),
        ),
        case(
            "RUN-074/empty",
            "nothing of the image's directory is copied",
            Scenario::new(|evidence| evidence.came_to("list:", &json!([]))).options(|_| empty()).image(|image| {
                image.mount("data", "/srv/data", false, false);
                image.dir("srv/data/of-the-image", 0o755, (0, 0), 0);
                image.act(&["list:/srv/data"]);
            }),
        ),
        case(
            "RUN-074/attributes",
            "mode and owner are those of the image's directory",
            Scenario::new(|evidence| {
                let Ok(seen) = evidence.step("stat:")? else { return Err("the volume is not there".to_owned()) };
                same("/srv/data", &json!([0o2750, 1000, 44]), &json!([seen["mode"], seen["uid"], seen["gid"]]))?;
                evidence.all_succeed(&["create:"])
            })
            .options(|_| empty())
            .image(|image| {
                image.mount("data", "/srv/data", false, true);
                image.dir("srv/data", 0o2750, (1000, 44), 5);
                image.user(1000, 1000);
                image.act(&["stat:/srv/data", "create:/srv/data/a"]);
            }),
        ),
    ];
    all.extend(sources());
    all.extend(read_only());
    all.extend(below());
    all
}

fn empty() -> Value {
    json!({"volumes": {"data": {"empty": true}}})
}

/// RUN-068
fn sources() -> Vec<Entry> {
    let refused =
        |host: fn(&Place) -> io::Result<()>| Scenario::refused("RUN-068").host(host).options(given).image(mounted(&[]));
    vec![
        case("RUN-068/missing", "the source does not exist, and is not made", refused(|_| Ok(()))),
        case("RUN-068/file", "the source is a file", refused(|place| fs::write(place.path("data"), b""))),
        case(
            "RUN-068/link",
            "the source is a link to a directory",
            refused(|place| {
                fs::create_dir(place.path("other"))?;
                symlink(place.path("other"), place.path("data"))
            }),
        ),
        case(
            "RUN-068/link-to-root",
            "the source is a link to the root of the host",
            refused(|place| symlink("/", place.path("data"))),
        ),
        case(
            "RUN-068/nowhere",
            "the source is a link to nothing",
            refused(|place| symlink("nothing", place.path("data"))),
        ),
    ]
}

/// RUN-071
fn read_only() -> Vec<Entry> {
    let steps: [&str; 3] = ["create:/srv/data/a", "write:/srv/data/file:x", "unlink:/srv/data/below/a"];
    let names = ["create:", "write:", "unlink:"];
    let host = |place: &Place| {
        data(place)?;
        fs::write(place.path("data/below/a"), b"")
    };
    let fails = move || {
        Scenario::new(move |evidence| {
            evidence.all_fail(&names, &["EROFS"])?;
            let kept = fs::read_to_string(evidence.place.path("data/file")).unwrap_or_default();
            ensure(kept == "of the host", "the file of the host has changed")?;
            Ok(Value::Null)
        })
        .host(host)
    };
    vec![
        case(
            "RUN-071/option",
            "the options say that it cannot be written to",
            fails()
                .options(|place| json!({"volumes": {"data": {"readOnly": true, "source": place.text("data")}}}))
                .image(move |image| {
                    image.mount("data", "/srv/data", false, false);
                    image.act(&steps);
                }),
        ),
        case(
            "RUN-071/image",
            "the image says that it cannot be written to",
            fails().options(given).image(move |image| {
                image.mount("data", "/srv/data", true, false);
                image.act(&steps);
            }),
        ),
        case(
            "RUN-071/image-and-option",
            "the options cannot take that back",
            fails()
                .options(|place| json!({"volumes": {"data": {"readOnly": false, "source": place.text("data")}}}))
                .image(move |image| {
                    image.mount("data", "/srv/data", true, false);
                    image.act(&steps);
                }),
        ),
        case(
            "RUN-071/neither",
            "nobody says so",
            Scenario::new(move |evidence| evidence.all_succeed(&names)).host(host).options(given).image(move |image| {
                image.mount("data", "/srv/data", false, false);
                image.act(&steps);
            }),
        ),
        case(
            "RUN-071/empty",
            "an empty volume of a mount that cannot be written to stays empty",
            Scenario::new(|evidence| evidence.all_fail(&["create:"], &["EROFS"])).options(|_| empty()).image(|image| {
                image.mount("data", "/srv/data", true, false);
                image.act(&["create:/srv/data/a"]);
            }),
        ),
    ]
}

/// RUN-072
fn below() -> Vec<Entry> {
    let host = |place: &Place| {
        data(place)?;
        // The suite's own mount; whoever runs the suite without the right to mount skips the case.
        rustix::mount::mount(
            "cornercast",
            place.path("data/below"),
            "tmpfs",
            rustix::mount::MountFlags::empty(),
            None,
        )?;
        fs::write(place.path("data/below/secret"), b"")
    };
    vec![case(
        "RUN-072/below",
        "what is mounted below the source stays outside",
        Scenario::new(|evidence| evidence.came_to("list:", &json!([])))
            .host(host)
            .clean(|place| {
                let _ = rustix::mount::unmount(place.path("data/below"), rustix::mount::UnmountFlags::DETACH);
            })
            .options(given)
            .image(mounted(&["list:/srv/data/below"])),
    )]
}
