//! The `[metrics]` table of the config.

use crate::domain::settings::Keys;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

/// A socket's path has 108 bytes in the kernel, the NUL at its end and our name for a moment included (unix(7)).
const SOCKET_PATH_BYTES_MAX: usize = 90;

/// What the socket is called, in the folder of the registers' socket.
const SOCKET_NAME: &str = "metrics.sock";

/// Where the numbers can be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Whether they can be read at all. They are counted in any case.
    pub enabled: bool,
    /// The Unix socket.
    pub socket: PathBuf,
    /// An address of this host's own besides, for a Prometheus that knows no Unix sockets.
    pub listen: Option<SocketAddr>,
}

impl Settings {
    /// What holds where nothing is said, beside the registers' socket.
    #[must_use]
    pub fn usual(registers: &Path) -> Self {
        Self { enabled: true, socket: registers.with_file_name(SOCKET_NAME), listen: None }
    }

    /// Takes `enabled`, `socket` and `listen` out of `[metrics]`; every mistake is reported there.
    pub fn read(keys: &mut Keys<'_>, registers: &Path) -> Self {
        let usual = Self::usual(registers);
        let enabled = keys.flag("enabled");
        let socket = keys.parsed("socket", |text| {
            let fits = text.starts_with('/') && text.len() <= SOCKET_PATH_BYTES_MAX && !text.contains('\0');
            fits.then(|| PathBuf::from(text)).ok_or("must be an absolute path of at most 90 bytes")
        });
        if socket.as_deref() == Some(registers) {
            keys.refuse("socket", "is the registers' socket, `push.socket`: give the numbers another one");
        }
        let listen = keys.parsed("listen", |text| {
            let address = text.parse::<SocketAddr>().ok().filter(|address| address.ip().is_loopback());
            address.ok_or("must be an address of this host alone and a port, such as `127.0.0.1:9487`")
        });
        Self { enabled: enabled.unwrap_or(usual.enabled), socket: socket.unwrap_or(usual.socket), listen }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn read(file: &str) -> (Settings, Vec<String>) {
        let mut mistakes = Vec::new();
        let mut keys = Keys::new("metrics", file.parse().unwrap(), &mut mistakes);
        let settings = Settings::read(&mut keys, Path::new("/run/fichad/fichad.sock"));
        keys.done();
        (settings, mistakes.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn keys_and_mistakes() {
        let (settings, mistakes) = read("");
        assert_eq!((settings.enabled, settings.socket.to_str()), (true, Some("/run/fichad/metrics.sock")));
        assert!(mistakes.is_empty() && settings.listen.is_none());
        let (settings, mistakes) = read("enabled = false\nsocket = '/x/m'\nlisten = '[::1]:9487'");
        assert_eq!((settings.enabled, settings.socket.to_str()), (false, Some("/x/m")));
        assert_eq!((settings.listen.map(|listen| listen.port()), mistakes), (Some(9487), vec![]));
        let (_, mistakes) = read("socket = '/run/fichad/fichad.sock'\nlisten = '0.0.0.0:9487'\nport = 1");
        assert_eq!(
            mistakes,
            [
                "metrics.socket: is the registers' socket, `push.socket`: give the numbers another one",
                "metrics.listen: `0.0.0.0:9487`: must be an address of this host alone and a port, such as `127.0.0.1:9487`",
                "metrics.port: unknown key; this table knows `enabled`, `socket`, `listen`",
            ]
        );
    }
}
