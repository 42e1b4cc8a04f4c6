//! Stores that somebody has changed who could write to them: what publishers make of them, and verifiers.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Read};
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use cornercast::digest::Digest;
use cornercast::limits::Limits;
use cornercast::manifest::Platform;
use cornercast::name::Reference;
use cornercast::store::{Files, Folder, Listed};
use cornercast::tar::{END, EntryHeader, header_bytes, padding};
use cornercast::trust::{Question, StateFolder, check_catalog, decide, time};
use cornercast::unpack::ImageFiles;
use serde_json::{Value, json};

use crate::place::Place;

const KEYRING: &str = "site/names/example.com/_/keyring/1.json";
const CATALOG: &str = "site/names/example.com/hello/_/catalog.json";

/// Changes the payload of an envelope; nobody signs it.
fn forge(place: &Place, path: &str, change: impl FnOnce(&mut Value)) {
    let mut envelope: Value = serde_json::from_slice(&fs::read(place.path(path)).unwrap()).unwrap();
    let payload = STANDARD.decode(envelope["payload"].as_str().unwrap()).unwrap();
    let mut payload: Value = serde_json::from_slice(&payload).unwrap();
    change(&mut payload);
    envelope["payload"] = STANDARD.encode(payload.to_string()).into();
    fs::write(place.path(path), envelope.to_string()).unwrap();
}

fn refused(place: &Place, arguments: &[&str], why: &str) {
    let output = place.command(arguments).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.code() == Some(1) && said.contains(why), "{arguments:?}: {said}");
}

/// What a publisher signs next names only keys that somebody signed before.
#[test]
fn a_keyring_that_nobody_has_signed_has_no_next_one() {
    let place = Place::new();
    let next = ["keyring", "next", "site", "example.com"];
    place.succeeds(&next);
    let shown = place.succeeds(&["keyring", "show", "site", "example.com"]);
    let pin = shown.split('"').find(|word| word.starts_with("sha256:")).unwrap().to_owned();
    place.succeeds(&[&next[..], &["--pin", &pin]].concat());
    let other = format!("sha256:{}", "0".repeat(64));
    refused(
        &place,
        &[&next[..], &["--pin", &other]].concat(),
        "no keyring of example.com in site has the payload digest",
    );
    forge(&place, KEYRING, |keyring| keyring["expires"] = "2030-01-01T00:00:00Z".into());
    refused(&place, &next, "SIG-017");
    refused(&place, &["keyring", "show", "site", "example.com"], "SIG-017");
    refused(&place, &["catalog", "site", "example.com/hello"], "SIG-017");
}

#[test]
fn a_catalog_that_nobody_has_signed_has_no_next_one() {
    let place = Place::new();
    place.succeeds(&["catalog", "site", "example.com/hello"]);
    forge(&place, CATALOG, |catalog| catalog["serial"] = 9_007_199_254_740_990_u64.into());
    refused(&place, &["catalog", "site", "example.com/hello"], "is not signed as the last keyring asks for");
}

/// Whoever stole a key that was replaced does not write what the new one signs.
#[test]
fn a_catalog_by_a_key_that_was_replaced_is_signed_once_more() {
    let place = Place::new();
    place.secret("new", &format!("cornercast-secret-v1 ed25519:{}\n", STANDARD.encode([9; 32])));
    let shown = place.succeeds(&["keygen", "--show", "catalog.key"]);
    let old = shown.lines().find_map(|line| line.strip_prefix("key id")).unwrap().trim().to_owned();
    let next = ["keyring", "next", "site", "example.com", "--add-catalog", &place.public("new"), "--remove", &old];
    fs::write(place.path("next.json"), place.succeeds(&next)).unwrap();
    place.succeeds(&["sign", "next.json", "--key", "root.key", "--store", "site"]);
    let draft = ["catalog", "site", "example.com/hello"];
    refused(&place, &draft, "sign it once more");
    place.succeeds(&["sign", CATALOG, "--key", "new.key", "--store", "site"]);
    let draft: Value = serde_json::from_str(&place.succeeds(&draft)).unwrap();
    assert_eq!((&draft["serial"], &draft["keyring"]["version"]), (&json!(2), &json!(2)));
}

