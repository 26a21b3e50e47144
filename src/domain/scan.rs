//! What a reader read, before anyone asks whose it is.

use std::fmt;

/// The most bytes one scan may have. A QR code holds 2,953 bytes, a 53-report HID scan about as many.
pub const SCAN_BYTES_MAX: usize = 8 * 1024;

/// One complete read, as its transport delivered it: nothing stripped, nothing judged.
#[derive(Clone, PartialEq, Eq)]
pub struct RawScan {
    /// The bytes between the transport's start and end. May hold any byte, NUL too.
    pub data: Vec<u8>,
    /// What the transport itself says of the symbology, apart from an AIM prefix inside `data`.
    pub origin: Origin,
}

/// Shows length and origin only: the bytes may be a card.
impl fmt::Debug for RawScan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RawScan({} bytes, {:?})", self.data.len(), self.origin)
    }
}

/// How a scan came to us.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// Text from a bar-code reader that says nothing about the symbology (an AIM prefix may be in the data).
    Undeclared,
    /// The reader named the symbology apart from the data: an AIM identifier such as `*b"]Q1"` (ISO/IEC 15424).
    Aim([u8; 3]),
    /// A magnetic track, 1 to 3, sentinels and LRC removed (ISO/IEC 7811, 7813).
    Track(u8),
}

/// What a transport decoder gives: a scan, or why there is none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decoded {
    /// A complete read.
    Scan(RawScan),
    /// Bytes came, but no scan: told to the register with the reason, never with the bytes.
    Rejected(Rejection),
}

/// Why what was read is not handed on. Carries no digit of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Rejection {
    /// Longer than [`SCAN_BYTES_MAX`].
    TooLong,
    /// A report shorter than its descriptor says, or lengths in it that do not fit.
    ShortReport,
    /// A continued scan whose last report never came.
    Incomplete,
    /// Keys were lost between kernel and daemon (`SYN_DROPPED`).
    KeysLost,
    /// A key that has no character in the reader's layout.
    UnknownKey,
    /// A magnetic character with the wrong parity.
    BadParity,
    /// A magnetic track whose longitudinal redundancy check fails.
    BadLrc,
    /// No sentinel found, or the reader reports that it could not decode the swipe.
    NotDecoded,
    /// Looks like one of our card codes, but its check fails and no single repair fits.
    BadCheck,
    /// A payment card: refused without a trace.
    PaymentCard,
}

impl Rejection {
    /// Every one.
    pub const ALL: [Self; 10] = [
        Self::TooLong,
        Self::ShortReport,
        Self::Incomplete,
        Self::KeysLost,
        Self::UnknownKey,
        Self::BadParity,
        Self::BadLrc,
        Self::NotDecoded,
        Self::BadCheck,
        Self::PaymentCard,
    ];

    /// The word on the wire and in metrics.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::TooLong => "too_long",
            Self::ShortReport => "short_report",
            Self::Incomplete => "incomplete",
            Self::KeysLost => "keys_lost",
            Self::UnknownKey => "unknown_key",
            Self::BadParity => "bad_parity",
            Self::BadLrc => "bad_lrc",
            Self::NotDecoded => "not_decoded",
            Self::BadCheck => "bad_check",
            Self::PaymentCard => "payment_card",
        }
    }
}

/// What a scan turns out to be, before any look-up.
#[derive(Clone, PartialEq, Eq)]
pub struct Reading {
    /// The data without AIM prefix; printable or not, as read.
    pub data: Vec<u8>,
    /// The AIM identifier, if the reader gave one in either way.
    pub aim: Option<[u8; 3]>,
    /// Whose it can be.
    pub kind: ReadingKind,
}

/// Shows the kind only: the bytes may be a card.
impl fmt::Debug for Reading {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Reading({} bytes, {:?})", self.data.len(), self.kind)
    }
}

/// Whose a reading can be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReadingKind {
    /// One of our own codes, check verified.
    Card(crate::domain::code::CardKey),
    /// Has our form but its check fails. `proposals` are the keys one symbol away, to be tried against live cards and shown
    /// to the cashier, never taken silently; with none live, `prefix_ours` tells a spoilt card (rejected) from a stranger (passed on).
    Damaged {
        /// At most one for the base-32 form; none for the decimal one (its check finds errors, it does not repair).
        proposals: Vec<crate::domain::code::CardKey>,
        /// The version and programme symbols are ours as they stand.
        prefix_ours: bool,
    },
    /// May be the card of an imported programme: look it up under this alias. A miss is not an error: it is passed on.
    Alias(crate::domain::code::Alias),
    /// Not ours: a product, a coupon. Passed on as it is.
    Other,
}
