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

/// Two products, so that no scan is a repeat of the one before.
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
    scanner.wait_opened(STEP)?;
    scanner.scan(*b"E0", PRODUCT.as_bytes(), STEP)?;
    register.scan(PRODUCT, STEP)?;
    daemon.stop()
}

/// The first scan shows that the daemon reads, hence has grabbed; whoever listens from then on must hear nothing.
fn an_adopted_keyboard_is_grabbed(trace: &Trace) -> Result<()> {
    let port = Port(1);
    let (daemon, mut register) = start("keyboard", &register::adopted_keyboard("SN-KBD"), trace)?;
    let scanner = keyboard::plug("SN-KBD", port, STEP, trace)?;
    let path = nodes::appears(Kind::Event, port, STEP)?;
    daemon.wait_opened(&path, STEP)?;
    scanner.scan(PRODUCT, STEP)?;
    register.scan(PRODUCT, STEP)?;
    let mut listener = Node::open(&path, false)?;
    scanner.scan(OTHER_PRODUCT, STEP)?;
    register.scan(OTHER_PRODUCT, STEP)?;
    if listener.has_data() {
        let heard = nodes::keys_pressed(&listener.read(STEP)?.unwrap_or_default());
        return Err(format!("keys {heard:?} reached a second reader of the grabbed keyboard").into());
    }
    daemon.stop()
}

fn a_replugged_reader_is_read_again(trace: &Trace) -> Result<()> {
    let (daemon, mut register) = start("replug", "", trace)?;
    let port = Port(2);
    let scanner = hid_pos::plug("SN-HOT", port, STEP, trace)?;
    scanner.wait_opened(STEP)?;
    scanner.scan(*b"E0", PRODUCT.as_bytes(), STEP)?;
    register.scan(PRODUCT, STEP)?;
    scanner.unplug(STEP)?;
    let scanner = hid_pos::plug("SN-HOT", port, STEP, trace)?;
    scanner.wait_opened(STEP)?;
    scanner.scan(*b"E0", OTHER_PRODUCT.as_bytes(), STEP)?;
    register.scan(OTHER_PRODUCT, STEP)?;
    daemon.stop()
}

fn a_card_is_printed_and_proved(trace: &Trace) -> Result<()> {
    let port = Port(3);
    let printer = printer::plug("SN-PRN", port, STEP, trace)?;
    nodes::appears(Kind::Printer, port, STEP)?;
    let (daemon, mut register) = start("card", &register::usblp_printer("receipts", "SN-PRN"), trace)?;
    let card = register.enrol("Asha Rao", STEP)?;
    register.print_card(&card, "receipts", STEP)?;
    // Proved by the printer itself; what it was sent is a whole card in commands that it knows.
    expect("commands it does not know", &printer.with(|printer| printer.unknown.clone()), &Vec::new())?;
    for (what, bytes) in [("the name", b"Asha Rao".as_slice()), ("the cut", b"\x1dV")] {
        expect(what, &printer.with(|printer| printer.has_received(bytes)), &true)?;
    }
    daemon.stop()
}
