//! The rig itself: each simulator through the kernel's own driver to its node, without the daemon.

use super::till::{PRODUCT, PRODUCT_KEYS, keys_typed};
use super::{STEP, Scenario, expect};
use crate::nodes::{self, Kind, Node};
use crate::trace::{Trace, hex};
use crate::vhci::Port;
use crate::{Result, hid_pos, keyboard, printer};
use std::fs;

pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario { name: "kernel/hid-pos", play: hid_pos_reaches_hidraw },
    Scenario { name: "kernel/keyboard", play: keyboard_reaches_evdev },
    Scenario { name: "kernel/printer", play: usblp_carries_both_ways },
    Scenario { name: "kernel/replug", play: an_unplugged_reader_comes_back },
];

fn hid_pos_reaches_hidraw(trace: &Trace) -> Result<()> {
    let port = Port(0);
    let scanner = hid_pos::plug("SN-POS", port, STEP, trace)?;
    let mut node = Node::open(&nodes::appears(Kind::Hidraw, port, STEP)?, false)?;
    // 130 bytes are three reports
    for code in [PRODUCT.as_bytes(), &[b'q'; 130]] {
        scanner.scan(*b"E0", code, STEP)?;
        for report in hid_pos::Layout::Honeywell.reports(*b"E0", code) {
            let got = node.read(STEP)?.unwrap_or_default();
            expect("report", &hex(&got), &hex(&report))?;
        }
    }
    Ok(())
}

fn keyboard_reaches_evdev(trace: &Trace) -> Result<()> {
    let port = Port(1);
    let scanner = keyboard::plug("SN-KBD", port, STEP, trace)?;
    let mut node = Node::open(&nodes::appears(Kind::Event, port, STEP)?, false)?;
    let keys = keys_typed(&scanner, PRODUCT, &mut node)?;
    expect("keys", &keys, &PRODUCT_KEYS.to_vec())
}

fn usblp_carries_both_ways(trace: &Trace) -> Result<()> {
    let port = Port(2);
    let printer = printer::plug(printer::Model::Class, "SN-PRN", port, STEP, trace)?;
    let path = nodes::appears(Kind::Printer, port, STEP)?;
    // The class device's parent is the interface, which has the identity: a moment after the node, for usblp makes its
    // attributes when its probe is done.
    let id = nodes::find_in_sysfs(Kind::Printer, port).ok_or("no sysfs folder")?.join("device/ieee1284_id");
    let id = nodes::wait("ieee1284_id", STEP, || fs::read_to_string(&id).ok())?;
    expect("identity", &id.trim_end(), &printer::IEEE1284_ID)?;
    let mut node = Node::open(&path, true)?;
    node.write(b"\x1b@Ficha\n\x10\x04\x04", STEP)?;
    expect("real-time status", &node.read(STEP)?, &Some(vec![0x12]))?;
    node.write(b"\x1d(H\x06\x000007Fx", STEP)?;
    expect("process id", &node.read(STEP)?, &Some(b"\x37\x2207Fx\x00".to_vec()))?;
    let sent = b"\x1b@Ficha\n\x10\x04\x04\x1d(H\x06\x000007Fx";
    printer.wait("all bytes", STEP, |printer| printer.has_received(sent).then_some(()))
}

fn an_unplugged_reader_comes_back(trace: &Trace) -> Result<()> {
    let port = Port(3);
    let scanner = hid_pos::plug("SN-HOT", port, STEP, trace)?;
    let path = nodes::appears(Kind::Hidraw, port, STEP)?;
    let mut node = Node::open(&path, false)?;
    scanner.unplug(STEP)?;
    expect("a read after unplugging", &node.read(STEP)?, &None)?;
    nodes::vanishes(&path, STEP)?;
    drop(node);
    let scanner = hid_pos::plug("SN-HOT", port, STEP, trace)?;
    let mut node = Node::open(&nodes::appears(Kind::Hidraw, port, STEP)?, false)?;
    scanner.scan(*b"E0", PRODUCT.as_bytes(), STEP)?;
    expect("a report after replugging", &node.read(STEP)?.map(|report| report.len()), &Some(64))
}
