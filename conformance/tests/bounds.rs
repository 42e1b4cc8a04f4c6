//! What the reference costs: time, bytes read and memory are bounded, whatever the input.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::collections::BTreeMap;
use std::io::{self, Read};
use std::num::NonZero;
use std::sync::Mutex;
use std::time::Duration;

use cornercast::diagnostic::Findings;
use cornercast::digest::Digest;
use cornercast::input::{Kind, check_stream};
use cornercast::limits::Limits;
use cornercast_conformance::fixtures::{self, Fixture};
use cornercast_conformance::recipe::Bytes;
use cornercast_conformance::reference;
use serde_json::json;

/// Two seconds are allowed to an optimised build; one without optimisation takes up to ten times as long.
const LONGEST: Duration = Duration::from_secs(if cfg!(debug_assertions) { 20 } else { 2 });

fn recipes() -> impl Iterator<Item = Fixture> {
    fixtures::all().into_iter().filter(|fixture| fixture.case.recipe.is_some())
}

/// The time that this thread has had a processor: other programs of a busy machine do not count.
#[cfg(target_os = "linux")]
fn processor_time() -> Duration {
    let schedule = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    Duration::from_nanos(schedule.split(' ').next().unwrap().parse().unwrap())
}

/// The time on the clock, where the system does not tell more in a file.
#[cfg(not(target_os = "linux"))]
fn processor_time() -> Duration {
    static START: std::sync::LazyLock<std::time::Instant> = std::sync::LazyLock::new(std::time::Instant::now);
    START.elapsed()
}

/// An input that repeats a piece for ever, and counts what is taken from it.
struct Endless<'a> {
    head: &'a [u8],
    piece: &'a [u8],
    taken: u64,
}

impl Read for Endless<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        assert!(self.taken <= 1 << 30, "the reader goes on for ever");
        let at = usize::try_from(self.taken).unwrap();
        let rest = match self.head.get(at..).filter(|head| !head.is_empty()) {
            Some(head) => head,
            None => &self.piece[(at - self.head.len()) % self.piece.len()..],
        };
        let length = buffer.len().min(rest.len());
        buffer[..length].copy_from_slice(&rest[..length]);
        self.taken += length as u64;
        Ok(length)
    }
}

/// What a reader may read ahead: its buffer.
const CHUNK: u64 = 256 << 10;

/// What may be read of an archive ahead of the check: the pieces that wait for a thread.
const PIECES: u64 = 8 * CHUNK;

/// Reading stops at a limit, and where nothing that follows can be told apart.
#[test]
fn no_more_is_read_than_the_limit() {
    let limits = Limits::FORMAT;
    let zeros: &[u8] = &[0; 512];
    let layer = fixtures::image::hello_layer();
    let header = layer.clone().bytes();
    let two_zero_blocks = layer.end();
    let long_pax = fixtures::tar::Tar::new().header(b'x', b"PaxHeader", b"", 0o644, limits.pax_body + 1).bytes();
    // A frame of raw blocks that begin no archive: 5 bytes of frame header, then blocks of one byte.
    let frame: &[u8] = &[0x28, 0xB5, 0x2F, 0xFD, 0, 0];
    let block: &[u8] = &[0b1000, 0, 0, b'a'];
    let empty_lines = &[b'\n'; 64 << 10];
    let inputs: [(Kind, &[u8], &[u8], u64); 16] = [
        (Kind::Manifest, b"", b" ", limits.manifest),
        (Kind::Manifest, b"{\"cornercast\":\"1.0\",\"kind\":\"", b"a", limits.manifest),
        (Kind::Marker, b"", b"[", limits.document),
        (Kind::Index, b"", b"{\"files\":", limits.document),
        (Kind::Canonical, b"", b"[", limits.document),
        (Kind::Strict, b"", b" ", limits.document),
        (Kind::Reference, b"", b"a", limits.document),
        (Kind::Listing, b"", empty_lines, limits.listing),
        (Kind::Layer, b"", zeros, 1024),
        (Kind::Layer, &header, b"a", header.len() as u64 + 1024),
        (Kind::Layer, &two_zero_blocks, zeros, two_zero_blocks.len() as u64),
        (Kind::Layer, &long_pax, zeros, 512),
        (Kind::Archive, b"", zeros, 1024 + PIECES),
        (Kind::Archive, &header, zeros, 512 + PIECES),
        (Kind::Archive, b"", b"a", 1024 + PIECES),
        (Kind::Archive, frame, block, 6 + 4 * (1024 + PIECES)),
    ];
    for (kind, head, piece, limit) in inputs {
        let mut input = Endless { head, piece, taken: 0 };
        let mut findings = Findings::new("endless", 10);
        check_stream(kind, &mut input, &limits, NonZero::<usize>::MIN, &mut findings).unwrap();
        assert!(findings.errors > 0, "{kind:?}: an endless input was accepted");
        let (taken, most) = (input.taken, limit + 1 + CHUNK);
        assert!(taken <= most, "{kind:?} of {:?}…: {taken} bytes were read, not {most}", piece.first());
    }
}

