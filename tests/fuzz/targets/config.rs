//! `outside::any_config`, for libFuzzer.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    fuzz::outside::any_config(data);
});
