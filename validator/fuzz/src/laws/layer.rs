//! Layers: a layer is a function of its listing and contents, and the listing one of the layer.

use std::collections::BTreeMap;

use cornercast::digest::Digest;
use cornercast::layer::{
    Comparison, Divergence, Entry, LayerWriter, ListingKind, Walk, Walker, read_listing, write_line,
};
use cornercast::limits::Limits;
use cornercast::tar::Profile;

use super::pieces::pieces;
use super::{place, tar};

/// The walker keeps no more violations of one layer.
const MOST: usize = 10_000;

/// What holds of any bytes.
pub fn hold(bytes: &[u8]) {
    let whole = walk(Walker::new(Limits::FORMAT), [bytes]);
    let cut = walk(Walker::new(Limits::FORMAT), pieces(bytes));
    assert_eq!(whole.violations, cut.violations, "the pieces change what is wrong");
    assert_eq!(whole.entries, cut.entries, "the pieces change the entries");
    assert_eq!((whole.listing, whole.listing_size), (cut.listing, cut.listing_size));
    place::inside(&whole.violations, bytes);
    assert!(whole.violations.len() <= MOST);
    let listing = listing_of(&whole.entries);
    assert_eq!(whole.listing, Digest::of(&listing), "the digest is not that of the entries' lines");
    assert_eq!(whole.listing_size, listing.len() as u64);
    if whole.violations.is_empty() {
        of_accepted(bytes, &whole, &listing);
    }
}

fn of_accepted(bytes: &[u8], walk: &Walk, listing: &[u8]) {
    let read = tar::read(Profile::Layer, [bytes]);
    let contents: BTreeMap<&[u8], &[u8]> =
        read.entries(bytes).iter().map(|file| (file.path.as_slice(), file.data.as_slice())).collect();
    let mut writer = LayerWriter::new(Vec::new());
    for entry in &walk.entries {
        let mut content = contents.get(entry.path.as_bytes()).copied().unwrap_or_default();
        writer.entry(entry, &mut content).expect("a file has the size and digest that its entry says");
    }
    assert!(writer.finish().expect("memory takes everything") == bytes, "the writer makes another layer");

    let again = read_listing(listing, ListingKind::Layer, &Limits::FORMAT);
    assert_eq!(again.violations, [], "the listing of an accepted layer");
    assert_eq!(again.entries, walk.entries);

    assert_eq!(compared(listing, pieces(bytes)), None);
    assert!(compared(&listing[..listing.len() - 1], [bytes]).is_some(), "a shorter listing is not the layer's");
    assert!(compared(&[listing, b"\n"].concat(), [bytes]).is_some(), "a longer listing is not the layer's");
}

/// Where a listing and that of a layer part.
fn compared<'a>(listing: &[u8], pieces: impl IntoIterator<Item = &'a [u8]>) -> Option<Divergence> {
    let (mut walker, mut comparison) = (Walker::new(Limits::FORMAT), Comparison::new(listing));
    for piece in pieces {
        walker.push(piece);
        comparison.lines(walker.lines()).expect("memory does not fail");
    }
    let (_, last) = walker.finish();
    comparison.lines(&last).expect("memory does not fail");
    comparison.finish().expect("memory does not fail").divergence
}

/// Walks a layer that comes in pieces.
pub fn walk<'a>(mut walker: Walker, pieces: impl IntoIterator<Item = &'a [u8]>) -> Walk {
    for piece in pieces {
        walker.push(piece);
    }
    walker.finish().0
}

/// The lines of entries.
pub fn listing_of(entries: &[Entry]) -> Vec<u8> {
    let mut listing = Vec::new();
    for entry in entries {
        write_line(&mut listing, &entry.path, &entry.node);
    }
    listing
}
