//! Each finding on a folder made like a host that has the fault, and none on one that has not.

use super::super::{Finding, Level};
use super::*;
use crate::cli::doctor::host::Account;
use std::os::unix::fs::symlink;

/// A HID POS scanner's report descriptor, as short as one can be.
const HID_POS: &[u8] = b"\x05\x8c\x09\x02\xa1\x01\x09\x12\xa1\x02\x85\x02\x15\x00\x26\xff\x00\x75\x08\x95\x01\x05\x01\x09\x3b\x81\x02\x95\x03\x05\x8c\x09\xfb\x09\xfc\x09\xfd\x81\x02\x95\x38\x09\xfe\x82\x02\x01\x75\x01\x95\x01\x09\xff\x81\x02\x75\x07\x81\x03\xc0\xc0";

/// Keys of a full keyboard.
const KEYS: &str = "402000000 3803078f800d001 feffffdfffefffff fffffffffffffffe";

const PLAIN_FONT: &str = "usr/share/fonts/truetype/noto/NotoSans-Regular.ttf";
const EAST_ASIAN_FONT: &str = "usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc";

struct Tree {
    root: tempfile::TempDir,
}

impl Tree {
    /// A host with the rules and fonts, and nothing plugged in.
    fn new() -> Self {
        let tree = Self { root: tempfile::tempdir().unwrap() };
        tree.put("lib/udev/rules.d/70-fichad.rules", "");
        tree.put(PLAIN_FONT, "");
        tree.put(EAST_ASIAN_FONT, "");
        tree
    }

