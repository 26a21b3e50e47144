//! libFuzzer's way into the body `hid`.
#![no_main]

#[path = "../bodies/hid.rs"]
mod hid;

libfuzzer_sys::fuzz_target!(|data: &[u8]| hid::run(data));
