//! What stands between this host's readers and printers, and fichad: each with the command that mends it.

use super::Finding;
use super::host::Host;
use super::usb;
use crate::config::Config;
use crate::device::hotplug::{Class, Found, scan};
use crate::device::keymap;
use crate::device::printer_port::fonts;
use crate::device::profile::{self, Mode};
use crate::print::fonts::FontFile;
use std::fs;
use std::path::PathBuf;

/// Where udev looks for rules.
const RULES_FOLDERS: [&str; 5] = [
    "/etc/udev/rules.d",
    "/run/udev/rules.d",
    "/usr/local/lib/udev/rules.d",
    "/usr/lib/udev/rules.d",
    "/lib/udev/rules.d",
];
const RULES: &str = "70-fichad.rules";
/// Where the Debian package keeps a copy of them.
const RULES_KEPT: &str = "/usr/share/fichad";

/// Has udev give the nodes that are there what the rules say; ttys get their group on `add` alone.
const TRIGGER: &str = "sudo udevadm control --reload && sudo udevadm trigger --action=add --subsystem-match=tty \
                       && sudo udevadm trigger --action=change --subsystem-match=usb --subsystem-match=hidraw \
                       --subsystem-match=input --subsystem-match=misc";

/// USB serial chips that brltty takes for Braille displays.
const BRAILLE_CHIPS: [(u16, u16); 2] = [(0x1a86, 0x7523), (0x10c4, 0xea60)];

/// A reader that fichad takes, or is told to.
struct Reader<'h> {
    host: &'h Host,
    name: String,
    node: PathBuf,
    found: Option<&'h Found>,
}

/// Everything about readers and printers of this host.
pub(super) fn findings(host: &Host, config: &Config) -> Vec<Finding> {
    let found = scan(&host.at("/sys"), &host.at("/dev"));
    let mut findings = Vec::new();
    findings.extend(rules(host));
    for reader in &readers(host, config, &found) {
        findings.extend(reader.permission());
        findings.extend(reader.holder());
        findings.extend(reader.modem_manager());
        findings.extend(reader.autosuspend());
    }
    findings.extend(brltty(host));
    findings.extend(found.iter().filter_map(mode));
    findings.extend(layouts(config));
    findings.extend(routes(config, &found));
    findings.extend(bars(config, &found));
    findings.extend(letters(host, config));
    findings.extend(usb::printers(host, config));
    findings
}

/// Those that are taken by themselves, and those that the config adopts.
fn readers<'h>(host: &'h Host, config: &Config, found: &'h [Found]) -> Vec<Reader<'h>> {
    let is_wanted =
        |found: &&Found| found.class.taken_by_itself() || config.readers.for_reader(&found.name).adopt;
    let taken = found.iter().filter(is_wanted);
    let taken = taken.map(|found| Reader {
        host,
        name: found.name.to_string(),
        node: found.node.clone(),
        found: Some(found),
    });
    let ports = config.serial.ports.iter().map(|port| {
        let path = host.at(&port.path);
        // A link by id leads to the node; one that is not there is what the daemon's own states are about.
        let node = path.canonicalize().unwrap_or(path);
        let found = found.iter().find(|found| found.node == node);
        Reader { host, name: port.reader_name().to_string(), node, found }
    });
    taken.chain(ports).collect()
}

fn rules(host: &Host) -> Option<Finding> {
    if host.has_file(&RULES_FOLDERS, RULES) {
        return None;
    }
    // A copy of the package's own goes to where the package had it, so that the next version's takes its place.
    let (from, to) = if host.has_file(&[RULES_KEPT], RULES) {
        (RULES_KEPT, "/usr/lib/udev/rules.d")
    } else {
        ("udev", "/etc/udev/rules.d")
    };
    let mend = format!("sudo install -m 0644 {from}/{RULES} {to}/ && {TRIGGER}");
    Some(Finding::wrong("rules", format!("udev has no {RULES}: readers stay root's"), mend))
}