    fn put(&self, path: &str, text: &str) {
        let path = self.root.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn link(&self, path: &str, target: &str) {
        let path = self.root.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        symlink(target, path).unwrap();
    }

    /// A USB device at port 1-1 with one interface.
    fn usb(&self, vendor: &str, product: &str) {
        let device = "sys/devices/usb1/1-1";
        for (file, text) in [
            ("idVendor", vendor),
            ("idProduct", product),
            ("serial", "S1"),
            ("product", "TM-T88V"),
            ("busnum", "1"),
            ("devnum", "4"),
            ("power/control", "on"),
            ("1-1:1.0/bInterfaceNumber", "00"),
        ] {
            self.put(&format!("{device}/{file}"), text);
        }
        self.link("sys/bus/usb/devices/1-1", "../../../devices/usb1/1-1");
    }

    fn tty(&self) {
        self.usb("05e0", "1701");
        self.put("sys/devices/usb1/1-1/1-1:1.0/tty/ttyACM0/dev", "166:0");
        self.link("sys/class/tty/ttyACM0", "../../devices/usb1/1-1/1-1:1.0/tty/ttyACM0");
        self.put("dev/ttyACM0", "");
    }

    fn keyboard(&self) {
        self.usb("05e0", "1200");
        let input = "sys/devices/usb1/1-1/1-1:1.0/input/input5";
        for (file, text) in [
            ("capabilities/key", KEYS),
            ("id/bustype", "0003"),
            ("id/vendor", "05e0"),
            ("id/product", "1200"),
        ] {
            self.put(&format!("{input}/{file}"), text);
        }
        self.link(&format!("{input}/event5/device"), "..");
        self.link("sys/class/input/event5", "../../devices/usb1/1-1/1-1:1.0/input/input5/event5");
        self.put("dev/input/event5", "");
    }

    fn hid_pos(&self, vendor: &str, product: &str) {
        self.usb(vendor, product);
        let device = format!("sys/devices/usb1/1-1/1-1:1.0/0003:{vendor}:{product}.0001");
        let folder = self.root.path().join(&device);
        self.put(&format!("{device}/uevent"), &format!("HID_ID=0003:0000{vendor}:0000{product}\n"));
        fs::write(folder.join("report_descriptor"), HID_POS).unwrap();
        self.link(&format!("{device}/hidraw/hidraw0/device"), "../..");
        self.link("sys/class/hidraw/hidraw0", &format!("../../../{device}/hidraw/hidraw0"));
        self.put("dev/hidraw0", "");
    }

    fn process(&self, number: u32, name: &str, open: Option<&str>) {
        self.put(&format!("proc/{number}/comm"), &format!("{name}\n"));
        if let Some(node) = open {
            self.link(&format!("proc/{number}/fd/7"), node);
        }
    }

    /// Whose account has the groups that own the nodes here, or none of them.
    fn host(&self, may_open: bool) -> Host {
        use std::os::unix::fs::MetadataExt as _;
        let metadata = fs::metadata(self.root.path()).unwrap();
        let account = if may_open {
            Account { uid: metadata.uid(), groups: vec![metadata.gid()] }
        } else {
            Account { uid: u32::MAX, groups: Vec::new() }
        };
        Host {
            root: self.root.path().to_owned(),
            account: Some(account),
            group_name: |_| Some("dialout".to_owned()),
        }
    }

    fn findings(&self, config: &str) -> Vec<Finding> {
        findings(&self.host(true), &crate::config::parse(config).unwrap())
    }
}

const SERIAL: &str = "[[serial]]\npath = '/dev/ttyACM0'\nname = 'counter'\n";
const KEYBOARD: &str = "[[reader]]\nname = 'usb:05e0:1200:S1'\nadopt = true\n";
const PRINTER: &str = "[[printer]]\nname = 'desk'\naddress = 'usblp:04b8:0202/S1'\n";

/// The only finding of that check, its level and its cure.
#[track_caller]
fn one(findings: &[Finding], check: &str) -> (Level, String) {
    let mut found = findings.iter().filter(|finding| finding.check == check);
    let (first, second) = (found.next(), found.next());
    assert!(first.is_some() && second.is_none(), "{check} in {findings:#?}");
    first.map(|finding| (finding.level, finding.mend.clone().unwrap_or_default())).unwrap()
}

fn checks(findings: &[Finding]) -> Vec<&str> {
    findings.iter().map(|finding| finding.check).collect()
}

#[test]
fn a_host_where_all_is_well_has_nothing_to_tell() {
    let tree = Tree::new();
    tree.tty();
    assert_eq!(checks(&tree.findings(SERIAL)), [""; 0]);
    let tree = Tree::new();
    tree.hid_pos("0c2e", "0b87");
    assert_eq!(checks(&tree.findings("")), [""; 0]);
}

#[test]
fn missing_rules_are_told() {
    let tree = Tree { root: tempfile::tempdir().unwrap() };
    let (level, mend) = one(&tree.findings(""), "rules");
    assert!(level == Level::Wrong && mend.contains("udevadm trigger"), "{mend}");
}

#[test]
fn a_node_that_fichad_may_not_open_has_the_command_for_it() {
    use std::os::unix::fs::PermissionsExt as _;
    let shut = |tree: &Tree, node: &str, config: &str| {
        let node = tree.root.path().join(node);
        fs::set_permissions(&node, fs::Permissions::from_mode(0o660)).unwrap();
        one(&findings(&tree.host(false), &crate::config::parse(config).unwrap()), "permission")
    };
    // Of a family that the rules know: they were not applied.
    let tree = Tree::new();
    tree.tty();
    assert!(shut(&tree, "dev/ttyACM0", SERIAL).1.contains("udevadm trigger"));
    // Any other tty: into its group.
    let tree = Tree::new();
    tree.put("dev/ttyS7", "");
    let mend = shut(&tree, "dev/ttyS7", "[[serial]]\npath = '/dev/ttyS7'\n").1;
    assert!(mend.contains("usermod --append --groups dialout fichad"), "{mend}");
    let tree = Tree::new();
    tree.hid_pos("0c2e", "0b87");
    assert!(shut(&tree, "dev/hidraw0", "").1.contains("udevadm trigger"));
    // A printer's node.
    let tree = Tree::new();
    tree.usb("04b8", "0202");
    tree.put("sys/devices/usb1/1-1/1-1:1.0/usbmisc/lp1/dev", "180:1");
    tree.link("sys/class/usbmisc/lp1", "../../devices/usb1/1-1/1-1:1.0/usbmisc/lp1");
    tree.put("dev/usb/lp1", "");
    assert!(shut(&tree, "dev/usb/lp1", PRINTER).1.contains("--groups dialout"));
}

#[test]
fn who_holds_a_port_is_named() {
    for (program, mend) in [
        ("ModemManager", "ID_MM_DEVICE_IGNORE"),
        ("agetty", "systemctl disable --now serial-getty@ttyACM0.service"),
        ("brltty", "apt-get remove brltty"),
        ("minicom", "end minicom"),
    ] {
        let tree = Tree::new();
        tree.tty();
        tree.process(77, program, Some("/dev/ttyACM0"));
        tree.process(78, "fichad", Some("/dev/ttyACM0"));
        let (level, cure) = one(&tree.findings(SERIAL), "held");
        assert!(level == Level::Wrong && cure.contains(mend), "{program}: {cure}");
    }
}

#[test]
fn modemmanager_beside_a_port_it_was_not_told_of_is_noted() {
    let tree = Tree::new();
    tree.tty();
    tree.process(77, "ModemManager", None);
    assert!(one(&tree.findings(SERIAL), "modemmanager").1.contains("idVendor}==\"05e0\""));
    tree.put("run/udev/data/c166:0", "I:1\nE:ID_MM_DEVICE_IGNORE=1\n");
    assert_eq!(checks(&tree.findings(SERIAL)), [""; 0]);
}

#[test]
fn a_chip_that_brltty_took_is_told() {
    let tree = Tree::new();
    tree.usb("1a86", "7523");
    tree.process(77, "brltty", None);
    assert_eq!(checks(&tree.findings("")), [""; 0], "it has a driver of its own");
    tree.link("sys/devices/usb1/1-1/1-1:1.0/driver", "../../../../bus/usb/drivers/usbfs");
    assert!(one(&tree.findings(""), "held").1.contains("remove brltty"));
}

#[test]
fn a_printer_that_cups_wants_too_is_told() {
    let tree = Tree::new();
    tree.usb("04b8", "0202");
    tree.put("dev/bus/usb/001/004", "");
    tree.put(
        "etc/cups/printers.conf",
        "<DefaultPrinter till>\nDeviceURI usb://EPSON/TM-T88V?serial=S1\n</DefaultPrinter>\n",
    );
    assert_eq!(one(&tree.findings(PRINTER), "cups"), (Level::Note, "sudo lpadmin -x till".to_owned()));
    tree.process(77, "usb", Some("/dev/bus/usb/001/004"));
    assert_eq!(one(&tree.findings(PRINTER), "held"), (Level::Wrong, "sudo lpadmin -x till".to_owned()));
    tree.put(
        "etc/cups/printers.conf",
        "<Printer office>\nDeviceURI usb://HP/LaserJet?serial=X\n</Printer>\n",
    );
    assert!(one(&tree.findings(PRINTER), "held").1.contains("end usb"));
}

#[test]
fn a_keyboard_that_could_be_hid_pos_is_told_with_its_bar_code() {
    let tree = Tree::new();
    tree.keyboard();
    let mend = one(&tree.findings(""), "mode").1;
    assert!(mend.contains("HID POS") && mend.contains("hardware-notes/zebra.md"), "{mend}");
}

#[test]
fn an_adopted_keyboard_has_a_test_for_its_layout() {
    let tree = Tree::new();
    tree.keyboard();
    let (level, mend) = one(&tree.findings(KEYBOARD), "layout");
    assert!(level == Level::Note && mend.contains("ficha identify --test"), "{mend}");
}

#[test]
fn a_reader_that_may_fall_asleep_is_told() {
    let tree = Tree::new();
    tree.hid_pos("1111", "2222");
    tree.put("sys/devices/usb1/1-1/power/control", "auto\n");
    let mend = one(&tree.findings(""), "autosuspend").1;
    assert_eq!(mend, "echo on | sudo tee /sys/devices/usb1/1-1/power/control");
}

#[test]
fn a_reader_without_a_register_of_its_own_is_told_where_there_are_several() {
    let tree = Tree::new();
    tree.hid_pos("0c2e", "0b87");
    let registers = "[[register]]\nname = 'a'\n[[register]]\nname = 'b'\n";
    assert!(one(&tree.findings(registers), "route").1.contains("--register"));
    let routed = format!("{registers}[[reader]]\nname = 'usb:0c2e:0b87:S1'\nregister = 'b'\n");
    assert_eq!(checks(&tree.findings(&routed)), [""; 0]);
    let port = format!("{registers}[[serial]]\npath = '/dev/ttyS0'\n");
    let tree = Tree::new();
    assert!(one(&tree.findings(&port), "route").1.contains("[[serial]]"));
}

#[test]
fn a_reader_of_bars_and_cards_without_any_do_not_go_together() {
    let tree = Tree::new();
    tree.hid_pos("0c2e", "0204");
    assert_eq!(one(&tree.findings(""), "bars").0, Level::Note);
    let narrow = "[[printer]]\nname = 'p'\naddress = 'tcp://a'\nwidth_dots = 384\n";
    let (level, mend) = one(&tree.findings(narrow), "bars");
    assert!(level == Level::Wrong && mend.contains("width_dots"), "{mend}");
    assert_eq!(one(&tree.findings(&narrow.replace("384", "576")), "bars").0, Level::Note);
}

#[test]
fn fonts_are_looked_for_where_cards_are_printed() {
    let tree = Tree::new();
    assert!(!checks(&tree.findings(PRINTER)).contains(&"fonts"));
    fs::remove_file(tree.root.path().join(EAST_ASIAN_FONT)).unwrap();
    let mend = (Level::Note, "sudo apt-get install fonts-noto-cjk".to_owned());
    assert_eq!(one(&tree.findings(PRINTER), "fonts"), mend);
    assert!(!checks(&tree.findings("")).contains(&"fonts"));
    fs::remove_file(tree.root.path().join(PLAIN_FONT)).unwrap();
    let (_, both) = one(&tree.findings(PRINTER), "fonts");
    assert_eq!(both, "sudo apt-get install fonts-noto-core fonts-noto-cjk");
}
