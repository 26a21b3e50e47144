//! Readers that type, through the kernel's evdev nodes.
//!
//! Taken by grab alone: the kernel lets go when the process ends, however it ends, and the reader types again. Only
//! for keyboards that somebody adopted: opening one is reading what is typed on it. Grabbed only while no
//! key is down, since whoever had the keyboard before would never hear of it being let go.

use super::port::{Answer, OpenError, Port, PortError};
use crate::decode::KEY_EVENT_BYTES;
use evdev::raw_stream::RawDevice;
use evdev::{EventType, InputEvent, KeyCode, LedCode};
use nix::libc::O_NONBLOCK;
use std::fs::File;
use std::io::{self, ErrorKind};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// linux/input-event-codes.h.
const SYN_REPORT: u16 = 0;
const SYN_DROPPED: u16 = 3;

/// Modifier keys: what is asked for after events were lost.
const MODIFIERS: [KeyCode; 6] = [
    KeyCode::KEY_LEFTCTRL,
    KeyCode::KEY_RIGHTCTRL,
    KeyCode::KEY_LEFTSHIFT,
    KeyCode::KEY_RIGHTSHIFT,
    KeyCode::KEY_LEFTALT,
    KeyCode::KEY_RIGHTALT,
];

/// What the keyboard must still be, so that no other one that took its number is grabbed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expected {
    /// Vendor and product id.
    pub ids: (u16, u16),
    /// Where it is plugged in, as `phys` in sysfs says.
    pub phys: String,
}

/// An open, grabbed keyboard.
pub struct EvdevPort {
    device: RawDevice,
    node: PathBuf,
    /// Events read and not yet handed on; the crate reads a few dozen at a time.
    pending: Vec<u8>,
    /// Events were lost: ask what is held after the next report.
    resync: bool,
}

/// Shows the node only: keys may be a card.
impl std::fmt::Debug for EvdevPort {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EvdevPort").field("node", &self.node).finish_non_exhaustive()
    }
}

/// Opens and grabs `node` (`/dev/input/eventN`).
///
/// # Errors
/// [`OpenError::Busy`] if another program has it grabbed, [`OpenError::KeysDown`] to be tried again in a moment, [`OpenError::Gone`]
/// also if another device has taken its number.
pub fn open(node: &Path, expected: &Expected) -> Result<EvdevPort, OpenError> {
    let failed = |error| OpenError::new(node, error);
    // Writing is for the Caps Lock light alone; reading does without.
    let with = |write| File::options().read(true).write(write).custom_flags(O_NONBLOCK).open(node);
    let file = with(true).or_else(|_| with(false)).map_err(failed)?;
    let mut device = RawDevice::from_fd(file.into()).map_err(failed)?;
    let ids = (device.input_id().vendor(), device.input_id().product());
    if ids != expected.ids || device.physical_path().unwrap_or_default() != expected.phys {
        let source = io::Error::other("another device has taken its place");
        return Err(OpenError::Gone { node: node.to_owned(), source });
    }
    no_key_down(&device, node)?;
    device.grab().map_err(failed)?;
    // A key may have gone down in between; dropping the device lets go again.
    no_key_down(&device, node)?;
    // Some scanners turn upper and lower case round while the light is on. Nobody tells them of changes
    // any more, so it goes off now; a reader that cannot be written to keeps it as it is.
    let light_off = InputEvent::new(EventType::LED.0, LedCode::LED_CAPSL.0, 0);
    drop(device.send_events(&[light_off]));
    Ok(EvdevPort { device, node: node.to_owned(), pending: Vec::new(), resync: false })
}

fn no_key_down(device: &RawDevice, node: &Path) -> Result<(), OpenError> {
    let down = device.get_key_state().map_err(|error| OpenError::new(node, error))?;
    if down.iter().next().is_some() {
        return Err(OpenError::KeysDown { node: node.to_owned() });
    }
    Ok(())
}

fn bytes(kind: u16, code: u16, value: i32) -> [u8; KEY_EVENT_BYTES] {
    let ([k0, k1], [c0, c1], [v0, v1, v2, v3]) =
        (kind.to_le_bytes(), code.to_le_bytes(), value.to_le_bytes());
    [k0, k1, c0, c1, v0, v1, v2, v3]
}

fn lost(node: &Path, source: io::Error) -> PortError {
    PortError::new(&node.display().to_string(), source)
}

impl EvdevPort {
    /// Reads what the kernel has into `pending`: keys, lights, ends of reports; no scan codes.
    fn fill(&mut self) -> Result<(), PortError> {
        let mut resync_now = false;
        let events = match self.device.fetch_events() {
            Ok(events) => events,
            Err(error) if error.kind() == ErrorKind::WouldBlock || error.kind() == ErrorKind::Interrupted => {
                return Ok(());
            }
            Err(source) => return Err(lost(&self.node, source)),
        };
        for event in events {
            let (kind, code) = (event.event_type(), event.code());
            if ![EventType::SYNCHRONIZATION, EventType::KEY, EventType::LED].contains(&kind) {
                continue;
            }
            self.pending.extend(bytes(kind.0, code, event.value()));
            if kind == EventType::SYNCHRONIZATION && code == SYN_DROPPED {
                self.resync = true;
            } else if kind == EventType::SYNCHRONIZATION && code == SYN_REPORT && self.resync {
                self.resync = false;
                resync_now = true;
            }
        }
        if resync_now {
            self.append_held()?;
        }
        Ok(())
    }

    /// Says again which modifiers are down, for a decoder that forgot them when events were lost.
    fn append_held(&mut self) -> Result<(), PortError> {
        let down = self.device.get_key_state().map_err(|source| lost(&self.node, source))?;
        for key in MODIFIERS {
            self.pending.extend(bytes(EventType::KEY.0, key.0, i32::from(down.contains(key))));
        }
        Ok(())
    }
}

impl Port for EvdevPort {
    fn wait_fd(&self) -> BorrowedFd<'_> {
        self.device.as_fd()
    }

    fn read(&mut self, buf: &mut [u8]) -> Result<Option<usize>, PortError> {
        if self.pending.is_empty() {
            self.fill()?;
        }
        let room = buf.len().saturating_sub(buf.len() % KEY_EVENT_BYTES);
        let length = self.pending.len().min(room);
        let Some(target) = buf.get_mut(..length).filter(|target| !target.is_empty()) else { return Ok(None) };
        for (to, from) in target.iter_mut().zip(self.pending.drain(..length)) {
            *to = from;
        }
        Ok(Some(length))
    }

    fn answer(&mut self, _answer: Answer) -> Result<(), PortError> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expected() -> Expected {
        Expected { ids: (0, 0), phys: String::new() }
    }

    #[test]
    fn what_is_not_there_or_no_keyboard_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let node = folder.path().join("event0");
        assert!(matches!(open(&node, &expected()), Err(OpenError::Gone { .. })));
        std::fs::write(&node, "").unwrap();
        assert!(matches!(open(&node, &expected()), Err(OpenError::Other { .. })));
    }

    #[test]
    fn an_event_is_eight_bytes_low_byte_first() {
        assert_eq!(bytes(1, 0x1e, -2), [1, 0, 0x1e, 0, 0xfe, 0xff, 0xff, 0xff]);
    }
}
