//! Opens hardware: the only room that does.
//!
//! Discovery is apart from opening, and opening apart from reading: a [`port::Port`] gives bytes, an
//! [`Assemble`](crate::decode::Assemble) makes scans of them, and [`reader::run`] turns the wheel between the two on a
//! thread of its own. Nothing here knows what a customer is.

pub mod evdev;
pub mod hidraw;
pub mod hotplug;
pub mod keymap;
pub mod port;
pub mod printer_port;
pub mod profile;
pub mod reader;
pub mod replay;
pub mod serial;
pub mod settings;
pub mod typist;
