//! Images whose parts are not what the manifest says, in a store and in an archive alike.

use std::io;
use std::num::NonZero;

use cornercast::diagnostic::Findings;
use cornercast::digest::Digest;
use cornercast::input::{Kind, check_directory};
use cornercast::layer::Entry;
use cornercast::limits::Limits;
use cornercast::store::{Extent, FileKind, check_archive_to, check_store, check_store_to, path_of};
use cornercast::tar::END;

use super::images::{
    Blob, Layer, Store, broken, changed, entries, file, files, ids, in_archive, in_store, layer, manifest, other,
};

#[test]
fn images_of_several_layers_are_accepted() {
    let (one, two) = (layer(vec![file("a", 0o644), file("b", 0o644)]), layer(vec![file("a", 0o600)]));
    assert_eq!(broken(&[("1.0.0", &[&one])]), [""; 0]);
    assert_eq!(broken(&[("1.0.0", &[&one, &two]), ("2.0.0", &[&two, &one]), ("3.0.0", &[&one])]), [""; 0]);
}

/// Another listing is judged by itself, and nothing is concluded from it.
#[test]
fn another_listing_says_nothing_of_the_image() {
    let (one, two) = (layer(vec![file("a", 0o644)]), layer(vec![file("a", 0o600)]));
    let mut swapped = layer(vec![file("a", 0o644)]);
    swapped.listing = other(&one.listing, two.listing.named.clone());
    assert_eq!(broken(&[("1.0.0", &[&swapped])]), ["NAM-029"]);
    let mut flawed = two.listing.named.clone();
    flawed[0] = b'[';
    swapped.listing = other(&one.listing, flawed);
    let found = broken(&[("1.0.0", &[&swapped])]);
    assert!(found.contains(&"NAM-029") && found.len() > 1, "{found:?}");
    assert!(!found.contains(&"LST-016") && !found.contains(&"LST-017"), "{found:?}");
}

/// A listing that breaks a clause is reported once, however many images have it.
#[test]
fn flawed_listings_are_reported_once() {
    let mut flawed = layer(vec![file("b", 0o644), file("a", 0o644)]);
    flawed.archive = layer(vec![file("a", 0o644), file("b", 0o644)]).archive;
    let other = layer(vec![file("c", 0o644)]);
    let expected = ["LAY-047"];
    assert_eq!(broken(&[("1.0.0", &[&flawed])]), expected);
    assert_eq!(broken(&[("1.0.0", &[&flawed]), ("2.0.0", &[&flawed, &other])]), expected);
}

/// Where nothing is known to be wrong with the listings, they are merged, and the manifest is held against them.
#[test]
fn rootfs_is_judged_by_listings_that_are_right() {
    let wrong_rootfs = ["LST-017", "LST-018", "LST-019"];
    let right = || Layer { entries: Vec::new(), ..layer(vec![file("a", 0o644)]) };
    assert_eq!(broken(&[("1.0.0", &[&right()])]), wrong_rootfs);
    // The layer says nothing of the listing.
    let mut other_layer = right();
    other_layer.archive = other(&other_layer.archive, changed(&other_layer.archive.named));
    assert_eq!(broken(&[("1.0.0", &[&other_layer])]), ["LST-017", "LST-018", "LST-019", "NAM-029"]);
    // Another layer that has another listing, both of them right by themselves.
    let (mut both, two) = (right(), layer(vec![file("a", 0o600)]));
    both.archive = other(&both.archive, two.archive.named);
    both.listing = other(&both.listing, two.listing.named);
    assert_eq!(broken(&[("1.0.0", &[&both])]), ["NAM-029", "NAM-029"]);
    let mut missing = right();
    missing.listing.stored = None;
    assert_eq!(broken(&[("1.0.0", &[&missing])]), ["STO-007"]);
}

/// A blob may stand in a store twice, and is right if both are.
#[test]
fn both_places_of_a_blob_are_read() {
    let wrong_rootfs = ["LST-017", "LST-018", "LST-019"];
    let frame = |content: &[u8]| zstd::encode_all(content, 3).unwrap();
    let found = |change: &dyn Fn(&mut Layer)| {
        let mut layer = Layer { entries: Vec::new(), ..layer(vec![file("a", 0o644)]) };
        change(&mut layer);
        ids(&in_store(&[("1.0.0", &[&layer])], &Limits::FORMAT))
    };
    let two = layer(vec![file("a", 0o600)]);
    assert_eq!(found(&|layer| layer.listing.packed = Some(frame(&layer.listing.named))), wrong_rootfs);
    assert_eq!(found(&|layer| layer.archive.packed = Some(frame(&layer.archive.named))), wrong_rootfs);
    assert_eq!(found(&|layer| layer.listing.packed = Some(frame(&two.listing.named))), ["NAM-029"]);
    assert_eq!(found(&|layer| layer.listing.packed = Some(frame(b"x"))), ["NAM-028"]);
    assert_eq!(
        found(&|layer| {
            layer.listing.packed = Some(frame(&layer.listing.named));
            layer.listing.stored = Some(two.listing.named.clone());
        }),
        ["NAM-029"]
    );
}

