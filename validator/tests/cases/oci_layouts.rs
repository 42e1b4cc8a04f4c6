//! Layouts of OCI: what the parts of an image say of one another when some of them cannot be used.

use std::num::NonZero;

use cornercast::clause;
use cornercast::diagnostic::{Diagnostic, Findings};
use cornercast::digest::Digest;
use cornercast::input::{Kind, check_file_to};
use cornercast::limits::Limits;
use cornercast::oci::Pass;
use cornercast::store::Extent;
use cornercast::tar::{END, EntryHeader, header_bytes};
use serde_json::{Value, json};

pub(super) const LAYER: &str = "application/vnd.oci.image.layer.v1.tar";

pub(super) fn entry(typeflag: u8, path: &str, content: &[u8]) -> Vec<u8> {
    let size = content.len() as u64;
    let header = EntryHeader { typeflag, path, mode: 0o755, size, ..EntryHeader::default() };
    let padding = vec![0; content.len().next_multiple_of(512) - content.len()];
    [header_bytes(&header), content.to_vec(), padding].concat()
}

/// A layer with these entries.
pub(super) fn layer(entries: &[(u8, &str, &[u8])]) -> Vec<u8> {
    let entries = entries.iter().map(|(typeflag, path, content)| entry(*typeflag, path, content));
    entries.chain([END.to_vec()]).collect::<Vec<_>>().concat()
}

/// An image in a layout: its parts can be changed, and then lead to one another all the same.
pub(super) struct Image {
    /// Media types and contents.
    pub(super) layers: Vec<(&'static str, Vec<u8>)>,
    pub(super) config: Value,
    /// Further blobs.
    pub(super) others: Vec<Vec<u8>>,
    pub(super) index: Value,
    /// The digests of layers.
    pub(super) digest: fn(&[u8]) -> String,
}

pub(super) fn sha256(content: &[u8]) -> String {
    Digest::of(content).to_string()
}

/// The parts of an image that another part names by its digest.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Part {
    Manifest,
    Config,
}

impl Image {
    pub(super) fn new(layers: Vec<(&'static str, Vec<u8>)>, process: Value) -> Self {
        let config = json!({"architecture": "amd64", "os": "linux", "config": process});
        let index = json!({"schemaVersion": 2});
        Self { layers, config, others: Vec::new(), index, digest: sha256 }
    }

    /// The documents: config, manifest and index.
    pub(super) fn documents(&self) -> [Vec<u8>; 3] {
        let kind = |name: &str| format!("application/vnd.oci.image.{name}.v1+json");
        let descriptor = |media_type: &str, digest: fn(&[u8]) -> String, content: &[u8]| json!({"mediaType": media_type, "digest": digest(content), "size": content.len()});
        let mut config = self.config.clone();
        let diff_ids: Vec<String> = self.layers.iter().map(|(_, layer)| sha256(layer)).collect();
        if config["rootfs"].is_null() {
            config["rootfs"] = json!({"type": "layers", "diff_ids": diff_ids});
        }
        let config = config.to_string().into_bytes();
        let layers: Vec<Value> = self.layers.iter().map(|(kind, layer)| descriptor(kind, self.digest, layer)).collect();
        let manifest = json!({
            "schemaVersion": 2,
            "mediaType": kind("manifest"),
            "config": descriptor(&kind("config"), sha256, &config),
            "layers": layers,
        });
        let manifest = manifest.to_string().into_bytes();
        let mut index = self.index.clone();
        index["mediaType"] = json!(kind("index"));
        let mut own = descriptor(&kind("manifest"), sha256, &manifest);
        own["platform"] = json!({"os": "linux", "architecture": "amd64"});
        let mut manifests = index["manifests"].as_array().cloned().unwrap_or_default();
        manifests.push(own);
        index["manifests"] = json!(manifests);
        [config, manifest, index.to_string().into_bytes()]
    }

    /// The layout as an archive; `change` gives the content of a part, or nothing if it is not there.
    pub(super) fn archive_with(&self, change: impl Fn(Part, Vec<u8>) -> Option<Vec<u8>>) -> Vec<u8> {
        let [config, manifest, index] = self.documents();
        let mut out = entry(b'0', "oci-layout", br#"{"imageLayoutVersion":"1.0.0"}"#);
        out.extend(entry(b'0', "index.json", &index));
        let mut blobs = vec![
            (sha256(&config), change(Part::Config, config)),
            (sha256(&manifest), change(Part::Manifest, manifest)),
        ];
        blobs.extend(self.layers.iter().map(|(_, layer)| ((self.digest)(layer), Some(layer.clone()))));
        blobs.extend(self.others.iter().map(|blob| (sha256(blob), Some(blob.clone()))));
        for (digest, content) in blobs {
            let path = format!("blobs/{}", digest.replace(':', "/"));
            out.extend(content.map(|content| entry(b'0', &path, &content)).unwrap_or_default());
        }
        out.extend(END);
        out
    }

    fn found(&self) -> Vec<Diagnostic> {
        check(&self.archive_with(|_, content| Some(content)), &Limits::FORMAT)
    }

    /// The clauses that it breaks.
    fn ids(&self) -> Vec<&'static str> {
        ids(&self.found())
    }
}

pub(super) fn ids(found: &[Diagnostic]) -> Vec<&'static str> {
    found.iter().map(|found| found.id).collect()
}

