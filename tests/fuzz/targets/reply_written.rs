//! `promises::written_reply`, for libFuzzer.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    fuzz::promises::written_reply(data);
});
