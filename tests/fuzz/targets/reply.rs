//! `promises::any_reply`, for libFuzzer.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    fuzz::promises::any_reply(data);
});
