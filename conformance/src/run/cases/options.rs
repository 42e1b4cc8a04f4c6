//! The image and the instance options (RUN-001 to RUN-011).

use cornercast::digest::Digest;
use serde_json::{Value, json};

use crate::run::evidence::{ensure, same};
use crate::run::image::{Form, architecture};
use crate::run::scenario::{Scenario, case};
use crate::suite::Entry;

/// RUN-001 to RUN-004
pub(super) fn image() -> Vec<Entry> {
    let seen = |evidence: &crate::run::evidence::Evidence| evidence.member("/probe");
    let corrupt = |corrupt: fn(&mut Vec<u8>)| {
        let mut scenario = Scenario::refused("STO-014");
        scenario.reason = None;
        scenario.corrupt = Some(corrupt);
        scenario
    };
    vec![
        case("RUN-001/archive", "an archive without violations is run", Scenario::new(seen)),
        case("RUN-001/store", "so is a store", Scenario::new(seen).image(|image| image.form = Form::Store)),
        case(
            "RUN-001/compressed",
            "so is an archive that is compressed",
            Scenario::new(seen).image(|image| image.form = Form::Compressed),
        ),
        case(
            "RUN-001/truncated-compressed",
            "the last half of an archive that is compressed is missing",
            corrupt(|bytes| bytes.truncate(bytes.len() / 2)).image(|image| image.form = Form::Compressed),
        ),
        case(
            "RUN-001/one-byte-of-a-file",
            "one byte of a file of the layer is another one",
            corrupt(|bytes| flip(bytes, b"ID=fixture")),
        ),
        case(
            "RUN-001/one-byte-of-a-store",
            "so it is in a store",
            corrupt(|bytes| flip(bytes, b"ID=fixture")).image(|image| image.form = Form::Store),
        ),
        case(
            "RUN-001/one-byte-of-the-listing",
            "one byte of the listing is another one",
            corrupt(|bytes| flip(bytes, b"\"path\":\"etc/os-release\"")),
        ),
        case(
            "RUN-001/one-byte-of-the-manifest",
            "one byte of the manifest is another one",
            corrupt(|bytes| flip(bytes, b"example.com/conformance/probe")),
        ),
        case(
            "RUN-001/something-behind",
            "there is something behind the end of the archive",
            corrupt(|bytes| bytes.push(1)),
        ),
        case(
            "RUN-001/truncated",
            "the last half of the archive is missing",
            corrupt(|bytes| bytes.truncate(bytes.len() / 2)),
        ),
        case(
            "RUN-001/rootfs",
            "the rootfs digest is that of another tree",
            of_manifest(|manifest| {
                manifest.rootfs.digest = manifest.layers.first().map_or(manifest.rootfs.digest, |layer| layer.digest)
            }),
        ),
        case(
            "RUN-001/version",
            "the manifest is of a format version that does not exist yet",
            of_manifest(|manifest| manifest.cornercast = "2.0".to_owned()),
        ),
        case(
            "RUN-001/user",
            "the user is 4294967295, which many system calls take for no change",
            of_manifest(|manifest| manifest.app.iter_mut().for_each(|app| app.user.uid = u32::MAX)),
        ),
        case(
            "RUN-001/variable",
            "the image sets a variable that is the engine's own",
            of_manifest(|manifest| {
                if let Some(app) = &mut manifest.app {
                    app.environment.insert("CORNERCAST_IMAGE".to_owned(), "sha256:0".to_owned());
                }
            }),
        ),
        case(
            "RUN-001/exec",
            "the program is not in the image",
            of_manifest(|manifest| manifest.app.iter_mut().for_each(|app| app.exec = vec!["/bin/missing".to_owned()])),
        ),
        case(
            "RUN-001/mount",
            "a mount is at /proc, where it would hide that of the engine",
            of_manifest(|manifest| {
                if let Some(app) = &mut manifest.app {
                    let (name, path) = ("proc".to_owned(), "/proc".to_owned());
                    app.mounts.push(cornercast::manifest::Mount { name, path, read_only: false, required: false });
                }
            }),
        ),
        case(
            "RUN-002/no-app",
            "an image without an app has nothing to run",
            Scenario::refused("RUN-002").image(|image| image.has_app = false),
        ),
        case(
            "RUN-003/other-architecture",
            "the image is for another processor",
            Scenario::refused("RUN-003").image(|image| {
                image.architecture = if architecture() == "s390x" { "riscv64" } else { "s390x" }.to_owned();
            }),
        ),
        case(
            "RUN-003/similar-architecture",
            "the image is for a processor whose programs this one might execute",
            Scenario::refused("RUN-003").image(|image| {
                image.architecture = if architecture() == "386" { "amd64" } else { "386" }.to_owned();
            }),
        ),
        case(
            "RUN-004/archive",
            "the archive is the same afterwards, whatever the application does to its files",
            unchanged(Form::Archive),
        ),
        case("RUN-004/store", "so are the files of a store", unchanged(Form::Store)),
        case(
            "RUN-005/much-at-once",
            "the image and the options have much of what they can have, and nothing of it is refused",
            Scenario::new(|evidence| {
                evidence.is("/uid", &json!(1000))?;
                evidence.is("/noNewPrivileges", &json!(true))
            })
            .options(|_| {
                json!({
                    "arguments": ["a"], "environment": {"A": "b"}, "hostname": "web",
                    "isolation": {"isolators": {"resource/pids": {"required": true, "value": {"limit": 64}}}, "level": "separated"},
                    "volumes": {"cache": {"empty": true}},
                })
            })
            .image(|image| {
                image.user(1000, 1001);
                image.app.user.supplementary_gids = vec![44];
                image.mount("cache", "/srv/cache", false, true);
                image.mount("data", "/srv/data", true, false);
                image.app.working_directory = "/srv/cache".to_owned();
                image.isolator("cornercast/no-new-privileges", true.into(), true);
                image.isolator("cornercast/user-mapping", json!("mapped"), false);
                image.isolator("example.com/seal", json!({"any": 1}), false);
                image.isolator("resource/memory", json!({"limit": 64 << 20}), true);
            }),
        ),
    ]
}

