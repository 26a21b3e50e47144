//! Everything that is tested from outside the library, in one binary: it links once.
// `cfg(test)` on each: clippy then knows that helpers beside `#[test]` functions are test code too.

#[cfg(test)]
mod captures;
#[cfg(test)]
mod captures_whole;
#[cfg(test)]
mod cli;
#[cfg(test)]
mod codes;
#[cfg(test)]
mod decode;
#[cfg(test)]
mod desk;
#[cfg(test)]
mod docs;
#[cfg(test)]
mod fuzz;
#[cfg(test)]
mod hid;
#[cfg(test)]
mod hotplug;
#[cfg(test)]
mod identify;
#[cfg(test)]
mod keyboard;
#[cfg(test)]
mod log;
#[cfg(test)]
mod magstripe;
#[cfg(test)]
mod memory;
#[cfg(test)]
mod print;
#[cfg(test)]
mod printer_port;
#[cfg(test)]
mod privacy;
#[cfg(test)]
mod profiles;
#[cfg(test)]
mod push;
#[cfg(test)]
mod serial;
#[cfg(test)]
mod systemd;
#[cfg(test)]
mod tree;
#[cfg(test)]
mod typist;
#[cfg(test)]
mod vault_keys;
#[cfg(test)]
mod whole;
