//! The service under systemd: unprivileged, shut in, and up again whatever ends it.

use super::host::{
    LONG, SOCKET, STATE, owner, properties, refused, register, run, try_run, unit, wait_active,
};
use crate::nodes::Kind;
use crate::scenarios::till::PRODUCT;
use crate::scenarios::{STEP, Scenario, expect};
use crate::trace::Trace;
use crate::vhci::Port;
use crate::{Result, hid_pos, nodes};
use serde_json::{Value, json};
use std::fs;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::{Duration, Instant};

pub(super) const CHECKS: &[Scenario] = &[
    Scenario { name: "service/unprivileged", play: it_runs_unprivileged },
    Scenario { name: "service/exposure", play: its_exposure_is_low },
    Scenario { name: "service/vault-key", play: the_vault_opens_with_the_credential },
    Scenario { name: "service/killed", play: it_comes_back_when_killed },
    Scenario { name: "service/restarted", play: a_register_waits_while_it_restarts },
    Scenario { name: "service/stopped", play: a_register_starts_it },
    Scenario { name: "service/long-rebuild", play: a_long_rebuild_is_not_killed },
    Scenario { name: "service/shut-in", play: it_sees_nobodys_files },
    Scenario { name: "service/shut-out", play: nobody_sees_its_files },
];

/// Highest exposure of `systemd-analyze security`, in tenths.
const EXPOSURE_TENTHS_MAX: u32 = 15;

/// Start time-out and watchdog while a rebuild stands still, at least: shorter than the unit's own, so that outlasting them is quick.
const LIMIT_MIN: Duration = Duration::from_secs(5);

/// They are so many times what a start takes here: a machine with much else to do needs several times what an idle one does.
const STARTS_IN_LIMIT: u32 = 4;

fn it_runs_unprivileged(trace: &Trace) -> Result<()> {
    let process = wait_active(trace)?;
    let status = fs::read_to_string(format!("/proc/{process}/status"))?;
    let user = run("id --user fichad", trace)?;
    let field = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        line.unwrap_or_default().split_whitespace().collect::<Vec<_>>().join(" ")
    };
    expect("its user", &field("Uid:"), &[user.as_str(); 4].join(" "))?;
    for set in ["CapInh:", "CapPrm:", "CapEff:", "CapBnd:", "CapAmb:"] {
        expect(set, &field(set).as_str(), &"0000000000000000")?;
    }
    expect("no new privileges", &field("NoNewPrivs:").as_str(), &"1")?;
    expect("a filter of system calls", &field("Seccomp:").as_str(), &"2")
}

fn its_exposure_is_low(trace: &Trace) -> Result<()> {
    run(
        &format!("systemd-analyze security --no-pager --threshold={EXPOSURE_TENTHS_MAX} fichad.service"),
        trace,
    )
    .map(drop)
}

/// Enrols the customer that must still be there after everything that follows.
fn the_vault_opens_with_the_credential(trace: &Trace) -> Result<()> {
    let mut register = register(trace)?;
    register.wait_store(STEP)?;
    let customer = register.enrol("Asha", STEP)?;
    register.issue_card(&customer, STEP)?;
    fs::write(CUSTOMER, customer)?;
    expect("a key beside the store", &Path::new(STATE).join("vault.key").exists(), &false)?;
    let wrong = run("systemctl show --value --property=NRestarts fichad.service", trace)?;
    expect("restarts so far", &wrong.as_str(), &"0")
}

/// Where this program remembers the customer's number.
const CUSTOMER: &str = "/run/customer";

/// The customer that was enrolled first is known, and by name.
pub(super) fn customer_is_known(trace: &Trace) -> Result<()> {
    let mut register = register(trace)?;
    register.wait_store(STEP)?;
    let customer = json!({ "customer": fs::read_to_string(CUSTOMER)? });
    let shown = register.request("customer.show", &customer, STEP)?.to_string();
    expect("the customer's name", &shown.contains("Asha"), &true)
}

fn it_comes_back_when_killed(trace: &Trace) -> Result<()> {
    let before = wait_active(trace)?;
    run(&format!("kill -KILL {before}"), trace)?;
    nodes::wait("another process", LONG, || {
        let now: u32 = unit("fichad.service", "MainPID", trace).ok()?.parse().ok()?;
        (now != 0 && now != before).then_some(())
    })?;
    wait_active(trace)?;
    customer_is_known(trace)
}

/// systemd holds the socket: the first line of a register that comes while nobody is there waits in it.
fn a_register_waits_while_it_restarts(trace: &Trace) -> Result<()> {
    let before = wait_active(trace)?;
    run("systemctl --no-block restart fichad.service", trace)?;
    nodes::wait("the old process to end", LONG, || {
        (!Path::new(&format!("/proc/{before}")).exists()).then_some(())
    })?;
    customer_is_known(trace)?;
    expect("the same process", &(wait_active(trace)? == before), &false)
}

fn a_register_starts_it(trace: &Trace) -> Result<()> {
    run("systemctl stop fichad.service", trace)?;
    expect("its state", &try_run("systemctl is-active fichad.service", trace)?.text.as_str(), &"inactive")?;
    UnixStream::connect(SOCKET)?;
    wait_active(trace)?;
    customer_is_known(trace)
}

/// The disk stands still in the middle of a rebuild, for longer than systemd waits for a start and for a sign of life.
fn a_long_rebuild_is_not_killed(trace: &Trace) -> Result<()> {
    let start = Instant::now();
    run("systemctl restart fichad.service", trace)?;
    let limit = LIMIT_MIN.max(start.elapsed() * STARTS_IN_LIMIT);
    on_a_disk_of_its_own(limit, trace)?;
    let played = rebuild_while_it_stands_still(limit, trace);
    let restarts = unit("fichad.service", "NRestarts", trace);
    back_on_the_machines_disk(trace)?;
    played?;
    expect("restarts", &restarts?.as_str(), &"0")?;
    customer_is_known(trace)
}