impl Reader<'_> {
    fn shown(&self) -> String {
        self.host.named(&self.node).display().to_string()
    }

    fn permission(&self) -> Option<Finding> {
        let shut = self.host.shut(&self.node)?;
        let found = format!("{}: fichad may not open {}", self.name, self.shown());
        let is_ours = self.found.is_some_and(|found| {
            found.class.taken_by_itself()
                || found.ids.is_some_and(|(vendor, product)| profile::find(vendor, product).is_some())
        });
        let mend = match shut.group {
            _ if is_ours => TRIGGER.to_owned(),
            Some(group) => {
                format!("sudo usermod --append --groups {group} fichad && sudo systemctl restart fichad")
            }
            None => format!("{} && {TRIGGER}", self.rule("GROUP=\"fichad\", MODE=\"0660\"")),
        };
        Some(Finding::wrong("permission", found, mend))
    }

    /// A command that writes a rule for this device into a file of the host's own.
    fn rule(&self, what: &str) -> String {
        let name = self.node.file_name().unwrap_or_default().to_string_lossy();
        let of = match self.found.and_then(|found| found.ids) {
            Some((vendor, product)) => {
                format!("ATTRS{{idVendor}}==\"{vendor:04x}\", ATTRS{{idProduct}}==\"{product:04x}\"")
            }
            None => format!("KERNEL==\"{name}\""),
        };
        let subsystem =
            if self.found.is_some_and(|found| found.class == Class::Keyboard) { "input" } else { "tty" };
        format!(
            "echo 'SUBSYSTEM==\"{subsystem}\", {of}, {what}' | sudo tee -a /etc/udev/rules.d/71-fichad-local.rules"
        )
    }

    /// Another program has the node open; a hidraw node more than one may have.
    fn holder(&self) -> Option<Finding> {
        let tty_or_keyboard = self.found.is_none_or(|found| !found.class.taken_by_itself());
        let holders = if tty_or_keyboard { self.host.holders(&self.node) } else { Vec::new() };
        let first = holders.first()?;
        let is_tty = self.found.is_none_or(|found| found.class == Class::Tty);
        // A desktop's programs have every keyboard open; the grab takes it from them.
        if !is_tty && first != "brltty" {
            return None;
        }
        let found = format!("{}: {} is held by {}", self.name, self.shown(), holders.join(", "));
        let mend = match first.as_str() {
            "ModemManager" => format!("{} && {TRIGGER}", self.rule("ENV{ID_MM_DEVICE_IGNORE}=\"1\"")),
            "agetty" | "getty" => {
                let name = self.node.file_name().unwrap_or_default().to_string_lossy();
                format!("sudo systemctl disable --now serial-getty@{name}.service")
            }
            "brltty" => "sudo apt-get remove brltty, then plug it in anew".to_owned(),
            other => format!("end {other}, or name another port in the config"),
        };
        Some(Finding::wrong("held", found, mend))
    }

    /// It writes AT commands to a tty that nobody told it to leave alone.
    fn modem_manager(&self) -> Option<Finding> {
        let found = self.found.filter(|found| found.class == Class::Tty && found.ids.is_some())?;
        if !self.host.runs("ModemManager") {
            return None;
        }
        let known = self.host.udev(&found.sysfs);
        let told = ["ID_MM_DEVICE_IGNORE=1", "ID_MM_PORT_IGNORE=1", "ID_MM_TTY_BLACKLIST=1"];
        if known.iter().any(|line| told.contains(&line.as_str())) {
            return None;
        }
        let text = format!("{}: ModemManager runs, and may write to {}", self.name, self.shown());
        Some(Finding::note(
            "modemmanager",
            text,
            format!("{} && {TRIGGER}", self.rule("ENV{ID_MM_DEVICE_IGNORE}=\"1\"")),
        ))
    }

    /// Some readers do not wake up again.
    fn autosuspend(&self) -> Option<Finding> {
        let device = self.found?.sysfs.ancestors().find(|up| up.join("idVendor").is_file())?;
        let control = device.join("power/control");
        if fs::read_to_string(&control).ok()?.trim() != "auto" {
            return None;
        }
        let mend = format!("echo on | sudo tee {}", self.host.named(&control).display());
        Some(Finding::note("autosuspend", format!("{}: the kernel may put it to sleep", self.name), mend))
    }
}

/// brltty drives such chips from user space: they have no tty then.
fn brltty(host: &Host) -> Option<Finding> {
    if !host.runs("brltty") {
        return None;
    }
    let taken = usb::devices(host).into_iter().find(|device| {
        BRAILLE_CHIPS.contains(&(device.vendor, device.product))
            && device.drivers().iter().any(|driver| driver == "usbfs")
    })?;
    let found = format!("brltty has taken the serial chip {:04x}:{:04x}", taken.vendor, taken.product);
    Some(Finding::wrong("held", found, "sudo apt-get remove brltty, then plug the reader in anew"))
}

