//! Checkpoints, and bundles of entries of a log.

use cornercast::limits::Limits;
use cornercast::trust::tiles::{read_bundle, write_bundle};
use cornercast::trust::{Checkpoint, check_proof};

/// What holds of any bytes: of a checkpoint, of a log proof, which ends with one, or of a bundle.
pub fn hold(bytes: &[u8]) {
    let limits = Limits::FORMAT;
    let end = bytes.windows(2).position(|window| window == b"\n\n").filter(|_| bytes.starts_with(b"c2sp.org/"));
    let checkpoint = end.and_then(|end| bytes.get(end + 2..)).unwrap_or(bytes);
    let read = Checkpoint::read(checkpoint, &limits);
    if check_proof(bytes, &limits).0.is_some() {
        assert!(read.is_ok(), "a proof has a checkpoint that is none: {read:?}");
    }
    if let Ok(read) = read {
        assert_eq!(read.write().as_bytes(), checkpoint, "a checkpoint has one spelling");
    }
    for width in 1..=3 {
        if let Some(entries) = read_bundle(bytes, width) {
            assert_eq!(entries.len(), width);
            assert_eq!(write_bundle(entries).as_deref(), Some(bytes), "a bundle has one spelling");
        }
    }
}
