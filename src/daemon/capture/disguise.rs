//! What stands in a capture instead of what was read, and the reads that say so.
//!
//! Nothing that a customer brought gets into a capture. Only article numbers stay as they are; a card's code becomes that of a test key, an
//! imported one a made-up number of its programme, any other text zeros and `A`s of the same length. Reads are written from that:
//! what cannot be rewritten so that every byte is accounted for is left out, never kept as it came.

use crate::decode::classify::{Rules, classify};
use crate::decode::framing::Framing;
use crate::decode::gs1;
use crate::decode::hid::{Descriptor, Field, Kind, PAGE_SCANNER, Usage};
use crate::decode::keyboard::Layout;
use crate::decode::symbology;
use crate::domain::code::CardKey;
use crate::domain::scan::{Decoded, Origin, RawScan, Reading, ReadingKind};
use std::ops::Range;

/// The key behind every card in a capture; no shop issues it.
const TEST_KEY: CardKey = CardKey([0x00, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88, 0x99]);

/// Application identifiers that say something of an article and nothing of who has it.
const OF_ARTICLES: [&[u8]; 10] = [b"01", b"10", b"11", b"13", b"15", b"16", b"17", b"21", b"30", b"37"];

/// Data as it was read, and what is written instead: as long as it was.
pub(super) struct Disguised {
    pub(super) was: Vec<u8>,
    pub(super) is: Vec<u8>,
}

/// What is written instead of a scan.
///
/// # Errors
/// The word for why it is left out.
pub(super) fn disguise(decoded: &Decoded, rules: &Rules) -> Result<Disguised, &'static str> {
    let scan = match decoded {
        Decoded::Scan(scan) => scan,
        Decoded::Rejected(why) => return Err(why.word()),
    };
    if let Origin::Track(_) = scan.origin {
        // Nearly every track names its holder, and a reader's report may hold more of it than was decoded.
        return classify(scan, rules).map_or_else(|why| Err(why.word()), |_| Err("magnetic_card"));
    }
    let reading = classify(scan, rules).map_err(|why| why.word())?;
    let instead = match &reading.kind {
        ReadingKind::Card(_) => card(&reading.data, rules),
        ReadingKind::Damaged { .. } => return Err("damaged_card"),
        ReadingKind::Alias(alias) => imported(&reading, &alias.programme, &alias.code, rules),
        ReadingKind::Other if is_article(&reading) => reading.data.clone(),
        ReadingKind::Other => masked(&reading.data),
    };
    let front = scan.data.len().saturating_sub(reading.data.len());
    let mut is = scan.data.get(..front).unwrap_or_default().to_vec();
    is.extend(instead);
    let written = RawScan { data: is, origin: scan.origin };
    classify(&written, rules).map_err(|_| "looks_like_payment")?;
    Ok(Disguised { was: scan.data.clone(), is: written.data })
}

/// The test card's code in the same form. Which symbols were lower case would tell letters from digits, so all are or none.
fn card(code: &[u8], rules: &Rules) -> Vec<u8> {
    let is_gap = |byte: &u8| matches!(byte, b'-' | b' ');
    let (letters, digits) = (TEST_KEY.letters(rules.programme), TEST_KEY.digits());
    let symbols = code.iter().filter(|byte| !is_gap(byte)).count();
    let test = if symbols == digits.reveal().len() { digits.reveal() } else { letters.reveal() };
    let lower = code.iter().any(u8::is_ascii_lowercase);
    let mut test = test.bytes().map(|byte| if lower { byte.to_ascii_lowercase() } else { byte });
    code.iter().map(|byte| if is_gap(byte) { *byte } else { test.next().unwrap_or(b'0') }).collect()
}

