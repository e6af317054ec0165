//! Passes the bytes of the fuzzer to the check of this name.

#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| autodns_fuzz::check("reflector_answer", data));
