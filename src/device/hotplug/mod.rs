//! Which readers are plugged in, and when that changes.
//!
//! Looks through sysfs and opens nothing: a keyboard may be the cashier's and a tty the payment terminal, so
//! both are candidates until somebody adopts one. The kernel's messages only say *that* something changed; what is there
//! is always read from sysfs, so a lost or a forged message does no harm.

mod scan;
mod schedule;
mod watch;

pub use scan::{FOUND_MAX, scan};
pub use schedule::{RESCAN_EVERY, Schedule};
pub use watch::{Watch, is_relevant};

use crate::decode::hid::Role;
use crate::decode::magstripe::Layout;
use crate::domain::id::ReaderName;
use crate::domain::time::Uptime;
use std::path::PathBuf;

/// What a reader, or a device that may be one, is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Class {
    /// A HID POS bar-code scanner: taken by itself.
    HidPosScanner,
    /// A magnetic stripe reader that is no keyboard: taken by itself.
    Magstripe,
    /// A keyboard: a candidate.
    Keyboard,
    /// A serial port: a candidate.
    Tty,
}

impl Class {
    /// Taken without anybody's word.
    #[must_use]
    pub fn taken_by_itself(self) -> bool {
        match self {
            Self::HidPosScanner | Self::Magstripe => true,
            Self::Keyboard | Self::Tty => false,
        }
    }

    /// The word for people, on the wire and in captures.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::HidPosScanner => "hidpos",
            Self::Magstripe => "msr",
            Self::Keyboard => "keyboard",
            Self::Tty => "serial",
        }
    }

    /// The class of a hidraw node; keyboards are listed by their evdev node.
    #[must_use]
    pub fn of(role: Role) -> Option<Self> {
        match role {
            Role::HidPosScanner => Some(Self::HidPosScanner),
            Role::Magstripe { layout: Layout::Bits | Layout::MagTek | Layout::IdTech } => {
                Some(Self::Magstripe)
            }
            Role::Keyboard | Role::Other => None,
        }
    }
}

/// Whether the daemon may open a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Access {
    /// It may.
    Ok,
    /// It may not (yet: udev gives the right a moment after the node appears).
    NoPermission,
    /// The kernel knows the device, but its node is not there yet.
    NoNode,
}

/// A device that is, or may be, a reader.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Its stable identity.
    pub name: ReaderName,
    /// What it is.
    pub class: Class,
    /// Its node under `/dev`.
    pub node: PathBuf,
    /// Its folder in sysfs, links resolved: a replugged device has another one.
    pub sysfs: PathBuf,
    /// USB (or other bus) vendor and product id.
    pub ids: Option<(u16, u16)>,
    /// Who made it, by its own account; printable, short, perhaps empty.
    pub maker: String,
    /// What it calls itself; printable, short, perhaps empty.
    pub product: String,
    /// Where it is plugged in, such as `1-1.2:1.0`, also where a serial number names it.
    pub port: String,
    /// What the kernel calls its place (`phys`), for keyboards.
    pub phys: String,
    /// Whether it may be opened.
    pub access: Access,
    /// The HID report descriptor; empty for keyboards and ttys.
    pub descriptor: Vec<u8>,
}

/// What changed between two scans.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// New, or back after it was gone.
    Added(Found),
    /// Still there, but the right to open it, or its node, is another.
    Altered(Found),
    /// Gone.
    Removed(ReaderName),
}

/// Keeps the list of readers up to date. Sans-IO but for [`scan()`], which reads two folders given to it.
#[derive(Debug)]
pub struct Hotplug {
    sys: PathBuf,
    dev: PathBuf,
    known: Vec<Found>,
    schedule: Schedule,
}

impl Hotplug {
    /// `sys` and `dev` are `/sys` and `/dev`, or folders made like them. The first [`Hotplug::on_deadline`] is due at once.
    #[must_use]
    pub fn new(sys: impl Into<PathBuf>, dev: impl Into<PathBuf>) -> Self {
        Self { sys: sys.into(), dev: dev.into(), known: Vec::new(), schedule: Schedule::default() }
    }

    /// The readers of the last scan.
    #[must_use]
    pub fn known(&self) -> &[Found] {
        &self.known
    }

    /// Something changed (a message of the kernel, or a port that is gone): scan at once.
    pub fn nudge(&mut self, now: Uptime) {
        self.schedule.changed(now);
    }

    /// A port of this reader ended, so it counts as gone, and the next scan gives it as added if it is still or again there.
    pub fn forget(&mut self, name: &ReaderName, now: Uptime) {
        self.known.retain(|found| found.name != *name);
        self.schedule.changed(now);
    }

    /// When to call [`Hotplug::on_deadline`]; ask again after every call.
    #[must_use]
    pub fn deadline(&self) -> Uptime {
        self.schedule.deadline()
    }

    /// Scans if it is time, and says what changed. Removals come first, so a device that came back under another node is
    /// removed and added.
    #[must_use]
    pub fn on_deadline(&mut self, now: Uptime) -> Vec<Change> {
        if now < self.schedule.deadline() {
            return Vec::new();
        }
        let fresh = scan(&self.sys, &self.dev);
        // Candidates too: which of them are adopted is not known here, and seven scans more cost a few milliseconds.
        let unsettled = fresh.iter().any(|found| found.access != Access::Ok);
        self.schedule.scanned(now, unsettled);
        let changes = changes(&self.known, &fresh);
        self.known = fresh;
        changes
    }
}

/// What is different in `fresh`.
fn changes(known: &[Found], fresh: &[Found]) -> Vec<Change> {
    let same = |one: &Found, other: &Found| one.name == other.name && one.sysfs == other.sysfs;
    let gone = known.iter().filter(|old| !fresh.iter().any(|new| same(old, new)));
    let mut changes: Vec<Change> = gone.map(|old| Change::Removed(old.name.clone())).collect();
    for new in fresh {
        match known.iter().find(|old| same(old, new)) {
            None => changes.push(Change::Added(new.clone())),
            Some(old) if old != new => changes.push(Change::Altered(new.clone())),
            Some(_) => {}
        }
    }
    changes
}
