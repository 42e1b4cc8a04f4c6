//! A folder with an image that has something in every list, and keys whose seeds are known.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use cornercast::trust::{PublicKey, SecretKey};
use tar::{Builder, EntryType, Header};
use tempfile::TempDir;

/// The time at which everything is made and signed: 2026-11-24T00:00:00Z.
const NOW: &str = "1795478400";

pub(crate) struct Site(TempDir);

const MANIFEST: &str = r#"name = "example.com/odd"
version = "1.2.3"
created = "2026-11-24T00:00:00Z"

[platform]
os = "linux"
architecture = "amd64"

[app]
exec = ["/bin/tool", "--serve"]
user = { uid = 0, gid = 0, supplementaryGids = [5, 6] }
ports = [{ name = "http", protocol = "tcp", port = 80 }]
mounts = [{ name = "data", path = "/srv/volume", required = true }]

[app.isolation.isolators]
"cornercast/capabilities" = { value = ["CAP_NET_RAW"] }
"resource/memory" = { value = { limit = 1000000 }, required = false }
"#;

/// `cap_net_raw=ep` and `cap_net_bind_service=p`, in revision 2.
const NET_RAW: &[u8] = b"\x01\0\0\x02\0\x20\0\0\0\0\0\0\0\0\0\0\0\0\0\0";
const BIND: &[u8] = b"\0\0\0\x02\0\x04\0\0\0\0\0\0\0\0\0\0\0\0\0\0";

/// What hostile names look like: markup, text that runs backwards, an invisible character.
pub(crate) const HOSTILE: &str = "srv/<script>alert('1')&\"\u{202E}gnp.\u{200B}sh";

impl Site {
    /// The image `odd`, a store of its own, which nobody has signed.
    pub(crate) fn new() -> Self {
        let here = Self(TempDir::new().unwrap());
        fs::write(here.path("tree.tar"), tree()).unwrap();
        fs::write(here.path("odd.toml"), MANIFEST).unwrap();
        here.succeed(&["pack", "tree.tar", "--manifest", "odd.toml", "-o", "odd"]);
        here
    }

    /// The same with a release, a keyring and a catalog.
    pub(crate) fn signed() -> Self {
        let here = Self::new();
        for (name, seed) in [("root", 1), ("release", 2), ("catalog", 3), ("mallory", 4)] {
            here.secret(name, seed);
        }
        here.succeed(&["sign", "odd", "--key", "release.key"]);
        let [root, release, catalog] = [1, 2, 3].map(|seed| public(seed).to_string());
        let keyring = ["keyring", "init", "example.com", "--root", &root, "--release", &release, "--catalog", &catalog];
        fs::write(here.path("keyring.json"), here.succeed(&keyring)).unwrap();
        here.succeed(&["sign", "keyring.json", "--key", "root.key", "--store", "odd"]);
        let catalog = ["catalog", "odd", "example.com/odd", "--days", "30", "--channel", "stable=1.2.3"];
        fs::write(here.path("catalog.json"), here.succeed(&catalog)).unwrap();
        here.succeed(&["sign", "catalog.json", "--key", "catalog.key", "--store", "odd"]);
        here
    }

    pub(crate) fn secret(&self, name: &str, seed: u8) {
        self.private(&format!("{name}.key"), &SecretKey::from_seed(&[seed; 32]).to_file());
    }

    /// Writes a file that only its owner can read.
    pub(crate) fn private(&self, name: &str, content: &str) {
        fs::write(self.path(name), content).unwrap();
        fs::set_permissions(self.path(name), fs::Permissions::from_mode(0o600)).unwrap();
    }

    pub(crate) fn path(&self, path: &str) -> PathBuf {
        self.0.path().join(path)
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_cornercast"));
        command.args(arguments).current_dir(self.0.path()).env("SOURCE_DATE_EPOCH", NOW).stdin(Stdio::null());
        command.output().unwrap()
    }

