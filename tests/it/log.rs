//! The journal and its views on real files: what is acknowledged stays, what is torn is cut, what is damaged is named.
#![expect(clippy::arithmetic_side_effects, reason = "test code fails by panicking")]

mod commit;
mod crash;
mod damage;
mod mend;
mod model;
mod over;
mod renew;
mod restore;
mod second;
mod snapshot;
mod start;
mod support;
mod trouble;
mod verify;
mod views;
