//! GS1 data: element strings with their application identifiers, Digital Link addresses, check digits.
//!
//! Ficha wants one thing of it, the Global Service Relation Number of a member, AI 8018; and that only to look it up. A
//! Digital Link is read, never opened: whoever prints a code chooses its domain. What does not parse is not an error to
//! anyone but the caller that asked: a product is passed on as read.
//!
//! Source: GS1 General Specifications, release 24, sections 3.2, 7.8 and 7.9; GS1 Digital Link URI Syntax 1.4.

use std::fmt;

/// FNC1 as a reader sends it: ASCII GS.
pub const GS: u8 = 0x1d;

/// One application identifier with its value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Element<'a> {
    /// Two to four digits, such as `b"8018"`.
    pub ai: &'a [u8],
    /// What belongs to it, not checked beyond its length. Never empty.
    pub value: &'a [u8],
}

/// Why data is no GS1 element string. Carries no digit of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Gs1Error {
    /// No application identifier begins with these two digits.
    #[error("unknown application identifier")]
    UnknownAi,
    /// The value ends before its predefined length, or has none.
    #[error("a value is too short")]
    Short,
    /// A digit or a closing bracket was due.
    #[error("malformed element string")]
    Malformed,
}

/// Walks the elements of an element string, with or without a leading [`GS`]; ends after the first error.
///
/// Elements of predefined length follow each other directly; every other is ended by [`GS`] or the end. AI 8018 is *not*
/// among the predefined ones, though its value always has 18 digits.
#[derive(Debug, Clone)]
pub struct Elements<'a> {
    rest: &'a [u8],
}

/// The elements of `data`, as a reader sends it.
#[must_use]
pub fn elements(data: &[u8]) -> Elements<'_> {
    Elements { rest: data }
}

impl<'a> Iterator for Elements<'a> {
    type Item = Result<Element<'a>, Gs1Error>;

    fn next(&mut self) -> Option<Self::Item> {
        while let [GS, rest @ ..] = self.rest {
            self.rest = rest;
        }
        if self.rest.is_empty() {
            return None;
        }
        let element = element(self.rest);
        self.rest = element.map(|(_, rest)| rest).unwrap_or_default();
        Some(element.map(|(element, _)| element))
    }
}

fn element(data: &[u8]) -> Result<(Element<'_>, &[u8]), Gs1Error> {
    let prefix: &[u8; 2] = data.first_chunk().ok_or(Gs1Error::Malformed)?;
    if !prefix.iter().all(u8::is_ascii_digit) {
        return Err(Gs1Error::Malformed);
    }
    let (ai_len, predefined) = lengths(prefix).ok_or(Gs1Error::UnknownAi)?;
    let (ai, rest) = data.split_at_checked(ai_len).ok_or(Gs1Error::Short)?;
    if !ai.iter().all(u8::is_ascii_digit) {
        return Err(Gs1Error::Malformed);
    }
    let until_gs = rest.iter().position(|byte| *byte == GS).unwrap_or(rest.len());
    let value_len = predefined.unwrap_or(until_gs);
    match rest.split_at_checked(value_len) {
        Some((value, rest)) if !value.is_empty() && value_len <= until_gs => {
            Ok((Element { ai, value }, rest))
        }
        _ => Err(Gs1Error::Short),
    }
}

/// By an AI's first two digits: how many digits it has, and the length of its value where that is predefined (General
/// Specifications, figure 7.8.5-2). `None` where no AI begins so.
fn lengths(prefix: &[u8; 2]) -> Option<(usize, Option<usize>)> {
    Some(match prefix {
        b"00" => (2, Some(18)),
        b"01" | b"02" | b"03" => (2, Some(14)),
        b"04" => (2, Some(16)),
        b"11" | b"12" | b"13" | b"14" | b"15" | b"16" | b"17" | b"18" | b"19" => (2, Some(6)),
        b"20" => (2, Some(2)),
        b"10" | b"21" | b"22" | b"30" | b"37" => (2, None),
        [b'9', _] => (2, None),
        b"23" | b"24" | b"25" | b"40" | b"42" | b"71" => (3, None),
        b"41" => (3, Some(13)),
        b"31" | b"32" | b"33" | b"34" | b"35" | b"36" => (4, Some(6)),
        b"39" | b"43" | b"70" | b"72" | b"80" | b"81" | b"82" => (4, None),
        _ => return None,
    })
}

