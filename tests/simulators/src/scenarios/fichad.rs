//! The daemon on real drivers, judged at a register's Unix socket.

use super::{STEP, Scenario, expect};
use crate::daemon::{self, Daemon};
use crate::nodes::{self, Kind, Node};
use crate::register::{self, Register};
use crate::trace::Trace;
use crate::vhci::Port;
use crate::{Result, hid_pos, keyboard, printer};
use std::path::PathBuf;

pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario { name: "fichad/hid-pos", play: a_hid_pos_scan_arrives },
    Scenario { name: "fichad/keyboard", play: an_adopted_keyboard_is_grabbed },
    Scenario { name: "fichad/replug", play: a_replugged_reader_is_read_again },
    Scenario { name: "fichad/card", play: a_card_is_printed_and_proved },
];

/// Two products: the second scan is not a repeat of the first.
const PRODUCT: &str = "4006381333931";
const OTHER_PRODUCT: &str = "5449000000996";

fn start(name: &str, devices: &str, trace: &Trace) -> Result<(Daemon, Register)> {
    let folder = PathBuf::from("/run/vm").join(name);
    let socket = folder.join("fichad.sock");
    let config = register::config(&folder, &socket, devices);
    let daemon = daemon::start(&folder, &socket, &config, trace)?;
    let register = Register::connect(daemon.socket(), STEP, trace)?;
    Ok((daemon, register))
}

fn a_hid_pos_scan_arrives(trace: &Trace) -> Result<()> {
    let (daemon, mut register) = start("hid-pos", "", trace)?;
    let scanner = hid_pos::plug("SN-POS", Port(0), STEP, trace)?;
    register.wait_reader(&hid_pos_name("SN-POS"), true, STEP)?;
    scanner.scan(*b"E0", PRODUCT.as_bytes(), STEP)?;
    register.scan(PRODUCT, STEP)?;
    daemon.stop()
}

fn hid_pos_name(serial: &str) -> String {
    let (vendor, product) = hid_pos::IDS;
    register::reader_name(vendor, product, serial)
}

/// Read means grabbed: whoever else has the node open hears nothing of a scan.
fn an_adopted_keyboard_is_grabbed(trace: &Trace) -> Result<()> {
    let port = Port(1);
    let (vendor, product) = keyboard::IDS;
    let name = register::reader_name(vendor, product, "SN-KBD");
    let (daemon, mut register) = start("keyboard", &register::adopted_keyboard(&name), trace)?;
    let scanner = keyboard::plug("SN-KBD", port, STEP, trace)?;
    register.wait_reader(&name, true, STEP)?;
    let mut listener = Node::open(&nodes::appears(Kind::Event, port, STEP)?, false)?;
    scanner.scan(PRODUCT, STEP)?;
    register.scan(PRODUCT, STEP)?;
    if listener.has_data() {
        let heard = nodes::keys_pressed(&listener.read(STEP)?.unwrap_or_default());
        return Err(format!("keys {heard:?} reached a second reader of the grabbed keyboard").into());
    }
    daemon.stop()
}

fn a_replugged_reader_is_read_again(trace: &Trace) -> Result<()> {
    let (daemon, mut register) = start("replug", "", trace)?;
    let (port, name) = (Port(2), hid_pos_name("SN-HOT"));
    let scanner = hid_pos::plug("SN-HOT", port, STEP, trace)?;
    register.wait_reader(&name, true, STEP)?;
    scanner.scan(*b"E0", PRODUCT.as_bytes(), STEP)?;
    register.scan(PRODUCT, STEP)?;
    scanner.unplug(STEP)?;
    register.wait_reader(&name, false, STEP)?;
    let scanner = hid_pos::plug("SN-HOT", port, STEP, trace)?;
    register.wait_reader(&name, true, STEP)?;
    scanner.scan(*b"E0", OTHER_PRODUCT.as_bytes(), STEP)?;
    register.scan(OTHER_PRODUCT, STEP)?;
    daemon.stop()
}

fn a_card_is_printed_and_proved(trace: &Trace) -> Result<()> {
    let port = Port(3);
    let printer = printer::plug("SN-PRN", port, STEP, trace)?;
    nodes::appears(Kind::Printer, port, STEP)?;
    let (daemon, mut register) = start("card", &register::usblp_printer("receipts", "SN-PRN"), trace)?;
    register.wait_store(STEP)?;
    let customer = register.enrol("Asha", STEP)?;
    register.print_card(&customer, "receipts", STEP)?;
    // Proved by the printer itself; what it was sent is a whole card in commands that it knows.
    expect("commands it does not know", &printer.with(|printer| printer.unknown.clone()), &Vec::new())?;
    expect("the cut at its end", &printer.with(|printer| printer.has_received(b"\x1dV")), &true)?;
    daemon.stop()
}