/// Of a layer that cannot be read to its end, nothing is said but that; of another one, what is wrong with it.
#[test]
fn damaged_layers_are_not_looked_into() {
    let good = layer(vec![file("a", 0o644), file("b", 0o644)]);
    let bad = layer(vec![file("b", 0o644), file("a", 0o644)]);
    let found = |archive: Blob| {
        ids(&in_store(
            &[("1.0.0", &[&Layer { archive, ..layer(vec![file("a", 0o644), file("b", 0o644)]) }])],
            &Limits::FORMAT,
        ))
    };
    assert_eq!(found(other(&good.archive, bad.archive.named.clone())), ["LAY-047", "NAM-029"]);
    let cut = |length: usize| Blob { stored: Some(good.archive.named[..length].to_vec()), ..good.archive.clone() };
    assert_eq!(found(cut(700)), ["NAM-028"]);
    let frame = zstd::encode_all(&good.archive.named[..], 3).unwrap();
    let packed = |frame: &[u8]| Blob { stored: None, packed: Some(frame.to_vec()), ..good.archive.clone() };
    assert_eq!(found(packed(&frame)), [""; 0]);
    assert_eq!(found(packed(&frame[..frame.len() - 3])), ["STO-024"]);
    assert_eq!(found(packed(&[frame.as_slice(), b"more"].concat())), ["STO-019"]);
    let bad_frame = zstd::encode_all(&bad.archive.named[..], 3).unwrap();
    assert_eq!(found(packed(&bad_frame)), ["LAY-047", "NAM-029"]);
    assert_eq!(found(packed(&[bad_frame.as_slice(), b"more"].concat())), ["STO-019"]);
}

/// A listing that breaks the same clause as its layer is judged like any other.
#[test]
fn layers_and_listings_are_judged_each_by_itself() {
    let flawed = layer(vec![file("b", 0o644), file("a", 0o644)]);
    assert_eq!(broken(&[("1.0.0", &[&flawed])]), ["LAY-047", "LAY-047"]);
    // Behind a listing whose layer is missing stands another one.
    let mut missing = layer(vec![file("b", 0o644), file("a", 0o644)]);
    missing.archive.stored = None;
    let other = layer(vec![file("c", 0o644)]);
    assert_eq!(broken(&[("1.0.0", &[&missing, &other])]), ["LAY-047", "STO-007"]);
    assert_eq!(broken(&[("1.0.0", &[&other, &missing])]), ["LAY-047", "STO-007"]);
}

/// A listing is read up to its limit, and not at all beyond.
#[test]
fn listings_are_read_up_to_their_limit() {
    let mut flawed = layer(vec![file("b", 0o644), file("a", 0o644)]);
    flawed.archive.stored = None;
    let length = flawed.listing.named.len() as u64;
    for check in [in_store, in_archive] {
        let found = |limit| ids(&check(&[("1.0.0", &[&flawed])], &Limits { listing: limit, ..Limits::FORMAT }));
        assert_eq!(found(length), ["LAY-047", "STO-007"]);
        assert!(!found(length - 1).contains(&"LAY-047"), "{:?}", found(length - 1));
        assert!(found(length - 1).contains(&"LST-014"), "{:?}", found(length - 1));
        // Nor is one that would fit its layer.
        let good = layer(vec![file("a", 0o644), file("b", 0o644)]);
        let limits = Limits { listing: length - 1, ..Limits::FORMAT };
        assert_eq!(ids(&check(&[("1.0.0", &[&good])], &limits)), ["LST-014"]);
    }
}

/// A layer beside another listing: where they part, and what each has there.
#[test]
fn listings_are_held_against_layers() {
    let of = |entries: Vec<Entry>, listed: Vec<Entry>| {
        let listing = layer(listed.clone()).listing;
        let layer = Layer { listing, entries: listed, ..layer(entries) };
        let [store, archive] = [in_store, in_archive].map(|check| check(&[("1.0.0", &[&layer])], &Limits::FORMAT));
        assert_eq!(ids(&store), ["LST-016"], "{store:#?}");
        assert_eq!(store, archive);
        let found = &store[0];
        (found.message.clone(), found.excerpt.as_ref().map(|excerpt| (excerpt.bytes.len(), excerpt.ends_early)))
    };
    let (a, b, c) = (|| file("a", 0o644), || file("b", 0o644), || file("c", 0o644));
    let line = layer(vec![a()]).listing.named.len() - 1;
    assert_eq!(of(vec![a(), b()], vec![a()]).0, "the layer has \"b\", its listing has nothing more");
    assert_eq!(of(vec![a(), b()], vec![a()]).1, None);
    assert_eq!(
        of(vec![a()], vec![a(), b()]),
        ("the layer has nothing more, its listing has \"b\"".to_owned(), Some((line, false)))
    );
    assert_eq!(of(vec![a(), b()], vec![a(), c()]).0, "the layer has \"b\", its listing has \"c\"");
    assert_eq!(of(vec![a()], vec![file("a", 0o600)]).0, "`mode` of \"a\": the layer has 420, its listing has 384");
    // No more than 160 bytes of a line are shown.
    for (length, shown) in [(159, (159, false)), (160, (160, false)), (161, (160, true)), (200, (160, true))] {
        // The size of the file has a second digit.
        let name = "n".repeat(length - line);
        assert_eq!(of(vec![a()], vec![a(), file(&name, 0o644)]).1, Some(shown), "{length}");
    }
}

