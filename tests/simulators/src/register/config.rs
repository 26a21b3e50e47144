//! What a scenario puts into fichad's config.

use super::NAME;
use std::path::Path;

/// What the daemon calls a reader on USB that has a serial number.
#[must_use]
pub fn reader_name(vendor: u16, product: u16, serial: &str) -> String {
    format!("usb:{vendor:04x}:{product:04x}:{serial}")
}

/// A config for one scenario: its own folder and socket, one register, and what `devices` adds.
#[must_use]
pub fn config(folder: &Path, socket: &Path, devices: &str) -> String {
    let (folder, socket) = (folder.display(), socket.display());
    format!(
        "[store]\ndir = \"{folder}\"\n\n[push]\nsocket = \"{socket}\"\n\n[[register]]\nname = \"{NAME}\"\n\n{devices}"
    )
}

/// The scenario's register knows only a keyboard: goes on in its table, and so stands before any other.
pub const TYPES: &str = "types = true\n";

/// A keyboard-mode reader that is adopted. Its Enter ends a scan; the silence that would end one without is as long as the
/// config allows, because a busy machine can hold this guest up for longer than the usual 100 ms between two keys.
#[must_use]
pub fn adopted_keyboard(reader: &str, layout: &str) -> String {
    format!("[[reader]]\nname = \"{reader}\"\nadopt = true\nlayout = \"{layout}\"\nidle_ms = 2000\n")
}

/// A printer at this address.
#[must_use]
pub fn printer(name: &str, address: &str) -> String {
    format!("[[printer]]\nname = \"{name}\"\naddress = \"{address}\"\n")
}

/// An adopted tty, with what `more` adds to its table.
#[must_use]
pub fn serial(name: &str, node: &Path, more: &str) -> String {
    format!("[[serial]]\nname = \"{name}\"\npath = \"{}\"\n{more}\n", node.display())
}
