//! Whose a state folder is: what another user makes in it, the daemon could not open after.

use anyhow::{Context as _, bail};
use nix::unistd::{Uid, User, geteuid};
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

/// Refuses to go on as anybody but the owner of `dir`, root included. A folder that is not there yet is made by whoever
/// makes it, and systemd gives it to the unit's user with all that is in it (`StateDirectory=`, systemd.exec(5)).
pub(super) fn be_owner(dir: &Path, command: &str) -> anyhow::Result<()> {
    let shown = dir.display();
    let owner = match std::fs::metadata(dir) {
        Ok(found) => found.uid(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error).with_context(|| format!("{shown} cannot be looked at")),
    };
    if owner == geteuid().as_raw() {
        return Ok(());
    }
    let user = User::from_uid(Uid::from_raw(owner)).ok().flatten();
    let user = user.map_or_else(|| format!("#{owner}"), |user| user.name);
    bail!("{shown} belongs to {user}: run this as `sudo -u {user} {command} ...`");
}