/// A number that the programme would take; without one, as any other text.
fn imported(reading: &Reading, programme: &str, code: &str, rules: &Rules) -> Vec<u8> {
    let prefix = rules.aliases.iter().find(|rule| rule.name == programme).map_or("", |rule| &rule.prefix);
    let front = match reading.data.strip_suffix(code.as_bytes()) {
        Some(front @ (b"" | b"8018" | b"\x1d8018")) => front,
        _ => return masked(&reading.data),
    };
    let zeros = code.len().saturating_sub(prefix.len()).saturating_sub(1);
    let number = |check: u8| {
        let mut data = [front, prefix.as_bytes(), &vec![b'0'; zeros]].concat();
        data.push(check);
        let origin = reading.aim.map_or(Origin::Undeclared, Origin::Aim);
        let again = classify(&RawScan { data: data.clone(), origin }, rules).ok()?;
        let same = matches!(again.kind, ReadingKind::Alias(alias) if alias.programme == programme);
        (same && data.len() == reading.data.len()).then_some(data)
    };
    (b'0'..=b'9').find_map(number).unwrap_or_else(|| masked(&reading.data))
}

/// An article number that is the same in every shop, or GS1 elements of an article. Numbers that a shop gives out itself (prefix
/// 2, and 02 or 04) may be customers' cards.
fn is_article(reading: &Reading) -> bool {
    let data = reading.data.as_slice();
    let in_store = |number: &[u8]| match number.len() {
        8 => number.starts_with(b"2") || number.starts_with(b"0"),
        12 => number.starts_with(b"2") || number.starts_with(b"4"),
        _ => [&b"2"[..], b"02", b"04"].iter().any(|prefix| number.starts_with(prefix)),
    };
    let article = |number: &[u8]| {
        let without_indicator = if number.len() == 14 { number.get(1..).unwrap_or_default() } else { number };
        gs1::gtin_ok(number) && !in_store(without_indicator)
    };
    if article(data) {
        return true;
    }
    let mut first = true;
    symbology::of(reading.aim, data).gs1
        && gs1::elements(data).all(|element| {
            let begins = std::mem::take(&mut first);
            element.is_ok_and(|it| {
                OF_ARTICLES.contains(&it.ai) && (!begins || it.ai == b"01" && article(it.value))
            })
        })
}

/// Digits become 0 and all else but control characters `A`.
fn masked(data: &[u8]) -> Vec<u8> {
    let mask = |byte: &u8| match byte {
        b'0'..=b'9' => b'0',
        byte if byte.is_ascii_control() => *byte,
        _ => b'A',
    };
    data.iter().map(mask).collect()
}

/// The marks of every framing but the length byte.
const MARKS: [u8; 4] = [0x02, 0x03, b'\r', b'\n'];

/// Writes `scans` over the pieces of a serial stream. `None` if there is anything but those scans and the marks between them.
pub(super) fn serial(reads: &[Vec<u8>], scans: &[Disguised], framing: Framing) -> Option<Vec<Vec<u8>>> {
    let mut stream = reads.concat();
    let mut at = 0_usize;
    for scan in scans {
        while stream.get(at).is_some_and(|byte| MARKS.contains(byte))
            && !stream.get(at..)?.starts_with(&scan.was)
        {
            at = at.checked_add(1)?;
        }
        if framing == Framing::LengthByte && usize::from(*stream.get(at)?) == scan.was.len() {
            at = at.checked_add(1)?;
        }
        let place = stream.get_mut(at..at.checked_add(scan.was.len())?)?;
        if place != scan.was {
            return None;
        }
        place.copy_from_slice(&scan.is);
        at = at.checked_add(scan.was.len())?;
    }
    if !stream.get(at..)?.iter().all(|byte| MARKS.contains(byte)) {
        return None;
    }
    let mut rest = stream.as_slice();
    let piece = |read: &Vec<u8>| {
        let (piece, after) = rest.split_at_checked(read.len())?;
        rest = after;
        Some(piece.to_vec())
    };
    reads.iter().map(piece).collect()
}

/// Fields of a report that are kept beside its data: none is large enough for a piece of a code.
const KEPT_BITS_MAX: usize = 24;

