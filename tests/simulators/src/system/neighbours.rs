//! Other programs that want the same devices. They run on while the devices are tried: each keeps to its own.

use super::host::{DROP_INS, LONG, drop_in, mend, properties, restart, run, try_run};
use crate::Result;
use crate::nodes::{self, Kind};
use crate::printer::{self, Model};
use crate::scenarios::{STEP, Scenario, expect};
use crate::serial::{self, Chip};
use crate::trace::Trace;
use crate::vhci::Port;
use std::fs;

pub(super) const CHECKS: &[Scenario] = &[
    Scenario { name: "neighbours/modemmanager", play: modemmanager_leaves_readers_alone },
    Scenario { name: "neighbours/cups", play: cups_has_looked_and_lets_go },
    Scenario { name: "neighbours/cups-queue", play: a_queue_of_cups_is_told_and_taken_away },
];

/// ModemManager says what it thinks of each port, and is told by udev to deal with the modem.
const TALKATIVE: &str = "[Service]\nExecStart=\nExecStart=/usr/sbin/ModemManager --debug\n";
const MODEM_RULE: &str = "ACTION!=\"remove\", ATTRS{idVendor}==\"1209\", ENV{ID_MM_DEVICE_PROCESS}=\"1\"\n";

/// A modem beside the scanner is what shows that ModemManager was there and has looked.
fn modemmanager_leaves_readers_alone(trace: &Trace) -> Result<()> {
    fs::create_dir_all("/run/systemd/system/ModemManager.service.d")?;
    fs::write("/run/systemd/system/ModemManager.service.d/talkative.conf", TALKATIVE)?;
    fs::create_dir_all("/run/udev/rules.d")?;
    fs::write("/run/udev/rules.d/78-checks.rules", MODEM_RULE)?;
    run("udevadm control --reload", trace)?;
    run("systemctl daemon-reload", trace)?;
    run("systemctl restart ModemManager.service", trace)?;
    let scanner = serial::plug(Chip::CdcAcm, "SN-MM", Port(1), STEP, trace)?;
    let known = properties(&nodes::appears(Kind::Tty, Port(1), STEP)?, trace)?;
    for flag in ["ID_MM_DEVICE_IGNORE=1", "ID_MM_PORT_IGNORE=1"] {
        expect(flag, &known.contains(&flag.to_owned()), &true)?;
    }
    // A cable that no rule of ours names: ModemManager's own rules know it for one that anything may be behind.
    let cable = serial::plug(Chip::Ftdi, "SN-CABLE", Port(3), STEP, trace)?;
    nodes::appears(Kind::Tty, Port(3), STEP)?;
    let modem = serial::plug(Chip::Modem, "SN-MODEM", Port(2), STEP, trace)?;
    let asked =
        modem.wait("ModemManager's AT command to the modem", STEP, |line| line.received.starts_with(b"AT"));
    run("journalctl --no-pager --lines=400 --output=cat --unit=ModemManager.service", trace)?;
    asked?;
    for line in [scanner.line(), cable.line()] {
        expect("how often DTR of a scanner went up", &line.dtr_raised, &0)?;
        expect("bytes written to a scanner", &line.received, &Vec::new())?;
    }
    modem.unplug(STEP)?;
    cable.unplug(STEP)?;
    // A later check plugs in the first device of this driver.
    run("modprobe --remove ftdi_sio", trace)?;
    scanner.unplug(STEP)
}

/// A printer of the till that somebody has made a queue of too: `ficha doctor` says so, and its command takes the queue away.
fn a_queue_of_cups_is_told_and_taken_away(trace: &Trace) -> Result<()> {
    let (vendor, product) = Model::Class.ids();
    let address = format!("usblp:{vendor:04x}:{product:04x}/SN-QUEUE");
    drop_in("20-queue.toml", &crate::register::printer("slips", &address))?;
    let mut register = restart(trace)?;
    let printer = printer::plug(Model::Class, "SN-QUEUE", Port(3), STEP, trace)?;
    nodes::appears(Kind::Printer, Port(3), STEP)?;
    let seen = try_run("lpinfo -v", trace)?.text;
    let found =
        seen.split_whitespace().find(|word| word.starts_with("usb://EPSON/")).ok_or("not seen by CUPS")?;
    run(&format!("lpadmin -p till -E -v {found}"), trace)?;
    // CUPS writes its queues down half a minute later.
    nodes::wait("CUPS to keep the queue", LONG, || {
        fs::read_to_string("/etc/cups/printers.conf").ok()?.contains("<Printer till>").then_some(())
    })?;
    mend("is also the queue till of CUPS", trace)?;
    expect("queues left", &try_run("lpstat -v", trace)?.text.contains("till"), &false)?;
    let customer = register.enrol("Dario", STEP)?;
    register.print_card(&customer, "slips", STEP)?;
    printer.unplug(STEP)?;
    fs::remove_file(format!("{DROP_INS}/20-queue.toml"))?;
    restart(trace).map(drop)
}

/// CUPS takes a printer from usblp for its look, and gives it back.
fn cups_has_looked_and_lets_go(trace: &Trace) -> Result<()> {
    run("systemctl start cups.service", trace)?;
    let printer = printer::plug(Model::Class, "SN-CUPS", Port(3), STEP, trace)?;
    nodes::appears(Kind::Printer, Port(3), STEP)?;
    let seen = try_run("lpinfo -v", trace)?;
    expect("CUPS sees the printer", &seen.text.contains("usb://EPSON/"), &true)?;
    nodes::appears(Kind::Printer, Port(3), STEP)?;
    expect("what CUPS printed", &printer.with(|printer| printer.received.clone()), &Vec::new())?;
    printer.unplug(STEP)
}
