//! libFuzzer's way into the body `escpos`.
#![no_main]

#[path = "../bodies/escpos.rs"]
mod escpos;

libfuzzer_sys::fuzz_target!(|data: &[u8]| escpos::run(data));