/// Writes a scan over the reports that it came in: data and small fields are copied, everything else is zero.
pub(super) fn hidpos(reads: &[Vec<u8>], scan: &Disguised, descriptor: &Descriptor) -> Option<Vec<Vec<u8>>> {
    let top = descriptor.tops.iter().position(|top| *top == Usage::new(PAGE_SCANNER, 0x02))?;
    let (data, first) = descriptor.find_input(top, Usage::new(PAGE_SCANNER, 0xfe))?;
    let count = descriptor.find_input(top, Usage::new(0x01, 0x3b));
    let mut left = scan.is.as_slice();
    let mut was = scan.was.as_slice();
    let mut report = |read: &Vec<u8>| {
        let (id, report) = descriptor.split_id(read)?;
        if id != data.report_id {
            return None;
        }
        let held = data.bytes(report, first);
        let length = match count {
            Some((field, index)) => usize::try_from(field.element(report, index)?).ok()?,
            None => held.len().min(was.len()),
        };
        let (piece, after) = left.split_at_checked(length)?;
        let (piece_was, after_was) = was.split_at_checked(length)?;
        (left, was) = (after, after_was);
        if held.get(..length)? != piece_was {
            return None;
        }
        let mut written = vec![0; report.len()];
        for field in descriptor.fields.iter().filter(|field| is_kept(field, data)) {
            copy_bits(report, &mut written, bits(field)?)?;
        }
        let start = (data.bit_offset >> 3).checked_add(first)?;
        written.get_mut(start..start.checked_add(length)?)?.copy_from_slice(piece);
        let front = read.len().checked_sub(report.len())?;
        Some([read.get(..front)?, &written].concat())
    };
    let reports: Option<Vec<Vec<u8>>> = reads.iter().map(&mut report).collect();
    reports.filter(|_| left.is_empty() && was.is_empty())
}

fn is_kept(field: &Field, data: &Field) -> bool {
    let small = field.size.checked_mul(field.count).is_some_and(|bits| bits <= KEPT_BITS_MAX);
    field.kind == Kind::Input && field.report_id == data.report_id && field != data && small
}

fn bits(field: &Field) -> Option<Range<usize>> {
    Some(field.bit_offset..field.bit_offset.checked_add(field.size.checked_mul(field.count)?)?)
}

fn copy_bits(from: &[u8], to: &mut [u8], bits: Range<usize>) -> Option<()> {
    for bit in bits {
        let mask = 1_u8.checked_shl(u32::try_from(bit & 7).ok()?)?;
        *to.get_mut(bit >> 3)? |= from.get(bit >> 3)? & mask;
    }
    Some(())
}

/// linux/input-event-codes.h.
const EV_KEY: u16 = 1;
const KEY_ENTER: u16 = 28;
const KEY_LEFTSHIFT: u16 = 42;
const KEY_RIGHTALT: u16 = 100;

/// Types a scan anew, Enter behind it; `None` where the layout has no key for a character.
pub(super) fn typed(scan: &Disguised, layout: &Layout) -> Option<Vec<Vec<u8>>> {
    let text = std::str::from_utf8(&scan.is).ok()?;
    let mut reads = Vec::new();
    for wanted in text.chars() {
        let (code, level) = layout.key_for(wanted)?;
        let shift = level.shift.then_some(KEY_LEFTSHIFT);
        let held: Vec<u16> = shift.into_iter().chain(level.alt_gr.then_some(KEY_RIGHTALT)).collect();
        reads.push(stroke(code, &held));
    }
    reads.push(stroke(KEY_ENTER, &[]));
    Some(reads)
}

/// A key down and up, and before and after it those that are held.
fn stroke(code: u16, held: &[u16]) -> Vec<u8> {
    let event = |kind: u16, code: u16, value: i32| {
        [&kind.to_le_bytes()[..], &code.to_le_bytes(), &value.to_le_bytes()].concat()
    };
    let down = held.iter().chain([&code]).map(|code| event(EV_KEY, *code, 1));
    let up = [&code].into_iter().chain(held).map(|code| event(EV_KEY, *code, 0));
    let events: Vec<Vec<u8>> = down.chain([event(0, 0, 0)]).chain(up).chain([event(0, 0, 0)]).collect();
    events.concat()
}
