//! Tracks as text, sentinels included: what keyboard-emulating readers type, serial ones send, and what
//! MagTek and ID TECH put into reports.

/// The most characters of a track between its sentinels: ISO/IEC 7811-6 gives track 1 79, track 2 40, track 3 107
/// characters, sentinels and redundancy character included.
const CHARACTERS_MAX: [(u8, usize); 3] = [(1, 76), (2, 37), (3, 104)];

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
