//! `outside::any_accept_encoding`, for libFuzzer.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    fuzz::outside::any_accept_encoding(data);
});
