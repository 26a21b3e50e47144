//! Everything that is tested from outside the library, in one binary.
// `cfg(test)` on each: clippy then knows that helpers beside `#[test]` functions are test code too.

#[cfg(test)]
mod captures;
#[cfg(test)]
mod desk;
#[cfg(test)]
mod hid;
#[cfg(test)]
mod hotplug;
#[cfg(test)]
mod keyboard;
#[cfg(test)]
mod log;
#[cfg(test)]
mod magstripe;
#[cfg(test)]
mod tree;
mod vault_keys;
//! Tests of the whole library: one binary, so that it links once.

mod print;
//! Tests of the parts together, in one binary.

mod push;
//! Tests of the whole: one binary, a module for each subject.

mod systemd;
//! Everything that needs more than one module: real descriptors, captures, whole scans.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod codes;
mod decode;
mod fuzz;
mod serial;
mod printer_port;
