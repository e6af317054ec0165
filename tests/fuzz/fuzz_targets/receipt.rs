//! Gives the fuzzer's bytes to the check of this name, which holds everything there is to say.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| autodns_fuzz::check("receipt", data));
