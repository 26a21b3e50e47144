//! A USB printer through libusb, for those that the kernel's printer driver does not take.
//!
//! Never takes an interface away from a driver: `usblp` or CUPS may be printing on it.

use super::address::UsbId;
use super::link::Took;
use rusb::{Context, Device, DeviceHandle, Direction, Error, TransferType, UsbContext};
use std::io;
use std::time::Duration;

/// One read; short, because a command has to wait for it.
const READ_LIMIT: Duration = Duration::from_millis(20);
/// One write of at most [`WRITE_BYTES`]; a printer without paper takes nothing and lets it run out.
const WRITE_LIMIT: Duration = Duration::from_millis(200);
/// Bytes written at once.
const WRITE_BYTES: usize = 4_096;
/// Reading the serial number.
const STRING_LIMIT: Duration = Duration::from_millis(500);
/// Class code of printers. Source: USB Device Class Definition for Printing Devices 1.1.
const CLASS_PRINTER: u8 = 7;
/// Some printers of Epson hide behind a vendor's class.
const CLASS_VENDOR: u8 = 0xff;

/// A claimed interface.
#[derive(Debug)]
pub(super) struct UsbLink {
    handle: DeviceHandle<Context>,
    out: u8,
    back: Option<u8>,
}

/// Where on a device its printer is.
#[derive(Debug, Clone, Copy)]
struct Place {
    interface: u8,
    setting: u8,
    out: u8,
    back: Option<u8>,
}

impl UsbLink {
    pub(super) fn open(id: &UsbId) -> io::Result<Self> {
        let context = Context::new().map_err(io_error)?;
        let mut found = Vec::new();
        let mut refused = None;
        for device in context.devices().map_err(io_error)?.iter() {
            let Ok(descriptor) = device.device_descriptor() else { continue };
            if (descriptor.vendor_id(), descriptor.product_id()) != (id.vendor, id.product) {
                continue;
            }
            match device.open() {
                Ok(handle) if is_wanted(&handle, id) => found.push((device, handle)),
                Ok(_) => {}
                Err(error) => refused = Some(error),
            }
        }
        let several = found.len() > 1;
        let Some((device, handle)) = found.pop() else {
            return Err(io_error(refused.unwrap_or(Error::NoDevice)));
        };
        if several {
            let say = "several are plugged in: add `/SERIAL` to the address";
            return Err(io::Error::new(io::ErrorKind::InvalidInput, say));
        }
        let place = place(&device).ok_or_else(|| io::Error::other("it has no printer interface"))?;
        handle.claim_interface(place.interface).map_err(io_error)?;
        if place.setting != 0 {
            handle.set_alternate_setting(place.interface, place.setting).map_err(io_error)?;
        }
        Ok(Self { handle, out: place.out, back: place.back })
    }

    pub(super) fn write(&mut self, bytes: &[u8]) -> Took {
        let part = bytes.get(..WRITE_BYTES).unwrap_or(bytes);
        let written = self.handle.write_bulk(self.out, part, WRITE_LIMIT);
        self.took(self.out, written)
    }

    pub(super) fn read(&mut self, buffer: &mut [u8]) -> Took {
        match self.back {
            Some(back) => {
                let read = self.handle.read_bulk(back, buffer, READ_LIMIT);
                self.took(back, read)
            }
            None => {
                std::thread::sleep(READ_LIMIT);
                Took::Nothing
            }
        }
    }

    /// A halted endpoint stays halted, also for whoever opens the printer next, until its halt is cleared (USB 2.0, 9.4.5).
    /// What it took of the transfer nobody knows, so the connection is lost all the same.
    fn took(&self, endpoint: u8, result: rusb::Result<usize>) -> Took {
        match result {
            Ok(0) | Err(Error::Timeout | Error::Interrupted) => Took::Nothing,
            Ok(count) => Took::Bytes(count),
            Err(Error::Pipe) => {
                if let Err(error) = self.handle.clear_halt(endpoint) {
                    tracing::warn!(endpoint, %error, "the halt of a printer's endpoint cannot be cleared");
                }
                Took::Lost
            }
            Err(_) => Took::Lost,
        }
    }
}

fn is_wanted(handle: &DeviceHandle<Context>, id: &UsbId) -> bool {
    let Some(wanted) = &id.serial else { return true };
    let device = handle.device();
    let read = || {
        let descriptor = device.device_descriptor()?;
        let language = handle.read_languages(STRING_LIMIT)?.into_iter().next().ok_or(Error::NotFound)?;
        handle.read_serial_number_string(language, &descriptor, STRING_LIMIT)
    };
    read().is_ok_and(|serial: String| serial == *wanted)
}

/// The interface that a printer driver would take: class 7, else a vendor's own with a bulk endpoint out.
fn place(device: &Device<Context>) -> Option<Place> {
    let config = device.active_config_descriptor().ok()?;
    let mut best = None;
    for descriptor in config.interfaces().flat_map(|interface| interface.descriptors().collect::<Vec<_>>()) {
        let class = descriptor.class_code();
        let bulk = |wanted: Direction| {
            let mut endpoints = descriptor.endpoint_descriptors();
            let found =
                endpoints.find(|e| e.transfer_type() == TransferType::Bulk && e.direction() == wanted);
            found.map(|endpoint| endpoint.address())
        };
        let Some(out) = bulk(Direction::Out) else { continue };
        let back = bulk(Direction::In);
        // Two-way before one-way; protocol 4 is IPP over USB and speaks no ESC/POS.
        let worth = match class {
            CLASS_PRINTER if descriptor.protocol_code() == 4 => continue,
            CLASS_PRINTER => 2,
            CLASS_VENDOR => 0,
            _ => continue,
        };
        let worth = if back.is_some() { worth | 1 } else { worth };
        let place = Place {
            interface: descriptor.interface_number(),
            setting: descriptor.setting_number(),
            out,
            back,
        };
        if best.is_none_or(|(most, _)| worth > most) {
            best = Some((worth, place));
        }
    }
    best.map(|(_, place)| place)
}

fn io_error(error: Error) -> io::Error {
    let kind = match error {
        Error::Access => io::ErrorKind::PermissionDenied,
        Error::Busy => io::ErrorKind::ResourceBusy,
        Error::NoDevice | Error::NotFound => io::ErrorKind::NotFound,
        Error::Timeout => io::ErrorKind::TimedOut,
        Error::Io
        | Error::InvalidParam
        | Error::Overflow
        | Error::Pipe
        | Error::Interrupted
        | Error::NoMem
        | Error::NotSupported
        | Error::BadDescriptor
        | Error::Other => io::ErrorKind::Other,
    };
    io::Error::new(kind, error)
}
