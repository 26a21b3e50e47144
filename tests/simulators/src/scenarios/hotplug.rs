//! Readers that are pulled out and plugged in again, judged at a register's socket.

use super::till::{self, OTHER_PRODUCT, PRODUCT, Till, hears_nothing};
use super::{STEP, Scenario, expect};
use crate::daemon::How;
use crate::hid_pos::{self, Layout};
use crate::msr::{self, Card, Model};
use crate::nodes::{self, Kind, Node};
use crate::serial::{self, Chip};
use crate::trace::Trace;
use crate::vhci::Port;
use crate::{Result, keyboard, register};
use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt as _, chown};

pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario { name: "hotplug/hid-pos", play: a_hid_pos_scanner_pulled_out_of_a_scan },
    Scenario { name: "hotplug/keyboard", play: a_keyboard_pulled_out_of_a_scan },
    Scenario { name: "hotplug/msr", play: a_magstripe_reader_pulled_out_of_a_swipe },
    Scenario { name: "hotplug/cdc-acm", play: |trace| a_line_pulled_out_of_a_scan(Chip::CdcAcm, trace) },
    Scenario { name: "hotplug/ftdi", play: |trace| a_line_pulled_out_of_a_scan(Chip::Ftdi, trace) },
    Scenario { name: "hotplug/twins", play: twins_are_told_apart_by_their_place },
    Scenario { name: "hotplug/late-permissions", play: a_node_before_its_permissions },
    Scenario { name: "hotplug/hundred", play: a_hundred_replugs_leave_nothing_behind },
];

/// Where the reader of these scenarios is plugged in.
const PORT: Port = Port(8);

/// `fichad` in the guest's /etc/passwd and /etc/group.
const FICHAD: u32 = 990;

/// Replugs of one scanner.
const REPLUGS: u32 = 100;

/// Descriptors and threads that may be more after them.
const SPARE: usize = 10;

/// A code of three reports.
const LONG: [u8; 130] = [b'L'; 130];

fn pos_name(serial: &str) -> String {
    super::hid_pos::name(Layout::Honeywell, serial)
}

/// Plugs a scanner in, and waits until it is read.
fn plug(serial: &str, till: &mut Till, trace: &Trace) -> Result<hid_pos::Scanner> {
    let scanner = hid_pos::plug(serial, PORT, STEP, trace)?;
    till.register.wait_reader(&pos_name(serial), true, STEP)?;
    Ok(scanner)
}

/// Has a reader send the first bytes of a code, and returns when the daemon has read so many of them: what it has not read when
/// the plug is pulled is lost in the kernel.
fn begin(till: &Till, bytes: u64, send: impl FnOnce() -> Result<()>) -> Result<()> {
    let before = till.daemon.bytes_read()?;
    send()?;
    nodes::wait("the daemon to read", STEP, || {
        let now = till.daemon.bytes_read().ok()?;
        (now.saturating_sub(before) >= bytes).then_some(())
    })
}

/// The half of a code that came is told as half a code.
fn a_hid_pos_scanner_pulled_out_of_a_scan(trace: &Trace) -> Result<()> {
    let mut till = till::start("pulled", "", trace)?;
    let scanner = plug("SN-HOT", &mut till, trace)?;
    scanner.scan(*b"E0", PRODUCT.as_bytes(), STEP)?;
    till.register.scan(PRODUCT, STEP)?;
    begin(&till, 64, || scanner.begin(*b"Q1", &LONG, STEP))?;
    scanner.unplug(STEP)?;
    till.register.rejected("incomplete", STEP)?;
    till.register.wait_reader(&pos_name("SN-HOT"), false, STEP)?;
    let scanner = plug("SN-HOT", &mut till, trace)?;
    scanner.scan(*b"E0", OTHER_PRODUCT.as_bytes(), STEP)?;
    till.register.scan(OTHER_PRODUCT, STEP)?;
    till.close()
}

