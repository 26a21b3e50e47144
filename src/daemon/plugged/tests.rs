//! Devices in folders made like `/sys` and `/dev`, adopted, changed and given back while the daemon runs.

use super::*;
use crate::config;
use crate::daemon::routes::Current;
use crate::daemon::tests::{Rig, Scanner, is};
use crate::domain::id::RegisterName;
use std::fs;
use std::path::Path;

/// A shop of one register, with the devices below a folder of its own.
struct Shop {
    rig: Rig,
    starter: Starter,
    nudge: Nudge,
    thread: Option<JoinHandle<()>>,
    _folder: tempfile::TempDir,
}

impl Shop {
    fn start(config: &str, devices: impl FnOnce(&Path)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        devices(folder.path());
        let rig = Rig::start(config);
        let starter = rig.starter();
        let hotplug = Hotplug::new(folder.path().join("sys"), folder.path().join("dev"));
        let (nudge, thread) = Supervisor::start(starter.clone(), hotplug).unwrap();
        Self { rig, starter, nudge, thread: Some(thread), _folder: folder }
    }

    /// As a reload does.
    fn configure(&self, tables: &str) {
        let config = config::parse(&format!("[[register]]\nname = \"till-1\"\n{tables}")).unwrap();
        let current = Current::new(&config, &RegisterName::new("host").unwrap());
        self.rig.parts.shared.routes.switch(current, || {});
        self.nudge.nudge();
    }
}

impl Drop for Shop {
    fn drop(&mut self) {
        self.starter.stop.raise();
        if let Some(thread) = self.thread.take() {
            thread.join().unwrap();
        }
    }
}

fn file(path: &Path, text: &str) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

const ADOPTED: &str = "[[reader]]\nname = \"port:ttyUSB0\"\nadopt = true\n";

#[test]
fn a_tty_is_given_back_and_taken_again_as_the_config_says() {
    let mut scanner = Scanner::new();
    let node = scanner.path.clone();
    let mut shop = Shop::start(ADOPTED, |folder| {
        fs::create_dir_all(folder.join("sys/class/tty/ttyUSB0")).unwrap();
        fs::create_dir_all(folder.join("dev")).unwrap();
        std::os::unix::fs::symlink(node, folder.join("dev/ttyUSB0")).unwrap();
    });
    shop.rig.until_state("port:ttyUSB0", "reading");
    shop.configure("");
    shop.rig.until("it is let go", |event| event["type"] == "state" && !is(event, "port:ttyUSB0", "reading"));
    shop.configure(ADOPTED);
    shop.rig.until_state("port:ttyUSB0", "reading");
    scanner.send("4006381333931\r");
    shop.rig.until("it is read again", |event| event["scan_data"] == "4006381333931");
}

#[test]
fn a_layout_that_nobody_knows_is_named_and_another_one_is_tried_at_once() {
    let keyboard =
        |layout: &str| format!("[[reader]]\nname = \"port:place0\"\nadopt = true\nlayout = \"{layout}\"\n");
    let mut shop = Shop::start(&keyboard("klingon"), |folder| {
        let device = folder.join("sys/class/input/event0/device");
        file(&device.join("capabilities/key"), "ffffffffffffffff");
        for (name, text) in [("id/bustype", "0003"), ("id/vendor", "05e0"), ("id/product", "1200")] {
            file(&device.join(name), text);
        }
        file(&device.join("phys"), "place0");
        // No evdev node, so opening it fails behind the layout.
        file(&folder.join("dev/input/event0"), "");
    });
    let why = shop.rig.until_state("port:place0", "away");
    assert!(why.contains("no keyboard layout `klingon`"), "{why}");
    shop.configure(&keyboard("de"));
    shop.rig.until("it is let go", |event| event["type"] == "state" && !is(event, "port:place0", "away"));
    let why = shop.rig.until_state("port:place0", "away");
    assert!(!why.contains("layout"), "{why}");
}
