//! `outside::any_state`, for libFuzzer.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    fuzz::outside::any_state(data);
});
