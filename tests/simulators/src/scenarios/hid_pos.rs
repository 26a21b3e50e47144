//! HID POS scanners, judged at a register's socket.

use super::till::{self, OTHER_PRODUCT, PRODUCT};
use super::{STEP, Scenario, expect};
use crate::Result;
use crate::hid_pos::{self, Layout};
use crate::nodes::{self, Kind};
use crate::register;
use crate::trace::Trace;
use crate::vhci::Port;

pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario { name: "hid-pos/honeywell", play: |trace| layout(Layout::Honeywell, Some("]E0"), trace) },
    Scenario { name: "hid-pos/newland", play: |trace| layout(Layout::Newland, None, trace) },
    Scenario { name: "hid-pos/extra-byte", play: |trace| layout(Layout::ExtraByte, Some("]E0"), trace) },
    Scenario { name: "hid-pos/unknown-maker", play: |trace| layout(Layout::Spare, Some("]E0"), trace) },
    Scenario { name: "hid-pos/long-qr", play: a_long_qr_code_arrives_whole },
    Scenario { name: "hid-pos/several-interfaces", play: the_scanner_among_interfaces_is_taken },
];

/// Bytes of the long code: the largest QR code holds 2,953.
const LONG_BYTES: usize = 2900;

/// The name that the daemon gives a scanner of this layout.
pub(super) fn name(layout: Layout, serial: &str) -> String {
    let (vendor, product) = layout.scanner(None).ids;
    register::reader_name(vendor, product, serial)
}

fn layout(layout: Layout, aim: Option<&str>, trace: &Trace) -> Result<()> {
    let mut till = till::start("hid-pos", "", trace)?;
    let scanner = hid_pos::plug_layout(layout, Some("SN-POS"), Port(0), STEP, trace)?;
    till.register.wait_reader(&name(layout, "SN-POS"), true, STEP)?;
    for product in [PRODUCT, OTHER_PRODUCT] {
        scanner.scan(*b"E0", product.as_bytes(), STEP)?;
        let event = till.register.scan(product, STEP)?;
        expect("AIM identifier", &event.get("aim").and_then(|aim| aim.as_str()), &aim)?;
    }
    till.close()
}

fn a_long_qr_code_arrives_whole(trace: &Trace) -> Result<()> {
    let mut till = till::start("long-qr", "", trace)?;
    let scanner = hid_pos::plug("SN-LONG", Port(0), STEP, trace)?;
    till.register.wait_reader(&name(Layout::Honeywell, "SN-LONG"), true, STEP)?;
    let code: String = ('A'..='Z').chain('0'..='9').cycle().take(LONG_BYTES).collect();
    scanner.scan(*b"Q1", code.as_bytes(), STEP)?;
    till.register.scan(&code, STEP)?;
    scanner.scan(*b"E0", PRODUCT.as_bytes(), STEP)?;
    till.register.scan(PRODUCT, STEP)?;
    till.close()
}

/// A keyboard, the maker's own interface and the scanner, all with the same ids and serial number.
fn the_scanner_among_interfaces_is_taken(trace: &Trace) -> Result<()> {
    let port = Port(0);
    let mut till = till::start("several", "", trace)?;
    let scanner = hid_pos::plug_composite("SN-MANY", port, STEP, trace)?;
    let keyboard = nodes::appears(Kind::Event, port, STEP)?;
    let name = format!("{}:2", name(Layout::Honeywell, "SN-MANY"));
    till.register.wait_reader(&name, true, STEP)?;
    till.register.wait_device(&keyboard, "state", "candidate", STEP)?;
    let node = nodes::appears_at(Kind::Hidraw, port, 2, STEP)?;
    expect("device nodes that fichad has open", &readers(&till.daemon.open_nodes()?), &vec![node])?;
    scanner.scan(*b"E0", PRODUCT.as_bytes(), STEP)?;
    till.register.scan(PRODUCT, STEP)?;
    till.close()
}

/// Those of some nodes that are a reader's.
fn readers(nodes: &[std::path::PathBuf]) -> Vec<std::path::PathBuf> {
    let is_reader = |node: &&std::path::PathBuf| {
        let name = node.to_string_lossy();
        ["hidraw", "input/", "tty"].iter().any(|kind| name.contains(kind))
    };
    nodes.iter().filter(is_reader).cloned().collect()
}
