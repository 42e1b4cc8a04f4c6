//! Users and groups (RUN-020 to RUN-022).

use serde_json::{Value, json};

use crate::run::evidence::Evidence;
use crate::run::scenario::{Scenario, case};
use crate::suite::Entry;

pub(super) fn ids() -> Vec<Entry> {
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
            "RUN-021/annotation",
            "an annotation asks for the groups of the engine, which crun would give for it",
            Scenario::new(|evidence| evidence.is("/groups", &json!([1001]))).image(|image| {
                image.user(1000, 1001);
                image.change = Some(Box::new(|manifest| {
                    manifest.annotations.insert("run.oci.keep_original_groups".to_owned(), "1".to_owned());
                }));
            }),
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
