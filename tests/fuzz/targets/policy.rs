//! `promises::any_policy`, for libFuzzer.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    fuzz::promises::any_policy(data);
});