fn check(archive: &[u8], limits: &Limits) -> Vec<Diagnostic> {
    check_to(Extent::Whole, Kind::OciArchive, archive, limits)
}

pub(super) fn check_to(extent: Extent, kind: Kind, archive: &[u8], limits: &Limits) -> Vec<Diagnostic> {
    let mut findings = Findings::new("input", 5000);
    let pass = Pass::new(extent, NonZero::<usize>::MIN);
    check_file_to(pass, kind, &archive.to_vec(), limits, &mut findings).unwrap();
    findings.list().to_vec()
}

/// An image that runs `/bin/a`, and has it.
pub(super) fn image() -> Image {
    let entries: [(u8, &str, &[u8]); 2] = [(b'5', "bin/", b""), (b'0', "bin/a", b"#!")];
    Image::new(vec![(LAYER, layer(&entries))], json!({"Entrypoint": ["/bin/a"]}))
}

/// What could name a blob has to be known before one can be said to be superfluous.
#[test]
fn blobs_are_superfluous_if_all_documents_are_known() {
    let mut image = image();
    assert_eq!(image.ids(), [""; 0]);
    image.others.push(b"superfluous".to_vec());
    assert_eq!(image.ids(), ["OCI-008"]);
    let other = |content: Vec<u8>| Some([content.as_slice(), b" "].concat());
    for (part, is_there, expected) in [
        (Part::Manifest, false, vec!["OCI-007"]),
        (Part::Manifest, true, vec!["OCI-006"]),
        (Part::Config, false, vec!["OCI-007", "OCI-008"]),
        (Part::Config, true, vec!["OCI-006", "OCI-008"]),
    ] {
        let archive = image.archive_with(|each, content| match each == part {
            true if is_there => other(content),
            true => None,
            false => Some(content),
        });
        let found = ids(&check(&archive, &Limits::FORMAT));
        // One finding for each superfluous blob.
        assert_eq!(found.first(), expected.first());
        assert_eq!(found.contains(&"OCI-008"), expected.contains(&"OCI-008"), "{found:?}");
    }
}

#[test]
fn documents_are_read_up_to_their_limit() {
    let image = image();
    let lengths = image.documents().map(|document| document.len() as u64);
    let most = *lengths.iter().max().unwrap();
    let archive = image.archive_with(|_, content| Some(content));
    let limits = |limit| Limits { oci_document: limit, ..Limits::FORMAT };
    assert_eq!(check(&archive, &limits(most)), []);
    for limit in lengths.map(|length| length - 1) {
        let found = check(&archive, &limits(limit));
        let longer = lengths.iter().filter(|length| **length > limit).count();
        assert!(longer > 0);
        let too_long: Vec<_> = found.iter().filter(|found| found.id == "OCI-013").collect();
        assert!(!too_long.is_empty(), "{found:#?}");
        for found in too_long {
            assert_eq!(found.location.bytes.map(|bytes| (bytes.start, bytes.end)), Some((limit, limit + 1)));
        }
    }
}

