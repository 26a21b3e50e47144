//! The guest's program: plays the scenarios and prints a line for each.
//!
//! `vm [PART]` plays those whose name contains PART. Lines that the host reads begin with `vm| `, so that the kernel's
//! messages on the same console cannot be taken for one.

use nix::unistd::{Gid, setgroups};
use simulators::scenarios;
use std::io::{Write as _, stdout};

/// `fichad-register`, `-desk` and `-manager` in the guest.
const ROLES: [u32; 3] = [900, 901, 902];

fn main() -> std::io::Result<()> {
    let part = std::env::args().nth(1).unwrap_or_default();
    // The register's roles come from its groups: those of tests/vm/initrd.
    setgroups(&ROLES.map(Gid::from_raw))?;
    for scenario in scenarios::all().into_iter().filter(|scenario| scenario.name.contains(&part)) {
        let outcome = scenario.run();
        let took = outcome.took.as_secs_f64();
        let mut out = stdout().lock();
        match outcome.failure {
            None => writeln!(out, "vm| ok   {} ({took:.1} s)", scenario.name)?,
            Some(reason) => {
                writeln!(out, "vm| FAIL {} ({took:.1} s): {reason}", scenario.name)?;
                outcome.trace.iter().try_for_each(|line| writeln!(out, "vm|      {line}"))?;
            }
        }
        out.flush()?;
    }
    writeln!(stdout(), "vm| end")
}