/// Half an article number is not told as another article's.
fn a_keyboard_pulled_out_of_a_scan(trace: &Trace) -> Result<()> {
    let name = super::keyboard::name("SN-KEYS");
    let mut till = till::start("pulled-keys", &register::adopted_keyboard(&name, "us"), trace)?;
    let scanner = keyboard::plug("SN-KEYS", PORT, STEP, trace)?;
    till.register.wait_reader(&name, true, STEP)?;
    scanner.scan(PRODUCT, STEP)?;
    till.register.scan(PRODUCT, STEP)?;
    // Key down and key up are three `struct input_event` of 24 bytes each.
    begin(&till, 8 * 2 * 3 * 24, || scanner.type_text("40063813", STEP))?;
    scanner.unplug(STEP)?;
    till.register.rejected("incomplete", STEP)?;
    till.register.wait_reader(&name, false, STEP)?;
    let scanner = keyboard::plug("SN-KEYS", PORT, STEP, trace)?;
    // Whoever opens the node as soon as it is there hears nothing either.
    let mut listener = Node::open(&nodes::appears(Kind::Event, PORT, STEP)?, false)?;
    till.register.wait_reader(&name, true, STEP)?;
    scanner.scan(OTHER_PRODUCT, STEP)?;
    till.register.scan(OTHER_PRODUCT, STEP)?;
    hears_nothing(&mut listener)?;
    till.close()
}

fn a_magstripe_reader_pulled_out_of_a_swipe(trace: &Trace) -> Result<()> {
    let mut till = till::start("pulled-msr", "", trace)?;
    let (_, card) = till.customer()?;
    let name = super::msr::name(Model::MagTek, "SN-SWIPE");
    let swiped = Card::with_track_2(&card.digits);
    let plug = |till: &mut Till| -> Result<msr::Reader> {
        let reader = msr::plug(Model::MagTek, "SN-SWIPE", PORT, STEP, trace)?;
        till.register.wait_reader(&name, true, STEP)?;
        Ok(reader)
    };
    let reader = plug(&mut till)?;
    reader.swipe(&swiped, false, STEP)?;
    till.register.identified(&card.id, STEP)?;
    // A swipe is one report, which the kernel hands over whole: pulled out before it was read, it is told whole or not at all.
    till.daemon.hold_up(true)?;
    reader.swipe(&swiped, false, STEP)?;
    reader.unplug(STEP)?;
    till.daemon.hold_up(false)?;
    till.register.wait_reader(&name, false, STEP)?;
    let reader = plug(&mut till)?;
    reader.swipe(&swiped, false, STEP)?;
    let next = till.register.reading(STEP)?;
    expect("the next card", &next.get("card").and_then(|id| id.as_str()), &Some(card.id.as_str()))?;
    reader.unplug(STEP)?;
    till.register.wait_reader(&name, false, STEP)?;
    till.close()
}

/// As with a keyboard: what no mark ended is a piece.
fn a_line_pulled_out_of_a_scan(chip: Chip, trace: &Trace) -> Result<()> {
    let scanner = serial::plug(chip, "SN-LINE", PORT, STEP, trace)?;
    let node = nodes::appears(Kind::Tty, PORT, STEP)?;
    // Longer than the machine may be busy, so that no silence comes before the plug is pulled.
    let table = register::serial("counter", &node, "idle_ms = 5000");
    let mut till = till::start("pulled-line", &table, trace)?;
    till.register.wait_reader("counter", true, STEP)?;
    scanner.scan(PRODUCT, STEP)?;
    till.register.scan(PRODUCT, STEP)?;
    begin(&till, 8, || scanner.send("40063813", STEP))?;
    scanner.unplug(STEP)?;
    till.register.rejected("incomplete", STEP)?;
    till.register.wait_reader("counter", false, STEP)?;
    let scanner = serial::plug(chip, "SN-LINE", PORT, STEP, trace)?;
    expect("the node's name", &nodes::appears(Kind::Tty, PORT, STEP)?, &node)?;
    till.register.wait_reader("counter", true, STEP)?;
    scanner.scan(OTHER_PRODUCT, STEP)?;
    till.register.scan(OTHER_PRODUCT, STEP)?;
    till.close()
}

