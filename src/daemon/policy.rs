//! The host's users and groups, as the rights of peers.

use crate::config::Config;
use crate::desk::access::{Policy, ROLE_GROUPS};
use crate::domain::id::RegisterName;
use nix::unistd::{Group, Uid, User};

/// Reads groups and users of the host. What does not exist there gives nothing, and is said once.
pub(super) fn policy(config: &Config, registers: &[RegisterName]) -> Policy {
    let role_gids = ROLE_GROUPS.iter().filter_map(|(role, group)| match Group::from_name(group) {
        Ok(Some(group)) => Some((*role, group.gid.as_raw())),
        Ok(None) => {
            tracing::info!(group, "there is no such group on this host: nobody has its role");
            None
        }
        Err(error) => {
            tracing::warn!(group, %error, "the group cannot be looked up: nobody has its role");
            None
        }
    });
    let users_of = |name: &RegisterName| {
        let register = config.registers.iter().find(|register| register.name == *name);
        register
            .map(|register| register.users.iter().map(|user| uid(name, user)).collect())
            .unwrap_or_default()
    };
    Policy {
        own_uid: Uid::effective().as_raw(),
        role_gids: role_gids.collect(),
        registers: registers.iter().map(|name| (name.clone(), users_of(name))).collect(),
    }
}

/// A user's number; one that does not exist becomes a number that nobody has, so that the register is not opened to all.
fn uid(register: &RegisterName, user: &str) -> u32 {
    if let Ok(number) = user.parse() {
        return number;
    }
    match User::from_name(user) {
        Ok(Some(user)) => user.uid.as_raw(),
        Ok(None) | Err(_) => {
            tracing::warn!(%register, user, "there is no such user on this host");
            u32::MAX
        }
    }
}
