//! The card code: one 80-bit key, two renderings, and the aliases of imported cards.

use std::fmt;

/// The 80 random bits behind a card.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct CardKey(pub [u8; 10]);

/// Never shows a bit of it: whoever has the key has the card.
impl fmt::Debug for CardKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CardKey(••)")
    }
}

/// A code of another programme that leads to one of our customers; short, and not secret.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Alias {
    /// Which rule recognised it: `gsrn` or the name of an `[[alias]]` in the config.
    pub programme: String,
    /// The code in its normal form (no separators, no check that the pattern leaves out).
    pub code: String,
}

/// Shows the programme only.
impl fmt::Debug for Alias {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Alias({}, ••)", self.programme)
    }
}
