//! Keyboard layouts from the system's xkb database (package xkb-data), by the crate kbvm.
//!
//! Read once, when a reader is opened; what comes out is a plain table. Takes nothing from the environment:
//! the layout is the scanner's, and must not change with the locale of whoever starts the daemon.

use crate::decode::keyboard::{Layout, Level, Symbol};
use kbvm::lookup::LookupTable;
use kbvm::xkb::diagnostic::{Diagnostic, DiagnosticKind};
use kbvm::xkb::rmlvo::Group;
use kbvm::xkb::{Context, Keymap};
use kbvm::{GroupIndex, Keycode, Keysym, ModifierMask};
use std::path::{Path, PathBuf};

/// Where distributions keep the database.
pub const XKB_FOLDER: &str = "/usr/share/X11/xkb";
/// Takes the same place on hosts that add layouts of their own.
const XKB_EXTRA_FOLDER: &str = "/etc/xkb";
/// The right Alt key (linux/input-event-codes.h).
const KEY_RIGHTALT: u16 = 100;

/// Why there is no table for a layout.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeymapError {
    /// The database is not installed.
    #[error("no keyboard layouts in {}: install them with `apt-get install xkb-data`", .folder.display())]
    NoDatabase {
        /// Where it was looked for.
        folder: PathBuf,
    },
    /// The database does not know this layout or variant.
    #[error(
        "no keyboard layout `{layout}` with variant `{variant}`; the names are those of `setxkbmap`, such as `us`, `de` or `fr`"
    )]
    Unknown {
        /// The layout asked for.
        layout: String,
        /// The variant asked for; empty for the layout's own.
        variant: String,
    },
}

/// Reads a layout (`us`, `de`, ...) and its variant (`nodeadkeys`, ...; empty for none).
///
/// # Errors
/// [`KeymapError`] where the database or the layout is missing.
pub fn load(layout: &str, variant: &str) -> Result<Layout, KeymapError> {
    load_from(Path::new(XKB_FOLDER), layout, variant)
}

/// The same from another folder.
///
/// # Errors
/// As [`load`].
pub fn load_from(folder: &Path, layout: &str, variant: &str) -> Result<Layout, KeymapError> {
    if !folder.join("rules/evdev").is_file() {
        return Err(KeymapError::NoDatabase { folder: folder.to_owned() });
    }
    let unknown = || KeymapError::Unknown { layout: layout.to_owned(), variant: variant.to_owned() };
    // A comma would be two layouts, a slash another file.
    let plain = |name: &str| name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte));
    if layout.is_empty() || !plain(layout) || !plain(variant) {
        return Err(unknown());
    }
    let mut builder = Context::builder();
    builder.enable_environment(false);
    builder.enable_default_includes(false);
    builder.append_path(XKB_EXTRA_FOLDER);
    builder.append_path(folder);
    let mut complaints: Vec<Diagnostic> = Vec::new();
    let keymap = builder.build().keymap_from_names(
        &mut complaints,
        Some("evdev"),
        Some("pc105"),
        Some(&[Group { layout, variant }]),
        Some(&[]),
    );
    let missing = |complaint: &Diagnostic| {
        matches!(
            complaint.kind(),
            DiagnosticKind::FileNotFound | DiagnosticKind::FileOpenFailed | DiagnosticKind::FileReadFailed
        )
    };
    if complaints.iter().any(missing) {
        return Err(unknown());
    }
    let table = table(&keymap);
    // An unknown variant leaves a keymap without letters.
    let writes = (1..=57).any(|code| table.symbol(code, Level::default()) == Some(Symbol::Char('a')));
    let writes = writes || (16..=50).any(|code| table.symbol(code, Level::default()).is_some());
    if writes { Ok(table) } else { Err(unknown()) }
}

fn table(keymap: &Keymap) -> Layout {
    let third = keymap.virtual_modifiers().find(|modifier| modifier.name() == "LevelThree");
    let third = third.map_or(ModifierMask::MOD5, |modifier| modifier.mask());
    let lookup = keymap.to_builder().build_lookup_table();
    let alt_gr_key = symbol_at(&lookup, KEY_RIGHTALT, ModifierMask::NONE) == Some(Keysym(0xfe03));
    Layout::new(alt_gr_key, |code, level| {
        // Num Lock is on: a scanner that uses the keypad means its digits.
        let mut modifiers = ModifierMask::NUM_LOCK;
        for (held, mask) in
            [(level.shift, ModifierMask::SHIFT), (level.alt_gr, third), (level.caps, ModifierMask::LOCK)]
        {
            if held {
                modifiers |= mask;
            }
        }
        symbol_at(&lookup, code, modifiers).and_then(symbol)
    })
}

fn symbol_at(lookup: &LookupTable, code: u16, modifiers: ModifierMask) -> Option<Keysym> {
    let found = lookup.lookup(GroupIndex::ZERO, modifiers, Keycode::from_evdev(u32::from(code)));
    let mut symbols = found.into_iter().map(|props| props.keysym());
    symbols.next().filter(|_| symbols.next().is_none())
}

/// A keysym as a character or a combining accent. X11's dead keys start at FE50 (X11/keysymdef.h).
fn symbol(keysym: Keysym) -> Option<Symbol> {
    let dead = match keysym.0 {
        0xfe50 => '\u{300}',
        0xfe51 => '\u{301}',
        0xfe52 => '\u{302}',
        0xfe53 => '\u{303}',
        0xfe54 => '\u{304}',
        0xfe55 => '\u{306}',
        0xfe56 => '\u{307}',
        0xfe57 => '\u{308}',
        0xfe58 => '\u{30a}',
        0xfe59 => '\u{30b}',
        0xfe5a => '\u{30c}',
        0xfe5b => '\u{327}',
        0xfe5c => '\u{328}',
        _ => return keysym.char().map(Symbol::Char),
    };
    Some(Symbol::Dead(dead))
}