fn flip(bytes: &mut [u8], needle: &[u8]) {
    let at = bytes.windows(needle.len()).position(|window| window == needle);
    if let Some(byte) = at.and_then(|at| bytes.get_mut(at + 4)) {
        *byte ^= 1;
    }
}

fn of_manifest(change: fn(&mut cornercast::manifest::Manifest)) -> Scenario {
    let mut scenario = Scenario::refused("").image(move |image| image.change = Some(Box::new(change)));
    scenario.reason = None;
    scenario
}

fn unchanged(form: Form) -> Scenario {
    let judge = |evidence: &crate::run::evidence::Evidence| {
        evidence.all_succeed(&["write:/etc/os-release", "unlink:/srv/future", "chmod:/usr/bin"])?;
        ensure(evidence.image_is_same, "the files of the image have changed")?;
        Ok(Value::Null)
    };
    Scenario::new(judge).image(move |image| {
        image.form = form;
        image.act(&["write:/etc/os-release:changed", "unlink:/srv/future", "chmod:/usr/bin:0700"]);
    })
}

/// RUN-006 to RUN-011
pub(super) fn options() -> Vec<Entry> {
    let mut all = Vec::new();
    let raw = |bytes: &'static [u8]| Scenario::refused("RUN-006").raw_options(move |_| bytes.to_vec());
    for (name, why, bytes) in [
        ("no-json", "the options are no JSON", &b"instance: a"[..]),
        ("empty", "the options are a document of no bytes", b""),
        ("array", "the options are an array", b"[]"),
        ("unknown-member", "a member is misspelt, and not ignored", b"{\"hostName\":\"a\"}"),
        (
            "twice",
            "a member stands twice, of which readers take one or the other",
            b"{\"hostname\":\"a\",\"hostname\":\"b\"}",
        ),
        ("type", "a value has another type, which is not converted", b"{\"hostname\":1}"),
        ("null", "null is no value of a string", b"{\"hostname\":null}"),
        (
            "isolation",
            "a member of an isolator is misspelt, and not ignored",
            b"{\"isolation\":{\"isolators\":{\"resource/pids\":{\"requird\":false,\"value\":{\"limit\":64}}}}}",
        ),
        (
            "isolator-without-value",
            "an isolator has no value",
            b"{\"isolation\":{\"isolators\":{\"resource/pids\":{\"required\":false}}}}",
        ),
        ("level", "there is no such isolation level", b"{\"isolation\":{\"level\":\"tight\"}}"),
        (
            "isolator-without-host",
            "what stands before the slash is no name of a host",
            b"{\"isolation\":{\"isolators\":{\"Example/a\":{\"required\":false,\"value\":1}}}}",
        ),
        (
            "unknown-isolator",
            "the format itself has no such isolator",
            b"{\"isolation\":{\"isolators\":{\"resource/luck\":{\"required\":false,\"value\":1}}}}",
        ),
        ("surrogate", "half a pair of surrogates is no character", b"{\"hostname\":\"\\ud800\"}"),
        ("zero-in-an-argument", "an argument would end at its character U+0000", b"{\"arguments\":[\"a\\u0000b\"]}"),
        ("zero-in-a-variable", "a value would end at its character U+0000", b"{\"environment\":{\"A\":\"a\\u0000b\"}}"),
        ("other-letters", "the name of a variable is not ASCII", "{\"environment\":{\"GRÖSSE\":\"x\"}}".as_bytes()),
    ] {
        all.push(case(&format!("RUN-006/{name}"), why, raw(bytes)));
    }
    all.push(case(
        "RUN-006/too-long",
        "the options are one byte longer than 1 MiB",
        Scenario::refused("RUN-006").raw_options(|_| {
            let mut bytes = b"{}".to_vec();
            bytes.resize((1 << 20) + 1, b' ');
            bytes
        }),
    ));
    all.extend(volumes());
    all.push(case(
        "RUN-006/no-members",
        "no options are an empty object",
        Scenario::new(|evidence| evidence.member("/probe")).raw_options(|_| b"{}".to_vec()),
    ));
    all.push(case(
        "RUN-006/all-members",
        "every member but `exec` is there, the document as long as it can be, with white space",
        Scenario::new(|evidence| evidence.is("/hostname", &json!("a-1"))).raw_options(|place| {
            // As long as an id can be, and not that of another run at the same time.
            let id = Digest::of(place.text("").as_bytes()).hex().replacen(|_| true, "a", 1);
            let id = id.get(..63).unwrap_or_default();
            let mut bytes = serde_json::to_vec_pretty(&json!({
                "arguments": [], "environment": {}, "hostname": "a-1", "instance": id,
                "isolation": {"isolators": {}, "level": "separated"}, "volumes": {},
            }))
            .unwrap_or_default();
            bytes.resize(1 << 20, b' ');
            bytes
        }),
    ));
    for (name, id) in [
        ("parent", ".."),
        ("dot", "."),
        ("empty", ""),
        ("absolute", "/tmp"),
        ("slash", "a/../../b"),
        ("upper-case", "Web"),
        ("hyphen-first", "-web"),
        ("underscore", "web_1"),
        ("newline", "web\n"),
        ("other-letters", "wéb"),
    ] {
        all.push(case(
            &format!("RUN-007/{name}"),
            "the instance id is none, and would be a part of paths",
            Scenario::refused("RUN-007").options(move |_| json!({"instance": id})),
        ));
    }
    all.push(case(
        "RUN-007/64-characters",
        "the instance id is one character too long",
        Scenario::refused("RUN-007").options(|_| json!({"instance": "a".repeat(64)})),
    ));
    all.push(case(
        "RUN-007/none",
        "without an instance id, the engine makes one",
        Scenario::new(|evidence| {
            let id = evidence.report.instance.clone().unwrap_or_default();
            ensure(cornercast_engine::options::is_instance_id(&id), format!("the instance id is {id:?}"))?;
            same("CORNERCAST_INSTANCE", &true.into(), &has_variable(evidence, &format!("CORNERCAST_INSTANCE={id}"))?)?;
            Ok(Value::Null)
        })
        .raw_options(|_| b"{ }".to_vec())
        .without_id(),
    ));
    for (name, hostname) in [
        ("hyphen-last", "web-"),
        ("dot", "web.example"),
        ("empty", ""),
        ("upper-case", "WEB"),
        ("newline", "a\n127.0.0.1 b"),
    ] {
        all.push(case(
            &format!("RUN-008/{name}"),
            "the hostname is none, and would be a part of files",
            Scenario::refused("RUN-008").options(move |_| json!({"hostname": hostname})),
        ));
    }
    all.push(case(
        "RUN-008/64-characters",
        "the hostname is one character too long",
        Scenario::refused("RUN-008").options(|_| json!({"hostname": "a".repeat(64)})),
    ));
    all.extend(variables());
    all.push(case(
        "RUN-010/too-long",
        "an argument is one byte longer than Linux takes",
        Scenario::refused("RUN-010").options(|_| json!({"arguments": ["a".repeat(131_072)]})),
    ));
    all.push(case(
        "RUN-010/too-many",
        "there is one argument more than a manifest could have",
        Scenario::refused("RUN-010").options(|_| json!({"arguments": vec![""; 1025]})),
    ));
    all.push(case(
        "RUN-010/most",
        "there are as many arguments as a manifest could have",
        Scenario::new(|evidence| {
            let all = evidence.member("/arguments")?;
            same("arguments", &json!(1025), &json!(all.as_array().map(Vec::len)))
        })
        .options(|_| json!({"arguments": vec![""; 1024]})),
    ));
    all.push(case(
        "RUN-010/longest",
        "an argument is as long as Linux takes",
        Scenario::new(|evidence| {
            let length = evidence.member("/arguments/1")?.as_str().map(str::len);
            same("the length of the argument", &json!(131_071), &json!(length))
        })
        .options(|_| json!({"arguments": ["a".repeat(131_071)]})),
    ));
    all.push(case(
        "RUN-011/exec",
        "the program is replaced, and no policy allows it",
        Scenario::refused("RUN-011").options(|_| json!({"exec": ["/usr/lib/cornercast/act", "exit:0"]})),
    ));
    all
}