/// The elements of the form for people, `(8018)123456789012345675(8019)12`, as some encoders put it into the symbol.
///
/// # Errors
/// [`Gs1Error`] for the first thing that does not fit.
pub fn bracketed(data: &[u8]) -> Result<Vec<Element<'_>>, Gs1Error> {
    let mut found = Vec::new();
    let mut rest = data;
    while let [b'(', after @ ..] = rest {
        let close = after.iter().position(|byte| *byte == b')').ok_or(Gs1Error::Malformed)?;
        let (ai, after) = after.split_at_checked(close).ok_or(Gs1Error::Malformed)?;
        let after = after.get(1..).ok_or(Gs1Error::Malformed)?;
        if !(2..=4).contains(&ai.len()) || !ai.iter().all(u8::is_ascii_digit) {
            return Err(Gs1Error::Malformed);
        }
        let end = after.iter().position(|byte| *byte == b'(').unwrap_or(after.len());
        let (value, after) = after.split_at_checked(end).ok_or(Gs1Error::Malformed)?;
        if value.is_empty() {
            return Err(Gs1Error::Short);
        }
        found.push(Element { ai, value });
        rest = after;
    }
    if rest.is_empty() && !found.is_empty() { Ok(found) } else { Err(Gs1Error::Malformed) }
}

/// A member's number: the Global Service Relation Number of the recipient of a service.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Gsrn {
    /// AI 8018: 18 ASCII digits, check digit verified.
    pub number: [u8; 18],
    /// AI 8019, the service relation instance number of up to ten digits, if it follows: which card, which stay.
    pub instance: Option<u64>,
}

/// Hides both numbers.
impl fmt::Debug for Gsrn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Gsrn(••)")
    }
}

/// The member's number in `data`: an element string, the bracketed form or a Digital Link. `None` if there is none, the check
/// digit is wrong, or anything before or after it does not parse. AI 8017, the *provider* of a service, is not a member.
///
/// ```
/// use fichad::decode::gs1::gsrn;
/// let member = gsrn(b"8018123456789012345675\x1d801912").unwrap();
/// assert_eq!((&member.number, member.instance), (b"123456789012345675", Some(12)));
/// assert_eq!(gsrn(b"https://a.example/8018/123456789012345675/8019/12"), Some(member));
/// ```
#[must_use]
pub fn gsrn(data: &[u8]) -> Option<Gsrn> {
    if let Some(path) = link_path(data) {
        return gsrn_in_path(path);
    }
    if data.starts_with(b"(") {
        return gsrn_of(bracketed(data).ok()?.into_iter().map(Ok));
    }
    gsrn_of(elements(data))
}

fn gsrn_of<'a>(elements: impl Iterator<Item = Result<Element<'a>, Gs1Error>>) -> Option<Gsrn> {
    let (mut number, mut instance) = (None, None);
    for element in elements {
        let Element { ai, value } = element.ok()?;
        match ai {
            b"8018" => number = Some(checked_gsrn(value)?),
            b"8019" => instance = Some(srin(value)?),
            _ => {}
        }
    }
    Some(Gsrn { number: number?, instance })
}

fn checked_gsrn(value: &[u8]) -> Option<[u8; 18]> {
    value.try_into().ok().filter(|value: &[u8; 18]| check_digit_ok(value))
}

fn srin(value: &[u8]) -> Option<u64> {
    let fits = (1..=10).contains(&value.len()) && value.iter().all(u8::is_ascii_digit);
    std::str::from_utf8(value).ok().filter(|_| fits)?.parse().ok()
}

