#![doc = include_str!("ARCHITECTURE.md")]

pub mod domain;

pub mod log;

pub mod decode;

pub mod print;

pub mod device;

pub mod desk;

pub mod push;
pub mod vault;
