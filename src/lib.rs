#![doc = include_str!("ARCHITECTURE.md")]

pub mod domain;

pub mod device;

pub mod decode;

pub mod identify;

pub mod log;

pub mod store;

pub mod vault;

pub mod desk;

pub mod push;

pub mod print;

pub mod metrics;

pub mod config;

pub mod daemon;

pub mod cli;

/// The system's allocator keeps what many threads let go of: an import left a third more resident, and took no less time.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;
