//! Serial scanners, judged at a register's socket and by what was done to their lines.

use super::till::{self, OTHER_PRODUCT, PRODUCT};
use super::{STEP, Scenario, expect};
use crate::daemon::How;
use crate::hid_pos::Layout;
use crate::nodes::{self, Kind};
use crate::rs232::{self, ACK, HOST_PORT, NAK};
use crate::serial::{self, Chip, Line};
use crate::trace::Trace;
use crate::vhci::Port;
use crate::{Result, hid_pos, register};
use std::path::{Path, PathBuf};
use std::process::Command;

pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario { name: "serial/cdc-acm", play: |trace| an_adopted_line_is_set_and_read(Chip::CdcAcm, trace) },
    Scenario { name: "serial/ftdi", play: |trace| an_adopted_line_is_set_and_read(Chip::Ftdi, trace) },
    Scenario {
        name: "serial/cdc-acm-19200",
        play: |trace| a_line_is_set_as_the_config_says(Chip::CdcAcm, trace),
    },
    Scenario { name: "serial/ftdi-19200", play: |trace| a_line_is_set_as_the_config_says(Chip::Ftdi, trace) },
    Scenario { name: "serial/unadopted", play: an_unadopted_line_is_left_alone },
    Scenario { name: "serial/rs232-ack", play: an_ack_means_that_the_visit_is_in_the_journal },
    Scenario { name: "serial/rs232-nak", play: a_disk_that_does_not_answer_is_a_nak },
];

/// Where the scanner of these scenarios is plugged in.
const PORT: Port = Port(6);

/// What a `[[serial]]` table without more has: 9600 8N1, DTR up.
fn is_set(line: &Line) -> bool {
    line.baud == 9600 && line.format == "8N1" && line.dtr
}

fn an_adopted_line_is_set_and_read(chip: Chip, trace: &Trace) -> Result<()> {
    let scanner = serial::plug(chip, "SN-TTY", PORT, STEP, trace)?;
    let node = nodes::appears(Kind::Tty, PORT, STEP)?;
    let mut till = till::start("serial", &register::serial("counter", &node, ""), trace)?;
    till.register.wait_reader("counter", true, STEP)?;
    scanner.wait("9600 8N1 and DTR", STEP, is_set)?;
    // 70 characters take two packets
    for code in [PRODUCT, &"PALLET-0042/".repeat(6), OTHER_PRODUCT] {
        scanner.scan(code, STEP)?;
        till.register.scan(code, STEP)?;
    }
    expect("bytes written to the scanner", &scanner.line().received, &Vec::new())?;
    till.close()?;
    scanner.wait("DTR to fall", STEP, |line| !line.dtr)
}

/// 9600 8N1 is also what the kernel begins with; this is not.
fn a_line_is_set_as_the_config_says(chip: Chip, trace: &Trace) -> Result<()> {
    let scanner = serial::plug(chip, "SN-FAST", PORT, STEP, trace)?;
    let node = nodes::appears(Kind::Tty, PORT, STEP)?;
    let table = register::serial("counter", &node, "baud = 19200\nformat = \"7E1\"");
    let mut till = till::start("fast", &table, trace)?;
    till.register.wait_reader("counter", true, STEP)?;
    scanner
        .wait("19200 7E1 and DTR", STEP, |line| line.baud == 19_200 && line.format == "7E1" && line.dtr)?;
    scanner.scan(PRODUCT, STEP)?;
    till.register.scan(PRODUCT, STEP)?;
    till.close()
}

/// It may be the payment terminal: no open, no DTR, no byte.
fn an_unadopted_line_is_left_alone(trace: &Trace) -> Result<()> {
    let mut till = till::start("unadopted", "", trace)?;
    for chip in [Chip::CdcAcm, Chip::Ftdi] {
        let scanner = serial::plug(chip, "SN-OTHER", PORT, STEP, trace)?;
        let node = nodes::appears(Kind::Tty, PORT, STEP)?;
        till.register.wait_device(&node, "state", "candidate", STEP)?;
        // Something that is taken by itself, plugged in after it, shows that the line was passed over.
        let other = hid_pos::plug("SN-BESIDE", Port(2), STEP, trace)?;
        till.register.wait_reader(&super::hid_pos::name(Layout::Honeywell, "SN-BESIDE"), true, STEP)?;
        other.scan(*b"E0", PRODUCT.as_bytes(), STEP)?;
        till.register.scan(PRODUCT, STEP)?;
        let line = scanner.line();
        expect("DTR", &(line.dtr, line.dtr_raised), &(false, 0))?;
        expect("bytes written", &line.received, &Vec::new())?;
        expect("open", &scanner.is_open(), &false)?;
        expect("open by fichad", &till.daemon.open_nodes()?.contains(&node), &false)?;
        other.unplug(STEP)?;
        scanner.unplug(STEP)?;
    }
    till.close()
}

