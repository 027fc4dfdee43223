//! Runs the simulator with the fuzzer's bytes as the source of its choices: no rule is broken.
#![no_main]

use dunlin_tests::simulate;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Err(failure) = simulate::run_bytes(bytes) {
        panic!("{failure}");
    }
});
