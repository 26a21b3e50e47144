//! Numbers about the work, for whoever watches over a shop's tills: counted without a lock, written in Prometheus' text format, given
//! out over a socket of its own.
//!
//! What is counted on the way of a scan are atomics that were there before it: nothing is allocated, and nothing waits. Names of readers,
//! registers and printers are the only words in it that a shop chose.
//!
//! Never here: a code, a name of a person, anything that was scanned or asked; what the numbers mean (`daemon` gathers them); the clock.

pub mod endpoint;
mod histogram;
mod journal;
mod settings;
mod text;

pub use histogram::{BOUNDS_NS, Histogram, Reading};
pub use journal::{Journal, Waiting};
pub use settings::Settings;
pub use text::{CONTENT_TYPE, Text};