fn ack_nak() -> String {
    register::serial("counter", Path::new(HOST_PORT), "handshake = \"ack_nak\"")
}

/// The moment the scanner has its ACK, the daemon is killed: the visit is known to the next one.
fn an_ack_means_that_the_visit_is_in_the_journal(trace: &Trace) -> Result<()> {
    let mut scanner = rs232::connect()?;
    let mut till = till::start("rs232", &ack_nak(), trace)?;
    let (customer, card) = till.customer()?;
    till.register.wait_reader("counter", true, STEP)?;
    expect("answer to a product", &scanner.scan(PRODUCT, STEP)?, &ACK)?;
    till.register.scan(PRODUCT, STEP)?;
    expect("answer to a card", &scanner.scan(&card.letters, STEP)?, &ACK)?;
    till.daemon.kill()?;
    till.register.identified(&card.id, STEP)?;

    let mut till = till::start("rs232", &ack_nak(), trace)?;
    till.register.wait_store(STEP)?;
    expect("visits after the kill", &till.register.visits(&customer, STEP)?, &1)?;
    till.close()
}

/// The register has the customer all the same; only the scanner is told to send again.
fn a_disk_that_does_not_answer_is_a_nak(trace: &Trace) -> Result<()> {
    let disk = Disk::mount()?;
    let mut scanner = rs232::connect()?;
    // The machine may be slow to come back with the card.
    let config = format!("[scan]\nrepeat_ms = 10000\n{}", ack_nak());
    let mut till = till::start_in(&disk.folder.join("till"), &config, How::default(), trace)?;
    let (_, card) = till.customer()?;
    till.register.wait_reader("counter", true, STEP)?;
    disk.freeze(true)?;
    let answer = scanner.scan(&card.letters, STEP);
    let shown = till.register.identified(&card.id, STEP);
    disk.freeze(false)?;
    expect("answer while the disk stands still", &answer?, &NAK)?;
    let visit = shown?.get("visit").cloned();
    expect("answer once it goes on", &scanner.scan(&card.letters, STEP)?, &ACK)?;
    let again = till.register.identified(&card.id, STEP)?;
    expect("repeat of", &again.get("repeat_of").cloned(), &visit)?;
    till.close()
}

/// A disk of its own, in memory, that can be made to stand still.
struct Disk {
    folder: PathBuf,
}

impl Disk {
    const IMAGE: &str = "/run/disk.img";
    const SIZE: &str = "96M";

    fn mount() -> Result<Self> {
        let folder = PathBuf::from("/run/disk");
        std::fs::create_dir_all(&folder)?;
        run("truncate", &["-s", Self::SIZE, Self::IMAGE])?;
        run("mke2fs", &["-F", Self::IMAGE])?;
        run("mount", &["-o", "loop", "-t", "ext4", Self::IMAGE, "/run/disk"])?;
        Ok(Self { folder })
    }

    fn freeze(&self, is_still: bool) -> Result<()> {
        let option = if is_still { "--freeze" } else { "--unfreeze" };
        run("fsfreeze", &[option, &self.folder.display().to_string()])
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // The scenario has its verdict; the machine is switched off after the last one.
        for (program, path) in [("umount", "/run/disk"), ("rm", Self::IMAGE)] {
            run(program, &[path]).unwrap_or_default();
        }
    }
}

fn run(program: &str, arguments: &[&str]) -> Result<()> {
    let output = Command::new(program).args(arguments).output()?;
    if output.status.success() {
        return Ok(());
    }
    Err(format!("{program} {arguments:?}: {}", String::from_utf8_lossy(&output.stderr).trim()).into())
}