/// What another content stands for is shown with the descriptor that names it, whichever of several images has it.
#[test]
fn descriptors_are_shown_with_what_they_name() {
    let part = |name: &str| Layer { attachment: Some(Blob::new(name.into())), ..layer(vec![file(name, 0o644)]) };
    let change = |blob: &mut Blob, at: usize| {
        let mut stored = blob.named.clone();
        stored[at] ^= 1;
        blob.stored = Some(stored);
    };
    let common = part("common");
    for wrong in 0..3 {
        for (pointer, changes) in [
            (
                "/layers/1",
                (|layer, change| change(&mut layer.archive, 512)) as fn(&mut Layer, &dyn Fn(&mut Blob, usize)),
            ),
            ("/attachments/", |layer, change| change(layer.attachment.as_mut().unwrap(), 0)),
        ] {
            let mut own = ["a", "b", "c"].map(part);
            changes(&mut own[wrong], &change);
            let layers = own.each_ref().map(|own| [&common, own]);
            let images = [("1.0.0", &layers[0][..]), ("2.0.0", &layers[1]), ("3.0.0", &layers[2])];
            let (version, layers) = images[wrong];
            let named_by = path_of(&FileKind::Manifest(Digest::of(&manifest(version, layers))));
            for check in [in_store, in_archive] {
                let found = check(&images, &Limits::FORMAT);
                assert_eq!(ids(&found), ["NAM-029"]);
                let [related] = found[0].related.as_slice() else { panic!("{found:#?}") };
                assert_eq!(related.location.chain.last(), Some(&named_by));
                assert!(related.location.pointer.as_deref().unwrap().starts_with(pointer));
            }
        }
    }
}

/// Without a look into its layers, an image is checked by the digests of its blobs.
#[test]
fn digests_alone_are_checked_alone() {
    let found = |layer: Layer| {
        let images: &[(&str, &[&Layer])] = &[("1.0.0", &[&layer])];
        let (jobs, limits) = (NonZero::<usize>::MIN, Limits::FORMAT);
        let [mut store, mut archive] = [(); 2].map(|()| Findings::new("input", 100));
        check_store_to(Extent::Digests, &Store(files(images).into_iter().collect()), &limits, jobs, &mut store)
            .unwrap();
        let bytes = [entries(&files(images)), END.to_vec()].concat();
        check_archive_to(Extent::Digests, &mut &*bytes, &limits, jobs, &mut archive).unwrap();
        assert_eq!(ids(store.list()), ids(archive.list()));
        ids(store.list())
    };
    let flawed = || layer(vec![file("b", 0o644), file("a", 0o644)]);
    assert_eq!(broken(&[("1.0.0", &[&flawed()])]), ["LAY-047", "LAY-047"]);
    assert_eq!(found(flawed()), [""; 0]);
    let mut wrong = flawed();
    wrong.archive = other(&wrong.archive, changed(&wrong.archive.named));
    assert_eq!(found(wrong), ["NAM-029"]);
    let mut missing = flawed();
    missing.listing.stored = None;
    assert_eq!(found(missing), ["STO-007"]);
}

/// The whole is what is checked if nothing else is said.
#[test]
fn stores_are_checked_as_a_whole() {
    let flawed = layer(vec![file("b", 0o644), file("a", 0o644)]);
    let store = Store(files(&[("1.0.0", &[&flawed])]).into_iter().collect());
    let mut findings = Findings::new("input", 100);
    check_store(&store, &Limits::FORMAT, NonZero::<usize>::MIN, &mut findings).unwrap();
    assert_eq!(ids(findings.list()), ["LAY-047", "LAY-047"]);
}

/// Who cannot say what stands at a path cannot have a bundle checked.
#[test]
fn bundles_need_a_look_at_paths() {
    let mut findings = Findings::new("input", 100);
    let store = Store([("config.json".to_owned(), b"{}".to_vec())].into());
    let result = check_directory(Kind::OciBundle, &store, &Limits::FORMAT, NonZero::<usize>::MIN, &mut findings);
    assert_eq!(result.map_err(|error| error.kind()), Err(io::ErrorKind::Unsupported));
}
