//! Hostile input is cheap to refuse: a reader takes no more bytes than it needs, and little time.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::io::{self, Read};
use std::num::NonZero;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use cornercast::diagnostic::Findings;
use cornercast::input::{Kind, check_stream};
use cornercast::limits::Limits;
use cornercast::store::{Files, Listed, check_store};
use cornercast_conformance::fixtures;
use cornercast_conformance::fixtures::image::{Image, blob_path};
use cornercast_conformance::recipe::Bytes;

/// Two seconds are allowed to an optimised build, and more to one without optimisation on a busy machine;
/// both are far too little for anything quadratic.
const LONGEST: Duration = Duration::from_secs(if cfg!(debug_assertions) { 20 } else { 2 });

/// Counts the bytes that are taken from a reader.
struct Counted<R>(R, Arc<AtomicU64>);

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.0.read(buffer)?;
        self.1.fetch_add(read as u64, Ordering::Relaxed);
        Ok(read)
    }
}

/// The findings of `input`, the bytes taken from it, and the time that took.
fn check(kind: Kind, input: impl Read + Send) -> (Findings, u64, Duration) {
    let taken = Arc::new(AtomicU64::new(0));
    let mut findings = Findings::new("input", 10);
    let start = Instant::now();
    check_stream(kind, &mut Counted(input, Arc::clone(&taken)), &Limits::FORMAT, NonZero::<usize>::MIN, &mut findings)
        .unwrap();
    (findings, taken.load(Ordering::Relaxed), start.elapsed())
}

/// Memory is bounded by what is read: a document is held whole, so its reader stops one byte behind the limit.
#[test]
fn documents_are_read_to_their_limit_and_in_time() {
    let mut seen = 0;
    for fixture in fixtures::all() {
        let Some(recipe) = &fixture.case.recipe else { continue };
        if !fixture.case.corpus.iter().any(|row| row.starts_with('J')) {
            continue;
        }
        let kind = Kind::by_name(&fixture.case.kind).unwrap();
        let limit = if kind == Kind::Manifest { Limits::FORMAT.manifest } else { Limits::FORMAT.document };
        let (_, taken, time) = check(kind, Bytes::new(recipe));
        assert!(taken <= limit + 1, "{}: {taken} bytes were read, the limit is {limit}", fixture.folder);
        assert!(time < LONGEST, "{}: took {time:?}", fixture.folder);
        seen += 1;
    }
    assert!(seen >= 10, "only {seen} cases of hostile documents are made by recipes");
}

/// A document of nothing but violations is no more work than one without.
#[test]
fn many_violations_are_found_in_time() {
    let rest = r#""cornercast":"1.0","kind":"image","layers":[],"name":"example.com/a","platform":{"architecture":"amd64","os":"linux"},"rootfs":{"digest":"sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855","entries":0,"size":0},"version":"1.0.0""#;
    let many = |piece: &str| piece.repeat((1 << 20) / piece.len() - 400 / piece.len() - 1);
    let names = |make: fn(usize) -> String| (0..69_000).map(make).collect::<Vec<_>>().join(",");
    let documents = [
        (Kind::Strict, format!("{{\"a\":[{}0]}}", many("-0,"))),
        (Kind::Strict, format!("{{\"a\":[{}0]}}", many("\"\\ud800\","))),
        (Kind::Strict, format!("{{{}\"b\":0}}", many("\"a\":0,"))),
        (Kind::Canonical, format!("{{\"a\":[{}0]}}", many("\"\\/\","))),
        (Kind::Canonical, format!("{{\"a\":[{}0]}}", many("{\"b\":0,\"a\":0},"))),
        (Kind::Canonical, many("\n")),
        (Kind::Manifest, format!("{{\"annotations\":{{{}}},{rest}}}", names(|n| format!("\"{n:07}\":\"\"")))),
        (Kind::Manifest, format!("{{{rest},{}}}", names(|n| format!("\"z{n:06}\":1")))),
        (
            Kind::Manifest,
            rest.replace("[]", &format!("[{}0]", many("{},"))).replace("\"cornercast\"", "{\"cornercast\"") + "}",
        ),
        (Kind::Index, format!("{{\"files\":[{}0],\"kind\":\"signatures\"}}", many("{},"))),
    ];
    for (kind, document) in documents {
        assert!(document.len() <= 1 << 20);
        let (findings, _, time) = check(kind, document.as_bytes());
        let start: String = document.chars().take(40).collect();
        assert!(findings.errors > 0, "{start} was accepted");
        assert!(time < LONGEST, "{start}: took {time:?}");
    }
    let not_utf8 = b"a\xFF".repeat(1 << 19);
    let (findings, _, time) = check(Kind::Strict, not_utf8.as_slice());
    assert!(findings.errors > 0 && time < LONGEST, "took {time:?}");
}

/// A store in memory, in which one file never ends.
struct Endless {
    files: std::collections::BTreeMap<String, Vec<u8>>,
    path: String,
    taken: Arc<AtomicU64>,
}

impl Files for Endless {
    fn list(&self) -> io::Result<Vec<Listed>> {
        Ok(self.files.keys().map(|path| Listed { path: path.clone(), irregular: None }).collect())
    }

    fn open(&self, path: &str) -> io::Result<Box<dyn Read + Send + '_>> {
        if path == self.path {
            return Ok(Box::new(Endlessly(Arc::clone(&self.taken))));
        }
        Ok(Box::new(self.files[path].as_slice()))
    }
}

/// Bytes without end, which are counted.
struct Endlessly(Arc<AtomicU64>);

impl Read for Endlessly {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        buffer.fill(b'n');
        self.0.fetch_add(buffer.len() as u64, Ordering::Relaxed);
        Ok(buffer.len())
    }
}

/// NAM-028: a reader reads at most one byte more than the descriptor says (D03).
#[test]
fn an_endless_blob_is_read_one_byte_too_far() {
    let image = Image::hello().attach(vec![b"notes\n".to_vec()]);
    let (layer, listing) = image.layers[0].clone();
    for (blob, reads) in [(b"notes\n".to_vec(), 1), (layer, 2), (listing, 2)] {
        let taken = Arc::new(AtomicU64::new(0));
        let store = Endless { files: image.store(), path: blob_path(&blob), taken: Arc::clone(&taken) };
        let mut findings = Findings::new("store", 10);
        check_store(&store, &Limits::FORMAT, NonZero::<usize>::MIN, &mut findings).unwrap();
        let ids: Vec<&str> = findings.list().iter().map(|finding| finding.id).collect();
        assert_eq!(ids, ["NAM-028"]);
        // A layer or listing may be looked at again.
        let taken = taken.load(Ordering::Relaxed);
        assert!(taken <= reads * (blob.len() as u64 + 1), "{taken} bytes were read of {}", blob.len());
    }
}
