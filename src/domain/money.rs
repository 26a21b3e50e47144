//! Money: whole minor units and the currency they are of. Never a fraction, never a sum over two currencies.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// Currencies by how many decimal digits their minor unit has: ISO 4217:2015 with its amendments up to 2025, funds codes included,
/// without metals, bond units and codes for testing.
const CURRENCIES: [(u8, &str); 4] = [
    (0, "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF"),
    (
        2,
        "AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BGN BMD BND BOB BOV BRL BSD BTN BWP BYN BZD CAD CDF CHE CHF CHW CNY COP \
         COU CRC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GTQ GYD HKD HNL HTG HUF IDR ILS INR IRR JMD \
         KES KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MXV MYR MZN NAD NGN NIO NOK \
         NPR NZD PAB PEN PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT \
         TOP TRY TTD TWD TZS UAH USD USN UYU UZS VED VES WST XCD XCG YER ZAR ZMW ZWG",
    ),
    (3, "BHD IQD JOD KWD LYD OMR TND"),
    (4, "CLF UYW"),
];

/// The largest amount that is taken, in minor units: the largest whole number that every JSON reader keeps (RFC 8259, section 6).
pub const MINOR_MAX: i64 = (1 << 53) - 1;

/// A currency of ISO 4217, by its three letters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Currency([u8; 3]);

/// Three letters that are no currency.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected a currency of ISO 4217 in capital letters, such as EUR")]
pub struct NoCurrency;

impl Currency {
    /// Its three letters.
    #[must_use]
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }

    /// Decimal digits of its minor unit: 2 for EUR, 0 for JPY, 3 for KWD.
    #[must_use]
    pub fn exponent(&self) -> u8 {
        CURRENCIES.iter().find(|(_, codes)| holds(codes, self.0)).map_or(2, |(exponent, _)| *exponent)
    }
}

/// Whether `code` is among `codes`, each of which takes four bytes. Every sale that is read asks this.
fn holds(codes: &str, code: [u8; 3]) -> bool {
    codes.as_bytes().chunks(4).any(|each| each.first_chunk() == Some(&code))
}

/// An amount in one currency.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Money {
    /// Minor units.
    pub minor: i64,
    /// Of which currency.
    pub currency: Currency,
}

impl FromStr for Currency {
    type Err = NoCurrency;

    fn from_str(text: &str) -> Result<Self, NoCurrency> {
        let code = <[u8; 3]>::try_from(text.as_bytes()).map_err(|_| NoCurrency)?;
        CURRENCIES.iter().any(|(_, codes)| holds(codes, code)).then_some(Self(code)).ok_or(NoCurrency)
    }
}

impl TryFrom<String> for Currency {
    type Error = NoCurrency;
    fn try_from(text: String) -> Result<Self, NoCurrency> {
        text.parse()
    }
}

impl From<Currency> for String {
    fn from(currency: Currency) -> Self {
        currency.as_str().to_owned()
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_currency_is_one_of_the_list_and_knows_its_minor_unit() {
        for (code, exponent) in
            [("EUR", 2), ("JPY", 0), ("CLP", 0), ("KWD", 3), ("TND", 3), ("UYW", 4), ("INR", 2)]
        {
            let currency: Currency = code.parse().unwrap();
            assert_eq!((currency.as_str(), currency.exponent()), (code, exponent));
        }
        for wrong in ["eur", "EU", "EURO", "", "XXX", "XTS", "E R", "UR ", "ÄÖ"] {
            assert_eq!(wrong.parse::<Currency>(), Err(NoCurrency), "{wrong}");
        }
    }

    #[test]
    fn no_code_stands_twice_in_the_list() {
        let mut all: Vec<&str> =
            CURRENCIES.iter().flat_map(|(_, codes)| codes.split_ascii_whitespace()).collect();
        let count = all.len();
        all.sort_unstable();
        all.dedup();
        assert_eq!((all.len(), all.iter().all(|code| code.len() == 3)), (count, true));
        let each: usize = CURRENCIES.iter().map(|(_, codes)| codes.len().div_ceil(4)).sum();
        assert_eq!(each, count, "four bytes each, for `holds`");
    }
}