/// What cannot be looked into says nothing of what is run.
#[test]
fn commands_are_looked_for_in_whole_layers() {
    let with = |layers: Vec<(&'static str, Vec<u8>)>| Image::new(layers, json!({"Entrypoint": ["/bin/none"]}));
    let good = layer(&[(b'0', "a", b"")]);
    assert_eq!(with(vec![(LAYER, good.clone())]).ids(), ["OCI-083"]);
    let unknown = layer(&[(b'Z', "a", b"")]);
    assert_eq!(with(vec![(LAYER, unknown.clone())]).ids(), ["OCI-064"]);
    assert_eq!(with(vec![(LAYER, good.clone()), (LAYER, unknown)]).ids(), ["OCI-064"]);
    let gzip = "application/vnd.oci.image.layer.v1.tar+gzip";
    assert_eq!(with(vec![(gzip, good.clone())]).ids(), ["OCI-042"]);
    assert_eq!(with(vec![(LAYER, good), ("no type", layer(&[]))]).ids(), ["OCI-022"]);
}

/// A command is looked for if the members that say what it is have their types.
#[test]
fn processes_are_judged_if_they_are_understood() {
    let command = || json!(["/bin/none"]);
    for (process, expected) in [
        (json!({"Entrypoint": command()}), vec!["OCI-083"]),
        (json!({"Entrypoint": null, "Cmd": command()}), vec!["OCI-083"]),
        (json!({"Entrypoint": 1, "Cmd": command()}), vec!["OCI-016"]),
        (json!({"Entrypoint": command(), "Env": ["A=1", 2]}), vec!["OCI-016"]),
        (json!({"Entrypoint": command(), "WorkingDir": null}), vec!["OCI-083"]),
        (json!({"Entrypoint": command(), "WorkingDir": 5}), vec!["OCI-016"]),
        (json!({"StopSignal": "RTMIN+5"}), vec![]),
        (json!({"StopSignal": "RTMIN++5"}), vec!["OCI-089"]),
        (json!({"StopSignal": "RTMAX-"}), vec!["OCI-089"]),
    ] {
        let image = Image { config: json!({"architecture": "amd64", "os": "linux", "config": process}), ..image() };
        assert_eq!(image.ids(), expected, "{process}");
    }
}

/// Other formats have no limit for a name or a string, but what is in them is judged.
#[test]
fn long_strings_are_judged() {
    let long = "x".repeat(200_000);
    for (process, expected) in [
        (json!({"ExposedPorts": {&long: {}}}), "OCI-087"),
        (json!({"StopSignal": &long}), "OCI-089"),
        (json!({"Env": [&long]}), "OCI-086"),
    ] {
        let image = Image { config: json!({"architecture": "amd64", "os": "linux", "config": process}), ..image() };
        assert_eq!(image.ids(), [expected]);
    }
}

/// A layout has one image of a name, but for one of each platform.
#[test]
fn names_are_shared_by_platforms() {
    let named = |platforms: &[Option<&str>]| {
        let [_, manifest, _] = image().documents();
        let descriptor = |platform: &Option<&str>| {
            let mut descriptor = json!({
                "mediaType": "application/vnd.oci.image.manifest.v1+json",
                "digest": Digest::of(&manifest).to_string(),
                "size": manifest.len(),
                "annotations": {"org.opencontainers.image.ref.name": "a"},
            });
            if let Some(architecture) = platform {
                descriptor["platform"] = json!({"os": "linux", "architecture": architecture});
            }
            descriptor
        };
        let manifests: Vec<Value> = platforms.iter().map(descriptor).collect();
        let image = Image { index: json!({"schemaVersion": 2, "manifests": manifests}), ..image() };
        let found = image.found().into_iter().filter(|found| found.id == "OCI-029");
        let number = |pointer: &str| pointer.split('/').nth(2).unwrap().parse::<usize>().unwrap();
        let pair = found.map(|found| {
            let first = found.related[0].location.pointer.as_deref().map(number);
            (found.location.pointer.as_deref().map(number).unwrap(), first.unwrap())
        });
        pair.collect::<Vec<_>>()
    };
    let (a, b) = (Some("amd64"), Some("arm64"));
    assert_eq!(named(&[a, b]), []);
    for twice in [[None, None], [None, a], [a, None], [a, a]] {
        assert_eq!(named(&twice), [(1, 0)], "{twice:?}");
    }
    assert_eq!(named(&[a, b, a, None, b]), [(2, 0), (3, 0), (4, 1)]);
    let many: Vec<String> = (0..70).map(|number| format!("cpu{number}")).collect();
    let many = || many.iter().map(|name| Some(name.as_str()));
    assert_eq!(named(&many().chain(many().skip(69)).collect::<Vec<_>>()), [(70, 69)]);
}

/// Where there are very many findings, they do without the text around them.
#[test]
fn late_findings_are_shown_a_thousand_times() {
    let missing = |number: u64| {
        json!({
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "digest": Digest::of(&number.to_be_bytes()).to_string(),
            "size": 1,
        })
    };
    let manifests: Vec<Value> = (0..1100).map(missing).collect();
    let image = Image { index: json!({"schemaVersion": 2, "manifests": manifests}), ..image() };
    let shown: Vec<bool> = image.found().iter().map(|found| found.excerpt.is_some()).collect();
    assert_eq!(shown.len(), 1100);
    assert!(shown.iter().enumerate().all(|(at, is_shown)| *is_shown == (at < 1000)));
}

/// One document has no more than a thousand violations.
#[test]
fn a_document_has_a_thousand_violations() {
    for (count, expected) in [(999, 999), (1000, 1000), (1001, 1000), (1500, 1000)] {
        let mut image = image();
        image.config["config"] = json!({"Env": vec!["none"; count]});
        assert_eq!(image.found().len(), expected);
    }
}

/// What is no JSON is explained by the rules of JSON.
#[test]
fn syntax_has_its_own_help() {
    let archive = |document: &[u8]| [entry(b'0', "oci-layout", document), END.to_vec()].concat();
    let help = |document: &[u8], id: &str| {
        let found = check(&archive(document), &Limits::FORMAT);
        found.into_iter().find(|found| found.id == id).map(|found| found.help)
    };
    assert_eq!(help(b"{", "OCI-010").as_deref(), Some(clause::JSN_003.help));
    assert_eq!(help(br#"{"a":1,"a":2}"#, "OCI-011").as_deref(), Some(clause::OCI_011.help));
}

#[test]
fn a_missing_file_of_saved_images_is_said_once() {
    let config = image().documents()[0].clone();
    let name = format!("{}.json", Digest::of(&config).hex());
    let saved = |layers: Value| {
        let manifest = json!([{"Config": name, "Layers": layers.clone()}, {"Config": name, "Layers": layers}]);
        let manifest = entry(b'0', "manifest.json", manifest.to_string().as_bytes());
        [entry(b'0', &name, &config), manifest].concat()
    };
    let found = |archive: Vec<u8>| ids(&check_to(Extent::Whole, Kind::DockerArchive, &archive, &Limits::FORMAT));
    let missing = saved(json!(["layer.tar"]));
    assert_eq!(found([missing.clone(), END.to_vec()].concat()), ["OCI-091"]);
    // Where the archive ends early, the file may have come later.
    assert_eq!(found([missing, vec![1; 100]].concat()), ["OCI-055"]);
    assert_eq!(found([saved(json!("layer.tar")), END.to_vec()].concat()), ["OCI-016"; 2]);
    assert_eq!(found([saved(json!([])), END.to_vec()].concat())[0], "OCI-038");
}

/// A path that stands twice is shown with the first, be that a file or a directory.
#[test]
fn paths_that_stand_twice_are_shown_with_the_first() {
    for (first, second) in [("a", "a"), ("a/", "a"), ("a", "a/")] {
        let of = |path: &str| entry(if path.ends_with('/') { b'5' } else { b'0' }, path, b"");
        let good = image().archive_with(|_, content| Some(content));
        let archive = [of("x"), of(first), of("y"), of(second), good].concat();
        let found = check(&archive, &Limits::FORMAT);
        let [found] = found.as_slice() else { panic!("{found:#?}") };
        let range = |bytes: Option<cornercast::diagnostic::ByteRange>| bytes.map(|bytes| (bytes.start, bytes.end));
        assert_eq!((found.id, range(found.location.bytes)), ("OCI-070", Some((1536, 2048))));
        assert_eq!(range(found.related[0].location.bytes), Some((512, 1024)));
    }
}

/// A layer that is not compressed as its media type says is shown by its first bytes.
#[test]
fn compressions_are_those_of_media_types() {
    let bad = layer(&[(b'0', "../x", b"")]);
    let zstd = zstd::encode_all(&bad[..], 3).unwrap();
    for (media_type, layer, expected) in [
        ("application/vnd.oci.image.layer.v1.tar+zstd", zstd.clone(), "OCI-067"),
        ("application/vnd.docker.image.rootfs.diff.tar.zstd", zstd, "OCI-067"),
        ("application/vnd.docker.image.rootfs.diff.tar", bad.clone(), "OCI-067"),
        ("application/vnd.docker.image.rootfs.diff.tar.gzip", bad.clone(), "OCI-042"),
        ("application/vnd.docker.image.rootfs.diff.tar.gzip", Vec::new(), "OCI-042"),
    ] {
        let mut image = Image::new(vec![(media_type, layer.clone())], json!({}));
        // The digest of what it decodes to.
        image.config["rootfs"] = json!({"type": "layers", "diff_ids": [sha256(&bad)]});
        let found = image.found();
        assert_eq!(ids(&found), [expected], "{media_type}");
        if expected == "OCI-042" {
            let excerpt = found[0].excerpt.as_ref().map(|excerpt| excerpt.bytes.as_slice());
            assert_eq!(excerpt, layer.get(..4));
        }
    }
}

/// What is known of users is limited by the length of their files.
#[test]
fn files_of_users_are_read_up_to_their_limit() {
    let users = b"root:x:0:0::/:\nbob:x:1:1::/:\n";
    let found = |user: &str, limit: u64| {
        let entries: [(u8, &str, &[u8]); 2] = [(b'5', "etc/", b""), (b'0', "etc/passwd", users)];
        let image = Image::new(vec![(LAYER, layer(&entries))], json!({"User": user}));
        let limits = Limits { oci_passwd: limit, ..Limits::FORMAT };
        ids(&check(&image.archive_with(|_, content| Some(content)), &limits))
    };
    let length = users.len() as u64;
    for limit in [length + 1, length] {
        assert_eq!((found("bob", limit), found("eve", limit)), (vec![], vec!["OCI-085"]));
    }
    assert_eq!((found("bob", length - 1), found("eve", length - 1)), (vec![], vec![]));
}
