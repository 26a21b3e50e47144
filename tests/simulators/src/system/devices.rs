//! Each class of device under the rules and the unit's `DevicePolicy`: the modes and owners of its nodes, and that the
//! service reads it or prints on it. ModemManager and CUPS run beside it.

use super::host::{CONFIG, drop_in, properties, refused, register, restart, run, try_run, unit, wait_owner};
use crate::nodes::{self, Kind, Node};
use crate::printer::{self, Model};
use crate::register::{self, Register};
use crate::scenarios::till::{OTHER_PRODUCT, PRODUCT, PRODUCT_KEYS, keys_typed};
use crate::scenarios::{STEP, Scenario, expect};
use crate::serial::{self, Chip};
use crate::trace::Trace;
use crate::vhci::Port;
use crate::{Result, hid_pos, keyboard, msr, rs232};
use std::fs;
use std::path::Path;

pub(super) const CHECKS: &[Scenario] = &[
    Scenario { name: "devices/permission", play: doctor_has_the_command_for_a_foreign_tty },
    Scenario { name: "devices/hid-pos", play: a_hid_pos_scanner },
    Scenario { name: "devices/msr", play: a_magstripe_reader },
    Scenario { name: "devices/keyboard", play: a_keyboard },
    Scenario { name: "devices/ttyACM", play: a_cdc_acm_scanner },
    Scenario { name: "devices/ttyUSB", play: a_driver_that_comes_with_the_first_plug },
    Scenario { name: "devices/ttyS", play: a_scanner_at_rs232 },
    Scenario { name: "devices/usblp", play: |trace| a_printer(Model::Class, trace) },
    Scenario { name: "devices/usb_device", play: |trace| a_printer(Model::Vendor, trace) },
    Scenario { name: "devices/uinput", play: a_typist },
    Scenario { name: "devices/nothing-else", play: nothing_else_below_dev },
];

const PORT: Port = Port(1);

/// The links that udev makes for the two serial scanners.
const ACM: &str = "/dev/serial/by-id/usb-Symbol_Technologies__Inc_Symbol_CDC_Scanner_SN-ACM-if00";
const FTDI: &str = "/dev/serial/by-id/usb-FTDI_FT232R_USB_UART_SN-USB-if00-port0";

/// The config of a till with everything, before anything of it is plugged in.
fn tables() -> String {
    let printer = |model: Model, scheme: &str| {
        let (vendor, product) = model.ids();
        register::printer(printer_name(model), &format!("{scheme}{vendor:04x}:{product:04x}/SN-PRN"))
    };
    let tables = [
        "[[register]]\nname = \"till-1\"\ntypes = true\n".to_owned(),
        "[[register]]\nname = \"till-2\"\nusers = [\"ana\"]\n".to_owned(),
        register::serial("acm", Path::new(ACM), ""),
        register::serial("ftdi", Path::new(FTDI), ""),
        register::serial("rs232", Path::new(rs232::HOST_PORT), "handshake = \"ack_nak\""),
        printer(Model::Class, "usblp:"),
        printer(Model::Vendor, "usb://"),
    ];
    tables.concat()
}

fn printer_name(model: Model) -> &'static str {
    match model {
        Model::Class | Model::Listed => "receipts",
        Model::Vendor => "clone",
    }
}

/// Waits for a product of this reader; what others scanned before is told again to a register that comes anew.
fn product(register: &mut Register, reader: &str, code: &str) -> Result<()> {
    register.event("scan", &[("reader", reader), ("scan_data", code)], STEP).map(drop)
}

/// A tty of no family that we know stays dialout's: it may be the payment terminal's. `ficha doctor` says how the one that the
/// config names becomes ours.
fn doctor_has_the_command_for_a_foreign_tty(trace: &Trace) -> Result<()> {
    drop_in("30-devices.toml", &tables())?;
    run(&format!("ficha config check {CONFIG}"), trace)?;
    restart(trace)?;
    wait_owner(Path::new(rs232::HOST_PORT), "0660 root:dialout")?;
    let command = "usermod --append --groups dialout fichad";
    expect("doctor's advice", &try_run("ficha doctor", trace)?.text.contains(command), &true)?;
    run(command, trace)?;
    restart(trace)?.wait_reader("rs232", true, STEP)
}

