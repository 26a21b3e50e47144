//! What makes a USB device: its descriptors and its answers. Pure; `vhci` carries them to the kernel.

use std::fmt;
use std::time::Duration;

/// Bus speed, with the numbers that `vhci_hcd` and `enum usb_device_speed` give it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Speed {
    /// 12 Mbit/s: readers.
    Full = 2,
    /// 480 Mbit/s: printers.
    High = 3,
}

impl Speed {
    /// The number the kernel's attach file takes.
    #[must_use]
    pub fn number(self) -> u32 {
        match self {
            Self::Full => 2,
            Self::High => 3,
        }
    }
}

/// Everything a device says of itself while it is enumerated (USB 2.0, chapter 9.6).
#[derive(Clone, Debug)]
pub struct Descriptors {
    /// Bus speed.
    pub speed: Speed,
    /// Device descriptor, 18 bytes.
    pub device: Vec<u8>,
    /// Configuration descriptor with its interfaces and endpoints.
    pub configuration: Vec<u8>,
    /// String descriptors from index 1 on.
    pub strings: Vec<String>,
}

/// A control request (USB 2.0, table 9-2).
#[derive(Clone, Copy, Debug)]
pub struct Setup {
    /// `bmRequestType`.
    pub request_type: u8,
    /// `bRequest`.
    pub request: u8,
    /// `wValue`.
    pub value: u16,
    /// `wIndex`.
    pub index: u16,
}

impl Setup {
    /// Reads the eight bytes of a setup packet.
    #[must_use]
    pub fn read(bytes: [u8; 8]) -> Self {
        let [request_type, request, v0, v1, i0, i1, _, _] = bytes;
        Self {
            request_type,
            request,
            value: u16::from_le_bytes([v0, v1]),
            index: u16::from_le_bytes([i0, i1]),
        }
    }
}

/// As a bus analyser shows it: type, request, value, index.
impl fmt::Display for Setup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { request_type, request, value, index } = self;
        write!(f, "{request_type:02x} {request:02x} {value:04x} {index:04x}")
    }
}

/// What a device does with bytes sent to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Out {
    /// Takes them, and answers this at its IN endpoint.
    Taken(Vec<Vec<u8>>),
    /// Not now, come again: a NAK. They are offered again when the device has changed.
    Later,
    /// Its endpoint is halted.
    Stall,
}

/// A device's side of the bus. `None` as an answer is a STALL, as in "not understood".
pub trait Device: Send + 'static {
    /// A short name for the trace.
    fn name(&self) -> &'static str;

    /// What it says of itself.
    fn descriptors(&self) -> Descriptors;

    /// Answers a class or vendor request; standard ones are answered for it.
    fn control(&mut self, setup: Setup, data: &[u8]) -> Option<Vec<u8>>;

    /// Takes what the host sent to an OUT endpoint.
    fn bulk_out(&mut self, _data: &[u8]) -> Out {
        Out::Stall
    }

    /// The host has cleared the halt of an endpoint, by name or by setting the interface anew.
    fn halt_cleared(&mut self) {}

    /// How often the host asks its interrupt endpoint at most (`bInterval` at full speed, in milliseconds).
    fn poll_interval(&self) -> Duration {
        Duration::ZERO
    }
}

/// Whether a request ends halts (USB 2.0, 9.4.5): SET_CONFIGURATION, SET_INTERFACE, CLEAR_FEATURE(ENDPOINT_HALT).
#[must_use]
pub fn clears_halt(setup: Setup) -> bool {
    matches!((setup.request_type, setup.request, setup.value), (0x00, 9, _) | (0x01, 11, _) | (0x02, 1, 0))
}

/// Answers the standard requests of chapter 9.4 that Linux makes of a device; `None` for all others.
#[must_use]
pub fn standard(descriptors: &Descriptors, setup: Setup) -> Option<Vec<u8>> {
    let [index, kind] = setup.value.to_le_bytes();
    match (setup.request_type, setup.request) {
        // GET_DESCRIPTOR
        (0x80, 6) => match kind {
            1 => Some(descriptors.device.clone()),
            2 => Some(descriptors.configuration.clone()),
            3 => string(&descriptors.strings, index),
            _ => None,
        },
        // GET_STATUS: bus powered
        (0x80, 0) => Some(vec![0, 0]),
        // SET_CONFIGURATION, SET_INTERFACE, CLEAR_FEATURE(ENDPOINT_HALT)
        (0x00, 9) | (0x01, 11) | (0x02, 1) => Some(Vec::new()),
        _ => None,
    }
}

fn string(strings: &[String], index: u8) -> Option<Vec<u8>> {
    let Some(at) = usize::from(index).checked_sub(1) else {
        return Some(vec![4, 3, 0x09, 0x04]); // the languages: US English alone
    };
    let text: Vec<u8> = strings.get(at)?.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let mut descriptor = vec![u8::try_from(text.len() + 2).ok()?, 3];
    descriptor.extend(text);
    Some(descriptor)
}

/// A device descriptor with maker, product and serial number as strings 1 to 3; without a serial number there is no 3.
#[must_use]
pub fn device_descriptor(vendor: u16, product: u16, packet_max: u8, has_serial: bool) -> Vec<u8> {
    let [v0, v1] = vendor.to_le_bytes();
    let [p0, p1] = product.to_le_bytes();
    let serial = if has_serial { 3 } else { 0 };
    vec![18, 1, 0x00, 0x02, 0, 0, 0, packet_max, v0, v1, p0, p1, 0x00, 0x01, 1, 2, serial, 1]
}

/// A configuration descriptor around interfaces (each with its class and endpoint descriptors), bus powered, 500 mA.
#[must_use]
pub fn configuration(interfaces: &[&[u8]]) -> Vec<u8> {
    let body = interfaces.concat();
    let [l0, l1] = u16::try_from(body.len() + 9).unwrap_or(u16::MAX).to_le_bytes();
    let count = u8::try_from(interfaces.len()).unwrap_or(u8::MAX);
    let mut descriptor = vec![9, 2, l0, l1, count, 1, 0, 0x80, 250];
    descriptor.extend(body);
    descriptor
}
