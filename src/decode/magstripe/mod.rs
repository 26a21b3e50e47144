//! Magnetic stripe readers: reports, bit streams and typed text, and the tracks in them.
//!
//! Three kinds of report: raw bits on the HID page 8E, decoded text in a field for each track (MagTek), and decoded text
//! packed into one field (ID TECH). All are found by the report descriptor. Which tracks are a payment card is
//! judged later, by `classify`; nothing here prints or logs a byte. Encrypted tracks are not decrypted: they have no
//! sentinels, so they come out as not decoded.

mod bits;
mod swipe;
mod text;

pub use bits::decode_track;
pub use swipe::{Layout, Swipe};
pub(in crate::decode) use text::text_scans;
pub use text::{TrackText, is_piece_of_track, split_tracks, strip_sentinels};
