//! Names of things, one type for each kind of thing, so that no two can be mixed up.

use serde::{Deserialize, Serialize};
use std::fmt;
use uuid::Uuid;

macro_rules! uuid_id {
    ($(#[$doc:meta])* $name:ident, $called:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub Uuid);

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0, f)
            }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0, f)
            }
        }
        impl std::str::FromStr for $name {
            type Err = BadId;
            fn from_str(text: &str) -> Result<Self, BadId> {
                text.parse().map(Self).map_err(|_| BadId { called: $called })
            }
        }
    };
}

/// A text that names nothing of the kind that is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{called} is wanted, such as 0e4a1f6c-53b2-4f0e-9a51-6de2b8a1c9f7")]
pub struct BadId {
    called: &'static str,
}

uuid_id! {
    /// The neutral customer number: 122 random bits (UUID version 4). Version 7 would tell the hour of enrolment.
    CustomerNumber, "a customer number"
}
uuid_id! {
    /// One card of a customer, without its code (UUID version 4).
    CardId, "a card's id"
}
uuid_id! {
    /// One time that a customer showed a card, or was opened by hand (UUID version 7: when is no secret here).
    VisitId, "a visit's id"
}
uuid_id! {
    /// A claim, complaint or request (UUID version 7).
    IssueId, "an issue's id"
}
uuid_id! {
    /// A sale that did not come about (UUID version 7).
    LostId, "a lost sale's id"
}
uuid_id! {
    /// A print job (UUID version 7).
    JobId, "a print job's id"
}
uuid_id! {
    /// Points set aside for a sale that is being rung up (UUID version 7).
    HoldId, "a hold's id"
}
uuid_id! {
    /// A correction of points, to be decided by a second person (UUID version 7).
    AdjustmentId, "a correction's id"
}
uuid_id! {
    /// A merge of two customers (UUID version 7).
    MergeId, "a merge's id"
}
uuid_id! {
    /// A sale: where in the journal it stands, and random bits (UUID version 8).
    SaleId, "a sale's id"
}

impl SaleId {
    /// The id of a sale that is recorded in transaction `seq`. The random bits tell it from another that had this number before a
    /// restore took it back.
    #[must_use]
    pub fn new(seq: u64, random: [u8; 16]) -> Self {
        let [_, _, place @ ..] = seq.to_be_bytes();
        let mut bytes = random;
        bytes.iter_mut().zip(place).for_each(|(byte, place)| *byte = place);
        Self(uuid::Builder::from_custom_bytes(bytes).into_uuid())
    }

    /// The transaction it was recorded in.
    #[must_use]
    pub fn seq(self) -> u64 {
        let mut seq = [0; 8];
        seq.iter_mut().skip(2).zip(self.0.as_bytes()).for_each(|(seq, byte)| *seq = *byte);
        u64::from_be_bytes(seq)
    }
}

uuid_id! {
    /// One run of the daemon: sequences of events count within it.
    StreamId, "a stream's id"
}

macro_rules! name_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// Takes 1 to [`NAME_BYTES_MAX`] printable ASCII characters without a space.
            ///
            /// # Errors
            /// [`BadName`] for anything else.
            pub fn new(text: impl Into<String>) -> Result<Self, BadName> {
                let text = text.into();
                let fits = (1..=NAME_BYTES_MAX).contains(&text.len())
                    && text.bytes().all(|byte| byte.is_ascii_graphic());
                if fits { Ok(Self(text)) } else { Err(BadName { what: stringify!($name) }) }
            }

            /// The name as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
        impl TryFrom<String> for $name {
            type Error = BadName;
            fn try_from(text: String) -> Result<Self, BadName> {
                Self::new(text)
            }
        }
        impl From<$name> for String {
            fn from(name: $name) -> String {
                name.0
            }
        }
    };
}

impl RegisterName {
    /// The register of a host that has no name of its own.
    #[must_use]
    pub fn of_a_nameless_host() -> Self {
        Self("register".to_owned())
    }
}

impl ReaderName {
    /// A name for something whose own text is none: `prefix` and a checksum of `text`.
    #[must_use]
    pub fn hashed(prefix: &str, text: &str) -> Self {
        Self(format!("{prefix}{:08x}", crc32fast::hash(text.as_bytes())))
    }
}

/// The longest name of a register, reader or printer, in bytes.
pub const NAME_BYTES_MAX: usize = 128;

/// A name that is empty, too long, or holds a space or a control character.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a {what} is 1 to {NAME_BYTES_MAX} printable ASCII characters without a space")]
pub struct BadName {
    what: &'static str,
}

name_id! {
    /// A register: a place where sales are rung up, as `[[register]]` names it.
    RegisterName
}
name_id! {
    /// A reader's stable identity: `usb:VVVV:PPPP:SERIAL`, else `port:PATH` (where it is plugged in), or a config's name for it.
    ReaderName
}
name_id! {
    /// A printer, as `[[printer]]` names it.
    PrinterName
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sale_knows_where_it_was_recorded() {
        for seq in [0, 1, 0x1234_5678_9abc, (1 << 48) - 1] {
            let id = SaleId::new(seq, [0xff; 16]);
            assert_eq!((id.seq(), id.0.get_version_num()), (seq, 8));
            assert_ne!(id, SaleId::new(seq, [0xfe; 16]));
        }
    }
}
