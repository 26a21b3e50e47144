//! Who is at the socket: seen by the user and the groups that the kernel says, not by what a peer claims.

use super::host::{SOCKET, refused, run, try_run};
use crate::Result;
use crate::register::Register;
use crate::scenarios::{STEP, Scenario, expect};
use crate::trace::Trace;
use std::path::Path;

pub(super) const CHECKS: &[Scenario] = &[
    Scenario { name: "peers/register", play: a_member_of_the_group_is_a_register },
    Scenario { name: "peers/nobody", play: another_user_has_no_role },
    Scenario { name: "peers/named-users", play: a_register_belongs_to_the_users_named },
];

/// This program, as the checks start it as another user.
const PROGRAM: &str = "/opt/system";

/// What `register` answers the user who runs this: its roles, or why it may not be that register.
///
/// # Errors
/// When nobody answers, or the register may not be claimed.
pub fn claim(register: &str) -> Result<String> {
    Register::claim(Path::new(SOCKET), register, STEP)
}

fn claim_as(user: &str, register: &str) -> String {
    format!("runuser -u {user} -- {PROGRAM} claim {register}")
}

fn a_member_of_the_group_is_a_register(trace: &Trace) -> Result<()> {
    run("usermod --append --groups fichad-register ana", trace)?;
    let roles = run(&claim_as("ana", "till-1"), trace)?;
    expect("roles", &roles.as_str(), &"[\"register\"]")?;
    refused("runuser -u ana -- ficha erase 1 --purpose request --yes", trace)
}

fn another_user_has_no_role(trace: &Trace) -> Result<()> {
    run("useradd --create-home bea", trace)?;
    refused(&claim_as("bea", "till-1"), trace)?;
    let said = try_run("runuser -u bea -- ficha devices", trace)?;
    expect("what she is told", &said.text.contains("fichad-register"), &true)
}

/// Two members of one group, and the config ([`super::devices`]) names one of them.
fn a_register_belongs_to_the_users_named(trace: &Trace) -> Result<()> {
    run("useradd --create-home --groups fichad-register cleo", trace)?;
    run(&claim_as("ana", "till-2"), trace)?;
    run(&claim_as("cleo", "till-1"), trace)?;
    refused(&claim_as("cleo", "till-2"), trace)
}