fn has_variable(evidence: &crate::run::evidence::Evidence, variable: &str) -> Result<Value, String> {
    let all = evidence.member("/environment")?;
    Ok(all.as_array().is_some_and(|all| all.contains(&variable.into())).into())
}

/// RUN-006: volumes of a mount that the image has; directories that are there, where that is not the fault
fn volumes() -> Vec<Entry> {
    let volume = |name: &str, why: &str, volume: fn(&str) -> Value| {
        let scenario = Scenario::refused("RUN-006")
            .host(|place| std::fs::create_dir(place.path("data")))
            .options(move |place| json!({"volumes": {"a": volume(&place.text("data"))}}))
            .image(|image| image.mount("a", "/srv/a", false, false));
        case(&format!("RUN-006/{name}"), why, scenario)
    };
    let last = "the last component of the source would not be what is mounted";
    vec![
        volume("volume", "a volume has both a source and `empty`", |data| json!({"empty": true, "source": data})),
        volume("volume-without-source", "a volume has neither a source nor `empty`", |_| json!({"readOnly": true})),
        volume(
            "volume-not-empty",
            "a volume is not empty, and nothing else is said of it",
            |_| json!({"empty": false}),
        ),
        volume(
            "volume-with-more",
            "a member of a volume is misspelt, and not ignored",
            |data| json!({"readonly": true, "source": data}),
        ),
        volume(
            "relative-source",
            "the source of a volume is relative to something unknown",
            |data| json!({"source": data.trim_start_matches('/')}),
        ),
        volume("source-with-slash-at-the-end", last, |data| json!({"source": format!("{data}/")})),
        volume("source-with-dot-at-the-end", last, |data| json!({"source": format!("{data}/.")})),
        volume("source-with-parent", last, |data| json!({"source": format!("{data}/../data")})),
        volume("source-with-two-slashes", last, |data| json!({"source": format!("/{data}")})),
    ]
}

