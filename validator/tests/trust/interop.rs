//! Notes, checkpoints and proofs in the hands of others: the crates `signed_note` and `tlog_tiles`.

use std::fs;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use cornercast::limits::Limits;
use cornercast::trust::tiles::{Tile, levels};
use cornercast::trust::tree::{Hash, consistency, inclusion, is_consistent, is_included, leaf_hash, root};
use cornercast::trust::{Checkpoint, check_proof, log_vkey};
use signed_note::{Note, Signer as _, StandardSigner, StandardVerifier, Verifier, VerifierList, key_id};
use tlog_tiles::{TileHashReader, TileReader, tlog};

use super::site::{Site, envelope, key};

const ORIGIN: &str = "log.example";

/// What the crate stores of a log, hash by hash in an order of its own.
struct Stored(Vec<tlog::Hash>);

impl tlog::HashReader for Stored {
    fn read_hashes(&self, indexes: &[u64]) -> Result<Vec<tlog::Hash>, tlog::Error> {
        Ok(indexes.iter().map(|index| self.0[usize::try_from(*index).unwrap()]).collect())
    }
}

impl Stored {
    fn add(&mut self, number: u64, entry: &[u8]) {
        let hashes = tlog::stored_hashes(number, entry, self).unwrap();
        self.0.extend(hashes);
    }
}

/// The key of the log, as the crate reads it from the file that `log init` has written.
fn verifier(site: &Site) -> StandardVerifier {
    let vkey = String::from_utf8(site.read("log/log.vkey")).unwrap();
    assert_eq!(vkey, format!("{}\n", log_vkey(ORIGIN, &key(1).public())));
    StandardVerifier::new(vkey.trim_end()).unwrap()
}

/// The key of the witness: the crate knows keys of logs alone, so what is signed is put together here.
struct Witness {
    name: &'static str,
    id: u32,
    inner: StandardVerifier,
}

impl Witness {
    fn new(name: &'static str) -> Self {
        let public = key(2).public();
        let id = key_id(name, &[&[4], &public.as_bytes()[..]].concat());
        Self { name, id, inner: StandardVerifier::new(&log_vkey(name, &public)).unwrap() }
    }
}

impl Verifier for Witness {
    fn name(&self) -> &str {
        self.name
    }
    fn key_id(&self) -> u32 {
        self.id
    }
    fn verify(&self, text: &[u8], signature: &[u8]) -> bool {
        let (time, signature) = signature.split_first_chunk().unwrap();
        let head = format!("cosignature/v1\ntime {}\n", u64::from_be_bytes(*time));
        self.inner.verify(&[head.as_bytes(), text].concat(), signature)
    }
}

/// A key of ours as the crate writes secret keys.
fn signer(name: &str, seed: u8) -> StandardSigner {
    let id = key_id(name, &[&[1], &key(seed).public().as_bytes()[..]].concat());
    let secret = STANDARD.encode([&[1][..], &[seed; 32]].concat());
    StandardSigner::new(&format!("PRIVATE+KEY+{name}+{id:08x}+{secret}")).unwrap()
}

fn hashes(ours: &[Hash]) -> Vec<tlog::Hash> {
    ours.iter().copied().map(tlog::Hash).collect()
}

/// Roots, inclusion and consistency proofs are the same on both sides, and each side accepts the other's.
#[test]
fn roots_and_proofs_of_all_small_trees() {
    let (mut stored, mut leaves) = (Stored(Vec::new()), Vec::new());
    for size in 1..=300_u64 {
        let entry = format!("entry {size}");
        stored.add(size - 1, entry.as_bytes());
        leaves.push(leaf_hash(entry.as_bytes()));
        let theirs = tlog::tree_hash(size, &stored).unwrap();
        let ours = root(&leaves).unwrap();
        assert_eq!(theirs.0, ours, "{size}");
        let step = usize::try_from(1 + size / 7).unwrap();
        for index in (0..size).step_by(step).chain([size - 1]) {
            let at = usize::try_from(index).unwrap();
            let proof = inclusion(&leaves, at).unwrap();
            assert!(tlog::prove_record(size, index, &stored).unwrap() == hashes(&proof), "{index} of {size}");
            tlog::check_record(&hashes(&proof), size, theirs, index, tlog::Hash(leaves[at])).unwrap();

            let old = at + 1;
            let before = root(&leaves[..old]).unwrap();
            let proof = consistency(&leaves, old).unwrap();
            let other = tlog::prove_tree(size, index + 1, &stored).unwrap();
            assert!(other == hashes(&proof), "{old} in {size}");
            tlog::check_tree(&other, size, theirs, index + 1, tlog::Hash(before)).unwrap();
            assert!(is_consistent((index + 1, &before), (size, &ours), &proof));
        }
    }
}

/// A log as the crate reads it: tiles at their paths in the directory.
struct Files<'s>(&'s Site);

impl TileReader for Files<'_> {
    fn height(&self) -> u8 {
        8
    }
    fn read_tiles(&self, tiles: &[tlog_tiles::Tile]) -> Result<Vec<Vec<u8>>, tlog::Error> {
        let read = |tile: &tlog_tiles::Tile| {
            // The crate puts the height before the level, as the checksum database of Go does.
            let path = tile.path().replacen("tile/8/", "log/tile/", 1);
            fs::read(self.0.path(&path)).unwrap_or_else(|error| panic!("{path}: {error}"))
        };
        Ok(tiles.iter().map(read).collect())
    }
    fn save_tiles(&self, _: &[tlog_tiles::Tile], _: &[Vec<u8>]) {}
}

