#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| cornercast_fuzz::laws::checkpoint::hold(bytes));
