//! `cornercast init`

use std::fs;
use std::os::unix::fs::symlink;

use cornercast::digest::Digest;
use serde_json::{Value, json};

use super::workplace::{PROGRAM, Workplace};

#[test]
fn a_tree_with_one_program() {
    let here = Workplace::new();
    here.bytes("tree/usr/local/bin/serve", 0o755, PROGRAM);
    here.bytes("tree/usr/bin/tool", 0o755, PROGRAM);
    insta::assert_snapshot!("init_tree", here.transcript(&["init", "tree"]));
    here.succeed(&["init", "tree", "-o", "image.toml"]);
    here.succeed(&["pack", "tree", "--manifest", "image.toml", "-o", "image.ccast"]);
    here.succeed(&["check", "image.ccast"]);
}

/// What cannot be determined is a comment; the result can be packed all the same.
#[test]
fn a_tree_with_several_programs() {
    let here = Workplace::new();
    for index in 0..12 {
        here.bytes(&format!("tree/usr/bin/tool-{index:02}"), 0o755, PROGRAM);
    }
    symlink("tool-00", here.path("tree/usr/bin/tool")).unwrap();
    insta::assert_snapshot!("init_several", here.transcript(&["init", "tree"]));
    here.succeed(&["init", "tree", "-o", "image.toml"]);
    here.succeed(&["pack", "tree", "--manifest", "image.toml", "-o", "image.ccast"]);
    let uncommented: String = fs::read_to_string(here.path("image.toml"))
        .unwrap()
        .lines()
        .map(|line| format!("{}\n", line.strip_prefix('#').filter(|rest| !rest.starts_with(' ')).unwrap_or(line)))
        .collect();
    here.file("app.toml", 0o644, &uncommented.replace("/path/of/the/program", "/usr/bin/tool"));
    here.succeed(&["pack", "tree", "--manifest", "app.toml", "-o", "app.ccast"]);
    assert!(here.succeed(&["inspect", "app.ccast"]).contains("[\"/usr/bin/tool\"]"));
}

#[test]
fn options_and_outputs() {
    let here = Workplace::new();
    here.file("script/app/run", 0o700, "#!/bin/sh\n");
    let arguments = ["init", "script", "--name", "example.org/a", "--version", "2.0.0", "--platform", "linux/arm/v6"];
    let text = here.succeed(&arguments);
    for line in ["name = \"example.org/a\"", "version = \"2.0.0\"", "variant = \"v6\"", "exec = [\"/app/run\"]"] {
        assert!(text.lines().any(|other| other == line), "{line}: {text}");
    }
    here.succeed(&["init", "script", "-o", "image.toml"]);
    here.file("image.toml", 0o644, "mine");
    insta::assert_snapshot!(
        "init_errors",
        [
            here.transcript(&["init", "script", "-o", "image.toml"]),
            here.transcript(&["init", "missing"]),
            here.transcript(&["init", "script:latest"]),
            here.transcript(&["init", "script", "--platform", "linux"]),
            here.transcript(&["init", "script", "--force"]),
        ]
        .join("\n")
    );
    assert_eq!(fs::read_to_string(here.path("image.toml")).unwrap(), "mine");
    here.succeed(&["init", "script", "-o", "image.toml", "--force"]);
    assert_ne!(fs::read_to_string(here.path("image.toml")).unwrap(), "mine");
    assert_eq!(here.succeed(&["init"]), here.succeed(&["init"]));
}

/// An OCI image layout in the folder `layout`, made by hand.
struct Layout<'a>(&'a Workplace);

impl Layout<'_> {
    fn blob(&self, media_type: &str, bytes: &[u8]) -> Value {
        let digest = Digest::of(bytes);
        self.0.bytes(&format!("layout/blobs/sha256/{}", digest.hex()), 0o644, bytes);
        json!({"mediaType": media_type, "digest": digest.to_string(), "size": bytes.len()})
    }

    fn json(&self, media_type: &str, value: &Value) -> Value {
        self.blob(media_type, value.to_string().as_bytes())
    }

    /// The descriptor of an image's manifest.
    fn image(&self, config: &Value, layers: &[&str]) -> Value {
        let layers: Vec<Value> = layers
            .iter()
            .map(|tar| self.blob("application/vnd.oci.image.layer.v1.tar", &fs::read(self.0.path(tar)).unwrap()))
            .collect();
        let config = self.json("application/vnd.oci.image.config.v1+json", config);
        let manifest = json!({"schemaVersion": 2, "config": config, "layers": layers, "annotations": {"com.example.built-by": "hand"}});
        self.json("application/vnd.oci.image.manifest.v1+json", &manifest)
    }

    fn index(&self, manifests: &[Value]) {
        self.0.file("layout/oci-layout", 0o644, "{\"imageLayoutVersion\":\"1.0.0\"}");
        self.0.file("layout/index.json", 0o644, &json!({"schemaVersion": 2, "manifests": manifests}).to_string());
    }
}

