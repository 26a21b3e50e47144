//! The personal half of what is kept: sealed for each customer, in its own folder, under its own key.
//!
//! Names, addresses, phone numbers and all free text live here and nowhere else, so that a stolen or
//! restored copy of anything else leads to nobody. It never logs what it opens, and never keeps a key in sled,
//! a journal or a snapshot.

mod files;

pub mod kek;
pub mod keyring;
pub mod keys;
pub mod lookup;
pub mod seal;