/// RUN-009
fn variables() -> Vec<Entry> {
    let mut all = Vec::new();
    for (name, variable) in [
        ("equals", "A=B"),
        ("empty", ""),
        ("blank", "A B"),
        ("newline", "A\nB"),
        ("own", "CORNERCAST_IMAGE"),
        ("own-unknown", "CORNERCAST_X"),
    ] {
        all.push(case(
            &format!("RUN-009/{name}"),
            "a manifest could not have this variable",
            Scenario::refused("RUN-009").options(move |_| json!({"environment": {variable: "x"}})),
        ));
    }
    all.push(case(
        "RUN-009/too-long",
        "name and value are one byte longer than Linux takes",
        Scenario::refused("RUN-009").options(|_| json!({"environment": {"A": "a".repeat(131_070)}})),
    ));
    all.push(case(
        "RUN-009/256-bytes",
        "the name is one byte too long",
        Scenario::refused("RUN-009").options(|_| json!({"environment": {"A".repeat(256): "x"}})),
    ));
    all.push(case(
        "RUN-009/longest",
        "name and value are as long as Linux takes, and the value has a newline",
        Scenario::new(|evidence| {
            let variable = format!("A={}\n", "a".repeat(131_068));
            same("the variable is there", &true.into(), &has_variable(evidence, &variable)?)?;
            Ok(Value::Null)
        })
        .options(|_| json!({"environment": {"A": format!("{}\n", "a".repeat(131_068))}})),
    ));
    all
}
