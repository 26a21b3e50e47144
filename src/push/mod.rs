//! Sessions with registers: frames out, requests in.

pub mod wire;
