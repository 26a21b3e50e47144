//! What whoever installs a till asks on the command line: what is there, which reader is which, what stands in the way.

use super::host::{DROP_INS, RULES, drop_in, mend, owner, register, restart, run, try_run, wait_owner};
use crate::keyboard::Layout;
use crate::nodes::{self, Kind};
use crate::register::{adopted_keyboard, reader_name};
use crate::scenarios::till::{OTHER_PRODUCT, PRODUCT};
use crate::scenarios::{STEP, Scenario, expect};
use crate::trace::Trace;
use crate::vhci::Port;
use crate::{Result, hid_pos, keyboard};
use std::fs;
use std::io::{BufRead as _, BufReader, Read};
use std::path::Path;
use std::process::{Child, Command, Stdio};

pub(super) const CHECKS: &[Scenario] = &[
    Scenario { name: "installer/which-is-which", play: two_scanners_are_told_apart },
    Scenario { name: "installer/layout", play: a_wrong_layout_is_found_by_a_scan },
    Scenario { name: "installer/doctor", play: doctor_knows_what_could_be_better },
    Scenario { name: "installer/missing-rule", play: doctor_says_that_the_rules_are_missing },
];

/// `ficha` as somebody runs it who then scans.
struct Running(Child);

impl Running {
    /// Starts it, and waits until it says on standard error that it is ready.
    fn start(line: &str, ready: &str, trace: &Trace) -> Result<Self> {
        trace.note("$", line);
        let mut command = Command::new("ficha");
        command.args(line.split_whitespace().skip(1)).stdin(Stdio::null());
        let mut running = Self(command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?);
        let errors = running.0.stderr.take().ok_or("no standard error")?;
        find_line(errors, ready, trace)?;
        Ok(running)
    }

    /// The first line of its answers with `part` in it.
    fn says(&mut self, part: &str, trace: &Trace) -> Result<String> {
        find_line(self.0.stdout.take().ok_or("no standard output")?, part, trace)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Both fail only if it has ended, which is what is wanted.
        self.0.kill().unwrap_or_default();
        drop(self.0.wait());
    }
}

fn find_line(from: impl Read, part: &str, trace: &Trace) -> Result<String> {
    for line in BufReader::new(from).lines() {
        let line = line?;
        trace.note(" ", &line);
        if line.contains(part) {
            return Ok(line);
        }
    }
    Err(format!("it ended without {part:?}").into())
}

fn two_scanners_are_told_apart(trace: &Trace) -> Result<()> {
    let one = hid_pos::plug("SN-ONE", Port(1), STEP, trace)?;
    let two = hid_pos::plug("SN-TWO", Port(2), STEP, trace)?;
    let mut register = register(trace)?;
    for name in ["usb:0c2e:0b81:SN-ONE", "usb:0c2e:0b81:SN-TWO"] {
        register.wait_reader(name, true, STEP)?;
    }
    let table = run("ficha devices", trace)?;
    for name in ["usb:0c2e:0b81:SN-ONE", "usb:0c2e:0b81:SN-TWO"] {
        let row = table.lines().find(|line| line.contains(name)).unwrap_or_default();
        for part in ["HID POS scanner", "reading", "till-1"] {
            expect(&format!("{part} in {row:?}"), &row.contains(part), &true)?;
        }
    }
    let mut identify = Running::start("ficha identify --seconds 60", "scan something now", trace)?;
    two.scan(*b"E0", PRODUCT.as_bytes(), STEP)?;
    identify.says("that was usb:0c2e:0b81:SN-TWO, a reader of till-1", trace)?;
    let mut watch = Running::start("ficha watch", "watching", trace)?;
    one.scan(*b"E0", OTHER_PRODUCT.as_bytes(), STEP)?;
    watch.says(OTHER_PRODUCT, trace)?;
    one.unplug(STEP)?;
    two.unplug(STEP)
}

/// What `ficha identify --test` shows as a code.
const TEST: &str = "QWAZ-YM/2026+qwazym";

