//! Tracks as text, sentinels included: what keyboard-emulating readers type, serial ones send, and what
//! MagTek and ID TECH put into reports.

use crate::domain::scan::{Decoded, Origin, RawScan, Rejection};

/// The most characters of a track between its sentinels: ISO/IEC 7811-6 gives track 1 79, track 2 40, track 3 107
/// characters, sentinels and redundancy character included.
const CHARACTERS_MAX: [(u8, usize); 3] = [(1, 76), (2, 37), (3, 104)];

/// The shortest number of a payment card (ISO/IEC 7812-1).
const CARD_DIGITS_MIN: usize = 8;

/// One track of a text, without its sentinels.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct TrackText<'t> {
    /// 1, 2 or 3.
    pub track: u8,
    /// What stands between the sentinels; `None` where the reader wrote `E`: a track that it could not read.
    pub data: Option<&'t [u8]>,
}

/// Shows the track and the length only: the bytes may be a payment card.
impl std::fmt::Debug for TrackText<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let length = self.data.map(<[u8]>::len);
        f.debug_struct("TrackText").field("track", &self.track).field("bytes", &length).finish()
    }
}

/// What a reader that sends text has read: the tracks of a card, or a bar code. Both keyboards and serial lines send either.
pub(in crate::decode) fn text_scans(data: Vec<u8>, out: &mut Vec<Decoded>) {
    let Some(tracks) = split_tracks(&data) else {
        if is_piece_of_track(&data) {
            out.push(Decoded::Rejected(Rejection::NotDecoded));
        } else if !data.is_empty() {
            out.push(Decoded::Scan(RawScan { data, origin: Origin::Undeclared }));
        }
        return;
    };
    let read = tracks.iter().filter_map(|track| Some((track.track, track.data?)));
    let scan = |(track, data): (u8, &[u8])| RawScan { data: data.to_vec(), origin: Origin::Track(track) };
    let before = out.len();
    out.extend(read.map(scan).map(Decoded::Scan));
    if out.len() == before {
        out.push(Decoded::Rejected(Rejection::NotDecoded));
    }
}

/// Splits `%...?;...?+...?` into its tracks, empty ones left out; `None` if the whole text has not that form, so that a bar
/// code never passes for a card. Track 1 starts with `%`, 2 with `;`, 3 with `+`, or with `;` after track 2.
/// Line ends and spaces between and after tracks are skipped. May be empty: a card was drawn, all its tracks are bare.
#[must_use]
pub fn split_tracks(text: &[u8]) -> Option<Vec<TrackText<'_>>> {
    let mut tracks = Vec::new();
    let mut last = 0_u8;
    let mut rest = text.trim_ascii();
    while let Some((start, after)) = rest.split_first() {
        let track = match start {
            b'%' => 1,
            b';' if last < 2 => 2,
            b';' | b'+' => 3,
            _ => return None,
        };
        if track <= last {
            return None;
        }
        last = track;
        let end = after.iter().position(|byte| *byte == b'?')?;
        let (data, after) = after.split_at_checked(end)?;
        if !fits(track, data) {
            return None;
        }
        if !data.is_empty() {
            tracks.push(TrackText { track, data: (data != b"E").then_some(data) });
        }
        rest = after.get(1..)?.trim_ascii_start();
    }
    (last > 0).then_some(tracks)
}

/// Whether `data` can stand on `track` at all: track 1 has the characters 20h to 5Fh, 2 and 3 have 30h to 3Fh; track 3
/// may have those of track 1.
fn fits(track: u8, data: &[u8]) -> bool {
    let most = CHARACTERS_MAX.iter().find(|(known, _)| *known == track).map_or(0, |(_, most)| *most);
    let digits = |byte: &u8| (0x30..=0x3f).contains(byte);
    let letters = |byte: &u8| (0x20..=0x5f).contains(byte);
    let known = if track == 2 { data.iter().all(digits) } else { data.iter().all(letters) };
    data.len() <= most && (known || data == b"E")
}

/// Whether `text`, which [`split_tracks`] did not take, is a part of a track all the same: a swipe torn in two by a pause, or
/// with its letters turned by Caps Lock. Such a piece can hold most of a payment card's number, so it must not go on as text.
/// Narrow, since products must: a number as long as a card's right behind `;` or `%` and one letter; or an end sentinel behind
/// what only tracks have.
#[must_use]
pub fn is_piece_of_track(text: &[u8]) -> bool {
    let text = text.trim_ascii();
    let number =
        |text: &[u8]| text.iter().take_while(|byte| byte.is_ascii_digit()).count() >= CARD_DIGITS_MIN;
    let head = match text {
        [b';', rest @ ..] => number(rest),
        [b'%', letter, rest @ ..] if letter.is_ascii_alphabetic() => number(rest),
        _ => false,
    };
    let tail = text.strip_suffix(b"?").is_some_and(|rest| {
        let digits = rest.iter().all(|byte| (0x30..=0x3f).contains(byte));
        // The last field of track 1 starts with the date of expiry, four digits.
        let field = rest.iter().rposition(|byte| *byte == b'^').and_then(|at| rest.get(at..)?.get(1..5));
        !rest.is_empty() && (digits || field.is_some_and(|date| date.iter().all(u8::is_ascii_digit)))
    });
    head || tail
}

/// One track's text with or without sentinels, as a report of its own field has it: start and end sentinel must be there.
/// `Some(None)` is a track that the reader could not read.
#[must_use]
pub fn strip_sentinels(field: &[u8]) -> Option<Option<&[u8]>> {
    let field = field.trim_ascii();
    let (start, rest) = field.split_first()?;
    // `#`, `!` and `@` start a third track on readers set up for driving licences and JIS cards.
    if !b"%;+#!@".contains(start) {
        return None;
    }
    let data = rest.strip_suffix(b"?")?;
    Some((data != b"E").then_some(data))
}
