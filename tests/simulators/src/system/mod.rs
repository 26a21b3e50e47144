//! The system tier: fichad as its Debian package installs it, under systemd and udevd, judged line by line.
//!
//! Unlike the scenarios, which each start a daemon of their own, these checks are steps of one installation's life: they
//! are played in order, and what they leave behind is what the next one finds.

mod devices;
mod host;
mod install;
mod installer;
mod neighbours;
mod peers;
mod recovery;
mod removal;
mod service;
mod upgrade;

pub use peers::claim;

use crate::scenarios::Scenario;

/// All checks, in the order of an installation's life.
#[must_use]
pub fn all() -> Vec<Scenario> {
    let parts = [
        install::CHECKS,
        service::CHECKS,
        neighbours::CHECKS,
        devices::CHECKS,
        installer::CHECKS,
        peers::CHECKS,
        recovery::CHECKS,
        upgrade::CHECKS,
        removal::CHECKS,
    ];
    parts.concat()
}
