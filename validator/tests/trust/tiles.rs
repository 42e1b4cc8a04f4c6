//! The files of a log.

use std::collections::BTreeMap;

use cornercast::trust::tiles::{Tile, levels, new_tiles, read_bundle, read_tile, tiles, write_bundle};
use cornercast::trust::tree::{Hash, leaf_hash, root};
use proptest::collection::vec;
use proptest::prelude::*;

fn leaves(count: usize) -> Vec<Hash> {
    (0..count).map(|number| leaf_hash(&number.to_be_bytes())).collect()
}

#[test]
fn paths() {
    for (level, number, width, path) in [
        (Some(0), 0, 256, "tile/0/000"),
        (Some(0), 0, 1, "tile/0/000.p/1"),
        (Some(2), 999, 255, "tile/2/999.p/255"),
        (Some(0), 1000, 256, "tile/0/x001/000"),
        (None, 1_234_067, 256, "tile/entries/x001/x234/067"),
        (None, 272, 112, "tile/entries/272.p/112"),
    ] {
        assert_eq!(Tile { level, number, width }.path(), path);
    }
}

/// The example of C2SP tlog-tiles.
#[test]
fn a_log_of_70000() {
    let levels: Vec<usize> = levels(&leaves(70_000)).iter().map(Vec::len).collect();
    assert_eq!(levels, [70_000, 273, 1]);
    let names: Vec<String> =
        (0..).zip(levels).map(|(level, count)| tiles(Some(level), 0, count).last().unwrap().path()).collect();
    assert_eq!(names, ["tile/0/273.p/112", "tile/1/001.p/17", "tile/2/000.p/1"]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// A log that grew has, among what it had, the tiles of one that was made at once.
    #[test]
    fn logs_grow_tile_by_tile(size in 0_usize..1200, olds in vec(0_usize..1200, 0..4)) {
        let leaves = leaves(size);
        let mut steps: Vec<usize> = olds.into_iter().map(|old| old.min(size)).collect();
        steps.push(size);
        steps.sort_unstable();
        let mut files = BTreeMap::new();
        let mut old = 0;
        for step in steps {
            for (tile, content) in new_tiles(&leaves[..step], old) {
                // What a checkpoint has named is not written again.
                prop_assert_eq!(files.insert(tile.path(), content), None);
            }
            old = step;
        }
        for (tile, content) in new_tiles(&leaves, 0) {
            prop_assert_eq!(files.get(&tile.path()), Some(&content), "{}", tile.path());
            let hashes = read_tile(&content, tile.width).unwrap();
            prop_assert_eq!(read_tile(&content, tile.width + 1), None);
            // Each hash is the root of its leaves.
            let each = 256_usize.pow(u32::from(tile.level.unwrap()));
            for (hash, number) in hashes.iter().zip(tile.start()..) {
                prop_assert_eq!(root(&leaves[number * each..(number + 1) * each]), Some(*hash));
            }
        }
    }

    /// A bundle comes back as it went in, and not if a byte is missing or one is left over.
    #[test]
    fn bundles(entries in vec(vec(any::<u8>(), 0..300), 0..20), cut in 1_usize..300) {
        let content = write_bundle(entries.iter().map(Vec::as_slice)).unwrap();
        let read = read_bundle(&content, entries.len()).unwrap();
        prop_assert_eq!(read, entries.iter().map(Vec::as_slice).collect::<Vec<_>>());
        prop_assert_eq!(read_bundle(&content, entries.len() + 1), None);
        let cut = content.len().saturating_sub(cut);
        prop_assert!(content.is_empty() || read_bundle(&content[..cut], entries.len()).is_none());
        let longer = [&content[..], &[0]].concat();
        prop_assert_eq!(read_bundle(&longer, entries.len()), None);
    }
}

#[test]
fn an_entry_has_room_for_65535_bytes() {
    let longest = vec![7; 65_535];
    let content = write_bundle([&longest[..], b"next"]).unwrap();
    assert_eq!(read_bundle(&content, 2).unwrap(), [&longest[..], b"next"]);
    assert_eq!(write_bundle([&[longest, vec![7]].concat()[..]]), None);
}
