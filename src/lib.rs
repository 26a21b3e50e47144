#![doc = include_str!("ARCHITECTURE.md")]

pub mod sys;

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

/// For every program that has this library; why this one, `Cargo.toml` says.
#[global_allocator]
static HEAP: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;
