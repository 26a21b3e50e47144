//! From a plain Debian to a till: the package is installed, and everything that it promises is there.

use super::host::{
    CONFIG, CREDENTIAL, DROP_INS, LONG, PAYLOAD, ROLES, RULES, SOCKET, STATE, owner, refused, run, try_run,
    wait_active, wait_owner,
};
use crate::scenarios::{Scenario, expect};
use crate::trace::Trace;
use crate::{Result, nodes};
use std::fs;
use std::path::Path;

pub(super) const CHECKS: &[Scenario] = &[
    Scenario { name: "install/debian-is-up", play: debian_is_up },
    Scenario {
        name: "install/unpacked",
        play: |trace| run(&format!("dpkg --unpack {}", package(1)), trace).map(drop),
    },
    Scenario { name: "install/configured", play: the_package_is_installed },
    Scenario { name: "install/accounts", play: accounts_are_made },
    Scenario { name: "install/files", play: files_have_their_owners },
    Scenario { name: "install/config", play: the_config_is_good },
    Scenario { name: "install/uinput", play: the_typists_node_is_ours },
];

/// The first package; `fichad-2.deb` is the same of a later version, with another config.
pub(super) fn package(number: u32) -> String {
    format!("{PAYLOAD}/fichad-{number}.deb")
}

/// Nothing of fichad is there yet.
fn debian_is_up(trace: &Trace) -> Result<()> {
    nodes::wait("systemd to have started everything", LONG, || {
        let said = try_run("systemctl is-system-running", trace).ok()?;
        ["running", "degraded"].contains(&said.text.as_str()).then_some(())
    })?;
    expect("failed units", &run("systemctl --failed --no-legend --plain", trace)?.as_str(), &"")?;
    refused("getent passwd fichad", trace)?;
    expect("the programs", &Path::new("/usr/bin/fichad").exists(), &false)
}

fn the_package_is_installed(trace: &Trace) -> Result<()> {
    run("dpkg --configure fichad", trace)?;
    let status = run("dpkg-query --show --showformat=${db:Status-Status} fichad", trace)?;
    expect("state of the package", &status.as_str(), &"installed")?;
    let listed = run(&format!("dpkg-deb --contents {}", package(1)), trace)?;
    for file in [
        "./usr/bin/fichad",
        "./usr/bin/ficha",
        "./usr/share/man/man1/ficha.1.gz",
        "./usr/share/man/man5/fichad.toml.5.gz",
        "./usr/share/man/man8/fichad.8.gz",
        "./usr/share/doc/fichad/hardware-notes/zebra.md",
        "./usr/share/doc/fichad/copyright",
        "./usr/lib/sysusers.d/fichad.conf",
    ] {
        expect(file, &listed.lines().any(|line| line.ends_with(file)), &true)?;
    }
    let conffiles = run("dpkg-query --show --showformat=${Conffiles} fichad", trace)?;
    expect("the config is a conffile", &conffiles.contains(CONFIG), &true)
}

fn accounts_are_made(trace: &Trace) -> Result<()> {
    let account = run("getent passwd fichad", trace)?;
    expect("home and shell", &account.ends_with(":/var/lib/fichad:/usr/sbin/nologin"), &true)?;
    let password = run("getent shadow fichad", trace)?;
    expect("no password", &password.split(':').nth(1).is_some_and(|word| word.starts_with('!')), &true)?;
    for role in ROLES {
        run(&format!("getent group {role}"), trace)?;
    }
    let groups = run("id --name --groups fichad", trace)?;
    expect("groups of fichad", &groups.as_str(), &"fichad lp")
}

fn files_have_their_owners(trace: &Trace) -> Result<()> {
    wait_active(trace)?;
    for (path, wanted) in [
        ("/usr/bin/fichad", "0755 root:root"),
        (CONFIG, "0640 root:fichad"),
        (DROP_INS, "0755 root:root"),
        (RULES, "0644 root:root"),
        (STATE, "0700 fichad:fichad"),
        (SOCKET, "0666 fichad:fichad"),
        (CREDENTIAL, "0600 root:root"),
    ] {
        expect(path, &owner(path)?.as_str(), &wanted)?;
    }
    expect("a key beside the store", &Path::new(STATE).join("vault.key").exists(), &false)?;
    let sealed = fs::read(CREDENTIAL)?;
    // systemd's are base 64: 32 bytes in clear would be 32, or text of no use to it.
    expect("the credential is longer than a bare key", &(sealed.len() > 64), &true)
}

fn the_config_is_good(trace: &Trace) -> Result<()> {
    let means = run("ficha config check", trace)?;
    expect("what it means", &means.contains("taken by themselves"), &true)?;
    refused("runuser -u nobody -- cat /etc/fichad/fichad.toml", trace)
}

fn the_typists_node_is_ours(_: &Trace) -> Result<()> {
    wait_owner(Path::new("/dev/uinput"), "0660 root:fichad")
}
