//! Magnetic stripe readers on USB, and the cards that are drawn through them.
//!
//! Three kinds, with the report descriptors of their captures: raw bits (HID POS Usage Tables 1.02, section 5.2), MagTek's
//! 337-byte report and ID TECH's packed one.

use crate::hid::{self, Hid, Interface};
use crate::trace::Trace;
use crate::vhci::{self, Plugged, Port};
use crate::{Result, captures};
use std::time::Duration;

/// What a reader sends of a swipe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Model {
    /// The bits as the head read them, first bit lowest (usage page 8E).
    Bits,
    /// ASCII with sentinels, a field for each track.
    MagTek,
    /// ASCII with sentinels, one track after another.
    IdTech,
}

/// A card by what stands between the sentinels of its tracks; an empty track is bare.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Card {
    /// Track 1 to 3.
    pub tracks: [String; 3],
}

/// Bytes of MagTek's track fields, and of the raw tracks.
const MAGTEK_TRACK_BYTES: usize = 110;
const BITS_TRACK_BYTES: [usize; 3] = [80, 40, 107];
const IDTECH_OUTPUT_BYTES: usize = 500;

/// Start and end sentinel as text.
const SENTINELS: [(char, char); 3] = [('%', '?'), (';', '?'), ('+', '?')];

/// Zero bits before and after the characters: the head needs a stretch to find its pace.
const CLOCKING_BITS: usize = 12;

impl Card {
    /// A card with only track 2, as loyalty cards have it.
    #[must_use]
    pub fn with_track_2(text: &str) -> Self {
        Self { tracks: [String::new(), text.to_owned(), String::new()] }
    }

    /// Each track with its sentinels; a bare one is empty.
    fn texts(&self) -> [String; 3] {
        let mut texts = self.tracks.clone();
        for (text, (start, end)) in texts.iter_mut().zip(SENTINELS).filter(|(text, _)| !text.is_empty()) {
            *text = format!("{start}{text}{end}");
        }
        texts
    }
}

/// The bits of a track (ISO/IEC 7811-2): characters with odd parity, lowest bit first, and the redundancy character.
fn bits(track: usize, text: &str) -> Vec<bool> {
    // Track 1 has six bits and starts at the space; 2 and 3 have four and start at `0`. The third's own sentinel is `;`.
    let (width, base) = if track == 0 { (6, b' ') } else { (4, b'0') };
    let value = |byte: u8| if byte == b'+' && track > 0 { 0x0b } else { byte.saturating_sub(base) };
    let mut values: Vec<u8> = text.bytes().map(value).collect();
    values.push(values.iter().fold(0, |lrc, value| lrc ^ value));
    let mut bits = vec![false; CLOCKING_BITS];
    for value in values {
        bits.extend((0..width).map(|bit| value >> bit & 1 == 1));
        bits.push(value.count_ones() % 2 == 0);
    }
    bits.extend([false; CLOCKING_BITS]);
    bits
}

fn packed(bits: &[bool]) -> Vec<u8> {
    let byte = |bits: &[bool]| bits.iter().rev().fold(0, |byte, bit| byte << 1 | u8::from(*bit));
    bits.chunks(8).map(byte).collect()
}

impl Model {
    fn descriptor(self) -> Vec<u8> {
        captures::descriptor(match self {
            Self::Bits => include_str!("../../captures/msr/bits-forwards.hex"),
            Self::MagTek => include_str!("../../captures/msr/magtek-three-tracks.hex"),
            Self::IdTech => include_str!("../../captures/msr/idtech-minimag.hex"),
        })
    }

    /// The report of a card drawn through, `backwards` for against the arrow: only raw bits come out differently.
    #[must_use]
    pub fn report(self, card: &Card, backwards: bool) -> Vec<u8> {
        let texts = card.texts();
        match self {
            Self::Bits => raw_bits(&texts, backwards),
            Self::MagTek => {
                let mut report = head(&texts);
                for text in &texts {
                    let mut field = text.clone().into_bytes();
                    field.resize(MAGTEK_TRACK_BYTES, 0xaa); // bytes beyond the length mean nothing
                    report.extend(field);
                }
                report
            }
            Self::IdTech => {
                let mut output = texts.concat().into_bytes();
                output.push(b'\r');
                let mut report = head(&texts);
                report.extend(u16::try_from(output.len()).unwrap_or(u16::MAX).to_le_bytes());
                output.resize(IDTECH_OUTPUT_BYTES, 0);
                report.extend(output);
                report
            }
        }
    }
}