fn a_hid_pos_scanner(trace: &Trace) -> Result<()> {
    let mut register = register(trace)?;
    let scanner = hid_pos::plug("SN-POS", PORT, STEP, trace)?;
    let node = nodes::appears(Kind::Hidraw, PORT, STEP)?;
    wait_owner(&node, "0660 root:fichad")?;
    let known = properties(&node, trace)?;
    expect("what the rules call it", &known.contains(&"FICHAD_ROLE=hidpos".to_owned()), &true)?;
    // A reader that the bus puts to sleep loses the scan that wakes it.
    let interface = nodes::find_in_sysfs(Kind::Hidraw, PORT).ok_or("no hidraw in sysfs")?;
    let device = interface.ancestors().find(|folder| folder.join("idVendor").exists());
    let power = device.ok_or("no USB device in sysfs")?.join("power/control");
    expect("power/control", &fs::read_to_string(power)?.trim(), &"on")?;
    expect("tag uaccess", &known.iter().any(|line| line.contains(":uaccess:")), &false)?;
    register.wait_reader("usb:0c2e:0b81:SN-POS", true, STEP)?;
    scanner.scan(*b"E0", PRODUCT.as_bytes(), STEP)?;
    product(&mut register, "usb:0c2e:0b81:SN-POS", PRODUCT)?;
    scanner.unplug(STEP)
}

fn a_magstripe_reader(trace: &Trace) -> Result<()> {
    let mut register = register(trace)?;
    let (vendor, product) = msr::ids(msr::Model::MagTek);
    let reader = msr::plug(msr::Model::MagTek, "SN-MSR", PORT, STEP, trace)?;
    let node = nodes::appears(Kind::Hidraw, PORT, STEP)?;
    wait_owner(&node, "0660 root:fichad")?;
    expect("its role", &properties(&node, trace)?.contains(&"FICHAD_ROLE=msr".to_owned()), &true)?;
    register.wait_reader(&crate::register::reader_name(vendor, product, "SN-MSR"), true, STEP)?;
    let customer = register.enrol("Bruno", STEP)?;
    let card = register.issue_card(&customer, STEP)?;
    reader.swipe(&msr::Card::with_track_2(&card.digits), false, STEP)?;
    register.event("identified", &[("card", &card.id)], STEP)?;
    reader.unplug(STEP)
}

/// Types until it is adopted; then it is grabbed, and its other node stays root's.
fn a_keyboard(trace: &Trace) -> Result<()> {
    let mut register = register(trace)?;
    let scanner = keyboard::plug("SN-KBD", PORT, STEP, trace)?;
    let node = nodes::appears(Kind::Event, PORT, STEP)?;
    wait_owner(&node, "0660 root:fichad")?;
    let links = properties(&node, trace)?;
    expect("a link by id", &links.iter().any(|line| line.contains("/dev/input/by-id/")), &true)?;
    expect("libinput's flag", &links.iter().any(|line| line.contains("LIBINPUT_IGNORE")), &false)?;
    wait_owner(&nodes::appears(Kind::Hidraw, PORT, STEP)?, "0600 root:root")?;
    let name = register.wait_device(&node, "state", "candidate", STEP)?;
    let mut listener = Node::open(&node, false)?;
    keys_typed(&scanner, PRODUCT, &mut listener)?;
    run(&format!("ficha identify --adopt {name} --layout us --seconds 0"), trace)?;
    register.wait_reader(&name, true, STEP)?;
    // A busy machine can hold the guest up for longer than the usual 100 ms between two keys.
    drop_in("reader-usb-05e0-1200-SN-KBD.toml", &register::adopted_keyboard(&name, "us"))?;
    let mut register = restart(trace)?;
    register.wait_reader(&name, true, STEP)?;
    scanner.scan(OTHER_PRODUCT, STEP)?;
    product(&mut register, &name, OTHER_PRODUCT)?;
    scanner.unplug(STEP)
}

