//! Zstandard frames.

use std::io::{BufRead, Cursor, Read};

use cornercast::diagnostic::Violation;
use cornercast::limits::Limits;
use cornercast::zstd::Decoder;

use super::pieces::InPieces;
use super::place;

/// No more is decoded here: a frame of some bytes can hold gigabytes.
const MOST: u64 = 1 << 20;

/// What holds of any bytes, taken for a frame and for the content of one.
pub fn hold(bytes: &[u8]) {
    let whole = decode(bytes);
    let cut = decode(InPieces::new(bytes));
    assert!(whole.0 == cut.0, "the pieces change the content: {} and {} bytes", whole.0.len(), cut.0.len());
    let ids = |violations: &[Violation]| violations.iter().map(|violation| violation.clause.id).collect::<Vec<_>>();
    assert_eq!(ids(&whole.1), ids(&cut.1), "the pieces change what is wrong");
    place::inside(&whole.1, bytes);
    assert!(whole.1.len() <= 2, "{:?}", whole.1);
    if whole.1.is_empty() && (whole.0.len() as u64) < MOST {
        // In pieces, the library lets a compressed block of no bytes through, but not at once.
        let mut theirs = zstd::bulk::Decompressor::new().expect("memory is there");
        let theirs = theirs.decompress(bytes, whole.0.len()).expect("the library decodes what is accepted");
        assert!(theirs == whole.0, "the library decodes something else");
    }

    let mut encoder = zstd::bulk::Compressor::new(1).expect("level 1");
    encoder.include_checksum(true).expect("a frame can have a checksum");
    let frame = encoder.compress(bytes).expect("memory takes everything");
    let (content, violations) = decode(&*frame);
    assert_eq!(violations, []);
    assert!(content == bytes, "the content comes back");
}

fn decode(input: impl BufRead) -> (Vec<u8>, Vec<Violation>) {
    let mut decoder = Decoder::new(input, &Limits::FORMAT);
    let mut content = Vec::new();
    (&mut decoder).take(MOST).read_to_end(&mut content).expect("memory does not fail");
    (content, decoder.take_violations())
}

/// The content of a frame, as far as it can be decoded.
pub fn content(frame: &[u8]) -> Vec<u8> {
    decode(Cursor::new(frame)).0
}
