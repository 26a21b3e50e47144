//! Puts a card on paper: what it looks like, the bytes a receipt printer wants, and proof that it printed.
//!
//! Pure: nothing here opens a port or a file, reads a clock or awaits. [`layout`] turns a [`CardFace`] into
//! lines and symbols for one paper width, [`lettering`] draws what the printer has no letters for, [`escpos`] turns those into bytes, [`queue`] is the
//! conversation with one printer (events in, bytes and job states out), and [`paper`] is the other
//! end of it: an interpreter that answers as a printer does and keeps the dots. `device` owns the
//! port that carries the bytes.
//!
//! Invariants: a control byte of a name never reaches a printer; a job of which a byte may have been
//! printed is never sent again by itself; a code or a name is in no `Debug`, error or log line.

pub mod code128;
pub mod codepage;
pub mod escpos;
pub mod fonts;
pub mod layout;
pub mod lettering;
pub mod paper;
pub mod queue;
pub mod raster;
pub mod reply;

use std::fmt;
use zeroize::ZeroizeOnDrop;

/// What stands on one card, as texts. Overwritten in memory when dropped.
#[derive(Clone, PartialEq, Eq, ZeroizeOnDrop)]
pub struct CardFace {
    /// The shop's name, printed large at the top.
    pub title: Option<String>,
    /// The languages of the title, the likeliest first (RFC 5646): they draw Chinese characters each in their own way.
    pub title_languages: Vec<String>,
    /// The customer's name, if the card shall bear it.
    pub name: Option<String>,
    /// The same of the name.
    pub name_languages: Vec<String>,
    /// The code for the QR symbol: 20 characters of QR's alphanumeric set (`0-9A-Z $%*+-./:`).
    pub letters: String,
    /// The same code as people read it, in groups; printed as text.
    pub clear: String,
    /// The same key in decimal, for Code 128 in code set C: 28 digits.
    pub digits: String,
}

/// Shows nothing: whoever has the code has the card.
impl fmt::Debug for CardFace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CardFace(••)")
    }
}
