//! What every HID reader has in common: its interfaces, its descriptors and the class requests that Linux makes.
//!
//! A maker's reader is a [`Hid`] with its own report descriptors; what its reports hold is the business of `hid_pos`,
//! `keyboard` and `msr`.

use crate::usb::{self, Descriptors, Device, Setup, Speed};
use std::time::Duration;

/// `bInterval`: the host asks every 8 ms at most, as common readers say.
const INTERVAL: Duration = Duration::from_millis(8);

/// `bInterfaceSubClass` and `bInterfaceProtocol` of a boot keyboard; others have zeros.
pub const BOOT_KEYBOARD: [u8; 2] = [1, 1];

/// One HID interface.
#[derive(Clone, Debug)]
pub struct Interface {
    /// Boot interface subclass and protocol.
    pub boot: [u8; 2],
    /// Its report descriptor.
    pub descriptor: Vec<u8>,
    /// `wMaxPacketSize`: 8 for keyboards, 64 for most others.
    pub packet_max: u8,
}

/// A reader with one HID interface or more, not yet plugged in.
#[derive(Clone, Debug)]
pub struct Hid {
    /// A short name for the trace.
    pub name: &'static str,
    /// Vendor and product id.
    pub ids: (u16, u16),
    /// Maker and product, in its own words.
    pub words: [&'static str; 2],
    /// Its serial number; cheap ones have none.
    pub serial: Option<String>,
    /// Numbered from 0.
    pub interfaces: Vec<Interface>,
}

/// The interrupt IN endpoint of an interface.
#[must_use]
pub fn endpoint(interface: u8) -> u8 {
    0x81 + interface
}

impl Interface {
    /// Interface, HID and endpoint descriptor (HID 1.11, 6.2.1 and appendix E).
    fn descriptors(&self, number: u8) -> Vec<u8> {
        let [r0, r1] = u16::try_from(self.descriptor.len()).unwrap_or(u16::MAX).to_le_bytes();
        let [subclass, protocol] = self.boot;
        let interval = u8::try_from(INTERVAL.as_millis()).unwrap_or(u8::MAX);
        let mut bytes = vec![9, 4, number, 0, 1, 3, subclass, protocol, 0];
        bytes.extend([9, 0x21, 0x11, 0x01, 0, 1, 0x22, r0, r1]);
        bytes.extend([7, 5, endpoint(number), 3, self.packet_max, 0, interval]);
        bytes
    }
}

impl Device for Hid {
    fn name(&self) -> &'static str {
        self.name
    }

    fn descriptors(&self) -> Descriptors {
        let interfaces: Vec<Vec<u8>> =
            (0..).zip(&self.interfaces).map(|(number, interface)| interface.descriptors(number)).collect();
        let interfaces: Vec<&[u8]> = interfaces.iter().map(Vec::as_slice).collect();
        let mut strings = self.words.map(str::to_owned).to_vec();
        strings.extend(self.serial.clone());
        Descriptors {
            speed: Speed::Full,
            device: usb::device_descriptor(self.ids.0, self.ids.1, 8, self.serial.is_some()),
            configuration: usb::configuration(&interfaces),
            strings,
        }
    }

    /// The report descriptor, SET_IDLE, SET_PROTOCOL and SET_REPORT (a keyboard's lights).
    fn control(&mut self, setup: Setup, _data: &[u8]) -> Option<Vec<u8>> {
        let interface = self.interfaces.get(usize::from(setup.index))?;
        match (setup.request_type, setup.request) {
            (0x81, 6) if setup.value.to_be_bytes().first() == Some(&0x22) => {
                Some(interface.descriptor.clone())
            }
            (0x21, 0x09..=0x0b) => Some(Vec::new()),
            _ => None,
        }
    }

    fn poll_interval(&self) -> Duration {
        INTERVAL
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_interface_has_its_own_endpoint_and_report_descriptor() {
        let interface = |byte| Interface { boot: [0, 0], descriptor: vec![byte; 3], packet_max: 64 };
        let mut hid = Hid {
            name: "two",
            ids: (1, 2),
            words: ["", ""],
            serial: None,
            interfaces: vec![interface(7), interface(8)],
        };
        let configuration = hid.descriptors().configuration;
        let endpoints: Vec<u8> =
            configuration.windows(4).filter(|w| w[..2] == [7, 5]).map(|w| w[2]).collect();
        assert_eq!((configuration[4], endpoints), (2, vec![0x81, 0x82]));
        let ask = |index| Setup { request_type: 0x81, request: 6, value: 0x2200, index };
        assert_eq!(hid.control(ask(1), &[]), Some(vec![8; 3]));
        assert_eq!(hid.control(ask(2), &[]), None);
    }
}
