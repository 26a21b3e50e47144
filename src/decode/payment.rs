//! Tells payment cards, which are refused without a trace, from products, which never are.
//!
//! One number in ten passes the Luhn check, so the check alone would refuse every tenth EAN. What is tested depends on
//! where the digits come from:
//! - **Declared as EAN, UPC, ITF-14 or GS1**: never tested.
//! - **A magnetic track**: always. Refused when two of three hold: a scheme's prefix, the Luhn check, and the form of
//!   a bank's track (format code B, or `=` and an expiry date). Cards of issuers that the table does not know are caught by
//!   the other two; numbers that a swipe read badly as well.
//! - **Undeclared digits**, from a bar code or a keyboard: a scheme's prefix *and* one of that scheme's lengths *and* Luhn.
//!   Separators (space, hyphen) do not matter. A number of 12, 13, 14 or 18 digits whose GS1 check digit is right is an
//!   article, a pallet or a member, whatever else it passes. The price: of the few card numbers of these lengths (Diners 14, Visa 13,
//!   Maestro and UnionPay 18) one in ten also has a right GS1 check, and is taken for a product when it is *typed or
//!   printed as a bar code*; on a track it is refused like any other.
//! - **Free text** that staff write ([`finds_card_number`]): as undeclared digits, at any group of digits.
//!
//! A number that an [`Exempt`] range names is never a payment card here: some imported programmes use bank-like numbers.
//! Nothing in this file keeps, shows or returns a digit.

mod schemes;

use super::gs1;
pub use schemes::scheme_of;

/// Ranges that the shop has declared to be its own programme's: digits that numbers begin with.
///
/// The caller warns for each that lies in a payment scheme's range ([`scheme_of`]).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Exempt(Vec<String>);

/// An exempt prefix has at least as many digits as an issuer has: fewer would let through other people's cards.
pub const EXEMPT_DIGITS_MIN: usize = 6;

/// The longest number there is on a payment card (ISO/IEC 7812-1), and so the longest prefix.
pub const PAN_DIGITS_MAX: usize = 19;

/// The shortest (Maestro).
pub const PAN_DIGITS_MIN: usize = 12;

impl Exempt {
    /// Adds a prefix.
    ///
    /// # Errors
    /// A sentence saying what a prefix has to be.
    pub fn add(&mut self, prefix: &str) -> Result<(), String> {
        let fits = (EXEMPT_DIGITS_MIN..=PAN_DIGITS_MAX).contains(&prefix.len());
        if !fits || !prefix.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(format!(
                "must be {EXEMPT_DIGITS_MIN} to {PAN_DIGITS_MAX} digits that card numbers begin with"
            ));
        }
        self.0.push(prefix.to_owned());
        Ok(())
    }

    /// The prefixes.
    pub fn prefixes(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }

    fn covers(&self, digits: &[u8]) -> bool {
        self.0.iter().any(|prefix| digits.starts_with(prefix.as_bytes()))
    }
}

/// Whether what track `track` holds (sentinels removed) is a payment card.
#[must_use]
pub fn on_track(track: u8, data: &[u8], exempt: &Exempt) -> bool {
    // Sentinels are removed before; should one be left, the card is refused all the same.
    let data = if let [b'%' | b';' | b'+', rest @ ..] = data { rest } else { data };
    match (track, data) {
        (1, [b'B' | b'b', rest @ ..]) => Lead::of(rest).is_card(true, exempt),
        // Track 3 (ISO/IEC 4909) has two digits of format code before the number; readers disagree which track is which.
        (3, [_, _, rest @ ..]) => {
            Lead::of(rest).is_card(rest.contains(&b'='), exempt) || Lead::of(data).is_track2_card(exempt)
        }
        _ => Lead::of(data).is_track2_card(exempt),
    }
}

/// Whether text from a bar code or a keyboard, symbology unknown or one that holds any text, is a payment card:
/// nothing but digits and separators, or a swipe that a reader typed.
#[must_use]
pub fn in_undeclared(data: &[u8], exempt: &Exempt) -> bool {
    let lead = Lead::of(data);
    if lead.rest.is_empty() {
        return is_undeclared_card(lead.digits(), exempt);
    }
    data.split(|byte| *byte == b'?').any(|part| in_typed_track(part.trim_ascii(), exempt))
}

/// One track as a reader types it, sentinels or not: `%B…^…`, `;…=…`, `+…=…`.
fn in_typed_track(part: &[u8], exempt: &Exempt) -> bool {
    match part {
        [b'%', rest @ ..] => on_track(1, rest, exempt),
        [b';', rest @ ..] => on_track(2, rest, exempt),
        [b'+', rest @ ..] if rest.contains(&b'=') => on_track(3, rest, exempt),
        [b'B' | b'b', ..] if part.contains(&b'^') => on_track(1, part, exempt),
        _ => {
            let lead = Lead::of(part);
            lead.rest.starts_with(b"=") && lead.has_expiry() && lead.is_card(true, exempt)
        }
    }
}

