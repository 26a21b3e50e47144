//! One look through sysfs.
//!
//! Reads attributes only, all of which are open to everybody. A device's own words (serial number, product) come from
//! a stranger: they are cut, and lose what is not printable, before anyone sees them.

use super::{Access, Class, Found};
use crate::decode::hid::find_role;
use crate::device::hidraw::read_descriptor;
use crate::domain::id::ReaderName;
use nix::unistd::{AccessFlags, access};
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

/// The most devices listed; 16 readers may be in use.
pub const FOUND_MAX: usize = 64;
/// The longest attribute read.
const ATTRIBUTE_BYTES_MAX: u64 = 4096;
/// The longest maker or product shown, in characters.
const WORDS_CHARS_MAX: usize = 64;

/// Key codes that a keyboard has and a remote control or power button has not: 1 to 0, A, Enter (linux/input-event-codes.h).
const TYPING_KEYS: [usize; 12] = [2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 28, 30];
/// `BUS_VIRTUAL` (linux/input.h): typed by a program, perhaps by us.
const BUS_VIRTUAL: u16 = 0x06;

/// A device before its name is settled.
struct Candidate {
    found: Found,
    /// The name by its serial number, where it has one, and the USB device that claims it.
    by_serial: Option<(ReaderName, PathBuf)>,
}

/// Lists the readers and candidates under `sys` (`/sys`), with their nodes under `dev` (`/dev`), sorted by name.
#[must_use]
pub fn scan(sys: &Path, dev: &Path) -> Vec<Found> {
    let mut candidates: Vec<Candidate> = Vec::new();
    candidates.extend(class(sys, "hidraw").iter().filter_map(|folder| hidraw(folder, dev)));
    candidates.extend(class(sys, "input").iter().filter_map(|folder| keyboard(folder, dev)));
    candidates.extend(class(sys, "tty").iter().filter_map(|folder| tty(folder, dev)));
    // Of a device that was pulled out meanwhile nothing that was read can be trusted: its attributes go one by one, and above
    // it is the hub, which has a name too. A class folder goes first of all, so one that is still there was read whole.
    candidates.retain(|candidate| candidate.found.sysfs.exists());
    let mut named: Vec<Found> = Vec::new();
    for candidate in &candidates {
        let mut found = candidate.found.clone();
        if let Some((name, device)) = &candidate.by_serial {
            // Cheap readers share one serial number: then the place tells them apart.
            let claims = candidates.iter().filter_map(|other| other.by_serial.as_ref());
            if !claims.into_iter().any(|(other, elsewhere)| other == name && elsewhere != device) {
                found.name = name.clone();
            }
        }
        // A reader that is also a keyboard on the same interface is listed once, as the reader.
        if named.len() < FOUND_MAX && !named.iter().any(|known| known.name == found.name) {
            named.push(found);
        }
    }
    named.sort_by(|one, other| one.name.cmp(&other.name));
    named
}

/// The folders of a class, links resolved.
fn class(sys: &Path, class: &str) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(sys.join("class").join(class)) else { return Vec::new() };
    let mut folders: Vec<PathBuf> =
        entries.flatten().filter_map(|entry| entry.path().canonicalize().ok()).collect();
    folders.sort();
    folders
}

fn hidraw(folder: &Path, dev: &Path) -> Option<Candidate> {
    let descriptor = read_descriptor(folder).ok()?;
    let class = Class::of(find_role(&descriptor).ok()?)?;
    let uevent = attribute(&folder.join("device"), "uevent");
    let of = |key: &str| {
        let value = uevent.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('='));
        value.unwrap_or_default().to_owned()
    };
    let mut ids = of("HID_ID").split(':').skip(1).map(hex).collect::<Option<Vec<u16>>>()?.into_iter();
    let ids = ids.next().zip(ids.next());
    let node = dev.join(folder.file_name()?);
    let place = Place::of(folder, [of("HID_UNIQ"), of("HID_PHYS")]);
    let mut candidate = place.candidate(class, folder, node, ids, of("HID_NAME"))?;
    candidate.found.descriptor = descriptor;
    Some(candidate)
}

fn keyboard(folder: &Path, dev: &Path) -> Option<Candidate> {
    let name = folder.file_name()?.to_str()?;
    if !name.starts_with("event") {
        return None;
    }
    let device = folder.join("device").canonicalize().ok()?;
    let keys = key_bits(&attribute(&device, "capabilities/key"));
    let types = TYPING_KEYS.iter().all(|key| keys.get(*key) == Some(&true));
    let id = |file| hex(&attribute(&device, file));
    if !types || id("id/bustype") == Some(BUS_VIRTUAL) {
        return None;
    }
    let ids = id("id/vendor").zip(id("id/product"));
    let phys = attribute(&device, "phys");
    let place = Place::of(&device, [attribute(&device, "uniq"), phys.clone()]);
    let node = dev.join("input").join(name);
    let product = attribute(&device, "name");
    let mut candidate = place.candidate(Class::Keyboard, folder, node, ids, product)?;
    candidate.found.phys = phys;
    Some(candidate)
}

