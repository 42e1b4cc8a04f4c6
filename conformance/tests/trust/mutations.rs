//! One byte of what a verifier reads is changed, again and again: nothing else is accepted than before, nor for anybody else.

use std::collections::BTreeMap;
use std::io::{self, Read};
use std::thread;

use cornercast::digest::Digest;
use cornercast::limits::Limits;
use cornercast::manifest::Platform;
use cornercast::name::Reference;
use cornercast::store::{Files, Listed};
use cornercast::trust::{PayloadType, Request, State, Verdict, check_policy, time, verify};
use cornercast_conformance::fixtures::image::canonical;
use cornercast_conformance::fixtures::trust::world;
use serde_json::json;

/// How many bytes are changed where nothing else is said; CI says more.
const USUALLY: u32 = 3_000;

struct Memory(BTreeMap<String, Vec<u8>>);

impl Files for Memory {
    fn list(&self) -> io::Result<Vec<Listed>> {
        Ok(self.0.keys().map(|path| Listed { path: path.clone(), irregular: None }).collect())
    }

    fn open(&self, path: &str) -> io::Result<Box<dyn Read + Send + '_>> {
        let bytes = self.0.get(path).ok_or(io::ErrorKind::NotFound)?;
        Ok(Box::new(bytes.as_slice()))
    }
}

/// A store with two keyrings, a catalog, a release that two keys have signed and a third one that nobody knows, and its
/// log proof.
fn store() -> BTreeMap<String, Vec<u8>> {
    let image = world::image();
    let mut second = world::keyring();
    second["version"] = json!(2);
    second["keys"] = world::keys(&[1, 2, 3, 4]);
    second["release"][0] = json!({"keyids": world::ids(&[2, 4]), "prefix": world::AUTHORITY, "threshold": 2});
    let release = world::envelope(PayloadType::Release, &world::release(&image), &[2, 4, 9]);
    let catalog = world::catalog(&image, &world::keyring());
    let folder = format!("signatures/sha256/{}/{}", image.id().hex(), Digest::of(&release).hex());
    let at = "2026-11-24T00:05:00Z";
    let proof = world::Logged::new(&release, &[(1, at), (2, at)]).write();
    BTreeMap::from([
        (image.manifest_path(), image.manifest_bytes()),
        (
            format!("names/{}/_/keyring/1.json", world::AUTHORITY),
            world::envelope(PayloadType::Keyring, &world::keyring(), &[1]),
        ),
        (format!("names/{}/_/keyring/2.json", world::AUTHORITY), world::envelope(PayloadType::Keyring, &second, &[1])),
        (format!("names/{}/_/catalog.json", world::NAME), world::envelope(PayloadType::Catalog, &catalog, &[3])),
        (format!("{folder}.json"), release),
        (format!("{folder}.proof"), proof),
    ])
}

/// The verdict on a store, perhaps by a rule that asks for a log.
fn verdict(files: BTreeMap<String, Vec<u8>>, is_logged: bool) -> (Verdict, State) {
    let mut policy = world::policy(&world::keyring());
    if is_logged {
        policy["rules"][0]["log"] = world::log_rule();
    }
    let policy = check_policy(&canonical(&policy), &Limits::FORMAT).0.unwrap();
    let reference = Reference::parse(&format!("{}:stable", world::NAME), &Limits::FORMAT).unwrap();
    let request = Request {
        files: &Memory(files),
        policy: &policy,
        reference: &reference,
        platform: &Platform::parse("linux/amd64").unwrap(),
        now: time::seconds(world::NOW).unwrap(),
        limits: &Limits::FORMAT,
        without: None,
    };
    let mut state = State::of(world::AUTHORITY);
    (verify(&request, &mut state).unwrap(), state)
}

/// A generator of numbers that is the same everywhere (splitmix64).
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        usize::try_from((mixed ^ (mixed >> 31)) % end as u64).unwrap()
    }
}