fn with(mut value: Value, member: &str, content: Value) -> Value {
    value[member] = content;
    value
}

/// The tars `lower.tar` and `upper.tar`, layers of an image.
fn layers(here: &Workplace) {
    here.bytes("lower/usr/bin/serve", 0o755, PROGRAM);
    here.file("lower/etc/passwd", 0o644, "root:x:0:0:root:/root:/bin/sh\nweb:x:33:44:Web:/srv/web:/bin/false\n");
    here.file("lower/etc/group", 0o644, "root:x:0:\nweb:x:44:\nmedia:x:70:other,web\naudio:x:60:web\n");
    here.file("upper/srv/web/index.html", 0o644, "hello\n");
    here.file("upper/srv/data/.keep", 0o644, "");
    for layer in ["lower", "upper"] {
        let archive = format!("{layer}.tar");
        let arguments = [
            "--sort=name",
            "--mtime=@0",
            "--owner=0",
            "--group=0",
            "--numeric-owner",
            "-cf",
            &archive,
            "-C",
            layer,
            ".",
        ];
        let done = std::process::Command::new("tar").args(arguments).current_dir(here.path("")).status().unwrap();
        assert!(done.success());
    }
}

fn config() -> Value {
    json!({
        "created": "2026-11-24T01:02:03.456789Z",
        "architecture": "amd64", "os": "linux", "variant": "v1",
        "config": {
            "User": "web",
            "ExposedPorts": {"8080": {}, "53/udp": {}, "9/sctp": {}},
            "Env": ["PATH=/bin:/usr/bin", "MOTTO=a \"b\"\n\u{202e}", "CORNERCAST_X=1"],
            "Entrypoint": ["serve", "--root"],
            "Cmd": ["/srv/web"],
            "Volumes": {"/srv/data": {}, "/srv/data/below": {}, "/proc": {}, "/srv/later/": {}},
            "WorkingDir": "/srv/web/",
            "Labels": {"org.opencontainers.image.version": "3.1.0", "maintainer": "someone"},
            "StopSignal": "3",
            "Healthcheck": {"Test": ["NONE"]},
            "OnBuild": null
        },
        "rootfs": {"type": "layers", "diff_ids": []}
    })
}

#[test]
fn an_oci_layout() {
    let here = Workplace::new();
    layers(&here);
    let layout = Layout(&here);
    let image = layout.image(&config(), &["lower.tar", "upper.tar"]);
    layout.index(&[with(image, "annotations", json!({"org.opencontainers.image.ref.name": "latest"}))]);
    insta::assert_snapshot!("init_oci", here.transcript(&["init", "layout"]));
    here.succeed(&["init", "layout:latest", "-o", "image.toml"]);
    here.succeed(&["pack", "lower.tar", "--layer", "upper.tar", "--manifest", "image.toml", "-o", "image.ccast"]);
    here.succeed(&["check", "image.ccast"]);
    // The same in a tar archive.
    let tar = ["-C", "layout", "-cf", "layout.tar", "."];
    assert!(std::process::Command::new("tar").args(tar).current_dir(here.path("")).status().unwrap().success());
    let from_tar = here.succeed(&["init", "layout.tar"]).replace("layout.tar", "layout");
    assert_eq!(from_tar, here.succeed(&["init", "layout"]));
}

