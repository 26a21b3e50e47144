//! Discovery in a made-up sysfs.

use crate::captures::{hex, load};
use fichad::device::hotplug::{Access, Change, Class, FOUND_MAX, Found, Hotplug, RESCAN_EVERY, scan};
use fichad::domain::id::ReaderName;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::time::Duration;

const KEYBOARD_KEYS: &str = "1000000000007 ff9f207ac14057ff febeffdfffefffff fffffffffffffffe";
const KEYBOARD: &str = "05 01 09 06 a1 01 05 07 19 00 29 65 75 08 95 06 81 00 c0";

struct Host {
    folder: tempfile::TempDir,
}

impl Host {
    fn new() -> Self {
        let host = Self { folder: tempfile::tempdir().unwrap() };
        for folder in ["sys/class/hidraw", "sys/class/input", "sys/class/tty", "dev/input"] {
            fs::create_dir_all(host.path(folder)).unwrap();
        }
        host
    }

    fn path(&self, path: &str) -> PathBuf {
        self.folder.path().join(path)
    }

    fn write(&self, path: &str, text: impl AsRef<[u8]>) {
        let path = self.path(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn node(&self, name: &str) {
        self.write(&format!("dev/{name}"), "");
    }

    /// A USB device at `port`; gives its folder in sysfs.
    fn usb(&self, port: &str, ids: (&str, &str), serial: &str, product: &str) -> String {
        let folder = format!("sys/devices/pci0/usb1/{port}");
        for (file, text) in [
            ("idVendor", ids.0),
            ("idProduct", ids.1),
            ("serial", serial),
            ("manufacturer", "Maker"),
            ("product", product),
        ] {
            self.write(&format!("{folder}/{file}"), format!("{text}\n"));
        }
        folder
    }

    fn interface(&self, usb: &str, number: u8) -> String {
        let port = Path::new(usb).file_name().unwrap().to_str().unwrap();
        let folder = format!("{usb}/{port}:1.{number}");
        self.write(&format!("{folder}/bInterfaceNumber"), format!("{number:02x}\n"));
        folder
    }

    fn link(&self, class: &str, name: &str, folder: &str) {
        fs::create_dir_all(self.path(folder)).unwrap();
        symlink(self.path(folder), self.path(&format!("sys/class/{class}/{name}"))).unwrap();
    }

    fn hidraw(&self, interface: &str, instance: u32, name: &str, descriptor: &[u8]) {
        let hid = format!("{interface}/0003:0C2E:0B87.{instance:04X}");
        self.write(&format!("{hid}/report_descriptor"), descriptor);
        self.write(
            &format!("{hid}/uevent"),
            "HID_ID=0003:00000C2E:00000B87\nHID_NAME=Own name\nHID_PHYS=p\nHID_UNIQ=\n",
        );
        let folder = format!("{hid}/hidraw/{name}");
        self.link("hidraw", name, &folder);
        symlink(self.path(&hid), self.path(&format!("{folder}/device"))).unwrap();
    }

    fn input(&self, parent: &str, number: u32, bus: &str, keys: &str) {
        let device = format!("{parent}/input/input{number}");
        for (file, text) in [
            ("capabilities/key", keys),
            ("name", "Some keyboard"),
            ("phys", "usb-0000:00:14.0-1/input0"),
            ("uniq", ""),
            ("id/bustype", bus),
            ("id/vendor", "05e0"),
            ("id/product", "1200"),
        ] {
            self.write(&format!("{device}/{file}"), format!("{text}\n"));
        }
        let folder = format!("{device}/event{number}");
        self.link("input", &format!("event{number}"), &folder);
        symlink(self.path(&device), self.path(&format!("{folder}/device"))).unwrap();
    }

    fn scan(&self) -> Vec<Found> {
        scan(&self.path("sys"), &self.path("dev"))
    }

    /// Name, class, node and access of each, on a line.
    fn lines(&self) -> Vec<String> {
        let line = |found: Found| {
            let node = found.node.strip_prefix(self.path("dev")).unwrap().display().to_string();
            format!("{} {} {node} {:?}", found.name, found.class.word(), found.access)
        };
        self.scan().into_iter().map(line).collect()
    }
}

fn scanner() -> Vec<u8> {
    load("hidpos/honeywell-ean13").descriptor()
}

#[test]
fn the_right_one_of_three_interfaces_is_the_scanner() {
    let host = Host::new();
    let usb = host.usb("1-1.2", ("0c2e", "0b87"), "SN1", "Scanner");
    let keyboard = host.interface(&usb, 0);
    host.hidraw(&keyboard, 1, "hidraw0", &hex(KEYBOARD));
    host.input(&keyboard, 3, "0003", KEYBOARD_KEYS);
    host.hidraw(&host.interface(&usb, 1), 2, "hidraw1", &scanner());
    host.hidraw(
        &host.interface(&usb, 2),
        3,
        "hidraw2",
        &hex("06 8c ff 09 01 a1 01 75 08 95 40 09 01 81 02 c0"),
    );
    host.node("hidraw1");
    host.node("input/event3");
    assert_eq!(
        host.lines(),
        ["usb:0c2e:0b87:SN1 keyboard input/event3 Ok", "usb:0c2e:0b87:SN1:1 hidpos hidraw1 Ok"]
    );
    let found = host.scan().remove(1);
    assert_eq!(found.ids, Some((0x0c2e, 0x0b87)));
    assert_eq!((found.maker.as_str(), found.product.as_str()), ("Maker", "Scanner"));
    assert_eq!((found.port.as_str(), found.descriptor == scanner()), ("1-1.2:1.1", true));
}

#[test]
fn twins_are_told_apart_by_their_place() {
    let host = Host::new();
    for (at, port) in ["1-1", "1-2"].into_iter().enumerate() {
        let usb = host.usb(port, ("0c2e", "0b87"), "00000000", "Scanner");
        let name = format!("hidraw{at}");
        host.hidraw(&host.interface(&usb, 0), 1, &name, &scanner());
        host.node(&name);
    }
    let nameless = host.usb("1-3", ("0c2e", "0b87"), "", "Scanner");
    host.hidraw(&host.interface(&nameless, 0), 1, "hidraw9", &scanner());
    assert_eq!(
        host.lines(),
        [
            "port:1-1:1.0 hidpos hidraw0 Ok",
            "port:1-2:1.0 hidpos hidraw1 Ok",
            "port:1-3:1.0 hidpos hidraw9 NoNode"
        ]
    );
}

#[test]
fn keyboards_and_ttys_are_candidates_and_what_cannot_type_is_none() {
    let host = Host::new();
    host.input("sys/devices/platform/i8042/serio0", 1, "0011", KEYBOARD_KEYS);
    host.input("sys/devices/LNXSYSTM/button", 2, "0019", "10000000000000 0");
    host.input("sys/devices/virtual", 3, "0006", KEYBOARD_KEYS);
    let usb = host.usb("1-4", ("05e0", "1701"), "S4", "CDC Scanner");
    let acm = host.interface(&usb, 0);
    host.link("tty", "ttyACM0", &format!("{acm}/tty/ttyACM0"));
    for (name, kind) in [("ttyS0", "4"), ("ttyS1", "0")] {
        let folder = format!("sys/devices/platform/serial/tty/{name}");
        host.link("tty", name, &folder);
        host.write(&format!("{folder}/type"), kind);
    }
    for console in ["tty1", "ttyS", "ptmx", "ttyprintk"] {
        host.link("tty", console, &format!("sys/devices/virtual/tty/{console}"));
    }
    assert_eq!(
        host.lines(),
        [
            "port:ttyS0 serial ttyS0 NoNode",
            "port:usb-0000:00:14.0-1/input0 keyboard input/event1 NoNode",
            "usb:05e0:1701:S4 serial ttyACM0 NoNode"
        ]
    );
    assert!(host.scan().iter().all(|found| !found.class.taken_by_itself()));
    assert!(Class::HidPosScanner.taken_by_itself() && Class::Magstripe.taken_by_itself());
}

#[test]
fn a_devices_own_words_are_made_harmless() {
    let host = Host::new();
    let usb =
        host.usb("1-1", ("0c2e", "0b87"), "A B\u{1b}[2J", &format!("\u{1b}]0;x\u{7}{}", "y".repeat(500)));
    host.hidraw(&host.interface(&usb, 0), 1, "hidraw0", &scanner());
    let liar = host.usb("1-2", ("zzzz", "-1"), "S", "");
    host.hidraw(&host.interface(&liar, 0), 1, "hidraw1", &[0xa1; 5000]);
    let found = host.scan();
    assert_eq!(found.len(), 1, "a descriptor that lies is no reader");
    assert_eq!(found[0].name.as_str(), "port:1-1:1.0");
    assert!(found[0].product.chars().count() <= 64 && !found[0].product.chars().any(char::is_control));
}

#[test]
fn the_list_is_bounded() {
    let host = Host::new();
    for at in 0..FOUND_MAX + 9 {
        host.link("tty", &format!("ttyUSB{at}"), &format!("sys/devices/x/ttyUSB{at}"));
    }
    assert_eq!(host.scan().len(), FOUND_MAX);
    assert!(scan(Path::new("/nowhere"), Path::new("/nowhere")).is_empty());
}

fn show(changes: &[Change]) -> Vec<String> {
    let one = |change: &Change| match change {
        Change::Added(found) => format!("+{} {:?}", found.name, found.access),
        Change::Altered(found) => format!("~{} {:?}", found.name, found.access),
        Change::Removed(name) => format!("-{name}"),
    };
    changes.iter().map(one).collect()
}

#[test]
fn a_reader_is_added_before_its_node_and_altered_with_it() {
    let host = Host::new();
    let usb = host.usb("1-1", ("0c2e", "0b87"), "SN1", "Scanner");
    let interface = host.interface(&usb, 0);
    host.hidraw(&interface, 1, "hidraw0", &scanner());
    let mut hotplug = Hotplug::new(host.path("sys"), host.path("dev"));
    let mut now = Duration::from_secs(1);
    assert_eq!(show(&hotplug.on_deadline(now)), ["+usb:0c2e:0b87:SN1 NoNode"]);
    let soon = hotplug.deadline();
    assert!(soon > now && soon < now + Duration::from_millis(200), "looks again soon for the permissions");
    assert!(hotplug.on_deadline(now).is_empty(), "not before its time");
    host.node("hidraw0");
    now = soon;
    assert_eq!(show(&hotplug.on_deadline(now)), ["~usb:0c2e:0b87:SN1 Ok"]);
    assert_eq!(hotplug.known()[0].access, Access::Ok);
    assert_eq!(hotplug.deadline(), now + RESCAN_EVERY);

    // Replugged between two scans: same name, same node, another instance.
    fs::remove_file(host.path("sys/class/hidraw/hidraw0")).unwrap();
    host.hidraw(&interface, 2, "hidraw0", &scanner());
    hotplug.nudge(now);
    let name = ReaderName::new("usb:0c2e:0b87:SN1").unwrap();
    assert_eq!(show(&hotplug.on_deadline(now)), ["-usb:0c2e:0b87:SN1", "+usb:0c2e:0b87:SN1 Ok"]);

    // The port failed, the device is still there.
    hotplug.forget(&name, now);
    assert_eq!(show(&hotplug.on_deadline(now)), ["+usb:0c2e:0b87:SN1 Ok"]);

    fs::remove_file(host.path("sys/class/hidraw/hidraw0")).unwrap();
    now = hotplug.deadline();
    assert_eq!(show(&hotplug.on_deadline(now)), ["-usb:0c2e:0b87:SN1"], "the net finds what no message told");
}
