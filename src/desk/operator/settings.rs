//! The `[operators]` table of the config.

use crate::domain::settings::Keys;
use std::time::Duration;

/// The longest that a till can rest before its operator is signed off, in minutes, if that is wanted at all.
const IDLE_MINUTES_MAX: u64 = 24 * 60;

/// Whether tills work without anybody signed on, and for how long somebody stays so.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Settings {
    /// Whether a till writes nothing until somebody has signed on.
    pub required: bool,
    /// After how long without a request an operator is signed off; `None`: never.
    pub idle: Option<Duration>,
}

impl Settings {
    /// Reads `[operators]`.
    pub fn read(keys: &mut Keys<'_>) -> Self {
        let required = keys.flag("required").unwrap_or_default();
        let idle = keys.number("idle_minutes", 0..=IDLE_MINUTES_MAX, "minutes");
        let idle = idle.filter(|minutes| *minutes > 0).map(Duration::from_mins);
        Self { required, idle }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::settings::read_text;

    #[test]
    fn keys_and_mistakes() {
        let read = |text: &str| {
            let (settings, mistakes) = read_text(text, Settings::read).unwrap();
            (settings, mistakes.iter().map(ToString::to_string).collect::<Vec<_>>())
        };
        assert_eq!(read("idle_minutes = 0"), (Settings::default(), vec![]));
        let idle = Some(Duration::from_mins(20));
        assert_eq!(read("required = true\nidle_minutes = 20"), (Settings { required: true, idle }, vec![]));
        let (_, mistakes) = read("required = 1\nidle_minutes = 1441\nidle = 3");
        assert_eq!(mistakes.len(), 3, "{mistakes:?}");
        for (mistake, key) in mistakes.iter().zip(["required", "idle_minutes", "idle"]) {
            assert!(mistake.starts_with(&format!("{key}: ")), "{mistake}");
        }
    }
}
