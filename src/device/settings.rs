//! `[[reader]]`: which readers are ours, where they belong, and how they type.
//!
//! Scanners in HID POS mode and magnetic stripe readers need no table; keyboards and ttys are taken only by one.

use crate::decode::keyboard::IDLE_DEFAULT;
use crate::domain::id::{ReaderName, RegisterName};
use crate::domain::settings::Keys;
use std::time::Duration;

/// The most `[[reader]]` tables.
pub const READERS_MAX: usize = 16;
/// The layout that scanners leave the factory with.
const LAYOUT_DEFAULT: &str = "us";

/// All readers of the config.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Settings {
    /// One for each table, names unique.
    pub readers: Vec<ReaderSettings>,
}

/// One `[[reader]]` table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReaderSettings {
    /// The device, as `ficha devices` names it.
    pub name: ReaderName,
    /// Take it although it is a keyboard or a tty.
    pub adopt: bool,
    /// Where its scans go; `None` is the only register there is.
    pub register: Option<RegisterName>,
    /// Keyboard layout of the scanner, as xkb names it.
    pub layout: String,
    /// Variant of the layout; empty for none.
    pub variant: String,
    /// Silence that ends a typed scan without a suffix.
    pub idle: Duration,
}

impl ReaderSettings {
    /// What holds for a reader without a table.
    #[must_use]
    pub fn new(name: ReaderName) -> Self {
        Self {
            name,
            adopt: false,
            register: None,
            layout: LAYOUT_DEFAULT.to_owned(),
            variant: String::new(),
            idle: IDLE_DEFAULT,
        }
    }

    /// Reads one table; `None` without a good name.
    pub fn read(keys: &mut Keys<'_>) -> Option<Self> {
        let name = keys.parsed("name", |text| ReaderName::new(text));
        let adopt = keys.flag("adopt");
        let register = keys.parsed("register", |text| RegisterName::new(text));
        let layout = keys.parsed("layout", |text| xkb_name(text, false));
        let variant = keys.parsed("variant", |text| xkb_name(text, true));
        let idle = keys.number("idle_ms", 10..=2000, "milliseconds of silence that end a scan");
        let plain = Self::new(keys.required("name", name)?);
        Some(Self {
            adopt: adopt.unwrap_or(plain.adopt),
            register,
            layout: layout.unwrap_or(plain.layout),
            variant: variant.unwrap_or(plain.variant),
            idle: idle.map_or(plain.idle, Duration::from_millis),
            name: plain.name,
        })
    }
}

impl Settings {
    /// Reads every `[[reader]]` of the file; a name given twice is a mistake.
    pub fn read(keys: &mut Keys<'_>) -> Self {
        let name = |reader: &ReaderSettings| reader.name.clone();
        Self { readers: keys.distinct("reader", READERS_MAX, "name", name, ReaderSettings::read) }
    }

    /// What holds for `name`.
    #[must_use]
    pub fn for_reader(&self, name: &ReaderName) -> ReaderSettings {
        let found = self.readers.iter().find(|reader| reader.name == *name);
        found.cloned().unwrap_or_else(|| ReaderSettings::new(name.clone()))
    }
}

/// The names of layouts and variants; whether the database has one is seen when the reader is opened.
pub(super) fn xkb_name(text: &str, empty: bool) -> Result<String, &'static str> {
    let plain = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte));
    let fits = plain && text.len() <= 32 && (empty || !text.is_empty());
    if fits {
        Ok(text.to_owned())
    } else {
        Err("must be a name that `setxkbmap` knows, such as `us` or `de`")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::settings::read_text;

    fn read(file: &str) -> (Settings, Vec<String>) {
        let (settings, mistakes) = read_text(file, Settings::read).unwrap();
        (settings, mistakes.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn every_key_and_every_default() {
        let (settings, mistakes) = read(
            "[[reader]]\nname = 'usb:05e0:1200:S'\nadopt = true\nregister = 'till-1'\nlayout = 'de'\n\
             variant = 'nodeadkeys'\nidle_ms = 60\n[[reader]]\nname = 'port:1-1:1.0'\n",
        );
        assert!(mistakes.is_empty(), "{mistakes:?}");
        let [one, other] = settings.readers.as_slice() else { panic!("{settings:?}") };
        assert!(one.adopt && one.register.as_ref().is_some_and(|register| register.as_str() == "till-1"));
        assert_eq!((one.layout.as_str(), one.variant.as_str()), ("de", "nodeadkeys"));
        assert_eq!(one.idle, Duration::from_millis(60));
        assert_eq!(*other, ReaderSettings::new(ReaderName::new("port:1-1:1.0").unwrap()));
        assert_eq!(settings.for_reader(&one.name), *one);
        let unknown = ReaderName::new("port:9-9").unwrap();
        assert_eq!(settings.for_reader(&unknown), ReaderSettings::new(unknown));
    }

    #[test]
    fn mistakes_name_their_key() {
        let (settings, mistakes) = read(
            "[[reader]]\nadopt = 1\nlayuot = 'us'\n[[reader]]\nname = 'a b'\nlayout = '../us'\nidle_ms = 5\n\
             [[reader]]\nname = 'x'\n[[reader]]\nname = 'x'\n",
        );
        assert_eq!(settings.readers.len(), 1);
        let keys: Vec<&str> =
            mistakes.iter().filter_map(|line| line.split_once(": ")).map(|(key, _)| key).collect();
        assert_eq!(
            keys,
            [
                "reader[0].adopt",
                "reader[0].name",
                "reader[0].layuot",
                "reader[1].name",
                "reader[1].layout",
                "reader[1].idle_ms",
                "reader[3].name"
            ]
        );
    }
}
