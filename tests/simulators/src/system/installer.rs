//! What whoever installs a till asks on the command line: what is there, which reader is which, what stands in the way.

use super::host::{RULES, owner, register, run, try_run, wait_owner};
use crate::nodes::{self, Kind};
use crate::scenarios::till::{OTHER_PRODUCT, PRODUCT};
use crate::scenarios::{STEP, Scenario, expect};
use crate::trace::Trace;
use crate::vhci::Port;
use crate::{Result, hid_pos};
use std::io::{BufRead as _, BufReader, Read};
use std::process::{Child, Command, Stdio};

pub(super) const CHECKS: &[Scenario] = &[
    Scenario { name: "installer/which-is-which", play: two_scanners_are_told_apart },
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

/// And with the rules back, its own advice makes the scanner ours, without plugging it in again.
fn doctor_says_that_the_rules_are_missing(trace: &Trace) -> Result<()> {
    let aside = "/run/70-fichad.rules";
    run(&format!("mv {RULES} {aside}"), trace)?;
    run("udevadm control --reload", trace)?;
    let played = without_rules(trace);
    run(&format!("mv {aside} {RULES}"), trace)?;
    run("udevadm control --reload", trace)?;
    let scanner = played?;
    let node = nodes::appears(Kind::Hidraw, Port(1), STEP)?;
    run("udevadm trigger --action=change --subsystem-match=hidraw", trace)?;
    wait_owner(&node, "0660 root:fichad")?;
    register(trace)?.wait_reader("usb:0c2e:0b81:SN-RULE", true, STEP)?;
    scanner.unplug(STEP)
}

fn without_rules(trace: &Trace) -> Result<hid_pos::Scanner> {
    let scanner = hid_pos::plug("SN-RULE", Port(1), STEP, trace)?;
    let node = nodes::appears(Kind::Hidraw, Port(1), STEP)?;
    run("udevadm settle --timeout=120", trace)?;
    expect("the node", &owner(&node)?.as_str(), &"0600 root:root")?;
    let said = try_run("ficha doctor", trace)?;
    expect("whether doctor is content", &said.is_good, &false)?;
    for part in ["readers stay root's", "udevadm"] {
        expect(part, &said.text.contains(part), &true)?;
    }
    Ok(scanner)
}
