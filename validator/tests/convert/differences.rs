//! What real tools do differently, by the lines of the project's list of such differences: the parts about layers and
//! about configs. Each says what an import makes of it, or why it is no matter of an import.

use serde_json::{Value, json};

use super::layout::{Tar, import, write};
use super::workplace::Workplace;

/// What comes of a difference.
enum Expect {
    /// These stand in the listing of the rootfs or in the manifest.
    Has(&'static [&'static str]),
    /// These do not.
    HasNot(&'static [&'static str]),
    /// It is imported, and a change with this clause is named.
    Says(&'static str),
    /// It is refused, with this in the message.
    Refused(&'static str),
    /// It is no matter of an import, for this reason.
    Elsewhere(&'static str),
}

use Expect::{Elsewhere, Has, HasNot, Refused, Says};

/// A line of the list, layers, a config, and what comes of them.
type Row = (u32, &'static str, Vec<Vec<u8>>, Value, Expect);

fn layers(line: u32, what: &'static str, layers: &[Tar], expect: Expect) -> Row {
    let layers = layers.iter().map(|layer| layer.clone().end()).collect();
    (line, what, layers, json!({}), expect)
}

fn config(line: u32, what: &'static str, config: Value, expect: Expect) -> Row {
    let passwd = b"root:x:0:0::/root:/bin/sh\nweb:x:33:33::/srv/web:/bin/sh\n";
    let layer = new()
        .dir("bin/")
        .program("bin/serve")
        .dir("etc/")
        .file("etc/passwd", passwd)
        .file("etc/group", b"media:x:70:web\n");
    let mut all = json!({"Entrypoint": ["/bin/serve"]});
    all.as_object_mut().unwrap().extend(config.as_object().unwrap().clone());
    (line, what, vec![layer.end()], all, expect)
}

fn none(line: u32, reason: &'static str) -> Row {
    (line, "", Vec::new(), json!({}), Elsewhere(reason))
}

fn new() -> Tar {
    Tar::default()
}

fn rows() -> Vec<Row> {
    let base = || new().dir("d/").file("d/f", b"f\n").file("g", b"g\n");
    vec![
        layers(1, "a bare whiteout", &[base(), new().file(".wh.", b"")], Refused("OCI-077")),
        layers(
            2,
            "an opaque whiteout after what its layer has in the directory",
            &[base(), new().dir("d/").file("d/new", b"").file("d/.wh..wh..opq", b"")],
            Has(&["\"path\":\"d\"", "\"path\":\"d/new\""]),
        ),
        layers(
            2,
            "it hides what is below",
            &[base(), new().dir("d/").file("d/new", b"").file("d/.wh..wh..opq", b"")],
            HasNot(&["\"path\":\"d/f\""]),
        ),
        layers(
            3,
            "a file whose name begins like a whiteout hides",
            &[base(), new().file(".wh.g", b"x")],
            HasNot(&["\"path\":\"g\""]),
        ),
        layers(4, "a special whiteout", &[base(), new().file(".wh..wh.plnk", b"")], Says("OCI-139")),
        layers(5, "a parent that no layer describes", &[new().file("x/y", b"")], Says("OCI-136")),
        layers(
            5,
            "a parent that the layer below describes",
            &[base(), new().file("d/y", b"")],
            Has(&["\"path\":\"d/y\""]),
        ),
        layers(
            5,
            "a hard link whose parent no layer describes",
            &[new().file("a", b"").hardlink("x/y", "a")],
            Says("OCI-136"),
        ),
        layers(6, "a hard link to a lower layer", &[base(), new().hardlink("h", "g")], Says("OCI-138")),
        layers(6, "it is a file of its own", &[base(), new().hardlink("h", "g")], HasNot(&["\"type\":\"hardlink\""])),
        layers(
            6,
            "a hard link whose file goes",
            &[new().file("a", b"a\n").hardlink("b", "a"), new().file(".wh.a", b"")],
            Has(&["\"path\":\"b\",\"sha256\""]),
        ),
        layers(
            6,
            "a hard link to what the layer removes",
            &[base(), new().file(".wh.g", b"").hardlink("h", "g")],
            Has(&["\"path\":\"h\",\"sha256\""]),
        ),
        layers(7, "a hard link to a symbolic link", &[new().symlink("s", "g").hardlink("t", "s")], Says("OCI-138")),
        layers(
            7,
            "it is a symbolic link",
            &[new().symlink("s", "g").hardlink("t", "s")],
            Has(&["\"path\":\"t\",\"target\":\"g\",\"type\":\"symlink\""]),
        ),
        layers(
            8,
            "a symbolic link in the place of one of the same time and length",
            &[new().symlink("s", "a"), new().symlink("s", "b")],
            Has(&["\"target\":\"b\""]),
        ),
        layers(
            9,
            "a link in the place of a directory",
            &[base(), new().symlink("d", "e")],
            HasNot(&["\"path\":\"d/f\""]),
        ),
        layers(
            9,
            "a directory in the place of a link",
            &[new().symlink("d", "e"), new().dir("d/").file("d/f", b"")],
            Has(&["\"path\":\"d/f\""]),
        ),
        layers(10, "a path that stands twice", &[new().file("a", b"1").file("a", b"2")], Refused("OCI-070")),
        layers(
            11,
            "the root has attributes",
            &[new().entry(b'5', "./", "", 0o700, b"").file("a", b"")],
            Says("OCI-140"),
        ),
        layers(
            12,
            "an extended attribute by bsdtar's record",
            &[new().pax(&[("LIBARCHIVE.xattr.user.x", "eA==")]).file("a", b"")],
            Says("OCI-141"),
        ),
        layers(
            12,
            "an extended attribute of users",
            &[new().pax(&[("SCHILY.xattr.user.x", "x")]).file("a", b"")],
            Has(&["\"user.x\":\"eA==\""]),
        ),
        layers(
            13,
            "an empty attribute of an overlay",
            &[new().pax(&[("SCHILY.xattr.user.overlay.origin", "")]).file("a", b"")],
            Says("OCI-141"),
        ),
        layers(
            14,
            "a sparse file by its records",
            &[new().pax(&[("GNU.sparse.major", "1")]).file("a", b"")],
            Refused("sparse"),
        ),
        layers(14, "a sparse file of old GNU tar", &[new().entry(b'S', "a", "", 0o644, b"")], Refused("sparse")),
        layers(
            15,
            "a directory that is a file with a slash",
            &[new().dir("d/").set(156, b"0")],
            Has(&["\"path\":\"d\",\"type\":\"dir\""]),
        ),
        layers(
            15,
            "a prefix beside a record of the path",
            &[new().pax(&[("path", "right")]).file("wrong", b"").set(345, b"prefix")],
            HasNot(&["prefix", "wrong"]),
        ),
        (
            16,
            "zero bytes after the end",
            vec![[base().end(), vec![0; 4096]].concat()],
            json!({}),
            Has(&["\"path\":\"g\""]),
        ),
        (
            16,
            "something else after the end",
            vec![[base().end(), b"garbage".to_vec()].concat()],
            json!({}),
            Has(&["\"path\":\"g\""]),
        ),
        (17, "an archive that is cut off", vec![base().end()[..700].to_vec()], json!({}), Refused("OCI-055")),
        none(
            18,
            "a media type that is not that of the bytes breaks OCI-042: the cases of OCI-130 stand for all such errors",
        ),
        layers(
            19,
            "names that differ in case",
            &[new().file("PAM.7.gz", b"").file("pam.7.gz", b"")],
            Has(&["\"path\":\"PAM.7.gz\"", "\"path\":\"pam.7.gz\""]),
        ),
        layers(
            20,
            "files that a builder emptied",
            &[new().dir("etc/").file("etc/hosts", b"")],
            Has(&["\"path\":\"etc/hosts\""]),
        ),
        config(21, "a user whose name is a number", json!({"User": "33"}), Has(&["\"uid\":33"])),
        config(21, "a number that overflows", json!({"User": "4294967296"}), Refused("no id")),
        config(22, "a group that is not listed", json!({"User": "33:999"}), Has(&["\"gid\":999"])),
        (
            22,
            "there is no passwd",
            vec![new().dir("bin/").program("bin/serve").end()],
            json!({"Entrypoint": ["/bin/serve"], "User": "1000:1000"}),
            Has(&["\"gid\":1000,\"uid\":1000"]),
        ),
        config(23, "supplementary groups", json!({"User": "web"}), Has(&["\"supplementaryGids\":[70]"])),
        config(24, "HOME of the user", json!({"User": "web"}), Has(&["\"HOME\":\"/srv/web\""])),
        config(25, "a directory that is missing", json!({"WorkingDir": "/srv/www"}), Says("OCI-148")),
        config(
            26,
            "an empty Entrypoint",
            json!({"Entrypoint": [""], "Cmd": ["serve"]}),
            Has(&["\"exec\":[\"/bin/serve\"]"]),
        ),
        config(
            26,
            "an Entrypoint that is null",
            json!({"Entrypoint": null, "Cmd": ["serve"]}),
            Has(&["\"exec\":[\"/bin/serve\"]"]),
        ),
        config(
            26,
            "an Entrypoint of nothing",
            json!({"Entrypoint": [], "Cmd": ["serve"]}),
            Has(&["\"exec\":[\"/bin/serve\"]"]),
        ),
        config(27, "a variable that stands twice", json!({"Env": ["A=1", "A=2"]}), Says("OCI-147")),
        config(27, "the last counts", json!({"Env": ["A=1", "A=2"]}), Has(&["\"A\":\"2\""])),
        config(28, "a real-time signal without SIG", json!({"StopSignal": "RTMIN+3"}), Has(&["SIGRTMIN+3"])),
        config(28, "a real-time signal by number", json!({"StopSignal": "37"}), Has(&["SIGRTMIN+3"])),
        config(
            29,
            "a volume",
            json!({"Volumes": {"/srv/data": {}}}),
            Has(&["\"name\":\"volume-1\",\"path\":\"/srv/data\""]),
        ),
        config(30, "a label", json!({"Labels": {"org.example.a": "b"}}), Has(&["\"org.example.a\":\"b\""])),
        config(31, "members that are null", json!({"Env": null, "Labels": null, "Volumes": null}), Has(&["\"exec\""])),
        none(31, "a member whose name differs by case is OCI-012, a warning of the check; serde reads the exact name"),
    ]
}

#[test]
fn each_line_has_its_verdict() {
    let rows = rows();
    for line in 1..=31 {
        assert!(rows.iter().any(|(of, ..)| *of == line), "line {line} has no row");
    }
    let mut wrong = Vec::new();
    for (line, what, layers, config, expect) in rows {
        if let Elsewhere(reason) = expect {
            assert!(!reason.is_empty());
            continue;
        }
        let here = Workplace::new();
        write(&here, "layout", &layers, &config);
        let arguments =
            ["convert", "layout", "image", "--to", "cornercast", "--name", "example.com/a", "--version", "1.0.0"];
        let output = here.run(&arguments);
        let errors = String::from_utf8(output.stderr).unwrap();
        let is_right = match (&expect, output.status.success()) {
            (Refused(why), false) => errors.contains(why) && !here.path("image").exists(),
            (Says(clause), true) => errors.contains(&format!("note[{clause}]")),
            (Has(parts) | HasNot(parts), true) => {
                let image = std::fs::read_dir(here.path("image/images/sha256")).unwrap().next().unwrap().unwrap();
                let manifest = std::fs::read_to_string(image.path()).unwrap();
                let text = format!("{manifest}\n{}", here.succeed(&["listing", "image"]));
                parts.iter().all(|part| text.contains(part) == matches!(expect, Has(_)))
            }
            _ => false,
        };
        if is_right && output.status.success() {
            here.succeed(&["check", "image"]);
        } else if !is_right {
            wrong.push(format!("line {line}, {what}: {}\n{errors}", output.status));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The same layers by `import`, which prints the image id alone.
#[test]
fn the_image_id_stands_alone() {
    let here = Workplace::new();
    write(&here, "layout", &[new().file("a", b"a\n").end()], &json!({}));
    let id = import(&here, "layout", "image").unwrap();
    assert!(id.starts_with("sha256:") && id.len() == 72 && id.ends_with('\n'), "{id}");
}
