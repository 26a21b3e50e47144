//! The daemon as a whole: the real binary, scanners on pseudo-terminals, registers on its socket.

#![expect(clippy::arithmetic_side_effects, reason = "a test says what is wrong by failing")]

mod answers;
mod cards;
mod contact;
mod damage;
mod erasure;
mod hindered;
mod history;
mod keys;
mod load;
mod metrics;
mod operators;
mod restarts;
mod restore;
mod retention;
pub(crate) mod rig;
mod routes;
mod search;
mod second_copy;
mod socat;
mod trouble;
mod typing;
mod unlock;
