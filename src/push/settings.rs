//! The `[push]` table of the config.

use crate::domain::settings::Keys;
use std::path::PathBuf;
use std::time::Duration;

/// How registers are reached, and how long what they are told means anything.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Where the Unix socket stands. Not used when systemd hands one in.
    pub socket: PathBuf,
    /// How long an event is about the customer or product on the counter. Later it is `missed`.
    pub lifetime: Duration,
}

/// A socket's path has 108 bytes in the kernel, the NUL at its end and our name for a moment included (unix(7)).
pub(super) const SOCKET_PATH_BYTES_MAX: usize = 90;

impl Default for Settings {
    fn default() -> Self {
        Self { socket: PathBuf::from("/run/fichad/fichad.sock"), lifetime: Duration::from_secs(30) }
    }
}

impl Settings {
    /// Takes `socket` and `lifetime_s` out of `[push]`; every mistake is reported there.
    pub fn read(keys: &mut Keys<'_>) -> Self {
        let default = Self::default();
        let socket = keys.parsed("socket", |text| {
            let fits = text.starts_with('/') && text.len() <= SOCKET_PATH_BYTES_MAX && !text.contains('\0');
            fits.then(|| PathBuf::from(text)).ok_or("must be an absolute path of at most 90 bytes")
        });
        let lifetime = keys.number("lifetime_s", 1..=600, "seconds").map(Duration::from_secs);
        Self { socket: socket.unwrap_or(default.socket), lifetime: lifetime.unwrap_or(default.lifetime) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn read(file: &str) -> (Settings, Vec<String>) {
        let mut mistakes = Vec::new();
        let mut keys = Keys::new("push", file.parse().unwrap(), &mut mistakes);
        let settings = Settings::read(&mut keys);
        keys.done();
        (settings, mistakes.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn keys_and_mistakes() {
        assert_eq!(read(""), (Settings::default(), vec![]));
        let (settings, mistakes) = read("socket = \"/run/x.sock\"\nlifetime_s = 5");
        assert_eq!((settings.socket.to_str(), settings.lifetime.as_secs()), (Some("/run/x.sock"), 5));
        assert!(mistakes.is_empty());
        let (_, mistakes) = read("socket = \"x.sock\"\nlifetime_s = 0\nlifetime = 3");
        assert_eq!(
            mistakes,
            [
                "push.socket: `x.sock`: must be an absolute path of at most 90 bytes",
                "push.lifetime_s: 0 must be from 1 to 600 (seconds)",
                "push.lifetime: unknown key; this table knows `socket`, `lifetime_s`",
            ]
        );
    }
}