fn a_cdc_acm_scanner(trace: &Trace) -> Result<()> {
    let mut register = register(trace)?;
    let scanner = serial::plug(Chip::CdcAcm, "SN-ACM", PORT, STEP, trace)?;
    wait_owner(&nodes::appears(Kind::Tty, PORT, STEP)?, "0660 root:fichad")?;
    register.wait_reader("acm", true, STEP)?;
    scanner.scan(PRODUCT, STEP)?;
    product(&mut register, "acm", PRODUCT)?;
    scanner.unplug(STEP)
}

/// The service is older than the driver: `DeviceAllow` knows the ttys' group all the same, for usbserial was loaded before it.
fn a_driver_that_comes_with_the_first_plug(trace: &Trace) -> Result<()> {
    let driver = Path::new("/sys/module/ftdi_sio");
    expect("the driver before", &driver.exists(), &false)?;
    let mut register = register(trace)?;
    let scanner = serial::plug(Chip::Ftdi, "SN-USB", PORT, STEP, trace)?;
    wait_owner(&nodes::appears(Kind::Tty, PORT, STEP)?, "0660 root:dialout")?;
    expect("the driver after", &driver.exists(), &true)?;
    register.wait_reader("ftdi", true, STEP)?;
    scanner.scan(PRODUCT, STEP)?;
    product(&mut register, "ftdi", PRODUCT)?;
    scanner.unplug(STEP)
}

fn a_scanner_at_rs232(trace: &Trace) -> Result<()> {
    let mut scanner = rs232::connect()?;
    let mut register = register(trace)?;
    register.wait_reader("rs232", true, STEP)?;
    expect("answer", &scanner.scan(PRODUCT, STEP)?, &rs232::ACK)?;
    product(&mut register, "rs232", PRODUCT)
}

fn a_printer(model: Model, trace: &Trace) -> Result<()> {
    let mut register = register(trace)?;
    let printer = printer::plug(model, "SN-PRN", PORT, STEP, trace)?;
    wait_owner(&nodes::usb_device(PORT, STEP)?, "0664 root:lp")?;
    if model == Model::Class {
        wait_owner(&nodes::appears(Kind::Printer, PORT, STEP)?, "0660 root:lp")?;
    }
    let customer = register.enrol("Carla", STEP)?;
    register.print_card(&customer, printer_name(model), STEP)?;
    expect("the cut", &printer.with(|printer| printer.has_received(b"\x1dV")), &true)?;
    expect("commands it does not know", &printer.with(|printer| printer.unknown.clone()), &Vec::new())?;
    printer.unplug(STEP)
}

/// What the scanners before scanned was typed, too; a scan of its own shows that the keys come out.
fn a_typist(trace: &Trace) -> Result<()> {
    wait_owner(Path::new("/dev/uinput"), "0660 root:fichad")?;
    let mut register = register(trace)?;
    register.wait_typist("ready", STEP)?;
    let mut screen = Node::open(&nodes::appears_as("Ficha typist", STEP)?, false)?;
    let scanner = hid_pos::plug("SN-TYPED", PORT, STEP, trace)?;
    register.wait_reader("usb:0c2e:0b81:SN-TYPED", true, STEP)?;
    scanner.scan(*b"E0", PRODUCT.as_bytes(), STEP)?;
    let mut keys = Vec::new();
    while keys.len() < PRODUCT_KEYS.len() {
        keys.extend(nodes::keys_pressed(&screen.read(STEP)?.ok_or("the typist's keyboard went away")?));
    }
    expect("keys typed", &keys, &PRODUCT_KEYS.to_vec())?;
    scanner.unplug(STEP)
}

/// A node that nobody named stays shut whatever its mode says.
fn nothing_else_below_dev(trace: &Trace) -> Result<()> {
    let policy = unit("fichad.service", "DevicePolicy", trace)?;
    expect("DevicePolicy", &policy.as_str(), &"closed")?;
    let group = unit("fichad.service", "ControlGroup", trace)?;
    // A shell in the service's group of processes, as root: only the policy stands in its way.
    let open = |node: &str| format!("/opt/in-group /sys/fs/cgroup{group} head -c0 {node}");
    run(&open("/dev/uinput"), trace)?;
    refused(&open("/dev/vda"), trace)?;
    refused(&open("/dev/mem"), trace)
}