/// The state folder becomes a file system of its own, which can be stopped without stopping the machine; systemd has no patience.
fn on_a_disk_of_its_own(limit: Duration, trace: &Trace) -> Result<()> {
    let seconds = limit.as_secs();
    let limits = format!("[Service]\nTimeoutStartSec={seconds}\nWatchdogSec={seconds}\n");
    fs::create_dir_all("/run/systemd/system/fichad.service.d")?;
    fs::write(LIMITS, limits)?;
    for line in [
        "systemctl stop fichad.service fichad.socket",
        "truncate --size=256M /var/lib/disk.img",
        "mke2fs -q -F -t ext4 /var/lib/disk.img",
        "mv /var/lib/fichad /var/lib/fichad.kept",
        "mkdir /var/lib/fichad",
        "mount -o loop /var/lib/disk.img /var/lib/fichad",
        "cp --archive /var/lib/fichad.kept/. /var/lib/fichad",
        "rm -r /var/lib/fichad/store/views /var/lib/fichad/vault/views",
        "systemctl daemon-reload",
        "systemctl reset-failed fichad.service",
        "sync",
    ] {
        run(line, trace)?;
    }
    Ok(())
}

fn back_on_the_machines_disk(trace: &Trace) -> Result<()> {
    for line in [
        "systemctl stop fichad.service fichad.socket",
        "umount /var/lib/fichad",
        "rmdir /var/lib/fichad",
        "mv /var/lib/fichad.kept /var/lib/fichad",
        "rm /var/lib/disk.img",
        &format!("rm {LIMITS}"),
        "systemctl daemon-reload",
        "systemctl start fichad.socket fichad.service",
    ] {
        run(line, trace)?;
    }
    Ok(())
}

/// The unit's shorter limits, for as long as they are wanted.
const LIMITS: &str = "/run/systemd/system/fichad.service.d/limits.conf";

fn rebuild_while_it_stands_still(limit: Duration, trace: &Trace) -> Result<()> {
    run(&format!("fsfreeze --freeze {STATE}"), trace)?;
    let played = while_it_stands_still(limit, trace);
    run(&format!("fsfreeze --unfreeze {STATE}"), trace)?;
    played?;
    customer_is_known(trace)
}

/// It is ready for products, and stays the same process, until both limits are over.
fn while_it_stands_still(limit: Duration, trace: &Trace) -> Result<()> {
    let still_for = limit * 2 + Duration::from_secs(2);
    run("systemctl start fichad.socket fichad.service", trace)?;
    let start = Instant::now();
    let process = wait_active(trace)?;
    let mut register = register(trace)?;
    let scanner = hid_pos::plug("SN-STILL", Port(0), STEP, trace)?;
    register.wait_reader("usb:0c2e:0b81:SN-STILL", true, STEP)?;
    for second in (1..).map(Duration::from_secs).take_while(|second| *second < still_for) {
        nodes::wait("the next second", STEP, || (start.elapsed() >= second).then_some(()))?;
        scanner.scan(*b"E0", PRODUCT.as_bytes(), STEP)?;
        register.scan(PRODUCT, STEP)?;
        let status = register.request("status", &json!({}), STEP)?;
        let store = status.pointer("/store/state").and_then(Value::as_str).unwrap_or_default();
        expect("the store", &store, &"opening")?;
    }
    expect("the process", &wait_active(trace)?, &process)?;
    scanner.unplug(STEP)
}

/// A command as the service runs: in its own view of the file system, as its user.
fn within(command: &str, trace: &Trace) -> Result<String> {
    let process = wait_active(trace)?;
    let user = run("id --user fichad", trace)?;
    let group = run("id --group fichad", trace)?;
    Ok(format!(
        "nsenter --target={process} --mount -- setpriv --reuid={user} --regid={group} --clear-groups --no-new-privs {command}"
    ))
}

fn it_sees_nobodys_files(trace: &Trace) -> Result<()> {
    run("useradd --create-home ana", trace)?;
    fs::write("/home/ana/letter", "private")?;
    // Open to everybody, so that it is the service's walls that are tried and not the file's mode.
    run("chmod -R a+rX /home/ana", trace)?;
    run("runuser -u nobody -- cat /home/ana/letter", trace)?;
    for path in ["/home/ana/letter", "/root/.bashrc", "/etc/shadow", CREDENTIAL_HOST] {
        refused(&within(&format!("head -c1 {path}"), trace)?, trace)?;
    }
    for path in ["/etc/fichad/x", "/usr/x", "/tmp/../var/x", "/home/x"] {
        refused(&within(&format!("touch {path}"), trace)?, trace)?;
    }
    run(&within(&format!("touch {STATE}/x"), trace)?, trace)?;
    run(&format!("rm {STATE}/x"), trace).map(drop)
}

/// The key that the machine's credentials are sealed with.
const CREDENTIAL_HOST: &str = "/var/lib/systemd/credential.secret";

fn nobody_sees_its_files(trace: &Trace) -> Result<()> {
    let scanner = hid_pos::plug("SN-SHUT", Port(0), STEP, trace)?;
    let node = nodes::appears(Kind::Hidraw, Port(0), STEP)?;
    properties(&node, trace)?;
    expect("the node", &owner(&node)?.as_str(), &"0660 root:fichad")?;
    let node = node.display().to_string();
    for path in [&format!("{STATE}/keys"), &format!("{STATE}/store/journal"), super::host::CREDENTIAL, &node]
    {
        refused(&format!("runuser -u ana -- head -c1 {path}"), trace)?;
    }
    scanner.unplug(STEP)
}