/// The path of an http or https address, without query and fragment.
fn link_path(data: &[u8]) -> Option<&[u8]> {
    let colon = data.iter().take(6).position(|byte| *byte == b':')?;
    let (scheme, rest) = data.split_at_checked(colon)?;
    let after = rest.strip_prefix(b"://")?;
    if !scheme.eq_ignore_ascii_case(b"https") && !scheme.eq_ignore_ascii_case(b"http") {
        return None;
    }
    let end = after.iter().position(|byte| matches!(byte, b'?' | b'#')).unwrap_or(after.len());
    let (host_and_path, _) = after.split_at_checked(end)?;
    let slash = host_and_path.iter().position(|byte| *byte == b'/')?;
    host_and_path.get(slash..)
}

/// The last `/8018/…` or `/gsrn/…` (the key's short name in older Digital Links) of a path; what stands before it is the
/// owner's own, what follows must be the instance number or nothing.
fn gsrn_in_path(path: &[u8]) -> Option<Gsrn> {
    let segments = || path.split(|byte| *byte == b'/').filter(|segment| !segment.is_empty());
    let key = segments().position(|segment| segment == b"8018" || segment.eq_ignore_ascii_case(b"gsrn"))?;
    let mut after = segments().skip(key).skip(1);
    let mut buffer = [0; 18];
    let number = checked_gsrn(percent_decoded(after.next()?, &mut buffer)?)?;
    let instance = match (after.next(), after.next(), after.next()) {
        (None, ..) => None,
        (Some(ai), Some(value), None) if ai == b"8019" || ai.eq_ignore_ascii_case(b"srin") => {
            Some(srin(percent_decoded(value, &mut buffer)?)?)
        }
        _ => return None,
    };
    Some(Gsrn { number, instance })
}

/// Decodes `%XX` (RFC 3986) into `buffer`; `None` if it does not fit or an escape is cut short.
fn percent_decoded<'b>(segment: &[u8], buffer: &'b mut [u8; 18]) -> Option<&'b [u8]> {
    let mut len: usize = 0;
    let mut bytes = segment.iter();
    while let Some(byte) = bytes.next() {
        let decoded = match byte {
            b'%' => {
                let high = char::from(*bytes.next()?).to_digit(16)?;
                let low = char::from(*bytes.next()?).to_digit(16)?;
                u8::try_from(high << 4 | low).ok()?
            }
            byte => *byte,
        };
        *buffer.get_mut(len)? = decoded;
        len = len.saturating_add(1);
    }
    buffer.get(..len)
}

/// Whether ASCII `digits` end in their GS1 check digit: weights 1 and 3 in turn from the right, a sum divisible by 10
/// (General Specifications 7.9.1). Good for GTIN, GLN, SSCC and GSRN alike; false for fewer than two digits.
#[must_use]
pub fn check_digit_ok(digits: &[u8]) -> bool {
    let sum = digits.iter().rev().zip([1u32, 3].into_iter().cycle()).fold(0u32, |sum, (byte, weight)| {
        sum.saturating_add(weight.saturating_mul(u32::from(byte.saturating_sub(b'0')))) % 10
    });
    digits.len() >= 2 && digits.iter().all(u8::is_ascii_digit) && sum == 0
}