/// Three decode states (0: read), three lengths, card encode type 0 (ISO).
fn head(texts: &[String; 3]) -> Vec<u8> {
    let mut head = vec![0; 3];
    head.extend(texts.iter().map(|text| u8::try_from(text.len()).unwrap_or(u8::MAX)));
    head.push(0);
    head
}

/// Three lengths, then the tracks, each in a field of its own.
fn raw_bits(texts: &[String; 3], backwards: bool) -> Vec<u8> {
    let (mut lengths, mut fields) = (Vec::new(), Vec::new());
    for ((track, text), size) in texts.iter().enumerate().zip(BITS_TRACK_BYTES) {
        let mut read = if text.is_empty() { Vec::new() } else { bits(track, text) };
        if backwards {
            read.reverse();
        }
        let mut field = packed(&read);
        lengths.push(u8::try_from(field.len()).unwrap_or(u8::MAX));
        field.resize(size, 0);
        fields.extend(field);
    }
    lengths.extend(fields);
    lengths
}

/// A reader in its port.
#[derive(Debug)]
pub struct Reader {
    model: Model,
    plugged: Plugged<Hid>,
}

/// Vendor and product id of a model: MagTek's and ID TECH's own (usb.ids), for raw bits of nobody with a page.
#[must_use]
pub fn ids(model: Model) -> (u16, u16) {
    match model {
        Model::Bits => (0x4242, 0x0002),
        Model::MagTek => (0x0801, 0x0002),
        Model::IdTech => (0x0acd, 0x2030),
    }
}

/// Plugs a reader with this serial number into `port`.
///
/// # Errors
/// As [`vhci::plug`].
pub fn plug(model: Model, serial: &str, port: Port, within: Duration, trace: &Trace) -> Result<Reader> {
    let words = match model {
        Model::Bits => ["Nobody", "Swipe"],
        Model::MagTek => ["Mag-Tek", "USB Swipe Reader"],
        Model::IdTech => ["ID TECH", "TM3 Magstripe USB-HID Reader"],
    };
    let interface = Interface { boot: [0, 0], descriptor: model.descriptor(), packet_max: 64 };
    let serial = Some(serial.to_owned());
    let hid = Hid { name: "msr", ids: ids(model), words, serial, interfaces: vec![interface] };
    Ok(Reader { model, plugged: vhci::plug(hid, port, within, trace)? })
}

impl Reader {
    /// Draws a card through.
    ///
    /// # Errors
    /// When nobody reads the reader `within` that time.
    pub fn swipe(&self, card: &Card, backwards: bool, within: Duration) -> Result<()> {
        self.plugged.report(hid::endpoint(0), &self.model.report(card, backwards), within)
    }

    /// Pulls the plug.
    ///
    /// # Errors
    /// As [`Plugged::unplug`].
    pub fn unplug(self, within: Duration) -> Result<()> {
        self.plugged.unplug(within)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The card of the captures.
    fn card() -> Card {
        Card {
            tracks: ["MEMBER^ANNA EXAMPLE^0042", "1234567890123456789012345678", "0042=7"].map(str::to_owned),
        }
    }

    #[test]
    fn reports_are_those_of_the_captures() {
        let magtek = captures::first_read(include_str!("../../captures/msr/magtek-three-tracks.hex"));
        assert_eq!(Model::MagTek.report(&card(), false), magtek);
        assert_eq!(magtek.len(), 337);
        let idtech = captures::first_read(include_str!("../../captures/msr/idtech-minimag.hex"));
        assert_eq!(Model::IdTech.report(&card(), false), idtech);
    }

    #[test]
    fn raw_bits_are_those_of_the_capture_but_for_the_zeros_around_them() {
        let capture = captures::first_read(include_str!("../../captures/msr/bits-forwards.hex"));
        let report = Model::Bits.report(&card(), false);
        assert_eq!(report.len(), capture.len());
        let track = |report: &[u8], from: usize| {
            let bits: Vec<bool> = report[from..from + 30]
                .iter()
                .flat_map(|byte| (0..8).map(move |bit| byte >> bit & 1 == 1))
                .collect();
            let first = bits.iter().position(|bit| *bit).unwrap();
            bits[first..first + 150].to_vec()
        };
        for from in [3, 83] {
            assert_eq!(track(&report, from), track(&capture, from));
        }
    }

    #[test]
    fn backwards_is_the_same_from_the_end() {
        let [forwards, backwards] = [false, true].map(|back| Model::Bits.report(&card(), back));
        assert_ne!(forwards, backwards);
        assert_eq!(forwards[..3], backwards[..3]);
    }
}
