//! Layers of OCI images, alone.

use std::io::Read;

use cornercast::diagnostic::{Diagnostic, Findings};
use cornercast::limits::Limits;
use cornercast::oci::check_layer;

use super::pieces::InPieces;

/// No more is decoded here: a frame of some bytes can hold gigabytes.
const MOST: u64 = 1 << 20;

/// What holds of any bytes.
pub fn hold(bytes: &[u8]) {
    let whole = check(&mut &*bytes);
    let cut = check(&mut InPieces::new(bytes));
    assert_eq!(whole, cut, "the pieces change what is found");
    let Some(found) = whole else { return };
    let starts = found.iter().filter_map(|finding| finding.location.bytes.map(|bytes| (bytes.start, bytes.end)));
    for (start, end) in starts {
        assert!(start <= end && end <= MOST.max(bytes.len() as u64), "{start}..{end} of {} bytes", bytes.len());
    }
    assert!(found.iter().all(|finding| !finding.message.is_empty()));
}

/// What is found; nothing if the layer decodes to too much.
fn check(input: &mut (dyn Read + Send)) -> Option<Vec<Diagnostic>> {
    let mut findings = Findings::new("layer", 10_000);
    let limits = Limits { layer: MOST, ..Limits::FORMAT };
    check_layer(input, &limits, &mut findings).ok()?;
    Some(findings.list().to_vec())
}
