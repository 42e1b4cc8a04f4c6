//! Listings of layers, and merged ones.

use cornercast::digest::Digest;
use cornercast::json::{Form, read};
use cornercast::layer::{Entry, Listing, ListingKind, Node, Tree, read_listing};
use cornercast::limits::Limits;

use super::layer::listing_of;
use super::{place, schemas};

/// What holds of any bytes.
pub fn hold(bytes: &[u8]) {
    let layer = judge(bytes, ListingKind::Layer);
    let rootfs = judge(bytes, ListingKind::Rootfs);
    let is_plain =
        layer.entries.iter().all(|Entry { node, .. }| !matches!(node, Node::Whiteout | Node::Dir { opaque: true, .. }));
    if rootfs.violations.is_empty() && !bytes.is_empty() {
        assert_eq!(layer.violations, [], "a merged listing is that of a layer, too");
        assert!(is_plain, "a merged listing hides nothing");
        assert_eq!(layer.entries, rootfs.entries);
    }
    if !layer.violations.is_empty() {
        return;
    }
    let lines: Vec<&[u8]> = bytes.split_inclusive(|byte| *byte == b'\n').collect();
    // A schema takes its time; of many lines some are enough.
    for line in lines.iter().step_by(lines.len() / 16 + 1) {
        let line = line.strip_suffix(b"\n").expect("an accepted listing ends in a newline");
        let line = read(line, Form::Canonical, &Limits::FORMAT);
        assert_eq!(line.violations, []);
        schemas::accepts_line(&line.root.expect("a line without violations has a value").to_serde());
    }
    let mut tree = Tree::default();
    tree.merge(layer.entries.clone());
    let merged = listing_of(&tree.entries().collect::<Vec<_>>());
    let summary = tree.summary();
    assert_eq!((summary.digest, summary.entries), (Digest::of(&merged), tree.len() as u64));
    assert_eq!(read_listing(&merged, ListingKind::Rootfs, &Limits::FORMAT).violations, [], "what a layer merges to");
    if is_plain {
        assert_eq!(rootfs.violations, [], "a listing without whiteouts is a merged one");
        assert_eq!(merged, bytes, "a listing without whiteouts merges to itself");
    }
    tree.merge(layer.entries);
    assert_eq!(tree.summary(), summary, "merging a layer twice changes nothing");
}

fn judge(bytes: &[u8], kind: ListingKind) -> Listing {
    let listing = read_listing(bytes, kind, &Limits::FORMAT);
    place::inside(&listing.violations, bytes);
    place::has_lines(&listing.violations, bytes);
    assert!(listing.entries.len() <= bytes.split(|byte| *byte == b'\n').count());
    if listing.violations.is_empty() {
        assert_eq!(listing_of(&listing.entries), bytes, "the writer makes other lines");
    }
    listing
}
