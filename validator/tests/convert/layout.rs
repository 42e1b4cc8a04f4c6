//! Image layouts that are made by hand.

use std::fs;
use std::path::Path;

use cornercast::digest::Digest;
use cornercast::tar::{END, EntryHeader, header_bytes, padding};
use serde_json::{Value, json};

use super::workplace::{PROGRAM, Workplace};

/// A tar archive that is being put together.
#[derive(Debug, Clone, Default)]
pub(crate) struct Tar(Vec<u8>);

impl Tar {
    pub(crate) fn entry(mut self, typeflag: u8, path: &str, target: &str, mode: u32, data: &[u8]) -> Self {
        let size = data.len() as u64;
        self.0.extend(header_bytes(&EntryHeader { typeflag, path, target, mode, size, ..EntryHeader::default() }));
        self.0.extend(data);
        self.0.extend(vec![0; padding(size)]);
        self
    }

    pub(crate) fn dir(self, path: &str) -> Self {
        self.entry(b'5', path, "", 0o755, b"")
    }

    pub(crate) fn file(self, path: &str, data: &[u8]) -> Self {
        self.entry(b'0', path, "", 0o644, data)
    }

    pub(crate) fn program(self, path: &str) -> Self {
        self.entry(b'0', path, "", 0o755, PROGRAM)
    }

    pub(crate) fn symlink(self, path: &str, target: &str) -> Self {
        self.entry(b'2', path, target, 0o777, b"")
    }

    pub(crate) fn hardlink(self, path: &str, target: &str) -> Self {
        self.entry(b'1', path, target, 0o644, b"")
    }

    /// A PAX header with these records.
    pub(crate) fn pax(self, records: &[(&str, &str)]) -> Self {
        let record = |(key, value): &(&str, &str)| {
            let rest = key.len() + value.len() + 3;
            let digits = (1..).find(|digits| (rest + digits).to_string().len() == *digits).unwrap();
            format!("{} {key}={value}\n", rest + digits)
        };
        let body: String = records.iter().map(record).collect();
        self.entry(b'x', "PaxHeader", "", 0o644, body.as_bytes())
    }

    /// Other bytes in the header of the entry without data that was written last, with the right checksum.
    pub(crate) fn set(mut self, offset: usize, bytes: &[u8]) -> Self {
        let start = self.0.len() - 512;
        self.0[start + offset..start + offset + bytes.len()].copy_from_slice(bytes);
        self.0[start + 148..start + 156].copy_from_slice(b"        ");
        let sum: u32 = self.0[start..].iter().map(|byte| u32::from(*byte)).sum();
        self.0[start + 148..start + 156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        self
    }

    pub(crate) fn end(mut self) -> Vec<u8> {
        self.0.extend(END);
        self.0
    }
}

/// Writes a layout with one image of these plain layers.
pub(crate) fn write(here: &Workplace, folder: &str, layers: &[Vec<u8>], config: &Value) {
    let media = |kind: &str| format!("application/vnd.oci.image.{kind}");
    let blob = |kind: String, bytes: &[u8]| {
        let digest = Digest::of(bytes);
        here.bytes(&format!("{folder}/blobs/sha256/{}", digest.hex()), 0o644, bytes);
        json!({"mediaType": kind, "digest": digest.to_string(), "size": bytes.len()})
    };
    let diff_ids: Vec<String> = layers.iter().map(|layer| Digest::of(layer).to_string()).collect();
    let config = json!({
        "architecture": "amd64",
        "os": "linux",
        "config": config,
        "rootfs": {"type": "layers", "diff_ids": diff_ids}
    });
    let manifest = json!({
        "schemaVersion": 2,
        "config": blob(media("config.v1+json"), config.to_string().as_bytes()),
        "layers": layers.iter().map(|layer| blob(media("layer.v1.tar"), layer)).collect::<Vec<_>>()
    });
    let manifest = blob(media("manifest.v1+json"), manifest.to_string().as_bytes());
    here.file(&format!("{folder}/oci-layout"), 0o644, "{\"imageLayoutVersion\":\"1.0.0\"}");
    let index = json!({"schemaVersion": 2, "manifests": [manifest]});
    here.file(&format!("{folder}/index.json"), 0o644, &index.to_string());
}

/// The files below a folder, with their contents, in order.
pub(crate) fn files(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let mut out = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let name = path.strip_prefix(folder).unwrap().to_string_lossy().into_owned();
                out.push((name, fs::read(&path).unwrap()));
            }
        }
    }
    out.sort();
    out
}

/// The options of an import.
pub(crate) const CALLED: [&str; 6] = ["--to", "cornercast", "--name", "example.com/app", "--version", "1.0.0"];

/// Imports `input` to `output`: the image id, or why not.
pub(crate) fn import(here: &Workplace, input: &str, output: &str) -> Result<String, String> {
    let arguments = [&["convert", input, output][..], &CALLED].concat();
    let result = here.run(&arguments);
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    match result.status.code() {
        Some(0) => Ok(text(result.stdout)),
        Some(1) => Err(text(result.stderr)),
        other => panic!("{arguments:?} ended with {other:?}: {}", text(result.stderr)),
    }
}
