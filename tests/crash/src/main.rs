//! Crashes and damage, played on the release `fichad`: `tests/run crash`.
//!
//! - **kills**: clients write through the socket, the daemon gets SIGKILL at a random moment;
//! - **cuts**: the same on a file system of its own, whose power is cut;
//!
//! After each of the first three: everything acknowledged is there, nothing holds by half, requests sent again come to the
//! same, and the views are those that the journals give. A run without rounds has failed, and so has a round of fewer than [`ANSWERS_MIN`](run::ANSWERS_MIN) answers.

mod check;
mod clients;
mod cuts;
mod daemon;
mod dice;
mod disk;
mod kills;
mod line;
mod rebuild;
mod run;
mod shop;

fn main() -> std::process::ExitCode {
    run::main()
}
