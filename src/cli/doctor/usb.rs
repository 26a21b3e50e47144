//! USB devices as sysfs lists them, and the printers among them that the config names: who else wants them.

use super::Finding;
use super::host::Host;
use crate::config::Config;
use crate::device::printer_port::{Address, UsbId};
use std::fs;
use std::path::{Path, PathBuf};

/// Devices looked at at most.
const DEVICES_MAX: usize = 256;

/// CUPS's queues; only root and group lp may read them.
const QUEUES: &str = "/etc/cups/printers.conf";

/// A USB device.
pub(super) struct Device {
    folder: PathBuf,
    pub(super) vendor: u16,
    pub(super) product: u16,
}

/// Every device that is plugged in.
pub(super) fn devices(host: &Host) -> Vec<Device> {
    let entries = fs::read_dir(host.at("/sys/bus/usb/devices")).into_iter().flatten().flatten();
    let device = |entry: fs::DirEntry| {
        let folder = entry.path();
        let id = |file| u16::from_str_radix(attribute(&folder, file).as_str(), 16).ok();
        let (vendor, product) = (id("idVendor")?, id("idProduct")?);
        Some(Device { folder, vendor, product })
    };
    entries.take(DEVICES_MAX).filter_map(device).collect()
}

fn attribute(folder: &Path, file: &str) -> String {
    fs::read_to_string(folder.join(file)).unwrap_or_default().trim().to_owned()
}

impl Device {
    /// The drivers that its interfaces have; `usbfs` is a program that drives it by itself.
    pub(super) fn drivers(&self) -> Vec<String> {
        let interfaces = fs::read_dir(&self.folder).into_iter().flatten().flatten();
        let driver = |entry: fs::DirEntry| {
            let link = fs::read_link(entry.path().join("driver")).ok()?;
            link.file_name().and_then(|name| name.to_str()).map(str::to_owned)
        };
        interfaces.filter_map(driver).collect()
    }

    fn is(&self, id: &UsbId) -> bool {
        let serial = id.serial.as_ref().is_none_or(|serial| *serial == attribute(&self.folder, "serial"));
        self.vendor == id.vendor && self.product == id.product && serial
    }

    /// The nodes that a program prints through: usblp's, and the device's own.
    fn nodes(&self, host: &Host) -> Vec<PathBuf> {
        let number = |file| attribute(&self.folder, file).parse::<u16>().unwrap_or_default();
        let own = host.at("/dev/bus/usb").join(format!("{:03}/{:03}", number("busnum"), number("devnum")));
        let printers = fs::read_dir(host.at("/sys/class/usbmisc")).into_iter().flatten().flatten();
        let device = self.folder.canonicalize().unwrap_or_default();
        let behind = |entry: &fs::DirEntry| {
            entry.path().canonicalize().is_ok_and(|folder| folder.starts_with(&device))
        };
        let nodes = printers.filter(behind).map(|entry| host.at("/dev/usb").join(entry.file_name()));
        nodes.chain([own]).collect()
    }

    /// Whether a queue of CUPS prints on it: `usb://MAKER/MODEL?serial=NUMBER`.
    fn is_queue(&self, uri: &str) -> bool {
        let serial = attribute(&self.folder, "serial");
        let Some((model, given)) = uri.split_once("?serial=") else {
            let product = attribute(&self.folder, "product").replace(' ', "%20");
            return !product.is_empty() && uri.contains(&product);
        };
        !model.is_empty() && !serial.is_empty() && given.split('&').next() == Some(serial.as_str())
    }
}

/// What is in the way of the printers that the config has on USB.
pub(super) fn printers(host: &Host, config: &Config) -> Vec<Finding> {
    let (devices, queues) = (devices(host), queues(host));
    let mut findings = Vec::new();
    for printer in &config.printers.printers {
        let (Address::Usblp(id) | Address::Libusb(id)) = &printer.address else { continue };
        let Some(device) = devices.iter().find(|device| device.is(id)) else { continue };
        let name = printer.name.as_str();
        let queue = queues.iter().find(|(_, uri)| device.is_queue(uri)).map(|(queue, _)| queue);
        let holder = device.nodes(host).iter().flat_map(|node| host.holders(node)).next();
        let mend = queue.map(|queue| format!("sudo lpadmin -x {queue}"));
        if let Some(holder) = holder {
            let mend = mend.unwrap_or_else(|| format!("end {holder}, or wait until it has printed"));
            findings.push(Finding::wrong("held", format!("{name} is held by {holder}"), mend));
        } else if let (Some(queue), Some(mend)) = (queue, mend) {
            let found = format!("{name} is also the queue {queue} of CUPS, which holds it while it prints");
            findings.push(Finding::note("cups", found, mend));
        }
        findings.extend(shut(host, name, device, &printer.address));
    }
    findings
}

/// The node that this address needs, where fichad may not open it.
fn shut(host: &Host, name: &str, device: &Device, address: &Address) -> Option<Finding> {
    let is_own = |node: &&PathBuf| host.named(node).starts_with("/dev/bus");
    let nodes = device.nodes(host);
    let node = nodes.iter().find(|node| is_own(node) == matches!(address, Address::Libusb(_)))?;
    let shut = host.shut(node)?;
    let mend = match shut.group {
        Some(group) => {
            format!("sudo usermod --append --groups {group} fichad && sudo systemctl restart fichad")
        }
        None => format!(
            "echo 'SUBSYSTEM==\"usb\", ENV{{DEVTYPE}}==\"usb_device\", ATTR{{idVendor}}==\"{:04x}\", ATTR{{idProduct}}==\"{:04x}\", \
             GROUP=\"lp\", MODE=\"0660\"' | sudo tee -a /etc/udev/rules.d/71-fichad-local.rules && sudo udevadm control --reload \
             && sudo udevadm trigger --subsystem-match=usb",
            device.vendor, device.product
        ),
    };
    let found = format!("{name}: fichad may not open {}", host.named(node).display());
    Some(Finding::wrong("permission", found, mend))
}

/// CUPS's queues on USB, with their addresses.
fn queues(host: &Host) -> Vec<(String, String)> {
    let text = fs::read_to_string(host.at(QUEUES)).unwrap_or_default();
    let (mut name, mut queues) = (String::new(), Vec::new());
    for line in text.lines() {
        let opens = line.strip_prefix("<Printer ").or_else(|| line.strip_prefix("<DefaultPrinter "));
        if let Some(rest) = opens {
            name = rest.trim_end_matches('>').to_owned();
        } else if let Some(uri) = line.strip_prefix("DeviceURI ").filter(|uri| uri.starts_with("usb:")) {
            queues.push((name.clone(), uri.to_owned()));
        }
    }
    queues
}
