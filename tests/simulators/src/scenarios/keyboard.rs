//! Scanners that type, judged at a register's socket and by a second reader of their node.

use super::till::{self, OTHER_PRODUCT, PRODUCT, PRODUCT_KEYS, hears_nothing, keys_typed};
use super::{STEP, Scenario, expect};
use crate::keyboard::{self, Layout};
use crate::nodes::{self, Kind, Node};
use crate::trace::Trace;
use crate::vhci::Port;
use crate::{Result, hid_pos, register};

pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario { name: "keyboard/grabbed", play: an_adopted_keyboard_is_grabbed },
    Scenario { name: "keyboard/adopted-later", play: a_keyboard_is_left_alone_until_it_is_adopted },
    Scenario { name: "keyboard/french", play: a_french_scanner_is_read_as_it_types },
    Scenario { name: "keyboard/syn-dropped", play: lost_keys_are_told_and_not_guessed },
    Scenario { name: "keyboard/fichad-killed", play: a_scanner_types_again_when_fichad_is_killed },
];

/// Where the scanner of these scenarios is plugged in.
const PORT: Port = Port(1);

/// The name that the daemon gives a keyboard scanner.
pub(super) fn name(serial: &str) -> String {
    let (vendor, product) = keyboard::IDS;
    register::reader_name(vendor, product, serial)
}

/// Read means grabbed: whoever had the node open before hears nothing of a scan.
fn an_adopted_keyboard_is_grabbed(trace: &Trace) -> Result<()> {
    let scanner = keyboard::plug("SN-KBD", PORT, STEP, trace)?;
    let mut listener = Node::open(&nodes::appears(Kind::Event, PORT, STEP)?, false)?;
    let name = name("SN-KBD");
    let mut till = till::start("keyboard", &register::adopted_keyboard(&name, "us"), trace)?;
    till.register.wait_reader(&name, true, STEP)?;
    for product in [PRODUCT, OTHER_PRODUCT] {
        scanner.scan(product, STEP)?;
        till.register.scan(product, STEP)?;
    }
    hears_nothing(&mut listener)?;
    till.close()
}

/// The cashier's keyboard may be next to it: a candidate is not opened, and what it types goes where it always went.
fn a_keyboard_is_left_alone_until_it_is_adopted(trace: &Trace) -> Result<()> {
    let mut till = till::start("candidate", "", trace)?;
    let scanner = keyboard::plug("SN-LATER", PORT, STEP, trace)?;
    let node = nodes::appears(Kind::Event, PORT, STEP)?;
    let mut listener = Node::open(&node, false)?;
    let opens = nodes::Opens::of(&node)?;
    let name = till.register.wait_device(&node, "state", "candidate", STEP)?;
    // Something that is taken by itself, plugged in after it, shows that the keyboard was passed over.
    let other = hid_pos::plug("SN-BESIDE", Port(2), STEP, trace)?;
    till.register.wait_reader(&super::hid_pos::name(hid_pos::Layout::Honeywell, "SN-BESIDE"), true, STEP)?;
    expect("open by fichad", &till.daemon.open_nodes()?.contains(&node), &false)?;
    expect(
        "keys at a second reader",
        &keys_typed(&scanner, PRODUCT, &mut listener)?,
        &PRODUCT_KEYS.to_vec(),
    )?;
    other.scan(*b"E0", OTHER_PRODUCT.as_bytes(), STEP)?;
    till.register.scan(OTHER_PRODUCT, STEP)?;
    // Also not opened and closed again in between.
    expect("how often it was opened", &opens.count()?, &0)?;

    till.add(&register::adopted_keyboard(&name, "us"))?;
    till.register.wait_reader(&name, true, STEP)?;
    // What the kernel kept of the first scan's last key going up.
    while listener.has_data() {
        listener.read(STEP)?;
    }
    scanner.scan(PRODUCT, STEP)?;
    till.register.scan(PRODUCT, STEP)?;
    hears_nothing(&mut listener)?;
    expect("whether its being opened is noticed", &(opens.count()? > 0), &true)?;
    till.close()
}

fn a_french_scanner_is_read_as_it_types(trace: &Trace) -> Result<()> {
    let name = name("SN-FR");
    let mut till = till::start("french", &register::adopted_keyboard(&name, "fr"), trace)?;
    let scanner = keyboard::plug_layout(Layout::French, "SN-FR", PORT, STEP, trace)?;
    till.register.wait_reader(&name, true, STEP)?;
    for code in [PRODUCT, "QWAZ-2026/mM_a.q"] {
        scanner.scan(code, STEP)?;
        till.register.scan(code, STEP)?;
    }
    till.close()
}

/// The kernel keeps 64 events for a reader that does not come to read; what is left of the code is not a code.
fn lost_keys_are_told_and_not_guessed(trace: &Trace) -> Result<()> {
    let name = name("SN-LOST");
    let mut till = till::start("lost", &register::adopted_keyboard(&name, "us"), trace)?;
    let scanner = keyboard::plug("SN-LOST", PORT, STEP, trace)?;
    till.register.wait_reader(&name, true, STEP)?;
    till.daemon.hold_up(true)?;
    scanner.scan(PRODUCT, STEP)?;
    till.daemon.hold_up(false)?;
    till.register.rejected("keys_lost", STEP)?;
    scanner.scan(OTHER_PRODUCT, STEP)?;
    till.register.scan(OTHER_PRODUCT, STEP)?;
    till.close()
}

fn a_scanner_types_again_when_fichad_is_killed(trace: &Trace) -> Result<()> {
    let scanner = keyboard::plug("SN-KILL", PORT, STEP, trace)?;
    let mut listener = Node::open(&nodes::appears(Kind::Event, PORT, STEP)?, false)?;
    let name = name("SN-KILL");
    let mut till = till::start("killed", &register::adopted_keyboard(&name, "us"), trace)?;
    till.register.wait_reader(&name, true, STEP)?;
    scanner.scan(OTHER_PRODUCT, STEP)?;
    till.register.scan(OTHER_PRODUCT, STEP)?;
    hears_nothing(&mut listener)?;
    till.daemon.kill()?;
    expect("keys typed", &keys_typed(&scanner, PRODUCT, &mut listener)?, &PRODUCT_KEYS.to_vec())
}
