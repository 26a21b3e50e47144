//! The daemon as a whole: the real binary, scanners on pseudo-terminals, registers on its socket.

mod answers;
mod cards;
mod restarts;
pub(crate) mod rig;
mod routes;
mod trouble;