/// A scanner that could be in a better mode.
fn mode(found: &Found) -> Option<Finding> {
    let (vendor, product) = found.ids?;
    let (_, Some(Mode::Keyboard | Mode::Foreign)) = profile::find(vendor, product)? else { return None };
    Some(Finding::note(
        "mode",
        format!("{} {}", found.name, found.product),
        profile::advice(vendor, product)?,
    ))
}

/// Adopted keyboards whose layout no host knows, and how to see that the others' is right.
fn layouts(config: &Config) -> Vec<Finding> {
    let adopted = config.readers.readers.iter().filter(|reader| reader.adopt);
    let finding = |reader: &crate::device::settings::ReaderSettings| {
        let name = &reader.name;
        // A tty can be adopted by a table too; only what types has a layout that counts.
        match keymap::load(&reader.layout, &reader.variant) {
            Ok(_) => {
                let found = format!("{name} is read as typing in the layout `{}`", reader.layout);
                Finding::note("layout", found, "to be sure of it: ficha identify --test")
            }
            Err(error) => {
                let mend = format!("ficha identify --adopt {name} --layout us, or the layout it is set to");
                Finding::wrong("layout", format!("{name}: {error}"), mend)
            }
        }
    };
    adopted.map(finding).collect()
}

/// Readers that go to the first register because nobody said where.
fn routes(config: &Config, found: &[Found]) -> Vec<Finding> {
    let [first, _, ..] = config.registers.as_slice() else { return Vec::new() };
    let unrouted = |found: &&Found| {
        let table = config.readers.for_reader(&found.name);
        (found.class.taken_by_itself() || table.adopt) && table.register.is_none()
    };
    let note = |name: &str| {
        let found = format!("{name} has no register of its own, so it belongs to `{}`", first.name);
        Finding::note("route", found, format!("ficha identify --adopt {name} --register REGISTER"))
    };
    let ports = config.serial.ports.iter().filter(|port| port.register.is_none());
    let ports = ports.map(|port| {
        let found =
            format!("{} has no register of its own, so it belongs to `{}`", port.reader_name(), first.name);
        Finding::note(
            "route",
            found,
            "add `register` to its `[[serial]]`, then sudo systemctl restart fichad",
        )
    });
    found.iter().filter(unrouted).map(|found| note(found.name.as_str())).chain(ports).collect()
}

/// A reader that sees bars alone, and a printer whose cards have none.
fn bars(config: &Config, found: &[Found]) -> Vec<Finding> {
    let narrow: Vec<&str> = config
        .printers
        .printers
        .iter()
        .filter(|printer| !printer.paper.has_room_for_bars())
        .map(|printer| printer.name.as_str())
        .collect();
    let sees_bars_alone =
        |found: &&Found| found.ids.is_some_and(|(vendor, product)| profile::sees_bars_alone(vendor, product));
    let finding = |found: &Found| {
        let name = &found.name;
        if narrow.is_empty() {
            let text = format!("{name} reads bars and no QR code; printed cards have both");
            return Finding::note("bars", text, "for codes on telephones choose a reader with a camera");
        }
        let text =
            format!("{name} reads bars alone, and the cards of {} have a QR code alone", narrow.join(", "));
        Finding::wrong("bars", text, "print on wider paper (`width_dots`), or use a reader with a camera")
    };
    found.iter().filter(sees_bars_alone).map(finding).collect()
}

/// Fonts for names that no printer has the letters for: one of each package, by a letter that needs it.
fn letters(host: &Host, config: &Config) -> Option<Finding> {
    if config.printers.printers.is_empty() {
        return None;
    }
    let wanted =
        [("other letters than those of `code_page`", "A"), ("Chinese, Japanese and Korean", "\u{738b}")];
    let files = wanted
        .iter()
        .filter_map(|(of, letter)| Some((of, FontFile::needed(letter, &[]).into_iter().next()?)));
    let missing: Vec<(&&str, FontFile)> =
        files.filter(|(_, file)| fonts::find(&host.root, &file.name).is_none()).collect();
    if missing.is_empty() {
        return None;
    }
    let of: Vec<&str> = missing.iter().map(|(of, _)| **of).collect();
    let packages: Vec<&str> = missing.iter().map(|(_, file)| file.package()).collect();
    let names: Vec<&str> = missing.iter().map(|(_, file)| file.name.as_ref()).collect();
    let found = format!(
        "cards lack names in {}: {} is in none of {}",
        of.join(" and in "),
        names.join(" and "),
        fonts::FOLDERS.join(", ")
    );
    Some(Finding::note("fonts", found, format!("sudo apt-get install {}", packages.join(" "))))
}

#[cfg(test)]
mod tests;
