//! The package goes: what is kept stays until it is purged.

use super::host::{CONFIG, CREDENTIAL, DROP_INS, ROLES, RULES, SOCKET, STATE, refused, run, try_run};
use super::install::package;
use super::service::customer_is_known;
use crate::Result;
use crate::scenarios::{Scenario, expect};
use crate::trace::Trace;
use std::path::Path;

pub(super) const CHECKS: &[Scenario] = &[
    Scenario { name: "removal/keeps-data", play: removing_keeps_what_is_kept },
    Scenario { name: "removal/installed-again", play: installed_again_it_goes_on },
    Scenario { name: "removal/purge", play: purging_deletes_it },
];

fn there(paths: &[&str], are_there: bool) -> Result<()> {
    let missing = |path: &&str| Path::new(path).exists() != are_there;
    expect(if are_there { "gone" } else { "still there" }, &paths.iter().find(|path| missing(path)), &None)
}

fn removing_keeps_what_is_kept(trace: &Trace) -> Result<()> {
    run("dpkg --remove fichad", trace)?;
    there(
        &["/usr/bin/fichad", "/usr/bin/ficha", RULES, SOCKET, "/lib/systemd/system/fichad.service"],
        false,
    )?;
    there(&[STATE, CONFIG, DROP_INS, CREDENTIAL], true)?;
    expect("its process", &try_run("pgrep -x fichad", trace)?.is_good, &false)?;
    run("getent passwd fichad", trace).map(drop)
}

fn installed_again_it_goes_on(trace: &Trace) -> Result<()> {
    run(&format!("dpkg -i {}", package(1)), trace)?;
    customer_is_known(trace)
}

/// The accounts stay, without password and shell; nothing else does.
fn purging_deletes_it(trace: &Trace) -> Result<()> {
    run("dpkg --purge fichad", trace)?;
    there(&[STATE, "/etc/fichad", CREDENTIAL, "/run/fichad", "/usr/bin/fichad", RULES], false)?;
    refused("dpkg-query --show fichad", trace)?;
    expect("failed units", &run("systemctl --failed --no-legend --plain", trace)?.as_str(), &"")?;
    let left = try_run(
        "find / -xdev ( -name *fichad* -o -name *ficha* ) -not -path /opt/* -not -path /proc/* -not -path /var/log/*",
        trace,
    )?;
    expect("what is left", &left.text.as_str(), &"")?;
    run("getent passwd fichad", trace)?;
    for role in ROLES {
        run(&format!("getent group {role}"), trace)?;
    }
    Ok(())
}