/// Whether free text holds a payment card number, so that it must not be kept: any run of digit groups, each one or two
/// separators from the last, that makes a number which would be refused as undeclared digits. Full-width, Arabic and Devanagari
/// digits count as digits.
///
/// ```
/// use fichad::decode::payment::finds_card_number;
/// assert!(finds_card_number("paid with 4111 1111-1111 1111, call her"));
/// assert!(!finds_card_number("article 4006381333931, two pieces, call 030 1234567"));
/// ```
#[must_use]
pub fn finds_card_number(text: &str) -> bool {
    let mut groups: Vec<(usize, bool)> = Vec::new(); // where a group of digits begins; whether it goes on from the last
    let mut digits: Vec<u8> = Vec::new();
    let mut separators = usize::MAX; // characters since the last digit; MAX once another kind came between
    for c in text.chars() {
        match digit_value(c) {
            Some(digit) => {
                if separators > 0 {
                    groups.push((digits.len(), separators <= 2));
                }
                digits.push(digit);
                separators = 0;
            }
            None if is_separator(c) => separators = separators.saturating_add(1),
            None => separators = usize::MAX,
        }
    }
    let ends = groups.iter().skip(1).map(|(start, _)| *start).chain([digits.len()]);
    let spans: Vec<(usize, bool, usize)> =
        groups.iter().zip(ends).map(|((start, goes_on), end)| (*start, *goes_on, end)).collect();
    (0..spans.len()).any(|first| {
        let run = spans
            .iter()
            .skip(first)
            .enumerate()
            .take_while(|(index, (_, goes_on, _))| *index == 0 || *goes_on);
        let start = spans.get(first).map_or(0, |(start, ..)| *start);
        run.map(|(_, (_, _, end))| digits.get(start..*end).unwrap_or_default())
            .take_while(|number| number.len() <= PAN_DIGITS_MAX)
            .any(|number| is_undeclared_card(number, &Exempt::default()))
    })
}

fn digit_value(c: char) -> Option<u8> {
    const ZEROS: [char; 5] = ['0', '\u{ff10}', '\u{660}', '\u{6f0}', '\u{966}'];
    let value =
        ZEROS.iter().find_map(|zero| u32::from(c).checked_sub(u32::from(*zero)).filter(|value| *value < 10));
    value.and_then(|value| u8::try_from(value).ok()).map(|value| value.saturating_add(b'0'))
}

fn is_separator(c: char) -> bool {
    c.is_whitespace() || matches!(c, '-' | '.' | '_' | '/' | '\u{2010}'..='\u{2015}' | '\u{2212}')
}

/// A scheme's prefix, one of its lengths, the Luhn check; and no GS1 number.
fn is_undeclared_card(digits: &[u8], exempt: &Exempt) -> bool {
    schemes::scheme_takes(digits)
        && luhn_ok(digits)
        && !(matches!(digits.len(), 12 | 13 | 14 | 18) && gs1::check_digit_ok(digits))
        && !exempt.covers(digits)
}

/// Whether ASCII `digits` pass the Luhn check (ISO/IEC 7812-1 annex B): doubling every second digit from the right. False for
/// fewer than two digits and anything that is no digit.
#[must_use]
pub fn luhn_ok(digits: &[u8]) -> bool {
    let sum = digits.iter().rev().zip([false, true].into_iter().cycle()).fold(0u32, |sum, (byte, double)| {
        let digit = u32::from(byte.saturating_sub(b'0'));
        let counted =
            if double { DOUBLED.get(usize::from(byte.saturating_sub(b'0'))).copied() } else { Some(digit) };
        sum.saturating_add(counted.unwrap_or_default()) % 10
    });
    digits.len() >= 2 && digits.iter().all(u8::is_ascii_digit) && sum == 0
}

/// The digit sum of twice the digit.
const DOUBLED: [u32; 10] = [0, 2, 4, 6, 8, 1, 3, 5, 7, 9];

/// The number that data begins with, separators skipped, and what follows it.
struct Lead<'a> {
    buffer: [u8; PAN_DIGITS_MAX],
    /// Digits found; may be more than the buffer holds.
    len: usize,
    rest: &'a [u8],
}

impl<'a> Lead<'a> {
    fn of(data: &'a [u8]) -> Self {
        let mut lead = Self { buffer: [0; PAN_DIGITS_MAX], len: 0, rest: data };
        while let [byte, rest @ ..] = lead.rest {
            match byte {
                b'0'..=b'9' => {
                    if let Some(slot) = lead.buffer.get_mut(lead.len) {
                        *slot = *byte;
                    }
                    lead.len = lead.len.saturating_add(1);
                }
                b' ' | b'-' => {}
                _ => break,
            }
            lead.rest = rest;
        }
        lead
    }

    /// Empty if there are more than a card number can have: our own 28 digits end here.
    fn digits(&self) -> &[u8] {
        self.buffer.get(..self.len).unwrap_or_default()
    }

    /// `=YYMM`, or `D` for `=` as some readers spell it.
    fn has_expiry(&self) -> bool {
        match self.rest {
            [b'=' | b'D' | b'd', y1, y2, m1, m2, ..] => {
                let month = [*m1, *m2];
                y1.is_ascii_digit()
                    && y2.is_ascii_digit()
                    && (*b"01"..=*b"12").contains(&month)
                    && m2.is_ascii_digit()
            }
            _ => false,
        }
    }

    fn is_track2_card(&self, exempt: &Exempt) -> bool {
        self.is_card(self.has_expiry(), exempt)
    }

    /// Two of three: a bank's form, a scheme's prefix, the Luhn check.
    fn is_card(&self, bank_form: bool, exempt: &Exempt) -> bool {
        let digits = self.digits();
        let signs = [bank_form, scheme_of(digits).is_some(), luhn_ok(digits)];
        digits.len() >= PAN_DIGITS_MIN
            && signs.iter().filter(|sign| **sign).count() >= 2
            && !exempt.covers(digits)
    }
}

#[cfg(test)]
mod tests;