/// An image is listed that has a release, and not one that has a file in the place of one.
#[test]
fn a_release_that_nobody_has_signed_is_not_listed() {
    let place = Place::new();
    fs::remove_file(place.path(CATALOG)).unwrap();
    let image = fs::read_dir(place.path("site/signatures/sha256")).unwrap().next().unwrap().unwrap().path();
    for file in fs::read_dir(image).unwrap().map(|file| file.unwrap().path()) {
        if file.file_name().unwrap().len() > 64 {
            fs::write(file, "{}").unwrap();
        }
    }
    refused(&place, &["catalog", "site", "example.com/hello"], "holds no image of example.com/hello with a release");
}

#[test]
fn a_keyring_is_not_replaced_and_no_revocation_taken_back() {
    let place = Place::new();
    let release = place.public("release");
    let other = ["keyring", "init", "example.com", "--root", &place.public("root"), "--release", &release];
    fs::write(place.path("other.json"), place.succeeds(&other)).unwrap();
    refused(&place, &["sign", "other.json", "--key", "root.key", "--store", "site"], "what comes next is a keyring 2");
    // More signatures of the same one are added to it.
    place.succeeds(&["sign", "keyring.json", "--key", "root.key", "--store", "site"]);
    let shown = place.succeeds(&["keygen", "--show", "release.key"]);
    let id = shown.lines().find_map(|line| line.strip_prefix("key id")).unwrap().trim();
    let revoke = |since: &str| format!("{id}{since}");
    let next = |since: &str| {
        ["keyring", "next", "site", "example.com", "--revoke"]
            .map(str::to_owned)
            .into_iter()
            .chain([revoke(since)])
            .collect::<Vec<_>>()
    };
    let run = |arguments: Vec<String>| place.succeeds(&arguments.iter().map(String::as_str).collect::<Vec<_>>());
    fs::write(place.path("next.json"), run(next("=2026-11-20T00:00:00Z"))).unwrap();
    place.succeeds(&["sign", "next.json", "--key", "root.key", "--store", "site"]);
    run(next("=2026-11-19T00:00:00Z"));
    run(next(""));
    let later = next("=2026-11-21T00:00:00Z");
    refused(&place, &later.iter().map(String::as_str).collect::<Vec<_>>(), "REL-025");
}

/// A release that somebody else has put there is not the one that is signed.
#[test]
fn a_release_from_the_future_is_left_alone() {
    let place = Place::new();
    let image = fs::read_dir(place.path("site/signatures/sha256")).unwrap().next().unwrap().unwrap().path();
    let envelopes = || {
        let files = fs::read_dir(&image).unwrap().map(|file| file.unwrap().file_name().into_string().unwrap());
        files.filter(|name| name.len() > 64).collect::<Vec<_>>()
    };
    let [own] = envelopes().try_into().unwrap();
    let path = image.join(&own).strip_prefix(place.path("")).unwrap().display().to_string();
    forge(&place, &path, |release| release["issued"] = "2099-01-01T00:00:00Z".into());
    let bytes = fs::read(image.join(&own)).unwrap();
    fs::rename(image.join(&own), image.join(format!("{}.json", Digest::of(&bytes).hex()))).unwrap();
    place.succeeds(&["sign", "site", "--key", "release.key"]);
    let both = envelopes();
    assert!(both.len() == 2 && both.contains(&own), "{both:?}");
}

/// A store in which one file cannot be read.
struct Unreadable<'a>(Folder, &'a str);

impl Files for Unreadable<'_> {
    fn list(&self) -> io::Result<Vec<Listed>> {
        self.0.list()
    }

    fn open(&self, path: &str) -> io::Result<Box<dyn Read + Send + '_>> {
        if path.starts_with(self.1) { Err(io::ErrorKind::PermissionDenied.into()) } else { self.0.open(path) }
    }
}