/// One of several images is chosen by its tag or platform; attestations, and what is not there, do not count.
#[test]
fn one_of_several_images() {
    let here = Workplace::new();
    layers(&here);
    let layout = Layout(&here);
    let of = |architecture: &str| {
        let image = layout.image(&with(config(), "architecture", architecture.into()), &["lower.tar", "upper.tar"]);
        with(image, "platform", json!({"os": "linux", "architecture": architecture}))
    };
    let absent = json!({
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "digest": Digest::of(b"absent").to_string(), "size": 6,
        "platform": {"os": "linux", "architecture": "s390x"}
    });
    let attestation = with(of("unknown"), "platform", json!({"os": "unknown", "architecture": "unknown"}));
    let inner = json!({"schemaVersion": 2, "manifests": [of("amd64"), of("arm64"), absent, attestation]});
    let inner = layout.json("application/vnd.oci.image.index.v1+json", &inner);
    let other =
        with(of("riscv64"), "annotations", json!({"org.opencontainers.image.ref.name": "example.com/app:2.0.0"}));
    layout.index(&[with(inner, "annotations", json!({"org.opencontainers.image.ref.name": "many"})), other]);
    let architecture = |arguments: &[&str]| {
        let text = here.succeed(&[&["init"], arguments].concat());
        text.lines().find(|line| line.starts_with("architecture")).unwrap().to_owned()
    };
    assert_eq!(architecture(&["layout", "--platform", "linux/arm64/v8"]), "architecture = \"arm64\"");
    assert_eq!(architecture(&["layout:many", "--platform", "linux/amd64"]), "architecture = \"amd64\"");
    assert_eq!(architecture(&["layout:2.0.0"]), "architecture = \"riscv64\"");
    insta::assert_snapshot!(
        "init_several_images",
        [
            here.transcript(&["init", "layout"]),
            here.transcript(&["init", "layout:many"]),
            here.transcript(&["init", "layout:2.0.0", "--platform", "linux/amd64"]),
        ]
        .join("\n")
    );
}

/// Nothing is taken from a blob that is not the one that was named.
#[test]
fn blobs_are_verified() {
    let here = Workplace::new();
    layers(&here);
    let layout = Layout(&here);
    let image = layout.image(&config(), &["lower.tar", "upper.tar"]);
    layout.index(&[image]);
    let blobs = here.path("layout/blobs/sha256");
    let mut said = std::collections::BTreeSet::new();
    for blob in super::workplace::names(&blobs) {
        let path = blobs.join(&blob);
        let bytes = fs::read(&path).unwrap();
        let mut other = bytes.clone();
        *other.last_mut().unwrap() ^= 1;
        for (wrong, why) in [(other, "is damaged"), ([&bytes[..], b" "].concat(), "and its descriptor says")] {
            fs::write(&path, wrong).unwrap();
            let output = here.run(&["init", "layout"]);
            assert_eq!(output.status.code(), Some(1), "{blob}: {output:?}");
            let message = String::from_utf8(output.stderr).unwrap();
            assert!(message.contains(&blob) && message.contains(why), "{blob}: {message}");
            said.insert(why);
        }
        fs::write(&path, bytes).unwrap();
    }
    assert_eq!(said.len(), 2);
    here.succeed(&["init", "layout"]);
}

/// What `docker save` writes, in its older form: no layout, and layers named by their digests in the config.
#[test]
fn a_saved_image() {
    let here = Workplace::new();
    layers(&here);
    let ids: Vec<String> = ["lower.tar", "upper.tar"]
        .iter()
        .map(|tar| Digest::of(&fs::read(here.path(tar)).unwrap()).to_string())
        .collect();
    let config = with(config(), "rootfs", json!({"type": "layers", "diff_ids": ids})).to_string();
    let name = format!("{}.json", Digest::of(config.as_bytes()).hex());
    here.file(&format!("saved/{name}"), 0o644, &config);
    for (index, tar) in ["lower.tar", "upper.tar"].iter().enumerate() {
        here.bytes(&format!("saved/{index}/layer.tar"), 0o644, &fs::read(here.path(tar)).unwrap());
    }
    let manifest = json!([{"Config": name, "RepoTags": ["registry.example.com/team/app:3"], "Layers": ["0/layer.tar", "1/layer.tar"]}]);
    here.file("saved/manifest.json", 0o644, &manifest.to_string());
    let tar = ["-C", "saved", "-cf", "saved.tar", "manifest.json", &name, "0", "1"];
    assert!(std::process::Command::new("tar").args(tar).current_dir(here.path("")).status().unwrap().success());
    let text = here.succeed(&["init", "saved.tar"]);
    assert!(
        text.contains("name = \"registry.example.com/team/app\"\n") && text.contains("version = \"3.1.0\"\n"),
        "{text}"
    );
    let layout = here.succeed(&["init", "saved.tar:3"]);
    assert_eq!(layout.replace("saved.tar:3", "saved.tar"), text);
    here.bytes("saved/1/layer.tar", 0o644, &fs::read(here.path("lower.tar")).unwrap());
    let output = here.run(&["init", "saved"]);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
}
