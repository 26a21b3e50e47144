//! Another version over the installed one: what was changed by hand stays, and no version harms the store of another.

use super::host::{CONFIG, CREDENTIAL, LONG, STATE, register, run, try_run, wait_active};
use super::install::package;
use super::service::customer_is_known;
use crate::scenarios::{STEP, Scenario, expect};
use crate::trace::Trace;
use crate::{Result, nodes};
use serde_json::{Value, json};
use std::fs;
use std::path::{Path, PathBuf};

pub(super) const CHECKS: &[Scenario] = &[
    Scenario { name: "upgrade/conffile", play: a_changed_config_stays },
    Scenario { name: "upgrade/restarts", play: the_new_version_runs_on_the_old_store },
    Scenario { name: "upgrade/down", play: the_old_version_comes_back },
    Scenario { name: "upgrade/newer-store", play: |trace| a_store_of_another_format_is_refused(1, trace) },
    Scenario { name: "upgrade/older-store", play: |trace| a_store_of_another_format_is_refused(-1, trace) },
];

/// What the administrator of the till wrote into the config.
const OURS: &str = "[shop]\nname = \"Our own\"\n";

fn version(trace: &Trace) -> Result<String> {
    run("dpkg-query --show --showformat=${Version} fichad", trace)
}

fn a_changed_config_stays(trace: &Trace) -> Result<()> {
    let shipped = fs::read_to_string(CONFIG)?;
    let changed = format!("{shipped}\n{OURS}");
    fs::write(CONFIG, &changed)?;
    let (before, key) = (version(trace)?, fs::read(CREDENTIAL)?);
    let process = wait_active(trace)?;
    // Nobody is there to be asked.
    run(&format!("dpkg --force-confdef -i {}", package(2)), trace)?;
    expect("a later version", &(version(trace)? != before), &true)?;
    expect("the config", &fs::read_to_string(CONFIG)?, &changed)?;
    let beside = format!("{CONFIG}.dpkg-dist");
    expect("the new one beside it", &fs::read_to_string(&beside)?.contains("later version"), &true)?;
    expect("mode and owner", &super::host::owner(CONFIG)?.as_str(), &"0640 root:fichad")?;
    expect("the vault's key", &(fs::read(CREDENTIAL)? == key), &true)?;
    expect("another process", &(wait_active(trace)? != process), &true)
}

fn the_new_version_runs_on_the_old_store(trace: &Trace) -> Result<()> {
    customer_is_known(trace)?;
    let mut register = register(trace)?;
    register.enrol("Emil", STEP).map(drop)
}

fn the_old_version_comes_back(trace: &Trace) -> Result<()> {
    run(&format!("dpkg --force-confdef --force-downgrade -i {}", package(1)), trace)?;
    wait_active(trace)?;
    customer_is_known(trace)
}

/// The first segment's header: magic, format u16, .. and a checksum over all of it (src/log/record.rs).
const HEADER_BYTES: usize = 64;
const FORMAT_AT: usize = 8;

fn segments() -> Vec<PathBuf> {
    ["store", "vault"].map(|half| Path::new(STATE).join(half).join("journal/00000001.seg")).to_vec()
}

/// Writes another format into a segment's header, and makes its checksum right.
fn set_format(segment: &Path, change: i16) -> Result<()> {
    let mut bytes = fs::read(segment)?;
    let header = bytes.get_mut(..HEADER_BYTES).ok_or("a short segment")?;
    let format = header.get_mut(FORMAT_AT..FORMAT_AT + 2).ok_or("a short header")?;
    let now = u16::from_le_bytes([format.first().copied().unwrap_or(0), format.last().copied().unwrap_or(0)]);
    format.copy_from_slice(&now.saturating_add_signed(change).to_le_bytes());
    let (covered, sum) = header.split_at_mut(HEADER_BYTES - 4);
    sum.copy_from_slice(&crc32(covered).to_le_bytes());
    // In place: the file keeps its owner.
    Ok(fs::write(segment, bytes)?)
}

/// Every file that is kept, with the hash of what it holds.
fn kept(trace: &Trace) -> Result<Vec<String>> {
    let files = run(&format!("find {STATE} -type f -exec sha256sum {{}} +"), trace)?;
    let mut files: Vec<String> = files.lines().map(str::to_owned).collect();
    files.sort_unstable();
    Ok(files)
}

/// CRC-32 of IEEE 802.3, bit by bit.
fn crc32(bytes: &[u8]) -> u32 {
    let step = |sum: u32, _| if sum & 1 == 1 { sum >> 1 ^ 0xedb8_8320 } else { sum >> 1 };
    !bytes.iter().fold(u32::MAX, |sum, byte| (0..8).fold(sum ^ u32::from(*byte), step))
}

/// Refused with a message that says what to do, not a byte of it changed, while products pass; and whole again for the version
/// that wrote it.
fn a_store_of_another_format_is_refused(change: i16, trace: &Trace) -> Result<()> {
    run("systemctl stop fichad.service", trace)?;
    segments().iter().try_for_each(|segment| set_format(segment, change))?;
    let written = kept(trace)?;
    run("systemctl start fichad.service", trace)?;
    wait_active(trace)?;
    let mut register = register(trace)?;
    let mut status = Value::Null;
    nodes::wait("the store to be refused", LONG, || {
        status = register.request("status", &json!({}), STEP).ok()?;
        let state = status.pointer("/store/state").and_then(Value::as_str)?;
        (state != "opening").then_some(())
    })?;
    let why = status.pointer("/store/why").and_then(Value::as_str).unwrap_or_default();
    expect("why", &why.contains("use the version that wrote it"), &true)
        .map_err(|error| format!("{error}; status: {status}"))?;
    let scanner = crate::hid_pos::plug("SN-LATER", crate::vhci::Port(1), STEP, trace)?;
    register.wait_reader("usb:0c2e:0b81:SN-LATER", true, STEP)?;
    scanner.scan(*b"E0", crate::scenarios::till::PRODUCT.as_bytes(), STEP)?;
    register.scan(crate::scenarios::till::PRODUCT, STEP)?;
    scanner.unplug(STEP)?;
    let doctor = try_run("ficha doctor", trace)?;
    expect("doctor says so", &doctor.text.contains("use the version that wrote it"), &true)?;
    run("systemctl stop fichad.service", trace)?;
    expect("what is kept", &kept(trace)?, &written)?;
    segments().iter().try_for_each(|segment| set_format(segment, -change))?;
    run("systemctl start fichad.service", trace)?;
    customer_is_known(trace)
}