/// POL-037: otherwise an older store would be believed after it.
#[test]
fn what_was_accepted_is_kept_when_a_file_cannot_be_read() {
    let place = Place::new();
    let limits = Limits::FORMAT;
    for (file, catalog) in [("names/example.com/hello", None), ("images", Some(1)), ("signatures", Some(1))] {
        let state = place.path(&format!("state-{}", file.len()));
        let question = Question {
            policy: &place.path("policy.json"),
            state: &state,
            reference: &Reference::parse("example.com/hello:stable", &limits).unwrap(),
            platform: &Platform { os: "linux".to_owned(), architecture: "amd64".to_owned(), variant: None },
            now: time::seconds("2026-11-25T00:00:00Z").unwrap(),
            is_read_only: false,
            store: "site",
        };
        decide(&Unreadable(Folder(place.path("site")), file), &question, &limits).unwrap_err();
        let known = StateFolder::new(state.clone()).look("example.com", &limits).unwrap().unwrap();
        assert_eq!(known.keyring.unwrap().version, 1, "{file}");
        let serial = known.names.get("example.com/hello").and_then(|name| name.catalog.as_ref()?.serial);
        assert_eq!(serial, catalog, "{file}");
    }
}

/// An archive of these entries, as they are.
fn archive(path: &Path, entries: &[(&str, u8, &[u8])]) -> ImageFiles {
    let mut bytes = Vec::new();
    for (path, typeflag, data) in entries {
        let size = data.len() as u64;
        let header = EntryHeader { typeflag: *typeflag, path, mode: 0o644, size, ..EntryHeader::default() };
        bytes.extend(header_bytes(&header));
        bytes.extend(*data);
        bytes.resize(bytes.len() + padding(size), 0);
    }
    bytes.extend(END);
    fs::write(path, bytes).unwrap();
    ImageFiles::of_archive(path).unwrap()
}

/// STO-025, STO-026, STO-030: what a validator passes over is not there for a verifier either.
#[test]
fn an_archive_has_the_files_that_a_validator_sees() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("archive");
    let contents = |files: &ImageFiles| -> BTreeMap<String, Vec<u8>> {
        let read = |path: String| {
            let mut content = Vec::new();
            files.open(&path).unwrap().read_to_end(&mut content).unwrap();
            (path, content)
        };
        files.list().unwrap().into_iter().map(|file| read(file.path)).collect()
    };
    let marker = ("cornercast", b'0', b"{}".as_slice());
    let (one, two) = ("names/example.com/_/keyring/1.json", "names/example.com/_/keyring/2.json");
    let files = archive(&path, &[marker, (one, b'0', b"1"), (two, b'1', b"2"), (one, b'0', b"3"), (two, b'2', b"")]);
    let expected = [("cornercast", "{}"), (one, "1")].map(|(path, content)| (path.to_owned(), content.into()));
    assert_eq!(contents(&files), BTreeMap::from(expected));
    assert!(contents(&archive(&path, &[(one, b'0', b"1"), marker])).is_empty());
    // Data is passed over, of whatever length.
    for length in [1, 511, 512, 513, 300_000, 1_000_000] {
        let long = vec![b'l'; length];
        let files = contents(&archive(&path, &[marker, (one, b'0', &long), (two, b'0', b"2")]));
        assert_eq!((files[one].len(), files[two].as_slice()), (length, b"2".as_slice()));
    }
}

/// Somebody without any key can send a catalog, so it must not take long to find out that it is none.
#[test]
fn a_catalog_with_many_channels_is_judged_soon() {
    let names = |count: usize| (0..count).map(|number| format!("a{number:05}"));
    let channels: BTreeMap<String, &str> = names(90_000).map(|name| (name, "b")).collect();
    let versions: BTreeMap<String, u8> = names(90_000).map(|name| (name, 1)).collect();
    let start = std::time::Instant::now();
    let source = json!({"channels": channels, "versions": versions}).to_string();
    assert!(source.len() < 4 << 20);
    assert!(check_catalog(source.as_bytes(), &Limits::FORMAT).0.is_none());
    assert!(start.elapsed().as_secs() < 30, "{:?}", start.elapsed());
}