/// Two scanners that are the same in everything they say: what tells them apart is where they are plugged in, whichever of
/// them it is and whatever numbers their nodes get.
fn twins_are_told_apart_by_their_place(trace: &Trace) -> Result<()> {
    let mut till = till::start("twins", "", trace)?;
    let ports = [Port(8), Port(9)];
    let twin = |port| hid_pos::plug_layout(Layout::Honeywell, None, port, STEP, trace);
    let (mut names, mut nodes_then) = (Vec::new(), Vec::new());
    let mut twins = Vec::new();
    for port in ports {
        twins.push(twin(port)?);
        let node = nodes::appears(Kind::Hidraw, port, STEP)?;
        names.push(till.register.wait_device(&node, "state", "reading", STEP)?);
        nodes_then.push(node);
    }
    expect("names", &(names.first() == names.last()), &false)?;
    let scan = |twins: &[hid_pos::Scanner], till: &mut Till| -> Result<()> {
        for (twin, name) in twins.iter().zip(&names) {
            twin.scan(*b"E0", PRODUCT.as_bytes(), STEP)?;
            let event = till.register.scan(PRODUCT, STEP)?;
            expect("reader", &event.get("reader").and_then(|reader| reader.as_str()), &Some(name))?;
        }
        Ok(())
    };
    scan(&twins, &mut till)?;
    twins.drain(..).try_for_each(|twin| twin.unplug(STEP))?;
    for name in &names {
        till.register.wait_reader(name, false, STEP)?;
    }
    // The other way round, so that the nodes get each other's numbers.
    let mut nodes_now = Vec::new();
    for port in ports.into_iter().rev() {
        twins.insert(0, twin(port)?);
        nodes_now.push(nodes::appears(Kind::Hidraw, port, STEP)?);
    }
    expect("the other's node", &nodes_now, &nodes_then)?;
    for name in &names {
        till.register.wait_reader(name, true, STEP)?;
    }
    scan(&twins, &mut till)?;
    till.close()
}

/// udev gives a node to fichad's group a moment after the kernel has made it for root alone.
fn a_node_before_its_permissions(trace: &Trace) -> Result<()> {
    let how = How { user: Some(FICHAD), ..How::default() };
    let mut till = till::start_as("late", "", how, trace)?;
    let scanner = hid_pos::plug("SN-LATE", PORT, STEP, trace)?;
    let node = nodes::appears(Kind::Hidraw, PORT, STEP)?;
    till.register.wait_device(&node, "access", "no_permission", STEP)?;
    chown(&node, None, Some(FICHAD))?;
    fs::set_permissions(&node, Permissions::from_mode(0o660))?;
    // It is looked at again and again for 6 s, then every 30 s.
    till.register.wait_reader(&pos_name("SN-LATE"), true, STEP * 2)?;
    scanner.scan(*b"E0", PRODUCT.as_bytes(), STEP)?;
    till.register.scan(PRODUCT, STEP)?;
    till.close()
}

/// Pulled out as soon as its node is there, while the daemon may be opening it.
fn a_hundred_replugs_leave_nothing_behind(trace: &Trace) -> Result<()> {
    let mut till = till::start("hundred", "", trace)?;
    till.register.wait_store(STEP)?;
    let scanner = plug("SN-AGAIN", &mut till, trace)?;
    let before = till.daemon.size()?;
    scanner.unplug(STEP)?;
    for _ in 0..REPLUGS {
        let scanner = hid_pos::plug("SN-AGAIN", PORT, STEP, trace)?;
        nodes::appears(Kind::Hidraw, PORT, STEP)?;
        scanner.unplug(STEP)?;
    }
    till.register.wait_reader(&pos_name("SN-AGAIN"), false, STEP)?;
    let scanner = plug("SN-AGAIN", &mut till, trace)?;
    scanner.scan(*b"E0", PRODUCT.as_bytes(), STEP)?;
    till.register.scan(PRODUCT, STEP)?;
    // A leak would be one for each replug; the store and the runtime open and close a few of their own.
    let (descriptors, threads) = till.daemon.size()?;
    expect("a descriptor for each replug", &(descriptors > before.0 + SPARE), &false)?;
    expect("a thread for each replug", &(threads > before.1 + SPARE), &false)?;
    // A device that is going is not taken for another one, such as the hub above it.
    expect("readers ever read", &till.register.readers(STEP)?, &vec![pos_name("SN-AGAIN")])?;
    till.close()
}