/// Tiles, checkpoints, cosignatures and proofs that the command makes, read by the crates.
#[test]
fn others_read_what_the_command_writes() {
    let site = Site::new();
    site.log_of("log", 0);
    let mut old = 0;
    for size in [1, 2, 255, 256, 257, 300] {
        site.add("log", old..size);
        old = size;
        site.does(&["witness", "log", "--key", "witness.key", "--name", "witness.example"]);

        let note = Note::from_bytes(&site.read("log/checkpoint")).unwrap();
        let known = VerifierList::new(vec![Box::new(verifier(&site)), Box::new(Witness::new("witness.example"))]);
        let (verified, unknown) = note.verify(&known).unwrap();
        assert_eq!((verified.len(), unknown.len()), (2, 0));
        let checkpoint = tlog_tiles::Checkpoint::from_bytes(note.text()).unwrap();
        assert_eq!((checkpoint.origin(), checkpoint.extension()), (ORIGIN, ""));
        assert_eq!(checkpoint.size(), size as u64);

        // The reader holds all tiles that it uses against the root.
        let files = Files(&site);
        let reader = TileHashReader::new(checkpoint.size(), *checkpoint.hash(), &files);
        for index in [0, size / 2, size - 1] {
            let theirs = tlog::prove_record(checkpoint.size(), index as u64, &reader).unwrap();
            let proof = site.does(&["prove", "log", &format!("{index}.json")]);
            let proof = check_proof(proof.as_bytes(), &Limits::FORMAT).0.unwrap();
            assert!(theirs == hashes(&proof.hashes), "{index} of {size}");
            let leaf = tlog::record_hash(&envelope(index));
            let (inside, root) = (hashes(&proof.hashes), *checkpoint.hash());
            tlog::check_record(&inside, proof.size, root, proof.index, leaf).unwrap();
        }
    }
}

/// A checkpoint and proofs that the crates make, read by the library and judged by the code of the verifier.
#[test]
fn the_library_reads_what_others_write() {
    let mut stored = Stored(Vec::new());
    for size in 1..=300_u64 {
        stored.add(size - 1, &envelope(usize::try_from(size - 1).unwrap()));
        let root = tlog::tree_hash(size, &stored).unwrap();
        let text = tlog_tiles::Checkpoint::new(ORIGIN, size, root, "").unwrap().to_bytes();
        let mut note = Note::new(&text, &[]).unwrap();
        let (log, stranger) = (signer(ORIGIN, 1), signer("stranger", 3));
        note.add_sigs(&[&stranger, &log]).unwrap();
        assert_eq!(log.name(), ORIGIN);
        let checkpoint = Checkpoint::read(&note.to_bytes(), &Limits::FORMAT).unwrap();
        assert!(checkpoint.is_signed_by(&key(1).public()) && !checkpoint.is_signed_by(&key(3).public()));
        assert_eq!((checkpoint.size, checkpoint.root), (size, root.0));
        assert_eq!(checkpoint.write().as_bytes(), note.to_bytes());

        let index = size * 7 % size.div_ceil(2);
        let theirs = tlog::prove_record(size, index, &stored).unwrap();
        let lines: String = theirs.iter().map(|hash| format!("{}\n", STANDARD.encode(hash.0))).collect();
        let note = String::from_utf8(note.to_bytes()).unwrap();
        let proof = format!("c2sp.org/tlog-proof@v1\nindex {index}\n{lines}\n{note}");
        let (proof, violations) = check_proof(proof.as_bytes(), &Limits::FORMAT);
        assert!(violations.is_empty());
        let proof = proof.unwrap();
        let leaf = |number| leaf_hash(&envelope(usize::try_from(number).unwrap()));
        assert!(is_included(leaf(index), &proof), "{index} of {size}");
        assert!(!is_included(leaf(size), &proof));
    }
}

/// What each step of a log publishes is the same for both.
#[test]
fn both_publish_the_same_tiles() {
    let mut stored = Stored(Vec::new());
    let mut leaves = Vec::new();
    for size in 1..=600_u64 {
        let entry = size.to_be_bytes();
        stored.add(size - 1, &entry);
        leaves.push(leaf_hash(&entry));
        if !(size % 256 <= 2 || size == 600) {
            continue;
        }
        let all = levels(&leaves);
        for tile in tlog_tiles::Tile::new_tiles(8, 0, size) {
            let level = &all[usize::from(tile.level())];
            let ours = Tile {
                level: Some(tile.level()),
                number: usize::try_from(tile.level_index()).unwrap(),
                width: usize::try_from(tile.width()).unwrap(),
            };
            assert_eq!(tile.path().replacen("tile/8/", "tile/", 1), ours.path());
            let content: Vec<u8> = level[ours.start()..ours.start() + ours.width].concat();
            assert_eq!(tile.read_data(&stored).unwrap(), content, "{}", ours.path());
        }
    }
}
