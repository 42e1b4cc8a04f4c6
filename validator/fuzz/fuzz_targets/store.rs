#![no_main]

use cornercast_fuzz::mend::{mend_checksums, mend_digests};
use libfuzzer_sys::{fuzz_mutator, fuzz_target, fuzzer_mutate};

fuzz_target!(|bytes: &[u8]| cornercast_fuzz::laws::store::hold(bytes));

// A mutant with a wrong checksum or digest says little, so most get right ones.
fuzz_mutator!(|data: &mut [u8], size: usize, max_size: usize, seed: u32| {
    let size = fuzzer_mutate(data, size, max_size);
    if seed % 8 != 0 {
        mend_checksums(&mut data[..size]);
    }
    if seed % 4 != 0 {
        mend_digests(&mut data[..size]);
    }
    size
});
