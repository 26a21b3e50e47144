//! Types a product into a register that knows nothing but a keyboard, through uinput.
//!
//! Printable characters and one suffix, nothing else: a bar code can hold Ctrl and Alt sequences, and whoever prints
//! one must not drive the till. By the layout of the host that receives it. The pace is the caller's: one
//! [`Typist::press`] each [`STROKE_PAUSE`], since a receiver that lags behind loses keys after 64 events.

use super::settings::xkb_name;
use crate::decode::keyboard::{Layout, Level};
use crate::domain::settings::Keys;
use evdev::uinput::VirtualDevice;
use evdev::{AttributeSet, BusType, EventType, InputEvent, InputId, KeyCode};
use std::io;
use std::time::Duration;

/// The most characters typed for one scan.
pub const CHARS_MAX: usize = 256;
/// The pause between two keys.
pub const STROKE_PAUSE: Duration = Duration::from_millis(2);

/// linux/input-event-codes.h.
const KEY_TAB: u16 = 15;
const KEY_ENTER: u16 = 28;
const KEY_LEFTSHIFT: u16 = 42;
const KEY_RIGHTALT: u16 = 100;
/// The last key of a 105-key keyboard: the compose key.
const KEY_LAST: u16 = 127;

/// What ends a typed code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Suffix {
    /// Nothing.
    None,
    /// Enter.
    #[default]
    Enter,
    /// Tab.
    Tab,
}

/// `[typist]`: how to type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Keyboard layout of the host that receives the keys, as xkb names it.
    pub layout: String,
    /// Its variant; empty for none.
    pub variant: String,
    /// What follows a code.
    pub suffix: Suffix,
}

impl Default for Settings {
    fn default() -> Self {
        Self { layout: "us".to_owned(), variant: String::new(), suffix: Suffix::default() }
    }
}

impl Settings {
    /// Reads the table; every key has a default.
    pub fn read(keys: &mut Keys<'_>) -> Self {
        let plain = Self::default();
        let suffixes = [("none", Suffix::None), ("enter", Suffix::Enter), ("tab", Suffix::Tab)];
        Self {
            layout: keys.parsed("layout", |text| xkb_name(text, false)).unwrap_or(plain.layout),
            variant: keys.parsed("variant", |text| xkb_name(text, true)).unwrap_or(plain.variant),
            suffix: keys.word("suffix", &suffixes).unwrap_or(plain.suffix),
        }
    }
}

/// One key, with the modifiers that go with it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Stroke {
    code: u16,
    level: Level,
}

/// Shows nothing: keys are what was scanned.
impl std::fmt::Debug for Stroke {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Stroke(••)")
    }
}

/// Why a code is not typed. Names no character of it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TypeError {
    /// A control character, or no text at all.
    #[error("the code has characters that are not printable")]
    NotPrintable,
    /// A character that this layout has no key for.
    #[error("the code has a character that the host's keyboard layout cannot type")]
    NoKey,
    /// Over [`CHARS_MAX`].
    #[error("the code is longer than {CHARS_MAX} characters")]
    TooLong,
    /// uinput is missing, or may not be used.
    #[error("cannot make a keyboard: load the module uinput and let group fichad write /dev/uinput")]
    NoUinput {
        /// What the system said.
        source: io::Error,
    },
    /// The made keyboard does not take keys.
    #[error("cannot type")]
    Failed {
        /// What the system said.
        source: io::Error,
    },
}

/// The keys for `data`: all of it, or an error and nothing is typed.
///
/// # Errors
/// [`TypeError::NotPrintable`], [`TypeError::NoKey`] or [`TypeError::TooLong`].
pub fn strokes(data: &[u8], suffix: Suffix, layout: &Layout) -> Result<Vec<Stroke>, TypeError> {
    let text = std::str::from_utf8(data).map_err(|_| TypeError::NotPrintable)?;
    if text.is_empty() || text.chars().any(char::is_control) {
        return Err(TypeError::NotPrintable);
    }
    if text.chars().count() > CHARS_MAX {
        return Err(TypeError::TooLong);
    }
    let key = |wanted| {
        let (code, level) = layout.key_for(wanted).ok_or(TypeError::NoKey)?;
        Ok(Stroke { code, level })
    };
    let mut strokes = text.chars().map(key).collect::<Result<Vec<Stroke>, TypeError>>()?;
    let plain = |code| Stroke { code, level: Level::default() };
    match suffix {
        Suffix::None => {}
        Suffix::Enter => strokes.push(plain(KEY_ENTER)),
        Suffix::Tab => strokes.push(plain(KEY_TAB)),
    }
    Ok(strokes)
}

impl Stroke {
    /// Its key events as code and value, down and up again.
    #[must_use]
    pub fn events(self) -> Vec<(u16, i32)> {
        let modifiers = [(self.level.shift, KEY_LEFTSHIFT), (self.level.alt_gr, KEY_RIGHTALT)];
        let held: Vec<u16> = modifiers.into_iter().filter(|(held, _)| *held).map(|(_, code)| code).collect();
        let down = held.iter().map(|code| (*code, 1));
        let up = held.iter().rev().map(|code| (*code, 0));
        down.chain([(self.code, 1), (self.code, 0)]).chain(up).collect()
    }
}

/// Where key events go: the kernel's uinput, or in tests a recorder.
pub trait Keyboard: Send {
    /// Moves one key (linux/input-event-codes.h): 1 down, 0 up.
    ///
    /// # Errors
    /// What the system says; the keyboard is of no use any more.
    fn key(&mut self, code: u16, value: i32) -> io::Result<()>;
}

/// A keyboard that types.
pub struct Typist {
    keyboard: Box<dyn Keyboard>,
}

/// Shows nothing: what is typed passes here.
impl std::fmt::Debug for Typist {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Typist")
    }
}

/// Makes a typist: [`Typist::open`], but for tests.
pub type OpenTypist = fn() -> Result<Typist, TypeError>;

impl Typist {
    /// Types on `keyboard`.
    #[must_use]
    pub fn over(keyboard: Box<dyn Keyboard>) -> Self {
        Self { keyboard }
    }

    /// Makes a keyboard out of nothing. It takes the host a moment to see it: open it at start, not at the first scan.
    ///
    /// # Errors
    /// [`TypeError::NoUinput`].
    pub fn open() -> Result<Self, TypeError> {
        let no = |source| TypeError::NoUinput { source };
        let keys: AttributeSet<KeyCode> = (1..=KEY_LAST).map(KeyCode::new).collect();
        // BUS_VIRTUAL: `hotplug` leaves it out, so that we never adopt ourselves.
        let id = InputId::new(BusType::BUS_VIRTUAL, 0, 0, 1);
        let builder = VirtualDevice::builder().map_err(no)?;
        let device =
            builder.name("Ficha typist").input_id(id).with_keys(&keys).map_err(no)?.build().map_err(no)?;
        Ok(Self::over(Box::new(device)))
    }

    /// Presses one key and lets it go.
    ///
    /// # Errors
    /// [`TypeError::Failed`]; make another typist then.
    pub fn press(&mut self, stroke: Stroke) -> Result<(), TypeError> {
        for (code, value) in stroke.events() {
            self.keyboard.key(code, value).map_err(|source| TypeError::Failed { source })?;
        }
        Ok(())
    }
}

impl Keyboard for VirtualDevice {
    fn key(&mut self, code: u16, value: i32) -> io::Result<()> {
        self.emit(&[InputEvent::new(EventType::KEY.0, code, value)])
    }
}