/// Whether ASCII `digits` are a GTIN-8, -12, -13 or -14 with a right check digit.
#[must_use]
pub fn gtin_ok(digits: &[u8]) -> bool {
    matches!(digits.len(), 8 | 12 | 13 | 14) && check_digit_ok(digits)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn walk(data: &[u8]) -> Result<Vec<(String, String)>, Gs1Error> {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        elements(data).map(|element| element.map(|it| (text(it.ai), text(it.value)))).collect()
    }

    #[track_caller]
    fn check(data: &[u8], want: Result<&[(&str, &str)], Gs1Error>) {
        let own = |pairs: &[(&str, &str)]| {
            pairs.iter().map(|(ai, value)| ((*ai).to_owned(), (*value).to_owned())).collect::<Vec<_>>()
        };
        assert_eq!(walk(data), want.map(own), "{}", data.escape_ascii());
    }

    #[test]
    fn predefined_lengths_need_no_separator() {
        let gtin = ("01", "04006381333931");
        check(b"0104006381333931", Ok(&[gtin]));
        check(b"\x1d010400638133393110AB\x1d17260930", Ok(&[gtin, ("10", "AB"), ("17", "260930")]));
        check(b"01040063813339311726093010AB", Ok(&[gtin, ("17", "260930"), ("10", "AB")]));
        check(b"0104006381333931\x1d310300125021x", Ok(&[gtin, ("3103", "001250"), ("21", "x")]));
        check(b"4104012345000009", Ok(&[("410", "4012345000009")]));
    }

    #[test]
    fn a_gsrn_needs_its_separator() {
        check(b"8018123456789012345675\x1d801912", Ok(&[("8018", "123456789012345675"), ("8019", "12")]));
        check(b"8018123456789012345675801912", Ok(&[("8018", "123456789012345675801912")]));
        assert_eq!(gsrn(b"8018123456789012345675801912"), None);
    }

    #[test]
    fn what_does_not_parse_says_why() {
        check(b"0504006381333931", Err(Gs1Error::UnknownAi));
        check(b"010400638133393", Err(Gs1Error::Short));
        check(b"01040063\x1d81333931", Err(Gs1Error::Short));
        check(b"21", Err(Gs1Error::Short));
        check(b"801", Err(Gs1Error::Short));
        check(b"8", Err(Gs1Error::Malformed));
        check(b"ABC", Err(Gs1Error::Malformed));
        check(b"", Ok(&[]));
    }

    #[test]
    fn a_member_in_every_form() {
        let plain = Gsrn { number: *b"123456789012345675", instance: None };
        let twelve = Gsrn { instance: Some(12), ..plain };
        for (data, want) in [
            (&b"8018123456789012345675"[..], Some(plain)),
            (b"\x1d8018123456789012345675\x1d", Some(plain)),
            (b"99X\x1d8018123456789012345675\x1d801912", Some(twelve)),
            (b"(8018)123456789012345675(8019)12", Some(twelve)),
            (b"https://a/8018/123456789012345675/8019/12", Some(twelve)),
            (b"HTTP://shop.example/club/gsrn/123456789012345675?x=1#y", Some(plain)),
            (b"https://a/8018/%31%323456789012345675/srin/12/", Some(twelve)),
            (b"https://a/8018/123456789012345676", None), // check digit
            (b"https://a/8017/123456789012345675", None), // the provider
            (b"https://a/gsrnp/123456789012345675", None),
            (b"https://a/8018/12345678901234567%3", None), // cut escape
            (b"https://a/8018/123456789012345675/8019/12345678901", None),
            (b"https://a/8018/123456789012345675/01/2", None),
            (b"https://a?8018/123456789012345675", None),
            (b"ftp://a/8018/123456789012345675", None),
            (b"8018123456789012345676", None),
            (b"8018123456789012345675\x1d8019", None),
            (b"(8018)123456789012345675(", None),
            (b"(8018)", None),
            (b"(8018", None),
            (b"0104006381333931", None),
        ] {
            assert_eq!(gsrn(data), want, "{}", data.escape_ascii());
        }
    }

    #[test]
    fn check_digits() {
        for ok in ["40170725", "036000291452", "4006381333931", "15400141288763", "123456789012345675"] {
            assert!(check_digit_ok(ok.as_bytes()), "{ok}");
            for other in "0123456789".chars().filter(|other| !ok.ends_with(*other)) {
                let wrong = format!("{}{other}", &ok[..ok.len() - 1]);
                assert!(!check_digit_ok(wrong.as_bytes()), "{wrong}");
            }
        }
        for no in ["", "0", "40O6381333931"] {
            assert!(!check_digit_ok(no.as_bytes()), "{no}");
        }
        assert!(gtin_ok(b"4006381333931") && !gtin_ok(b"123456789012345675"));
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_are_safe(data in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..80)) {
            let held: usize = elements(&data).map_while(Result::ok).flat_map(|it| [it.ai.len(), it.value.len()]).sum();
            proptest::prop_assert!(held <= data.len());
            proptest::prop_assert!(gsrn(&data).is_none_or(|member| check_digit_ok(&member.number)));
        }
    }
}
