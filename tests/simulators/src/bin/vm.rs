//! The guest's program: plays the scenarios and prints a line for each.
//!
//! `vm [PART]` plays those whose name contains PART.

use nix::unistd::{Gid, setgroups};
use simulators::scenarios;

/// `fichad-register`, `-desk` and `-manager` in the guest.
const ROLES: [u32; 3] = [900, 901, 902];

fn main() -> std::io::Result<()> {
    let part = std::env::args().nth(1).unwrap_or_default();
    // The register's roles come from its groups: those of tests/vm/initrd.
    setgroups(&ROLES.map(Gid::from_raw))?;
    let wanted = scenarios::all().into_iter().filter(|scenario| scenario.name.contains(&part));
    scenarios::play(wanted.collect())
}
