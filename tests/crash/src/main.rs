//! Crashes and damage, played on `fichad`: `tests/run crash`.
//!
//! - **kills**: clients write through the socket, the daemon gets SIGKILL at a random moment;
//! - **cuts**: the same on a file system of its own, whose power is cut;
//! - **replays**: one run's writes and syncs are recorded (strace), and the disk is made up anew as it may have been at a
//!   random moment, writes that nobody had synced dropped, reordered or kept in part;
//! - **damages**: a store's files with flipped bits, truncated, emptied, removed or swapped.
//!
//! After each of the first three: everything acknowledged is there, nothing holds by half, requests sent again come to the
//! same, and the views are those that the journals give. After damage: the state is the same, or the daemon says what is
//! wrong. A run without rounds has failed, and so has a round of fewer than [`ANSWERS_MIN`](run::ANSWERS_MIN) answers.

mod check;
mod clients;
mod cuts;
mod daemon;
mod damages;
mod dice;
mod disk;
mod kills;
mod lettings;
mod line;
mod made_up;
mod purse;
mod rebuild;
mod replays;
mod rotations;
mod run;
mod shop;
mod trace;

fn main() -> std::process::ExitCode {
    run::main()
}
