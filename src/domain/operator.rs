//! Who stands at a till, by a code of the shop's own: one account of the host is often that of all cashiers.
//!
//! Never a name: the code stands in the neutral journal. A [`Pin`] is shown by nothing here and kept nowhere as it is; what is kept
//! is a [`PinHash`], which the vault makes.

use super::time::Timestamp;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;
use zeroize::Zeroizing;

/// The longest code of an operator, in characters: it fits a receipt's line.
pub const OPERATOR_CHARS_MAX: usize = 16;

/// The fewest digits of a PIN.
pub const PIN_DIGITS_MIN: usize = 4;

/// The most digits of a PIN.
pub const PIN_DIGITS_MAX: usize = 12;

/// An operator's code, such as `A7` or `0042`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Operator(String);

/// Not a code of an operator.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected 1 to {OPERATOR_CHARS_MAX} of A-Z, a-z, 0-9, point, line and underscore")]
pub struct NoOperator;

impl Operator {
    /// The code as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Operator {
    type Err = NoOperator;

    fn from_str(text: &str) -> Result<Self, NoOperator> {
        let good = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
        let fits = (1..=OPERATOR_CHARS_MAX).contains(&text.len()) && text.bytes().all(good);
        fits.then(|| Self(text.to_owned())).ok_or(NoOperator)
    }
}

impl TryFrom<String> for Operator {
    type Error = NoOperator;
    fn try_from(text: String) -> Result<Self, NoOperator> {
        text.parse()
    }
}

impl From<Operator> for String {
    fn from(operator: Operator) -> Self {
        operator.0
    }
}

impl fmt::Display for Operator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What an operator signs on with. Overwritten when it is dropped.
#[derive(Deserialize)]
#[serde(try_from = "String")]
pub struct Pin(Zeroizing<String>);

/// Not a PIN.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected {PIN_DIGITS_MIN} to {PIN_DIGITS_MAX} digits")]
pub struct NoPin;

impl Pin {
    /// The digits.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Pin {
    type Error = NoPin;
    fn try_from(text: String) -> Result<Self, NoPin> {
        let text = Zeroizing::new(text);
        let fits = (PIN_DIGITS_MIN..=PIN_DIGITS_MAX).contains(&text.len())
            && text.bytes().all(|byte| byte.is_ascii_digit());
        fits.then_some(Self(text)).ok_or(NoPin)
    }
}

/// Shows nothing of it.
impl fmt::Debug for Pin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Pin(••)")
    }
}

/// What is kept of a PIN: enough to tell whether another one is the same, at a price.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PinHash {
    /// The version of the keyring that it was hashed under first.
    pub keyring: u32,
    /// Of this one PIN, 32 hexadecimal digits.
    pub salt: String,
    /// What came of both, 32 hexadecimal digits.
    pub hash: String,
}

/// Shows nothing of it.
impl fmt::Debug for PinHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PinHash(••)")
    }
}

/// Who did something: the account, and who was signed on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct By {
    /// The user id of the account.
    pub uid: u32,
    /// Who was signed on, if anybody.
    pub operator: Option<Operator>,
}

impl By {
    /// Whether these must be two persons: two operators, whatever their accounts, or else two accounts. One operator is one
    /// person under any account.
    #[must_use]
    pub fn is_another_than(&self, other: &Self) -> bool {
        match (&self.operator, &other.operator) {
            (Some(one), Some(other)) => one != other,
            (Some(_) | None, None) | (None, Some(_)) => self.uid != other.uid,
        }
    }
}

/// An operator as the store has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OperatorKept {
    /// The code.
    pub operator: Operator,
    /// Whether they may sign on.
    pub active: bool,
    /// What is kept of the PIN.
    pub pin: PinHash,
    /// When any of it was last set.
    pub set_at: Timestamp,
    /// By whom.
    pub set_by: By,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_and_pins_are_what_they_look_like() {
        for good in ["7", "A.b-c_9", "0123456789abcdef"] {
            assert_eq!(good.parse::<Operator>().unwrap().as_str(), good);
        }
        for bad in ["", "Ana Ruiz", "ñ", "0123456789abcdefg", "a/b"] {
            assert_eq!(bad.parse::<Operator>(), Err(NoOperator), "{bad}");
        }
        let pin = Pin::try_from("482915".to_owned()).unwrap();
        assert_eq!((pin.reveal(), format!("{pin:?}").as_str()), ("482915", "Pin(••)"));
        for bad in ["", "123", "1234567890123", "12 34", "１２３４"] {
            assert!(Pin::try_from(bad.to_owned()).is_err(), "{bad}");
        }
    }

    #[test]
    fn one_operator_is_one_person_under_any_account() {
        let by = |uid, operator: &str| By { uid, operator: operator.parse().ok() };
        for (one, other, two) in [
            (by(1, ""), by(1, ""), false),
            (by(1, ""), by(2, ""), true),
            (by(1, "A"), by(1, "B"), true),
            (by(1, "A"), by(2, "B"), true),
            (by(1, "A"), by(2, "A"), false),
            (by(1, "A"), by(1, ""), false),
            (by(1, ""), by(2, "A"), true),
        ] {
            assert_eq!((one.is_another_than(&other), other.is_another_than(&one)), (two, two));
        }
    }
}
