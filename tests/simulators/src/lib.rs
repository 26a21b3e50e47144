//! USB readers and printers for the virtual machine, and what the scenarios need around them.
//!
//! A simulator speaks the device's side of USB to the kernel's `vhci_hcd`; everything above it (hid-generic, usbhid,
//! evdev, hidraw, cdc-acm, ftdi_sio, usblp) is Debian's own kernel. Nothing here is linked into `fichad` or `ficha`, and nothing here knows
//! how they work inside: they are started as programs and seen through their socket.
//!
//! Waiting is always for something (a node, a report, a line), with a deadline that has room for a slow machine.

pub mod captures;
pub mod daemon;
pub mod hid;
pub mod hid_pos;
pub mod keyboard;
pub mod msr;
pub mod nodes;
pub mod printer;
pub mod register;
pub mod rs232;
pub mod scenarios;
pub mod serial;
pub mod system;
pub mod trace;
pub mod usb;
pub mod vhci;

/// What stopped a scenario, in words for the one who reads the result line.
pub type Error = Box<dyn std::error::Error + Send + Sync>;

/// A scenario step's outcome.
pub type Result<T> = std::result::Result<T, Error>;