fn tty(folder: &Path, dev: &Path) -> Option<Candidate> {
    let name = folder.file_name()?.to_str()?;
    let family = ["ttyACM", "ttyUSB", "ttyS"].into_iter().find(|family| {
        let number = name.strip_prefix(family);
        number.is_some_and(|number| number.bytes().all(|byte| byte.is_ascii_digit()) && !number.is_empty())
    })?;
    // The kernel lists 4 to 32 places for UARTs, most of them empty: type 0.
    if family == "ttyS" && attribute(folder, "type") == "0" {
        return None;
    }
    let place = Place::of(folder, [String::new(), name.to_owned()]);
    place.candidate(Class::Tty, folder, dev.join(name), None, String::new())
}

/// Where a device is plugged in: its USB interface and device, if it has them, else what else is known.
struct Place {
    interface: Option<PathBuf>,
    usb: Option<PathBuf>,
    otherwise: [String; 2],
}

impl Place {
    fn of(folder: &Path, otherwise: [String; 2]) -> Self {
        let with = |file: &str| folder.ancestors().find(|up| up.join(file).is_file()).map(Path::to_owned);
        Self { interface: with("bInterfaceNumber"), usb: with("idVendor"), otherwise }
    }

    fn candidate(
        self,
        class: Class,
        folder: &Path,
        node: PathBuf,
        ids: Option<(u16, u16)>,
        product: String,
    ) -> Option<Candidate> {
        let file_name = |path: &Path| path.file_name().and_then(|name| name.to_str()).map(str::to_owned);
        let port = self.interface.as_deref().and_then(file_name);
        // The node's own number is not stable, but better than not taking the reader.
        let otherwise = self.otherwise.into_iter().map(|text| squeeze(&text)).find(|text| !text.is_empty());
        let port = port.or(otherwise).or_else(|| file_name(folder))?;
        let usb = |file| self.usb.as_deref().map(|usb| attribute(usb, file)).unwrap_or_default();
        let usb_ids = hex(&usb("idVendor")).zip(hex(&usb("idProduct")));
        let ids = usb_ids.or(ids);
        let interface = self.interface.as_deref().map(|interface| attribute(interface, "bInterfaceNumber"));
        let by_serial = usb_ids.zip(self.usb.clone()).and_then(|((vendor, product), device)| {
            let serial = usb("serial");
            let fits = !serial.is_empty() && serial.bytes().all(|byte| byte.is_ascii_graphic());
            // The first interface has the plain name; others say which they are, whoever else is there.
            let suffix = match interface.as_deref().and_then(hex).unwrap_or(0) {
                0 => String::new(),
                number => format!(":{number}"),
            };
            let name = ReaderName::new(format!("usb:{vendor:04x}:{product:04x}:{serial}{suffix}")).ok();
            name.filter(|_| fits).map(|name| (name, device))
        });
        let own = usb("product");
        let found = Found {
            name: ReaderName::new(format!("port:{port}")).ok()?,
            class,
            access: permission(&node, class),
            node,
            sysfs: folder.to_owned(),
            ids,
            maker: words(&usb("manufacturer")),
            product: words(if own.is_empty() { &product } else { &own }),
            port,
            phys: String::new(),
            descriptor: Vec::new(),
        };
        Some(Candidate { found, by_serial })
    }
}

/// Whether the node may be opened, asked without opening it.
fn permission(node: &Path, class: Class) -> Access {
    let wanted = match class {
        Class::Tty => AccessFlags::R_OK | AccessFlags::W_OK,
        Class::HidPosScanner | Class::Magstripe | Class::Keyboard => AccessFlags::R_OK,
    };
    match access(node, wanted) {
        Ok(()) => Access::Ok,
        Err(nix::errno::Errno::ENOENT) => Access::NoNode,
        Err(_) => Access::NoPermission,
    }
}

/// An attribute without the line end; empty if there is none.
fn attribute(folder: &Path, file: &str) -> String {
    let mut bytes = Vec::new();
    let read = fs::File::open(folder.join(file))
        .and_then(|file| file.take(ATTRIBUTE_BYTES_MAX).read_to_end(&mut bytes));
    if read.is_err() {
        return String::new();
    }
    String::from_utf8_lossy(&bytes).trim().to_owned()
}

fn hex(text: &str) -> Option<u16> {
    u32::from_str_radix(text.trim(), 16).ok().and_then(|value| u16::try_from(value).ok())
}

/// Text of a device for people: printable, short.
fn words(text: &str) -> String {
    let printable = text.chars().map(|letter| if letter.is_control() { ' ' } else { letter });
    let bounded: String = printable.take(WORDS_CHARS_MAX).collect();
    bounded.trim().to_owned()
}

/// Text of a device as part of a name: ASCII without spaces.
fn squeeze(text: &str) -> String {
    text.chars().filter(char::is_ascii_graphic).take(48).collect()
}

/// The kernel's bitmap of keys: words of the machine's length in hex, the highest first.
fn key_bits(text: &str) -> Vec<bool> {
    let words = text.split_whitespace().rev().filter_map(|word| u64::from_str_radix(word, 16).ok());
    words
        .flat_map(|word| (0..usize::BITS).map(move |bit| word.checked_shr(bit).unwrap_or(0) & 1 == 1))
        .collect()
}