    pub(crate) fn succeed(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        assert!(output.status.success(), "{arguments:?}: {output:?}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// The audit of `odd`, held against the schema.
    pub(crate) fn audit(&self, arguments: &[&str]) -> serde_json::Value {
        let text = self.succeed(&[&["audit", "odd", "--json"], arguments].concat());
        let schema = serde_json::from_str(&cornercast::schema::schema("audit").unwrap()).unwrap();
        let value: serde_json::Value = serde_json::from_str(&text).unwrap();
        let validator = jsonschema::validator_for(&schema).unwrap();
        let errors: Vec<String> = validator.iter_errors(&value).map(|error| error.to_string()).collect();
        assert!(errors.is_empty(), "{text}\n{errors:?}");
        value
    }
}

pub(crate) fn public(seed: u8) -> PublicKey {
    SecretKey::from_seed(&[seed; 32]).public()
}

/// An archive of a tree that no unprivileged user could make on a disk.
fn tree() -> Vec<u8> {
    let mut out = Builder::new(Vec::new());
    let mut put = |kind, path: &str, mode, target: &str, xattrs: &[(&str, &[u8])]| {
        let records: Vec<(String, &[u8])> =
            xattrs.iter().map(|(name, value)| (format!("SCHILY.xattr.{name}"), *value)).collect();
        out.append_pax_extensions(records.iter().map(|(name, value)| (name.as_str(), *value))).unwrap();
        let content: &[u8] = if kind == EntryType::Regular { b"#!/bin/sh\n" } else { b"" };
        let mut header = Header::new_gnu();
        header.set_entry_type(kind);
        header.set_mode(mode);
        header.set_mtime(0);
        header.set_uid(0);
        header.set_gid(if mode & 0o2000 == 0 { 0 } else { 42 });
        header.set_size(content.len() as u64);
        match kind {
            EntryType::Symlink | EntryType::Link => out.append_link(&mut header, path, target).unwrap(),
            _ => out.append_data(&mut header, path, content).unwrap(),
        }
    };
    let (dir, file, link, hard) = (EntryType::Directory, EntryType::Regular, EntryType::Symlink, EntryType::Link);
    for path in ["bin", "etc", "root", "root/.ssh", "srv", "srv/volume", "var"] {
        put(dir, path, 0o755, "", &[]);
    }
    put(file, "bin/tool", 0o755, "", &[("security.capability", BIND)]);
    put(file, "bin/ping", 0o755, "", &[("security.capability", NET_RAW), ("user.note", b"a=b")]);
    put(file, "bin/su", 0o4755, "", &[]);
    put(hard, "bin/su-again", 0o4755, "bin/su", &[]);
    put(file, "bin/wall", 0o2755, "", &[]);
    put(file, "etc/shadow", 0o640, "", &[]);
    put(file, "root/.ssh/id_ed25519", 0o600, "", &[]);
    put(file, "root/.ssh/id_ed25519.pub", 0o644, "", &[]);
    put(file, "etc/open", 0o666, "", &[]);
    put(dir, "tmp", 0o1777, "", &[]);
    put(dir, "var/drop", 0o777, "", &[]);
    put(dir, "var/mail", 0o2775, "", &[]);
    put(file, HOSTILE, 0o4777, "", &[]);
    put(link, "bin/good", 0o777, "/bin/tool", &[]);
    put(link, "bin/relative", 0o777, "../etc/../bin/good", &[]);
    put(link, "etc/above", 0o777, "../../etc/open", &[]);
    put(link, "etc/above-nothing", 0o777, "../../../home", &[]);
    put(link, "etc/dangling", 0o777, "nothing", &[]);
    put(link, "etc/through-a-file", 0o777, "open/further", &[]);
    put(link, "etc/loop", 0o777, "pool", &[]);
    put(link, "etc/pool", 0o777, "/etc/loop", &[]);
    put(link, "etc/mtab", 0o777, "../proc/self/mounts", &[]);
    put(link, "etc/<b>", 0o777, "</td>\u{202E}", &[]);
    out.into_inner().unwrap()
}
