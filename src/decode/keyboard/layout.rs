//! What each key of a layout writes: a table made when a reader is opened, and asked for every key.
//!
//! Holds plain characters and accents waiting for their letter. Whoever has the layout database fills it
//! (`device::keymap`); here nothing is opened.

use unicode_normalization::UnicodeNormalization;

/// Key codes that a table has room for: the first page of linux/input-event-codes.h, all that keyboards send.
pub const KEYS: usize = 256;

/// What a key writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Symbol {
    /// A character.
    Char(char),
    /// A dead key: the combining character that it adds to the next letter.
    Dead(char),
}

/// The modifiers that choose among a key's characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Level {
    /// Shift held.
    pub shift: bool,
    /// AltGr held (ISO level 3).
    pub alt_gr: bool,
    /// Caps Lock on.
    pub caps: bool,
}

/// How many levels there are.
pub const LEVELS: usize = 8;

impl Level {
    /// All of them, in the order of [`Layout::new`]'s rows.
    #[must_use]
    pub fn all() -> [Self; LEVELS] {
        std::array::from_fn(|row| Self { shift: row & 1 != 0, alt_gr: row & 2 != 0, caps: row & 4 != 0 })
    }

    fn row(self) -> usize {
        usize::from(self.shift) | usize::from(self.alt_gr) << 1 | usize::from(self.caps) << 2
    }
}

/// What the keys of one layout write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layout {
    rows: Vec<[Option<Symbol>; KEYS]>,
    /// The right Alt key is AltGr; on a layout without a third level it is a second Alt.
    alt_gr_key: bool,
}

impl Layout {
    /// Asks `symbol` for every key code on every level.
    pub fn new(alt_gr_key: bool, symbol: impl Fn(u16, Level) -> Option<Symbol>) -> Self {
        let row = |level: Level| -> [Option<Symbol>; KEYS] {
            std::array::from_fn(|code| u16::try_from(code).ok().and_then(|code| symbol(code, level)))
        };
        Self { rows: Level::all().into_iter().map(row).collect(), alt_gr_key }
    }

    /// What key `code` writes on `level`.
    #[must_use]
    pub fn symbol(&self, code: u16, level: Level) -> Option<Symbol> {
        self.rows.get(level.row())?.get(usize::from(code)).copied().flatten()
    }

    /// Whether the right Alt key chooses the third level.
    #[must_use]
    pub fn alt_gr_key(&self) -> bool {
        self.alt_gr_key
    }

    /// The key and level that write `wanted`, without Caps Lock; the plainest if several do. For typing.
    #[must_use]
    pub fn key_for(&self, wanted: char) -> Option<(u16, Level)> {
        let levels = Level::all().into_iter().filter(|level| !level.caps);
        levels.filter(|level| self.alt_gr_key || !level.alt_gr).find_map(|level| {
            // Keypad keys depend on Num Lock, so the main block comes first.
            let codes = (1..u16::try_from(KEYS).unwrap_or(u16::MAX)).filter(|code| !is_keypad(*code));
            let writes = |code: &u16| self.symbol(*code, level) == Some(Symbol::Char(wanted));
            codes.into_iter().find(writes).map(|code| (code, level))
        })
    }
}

/// Keys of the numeric pad (linux/input-event-codes.h).
fn is_keypad(code: u16) -> bool {
    matches!(code, 55 | 71..=83 | 96 | 98 | 117 | 121)
}

/// The accent alone, as a dead key followed by a space writes it (libX11's `Compose` for UTF-8).
fn alone(accent: char) -> Option<char> {
    let alone = match accent {
        '\u{300}' => '`',
        '\u{301}' => '\'',
        '\u{302}' => '^',
        '\u{303}' => '~',
        '\u{304}' => '¯',
        '\u{306}' => '˘',
        '\u{307}' => '˙',
        '\u{308}' => '"',
        '\u{30a}' => '°',
        '\u{30b}' => '˝',
        '\u{30c}' => 'ˇ',
        '\u{327}' => '¸',
        '\u{328}' => '˛',
        _ => return None,
    };
    Some(alone)
}

/// What dead key `accent` and then `next` write: one letter with its accent, or the accent alone before a space. Letters
/// that do not take it follow the bare accent, as Windows does it and so as scanners expect.
#[must_use]
pub fn compose(accent: char, next: Symbol) -> Option<String> {
    match next {
        Symbol::Char(' ') => alone(accent).map(String::from),
        Symbol::Dead(other) if other == accent => alone(accent).map(String::from),
        Symbol::Dead(other) => Some([alone(accent)?, alone(other)?].into_iter().collect()),
        Symbol::Char(letter) => {
            let joined: String = [letter, accent].into_iter().nfc().collect();
            if joined.chars().count() == 1 {
                return Some(joined);
            }
            Some([alone(accent)?, letter].into_iter().collect())
        }
    }
}
