//! The laws that are fuzzed, on the conformance cases and on mutants of them.

use std::fs;
use std::path::Path;

use cornercast::digest::Digest;
use proptest::prelude::*;
use proptest::sample::Index;

use crate::mutant::{changes, mutant};
use crate::seeds::Seed;
use crate::{SEEDS, effort, laws};

fn suiting(target: &str) -> Vec<&'static Seed> {
    let seeds: Vec<&Seed> = SEEDS.iter().filter(|seed| seed.suits(target)).collect();
    assert!(seeds.len() >= 20, "{} seeds of {target}", seeds.len());
    seeds
}

/// The laws hold of every case, accepted or not.
fn of_cases(target: &str) {
    let (_, hold) = laws::ALL.into_iter().find(|(name, _)| *name == target).unwrap();
    let broken: Vec<&str> = suiting(target)
        .into_iter()
        .filter(|seed| std::panic::catch_unwind(|| hold(&seed.bytes)).is_err())
        .map(|seed| seed.case.as_str())
        .collect();
    assert!(broken.is_empty(), "the laws of {target} are broken by {broken:#?}");
}

/// The laws hold of mutants of the cases.
fn of_mutants(target: &str, cases: u32) {
    let (_, hold) = laws::ALL.into_iter().find(|(name, _)| *name == target).unwrap();
    let seeds = suiting(target);
    proptest!(effort(cases), |(seed in any::<Index>(), changes in changes(4))| {
        hold(&mutant(&seeds[seed.index(seeds.len())].bytes, &changes));
    });
}

macro_rules! laws {
    ($($name:ident $cases:literal;)*) => {
        $(mod $name {
            #[test]
            fn holds_of_all_cases() {
                super::of_cases(stringify!($name));
            }

            #[test]
            fn holds_of_mutants() {
                super::of_mutants(stringify!($name), $cases);
            }
        })*

        #[test]
        fn every_target_is_tried() {
            let tried = [$(stringify!($name)),*];
            assert_eq!(tried.to_vec(), laws::ALL.map(|(name, _)| name));
        }
    };
}

laws! {
    json 3000;
    tar 1500;
    layer 1000;
    listing 1500;
    manifest 1500;
    archive 300;
    zstd 1500;
    store 300;
    oci_layer 1000;
    oci_archive 300;
    envelope 1000;
    trusted 1000;
    proof 3000;
    checkpoint 3000;
}

/// The inputs in `found/TARGET`, by which fuzzing has broken a law.
#[test]
fn holds_of_what_fuzzing_found() {
    let mut count = 0;
    for (target, hold) in laws::ALL {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/robustness/found").join(target);
        for input in fs::read_dir(folder).into_iter().flatten() {
            hold(&fs::read(input.unwrap().path()).unwrap());
            count += 1;
        }
    }
    assert!(count >= 2, "{count} inputs");
}

/// Writes the seeds of each fuzz target beside what fuzzing has found already.
#[test]
#[ignore = "writes validator/fuzz/corpus; validator/fuzz/run calls it"]
fn seeds_of_the_fuzz_targets() {
    for (target, _) in laws::ALL {
        let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(target);
        fs::create_dir_all(&corpus).unwrap();
        for seed in suiting(target) {
            fs::write(corpus.join(Digest::of(&seed.bytes).hex()), &seed.bytes).unwrap();
        }
    }
}

/// What fuzzing has found: of this member the decoder gives some bytes first, and when it is called again says what is
/// wrong in other words, so that they depended on the pieces.
#[test]
fn damaged_deflate_is_told_in_the_same_words() {
    let member = "1f8b0800000a0a0a0aff7b1f07c1f07c1f0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a\
        0a0a0a0a0a00210005050505000000000000002f050505053d0505f8ff0505050505050505fc0305\
        00fb000531000a3605";
    let bytes = (0..member.len()).step_by(2).map(|at| u8::from_str_radix(&member[at..at + 2], 16).unwrap());
    laws::oci_layer::hold(&bytes.collect::<Vec<u8>>());
}