/// Blobs and manifests are many at once: what is said of a blob is looked up, and not searched for in all manifests.
#[test]
fn many_manifests_and_blobs_take_their_time_once() {
    const IMAGES: usize = 200;
    const LAYERS: usize = 100;
    let digest = |what: &str, image: usize, layer: usize| Digest::of(format!("{what} {image} {layer}").as_bytes());
    let mut manifests = BTreeMap::new();
    for image in 0..IMAGES {
        let layers = (0..LAYERS).map(|layer| {
            let listing = json!({"digest": digest("listing", image, layer).to_string(), "size": 1});
            json!({"digest": digest("layer", image, layer).to_string(), "listing": listing, "size": 1024})
        });
        let manifest = fixtures::image::with(fixtures::image::data_manifest(), "/layers", layers.collect());
        let bytes = fixtures::image::canonical(&manifest);
        manifests.insert(format!("images/sha256/{}", Digest::of(&bytes).hex()), bytes);
    }
    let marker = fixtures::image::marker();
    let blobs = (0..IMAGES / 2).flat_map(|image| {
        (0..LAYERS).map(move |layer| (format!("blobs/sha256/{}", digest("layer", image, layer).hex()), Vec::new()))
    });
    let files: Vec<(String, Vec<u8>)> = std::iter::once(marker).chain(manifests).chain(blobs).collect();
    let archive = fixtures::image::archive_tar(&files).end();
    let mut findings = Findings::new("many", 10);
    let start = processor_time();
    check_stream(Kind::Archive, &mut archive.as_slice(), &Limits::FORMAT, NonZero::<usize>::MIN, &mut findings)
        .unwrap();
    let took = processor_time() - start;
    assert!(findings.errors >= IMAGES as u64 / 2 * LAYERS as u64, "{} errors", findings.errors);
    assert!(took < LONGEST, "{took:?}");
}

/// Names the file with the case that the child process of the next test checks.
const CHILD: &str = "CORNERCAST_BOUNDS_CASE";

/// Each large input is checked in time, and a reader needs no more memory than 64 MiB, the listings that it is
/// checking, and something for each line.
///
/// The peak of a process cannot be reset, so each case is checked by a process of its own: this program
/// with a variable that names a file with the case, so that it does not make the others.
#[test]
fn time_and_memory_are_bounded() {
    if let Ok(file) = std::env::var(CHILD) {
        let case = serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap();
        let fixture = Fixture { folder: String::new(), case, files: BTreeMap::new() };
        let start = processor_time();
        reference::check(&fixture, &[]).unwrap();
        println!("nanoseconds {}", (processor_time() - start).as_nanos());
        println!("bytes {}", peak_memory());
        return;
    }
    let recipes: Mutex<Vec<Fixture>> = Mutex::new(recipes().collect());
    let next = || recipes.lock().unwrap().pop();
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().unwrap().get() {
            scope.spawn(|| {
                while let Some(fixture) = next() {
                    judge(&fixture);
                }
            });
        }
    });
}

/// One case of the test above.
fn judge(fixture: &Fixture) {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(&file, serde_json::to_vec(&fixture.case).unwrap()).unwrap();
    let child = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "time_and_memory_are_bounded", "--nocapture", "--test-threads=1"])
        .env(CHILD, file.path())
        .output()
        .unwrap();
    let said = String::from_utf8(child.stdout).unwrap();
    let number = |name| said.lines().find_map(|line| line.split(name).nth(1)?.trim().parse::<u64>().ok()).expect(&said);
    let (took, peak) = (Duration::from_nanos(number("nanoseconds ")), number("bytes "));
    // A merged listing can have twice as many lines as a layer.
    let longest = if fixture.case.kind == "rootfs" { 2 * LONGEST } else { LONGEST };
    let most = (64 << 20) + listing_memory(fixture);
    println!("{took:>10.2?} {:>5} of {:>5} MiB {}", peak >> 20, most >> 20, fixture.folder);
    assert!(took < longest, "{} took {took:?}", fixture.folder);
    assert!(peak < most, "{}: {} MiB of memory, more than {}", fixture.folder, peak >> 20, most >> 20);
}

/// The most memory that this process has had, in bytes; 0 where the system does not tell it in a file.
fn peak_memory() -> u64 {
    if cfg!(not(target_os = "linux")) {
        return 0;
    }
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024
}

/// What the entry of a line takes in the reference: 144 bytes, and its path, target and attributes.
const LINE: u64 = 256;

/// The bytes of the case's listings, as far as they are read, and [`LINE`] for each of their lines.
fn listing_memory(fixture: &Fixture) -> u64 {
    let recipe = fixture.case.recipe.as_ref().unwrap();
    let limits = Limits::FORMAT;
    if matches!(fixture.case.kind.as_str(), "layer" | "oci-layer") {
        // The listing of a layer is not kept, only hashed.
        return LINE * recipe.parts.iter().filter(|part| part.tar.is_some()).map(|part| part.times).sum::<u64>();
    }
    if !matches!(fixture.case.kind.as_str(), "listing" | "rootfs") {
        return 0;
    }
    let (mut bytes, mut lines) = (0, 0);
    let mut input = Bytes::new(recipe).take(limits.listing + 1);
    let mut buffer = vec![0; 1 << 20];
    loop {
        let read = input.read(&mut buffer).unwrap();
        if read == 0 {
            break;
        }
        bytes += read as u64;
        lines += buffer[..read].iter().filter(|byte| **byte == b'\n').count() as u64;
    }
    bytes + LINE * lines.min(limits.rootfs_lines)
}