/// Where the parts of an envelope stand: the payload, its type, and the signatures by these keys.
fn needed(envelope: &[u8], keys: &[u8]) -> Vec<std::ops::Range<usize>> {
    let text = std::str::from_utf8(envelope).unwrap();
    let value: serde_json::Value = serde_json::from_str(text).unwrap();
    let place = |part: &str| text.find(part).map(|at| at..at + part.len()).unwrap();
    let mut out = vec![place(value["payload"].as_str().unwrap()), place(value["payloadType"].as_str().unwrap())];
    for signature in value["signatures"].as_array().unwrap() {
        if keys.iter().any(|key| signature["keyid"] == world::id(*key)) {
            out.push(place(signature["sig"].as_str().unwrap()));
            out.push(place(signature["keyid"].as_str().unwrap()));
        }
    }
    out
}

#[test]
fn one_byte_never_makes_another_image_accepted() {
    let count: u32 = std::env::var("CORNERCAST_MUTATIONS").map_or(USUALLY, |count| count.parse().unwrap());
    let threads = u32::try_from(thread::available_parallelism().map_or(1, Into::into)).unwrap();
    let still: u32 = thread::scope(|scope| {
        let start = |number| scope.spawn(move || mutate(Numbers(u64::from(number) << 32), count / threads + 1));
        let all: Vec<_> = (0..threads).map(start).collect();
        all.into_iter().map(|thread| thread.join().unwrap()).sum()
    });
    // The signature of a key that nobody knows, and the proof where nobody asks for one.
    assert!(still > count / 50, "{still} of {count} were still accepted");
}

/// Changes a byte so many times; how often the image was accepted all the same.
fn mutate(mut numbers: Numbers, count: u32) -> u32 {
    let store = store();
    let (right, known) = verdict(store.clone(), true);
    let accepted = right.outcome.clone().unwrap();
    assert_eq!(verdict(store.clone(), false).0.outcome.unwrap(), accepted);
    let paths: Vec<&String> = store.keys().collect();
    let release = paths.iter().find(|path| path.starts_with("signatures/") && path.ends_with(".json")).unwrap();
    let places = needed(&store[*release], &[2, 4]);
    let mut still = 0;
    for _ in 0..count {
        let path = paths[numbers.below(paths.len())];
        let mut bytes = store[path].clone();
        let at = numbers.below(bytes.len());
        let before = bytes[at];
        // A bit, or any other byte.
        bytes[at] = if numbers.below(2) == 0 {
            before ^ (1 << numbers.below(8))
        } else {
            u8::try_from(numbers.below(256)).unwrap()
        };
        if bytes[at] == before {
            continue;
        }
        let changed = bytes.clone();
        let mut files = store.clone();
        if path == *release {
            // Under the name that it has now, so that it is looked at, and with its proof.
            let proof = path.replace(".json", ".proof");
            let new = format!("{}/{}", path.rsplit_once('/').unwrap().0, Digest::of(&bytes).hex());
            let proof = files.remove(&proof).unwrap();
            files.remove(path);
            files.insert(format!("{new}.proof"), proof);
            files.insert(format!("{new}.json"), bytes);
        } else {
            files.insert(path.clone(), bytes);
        }
        let (verdict, state) = verdict(files, numbers.below(2) == 0);
        let what = format!("{path} at {at}: {:?} for {:?}", char::from(changed[at]), char::from(before));
        if let Ok(other) = verdict.outcome {
            still += 1;
            assert_eq!(other, accepted, "{what}");
            assert_eq!(verdict.evidence.signers, right.evidence.signers, "{what}");
            assert_eq!(state, known, "{what}");
            let is_needed = path == *release && places.iter().any(|place| place.contains(&at));
            assert!(!is_needed, "{what}");
        }
        // Whatever it is, what is known is never another document than the sound one.
        assert!(state.keyring.is_none_or(|keyring| keyring.version <= 2), "{what}");
        if let Some(catalog) = state.names.get(world::NAME).and_then(|name| name.catalog.as_ref()) {
            assert_eq!(Some(catalog), known.names[world::NAME].catalog.as_ref(), "{what}");
        }
    }
    still
}