/// Adopted as what it is not: a scan of the test code tells the layout, and the command that sets it.
fn a_wrong_layout_is_found_by_a_scan(trace: &Trace) -> Result<()> {
    let scanner = keyboard::plug_layout(Layout::French, "SN-LAYOUT", Port(3), STEP, trace)?;
    let name = reader_name(keyboard::IDS.0, keyboard::IDS.1, "SN-LAYOUT");
    let table = "reader-usb-05e0-1200-SN-LAYOUT.toml";
    // A busy machine can hold the guest up for longer than the usual 100 ms between two keys.
    drop_in(table, &adopted_keyboard(&name, "us"))?;
    restart(trace)?.wait_reader(&name, true, STEP)?;
    let mut test = Running::start("ficha identify --test --seconds 120", "scan this code", trace)?;
    scanner.scan(TEST, STEP)?;
    let said = test.says("types in the layout `fr`", trace)?;
    let (_, command) = said.split_once("read as `us`: ").ok_or("no command")?;
    run(&format!("{command} --seconds 0"), trace)?;
    let set = fs::read_to_string(Path::new(DROP_INS).join(table))?;
    expect("the layout that was set", &set.contains("layout = \"fr\""), &true)?;
    drop_in(table, &adopted_keyboard(&name, "fr"))?;
    let mut register = restart(trace)?;
    register.wait_reader(&name, true, STEP)?;
    scanner.scan(PRODUCT, STEP)?;
    register.event("scan", &[("reader", &name), ("scan_data", PRODUCT)], STEP)?;
    scanner.unplug(STEP)
}

/// Notes, which harm nothing: and the command of one that has one.
fn doctor_knows_what_could_be_better(trace: &Trace) -> Result<()> {
    let scanner = keyboard::plug("SN-NOTES", Port(3), STEP, trace)?;
    let reader = hid_pos::plug("SN-SLEEPY", Port(4), STEP, trace)?;
    register(trace)?.wait_reader("usb:0c2e:0b81:SN-SLEEPY", true, STEP)?;
    let interface = nodes::find_in_sysfs(Kind::Hidraw, Port(4)).ok_or("no hidraw in sysfs")?;
    let device = interface.ancestors().find(|folder| folder.join("idVendor").exists());
    let power = device.ok_or("no USB device in sysfs")?.join("power/control");
    fs::write(&power, "auto")?;
    let said = try_run("ficha doctor", trace)?.text;
    for part in ["from its manual", "SN-SLEEPY has no register of its own", "one disk"] {
        expect(part, &said.contains(part), &true)?;
    }
    mend("the kernel may put it to sleep", trace)?;
    expect("power/control", &fs::read_to_string(&power)?.trim(), &"on")?;
    reader.unplug(STEP)?;
    scanner.unplug(STEP)
}

/// And its own command brings them back and makes the scanner ours, without plugging it in again.
fn doctor_says_that_the_rules_are_missing(trace: &Trace) -> Result<()> {
    let aside = "/run/70-fichad.rules";
    run(&format!("mv {RULES} {aside}"), trace)?;
    run("udevadm control --reload", trace)?;
    let played = without_rules(trace);
    let brought = fs::read(RULES).is_ok_and(|rules| fs::read(aside).is_ok_and(|own| own == rules));
    run(&format!("mv {aside} {RULES}"), trace)?;
    run("udevadm control --reload", trace)?;
    let scanner = played?;
    expect("the package's own rules", &brought, &true)?;
    register(trace)?.wait_reader("usb:0c2e:0b81:SN-RULE", true, STEP)?;
    scanner.unplug(STEP)
}

fn without_rules(trace: &Trace) -> Result<hid_pos::Scanner> {
    let scanner = hid_pos::plug("SN-RULE", Port(1), STEP, trace)?;
    let node = nodes::appears(Kind::Hidraw, Port(1), STEP)?;
    run("udevadm settle --timeout=120", trace)?;
    expect("the node", &owner(&node)?.as_str(), &"0600 root:root")?;
    expect("whether doctor is content", &try_run("ficha doctor", trace)?.is_good, &false)?;
    mend("readers stay root's", trace)?;
    wait_owner(&node, "0660 root:fichad")?;
    Ok(scanner)
}
