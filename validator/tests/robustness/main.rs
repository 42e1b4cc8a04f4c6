//! What holds of the readers whatever the bytes: the laws that are fuzzed, on mutants of the conformance cases.
//!
//! `CORNERCAST_EFFORT=100` tries a hundred times as many inputs.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
// The modules of the fuzz package are public there.
#![allow(unreachable_pub, dead_code)]

#[path = "../../fuzz/src/laws/mod.rs"]
mod laws;
mod meaning;
#[path = "../../fuzz/src/mend.rs"]
mod mend;
mod mutant;
mod peers;
mod readers;
#[path = "../../fuzz/src/seeds.rs"]
mod seeds;

use std::path::Path;
use std::sync::LazyLock;

use proptest::prelude::ProptestConfig;

use seeds::Seed;

/// The inputs of the conformance cases.
static SEEDS: LazyLock<Vec<Seed>> = LazyLock::new(|| {
    let seeds = seeds::seeds(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures")).unwrap();
    assert!(seeds.len() > 3000, "{} seeds", seeds.len());
    seeds
});

/// `cases` inputs, or as many times more as the variable CORNERCAST_EFFORT says.
fn effort(cases: u32) -> ProptestConfig {
    let factor = std::env::var("CORNERCAST_EFFORT").map_or(1, |factor| factor.parse().expect("a number"));
    ProptestConfig { cases: cases * factor, failure_persistence: None, max_shrink_iters: 2000, ..Default::default() }
}
