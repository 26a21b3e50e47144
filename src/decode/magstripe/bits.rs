//! A magnetic track as the head read it: a stream of bits.
//!
//! ISO/IEC 7811-2 and 7811-6: track 1 has characters of six bits, least significant first, and an odd parity bit; tracks 2
//! and 3 of four bits and a parity bit. Zeros clock the start and the end. Between start and end sentinel
//! and over the redundancy character (LRC) each bit column has even parity. HID POS Usage Tables 1.02 section
//! 5.2.1: the first bit read is the least significant of the first octet. A card drawn the other
//! way gives the same bits from the end.

use crate::domain::scan::Rejection;
use std::cmp::Ordering;

/// How characters lie on a track.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Alphabet {
    /// Bits of a character without its parity bit.
    data_bits: usize,
    /// Added to a character's value for ASCII.
    base: u8,
    start: u8,
    end: u8,
}

const SEVEN: Alphabet = Alphabet { data_bits: 6, base: 0x20, start: 0x05, end: 0x1f };
const FIVE: Alphabet = Alphabet { data_bits: 4, base: 0x30, start: 0x0b, end: 0x0f };

/// The most bits of noise around a track. More are the rest of a longer track, of which this is a piece.
const STRAYS_MAX: usize = 8;

/// Reads one track, 1 to 3. `Ok(None)` is an empty track: no flux at all, or nothing between the sentinels.
///
/// Track 3 may also carry the alphabet of track 1, as driving licences of North America do (AAMVA).
///
/// # Errors
/// [`Rejection::NotDecoded`] without a start sentinel, or where both directions read as well and not alike: one of the two
/// would be somebody else's card. Else [`Rejection::BadParity`] or [`Rejection::BadLrc`], whichever of the two
/// directions got further.
pub fn decode_track(bytes: &[u8], track: u8) -> Result<Option<Vec<u8>>, Rejection> {
    if bytes.iter().all(|byte| *byte == 0) {
        return Ok(None);
    }
    let forwards: Vec<bool> =
        bytes.iter().flat_map(|byte| (0..8).map(move |bit| (byte >> bit) & 1 == 1)).collect();
    let backwards: Vec<bool> = forwards.iter().rev().copied().collect();
    let own = if track == 1 { SEVEN } else { FIVE };
    let text = match own.read_both(&forwards, &backwards) {
        Err(why) if track == 3 => SEVEN.read_both(&forwards, &backwards).map_err(|_| why)?,
        read => read?,
    };
    Ok((!text.is_empty()).then_some(text))
}

/// What one direction read, and how many bits were set outside of it.
struct Read {
    text: Vec<u8>,
    strays: usize,
}

/// Why one direction did not read, and how many characters it got before that.
struct Failed {
    characters: usize,
    why: Rejection,
}

impl Alphabet {
    fn width(self) -> usize {
        self.data_bits.saturating_add(1)
    }

    /// The character at `at`: its value and whether its parity is odd.
    fn character(self, bits: &[bool], at: usize) -> Option<(u8, bool)> {
        let bits = bits.get(at..at.checked_add(self.width())?)?;
        let (data, parity) = bits.split_at_checked(self.data_bits)?;
        let value = data.iter().rev().fold(0_u8, |value, bit| (value << 1) | u8::from(*bit));
        let ones = value.count_ones().saturating_add(parity.iter().map(|bit| u32::from(*bit)).sum());
        Some((value, ones & 1 == 1))
    }

    /// Reads in both directions.
    fn read_both(self, forwards: &[bool], backwards: &[bool]) -> Result<Vec<u8>, Rejection> {
        match (self.read(forwards), self.read(backwards)) {
            // Characters keep their parity when read from the end, so a piece of a track can hold by chance. On track 1 so can
            // the whole: `\` behind the start sentinel is the end sentinel from the other side.
            (Ok(one), Ok(other)) => match one.strays.cmp(&other.strays) {
                Ordering::Less => Ok(one.text),
                Ordering::Greater => Ok(other.text),
                Ordering::Equal if one.text == other.text => Ok(one.text),
                Ordering::Equal => Err(Rejection::NotDecoded),
            },
            (Ok(read), Err(_)) | (Err(_), Ok(read)) => Ok(read.text),
            (Err(one), Err(other)) => {
                Err(if one.characters < other.characters { other.why } else { one.why })
            }
        }
    }

    /// Reads from the first start sentinel on.
    fn read(self, bits: &[bool]) -> Result<Read, Failed> {
        let failed = |characters, why| Failed { characters, why };
        let is_start = |at: &usize| self.character(bits, *at) == Some((self.start, true));
        let Some(mut at) = (0..bits.len()).find(is_start) else {
            return Err(failed(0, Rejection::NotDecoded));
        };
        let start = at;
        let mut text = Vec::new();
        let mut columns = self.start;
        loop {
            at = at.saturating_add(self.width());
            let count = text.len().saturating_add(1);
            // The end came before the end sentinel.
            let Some((value, odd)) = self.character(bits, at) else {
                return Err(failed(count, Rejection::NotDecoded));
            };
            if !odd {
                return Err(failed(count, Rejection::BadParity));
            }
            columns ^= value;
            if value == self.end {
                break;
            }
            text.push(self.base.saturating_add(value));
        }
        let count = text.len().saturating_add(2);
        at = at.saturating_add(self.width());
        if self.character(bits, at) != Some((columns, true)) {
            return Err(failed(count, Rejection::BadLrc));
        }
        let inside = start..at.saturating_add(self.width());
        let outside = bits.iter().enumerate().filter(|(at, _)| !inside.contains(at));
        let strays = outside.filter(|(_, bit)| **bit).count();
        if strays > STRAYS_MAX {
            return Err(failed(count, Rejection::NotDecoded));
        }
        Ok(Read { text, strays })
    }
}
