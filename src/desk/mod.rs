//! What a register or a member of staff may ask for.
//!
//! One file a noun; each request is a decision over the current state that gives events or a
//! refusal. `access` guards each of them. Nothing here opens a socket, a device or a file.

pub mod access;
pub mod file;
